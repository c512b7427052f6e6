"""The row of a link: what the prober found, who probes, the slow-start window, refused credentials, holds.

There is one for each destination. All workers share it: lock it before a change, and keep no lock across a call."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.domain.backoff import RETRY_AFTER_CAP_S
from resultsq.domain.clock_steps import passed
from resultsq.domain.clock_trust import newest
from resultsq.domain.link import HEARD_S, LinkState, Window, opening, probe_wait_s, state_for
from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.submission import WAITING
from resultsq.store import outbox
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import MASTER, Event, Link, Outage, Submission, UtcDateTime
from resultsq.store.outbox import refusals

PROBER_LEASE_S = 5.0
"""How long a prober may be silent before another worker takes over; it says so three times in that."""

RESULTS_FIRST_S = 10.0
"""How long after its return the way to the master is cleared of what waits before anything goes elsewhere."""


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """The link as a worker sees it. `probes` and `ok_probe` are numbers of probes: one that is greater than
    a number noted earlier was started later, whatever the clocks say."""

    state: LinkState
    suspect: bool
    since: datetime
    probes: int
    ok_probe: int
    probe_due: bool
    probe_in_s: float
    mine: bool


def ensure(conn: Connection, now: datetime, ceiling: int, name: str = MASTER) -> None:
    """Make the link's row where there is none: up until a probe says otherwise, and one is due at once."""
    make = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = {
        "name": name,
        "state": LinkState.UP,
        "since": now,
        "suspect": True,
        "suspect_at": now,
        "next_probe_at": now,
        "probe_wait_s": 0.0,
        "window": opening(ceiling).size,
        "probes": 0,
        "ok_probe": 0,
        "answered": 0,
        "turns": 0,
        "return_seq": 0,
    }
    conn.execute(make(Link).values(**row).on_conflict_do_nothing())


def lock(conn: Connection, name: str = MASTER) -> Row[Any]:
    """The link's row, ours until the transaction ends."""
    row: Row[Any] = _LOCK.one(conn, {"name": name})
    return row


_LOOK = select(Link).where(Link.name == bindparam("name"))
_LOCK, _SEEN = PreparedStatement(_LOOK.with_for_update()), PreparedStatement(_LOOK)


def look(conn: Connection, now: datetime, worker: str, name: str = MASTER) -> LinkSnapshot:
    """The link as it is; takes nothing."""
    return snapshot(_SEEN.one(conn, {"name": name}), now, worker)


def is_up(conn: Connection, name: str = MASTER) -> bool:
    """Whether anything can be sent; nothing else of the row is read."""
    return bool(conn.execute(_STATE, {"name": name}).scalar_one() == LinkState.UP)


_STATE = select(Link.state).where(Link.name == bindparam("name"))


def snapshot(row: Row[Any], now: datetime, worker: str) -> LinkSnapshot:
    """The link as its row says."""
    return LinkSnapshot(
        state=LinkState(row.state),
        suspect=row.suspect,
        since=row.since,
        probes=row.probes,
        ok_probe=row.ok_probe,
        probe_due=passed(row.next_probe_at, row.probe_wait_s, now),
        probe_in_s=0.0 if row.next_probe_at is None else (row.next_probe_at - now).total_seconds(),
        mine=row.prober == worker,
    )


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What people ask about the link."""

    state: LinkState
    since: datetime
    cause: str | None
    refused_at: datetime | None
    newest_at: datetime | None
    clock_offset_s: float | None
    takes_nothing_since: datetime | None


def facts(conn: Connection) -> LinkFacts | None:
    """The link as it is, for people; None before the first worker has run."""
    began = select(Outage.began_at).where(Outage.id == Link.outage_id).scalar_subquery()
    row = conn.execute(_LOOK.add_columns(began.label("outage_at")), {"name": MASTER}).first()
    if row is None:
        return None
    state = LinkState(row.state)
    stalled_since = row.outage_at if state is LinkState.UP else None
    return LinkFacts(state, row.since, row.cause, row.refused_at, row.newest_at, row.clock_offset_s, stalled_since)


@dataclass(frozen=True, slots=True)
class LinkAtRest:
    """A link that is up. `results_are_due`: some are on their way, or may go now."""

    returned_at: datetime | None
    results_are_due: bool


def at_rest(conn: Connection, now: datetime) -> LinkAtRest | None:
    """Whether other work may use the link; None where it is not up, or the master refuses our credentials."""
    row = conn.execute(_LOOK, {"name": MASTER}).first()
    if row is None or LinkState(row.state) is not LinkState.UP or row.suspect or row.refused_at is not None:
        return None
    queue = outbox.look(conn, now, row.epoch)
    return LinkAtRest(row.returned_at, bool(queue.running or queue.old or queue.fresh or queue.again))


def results_go_first(conn: Connection, now: datetime) -> bool:
    """Whether the link to the master returned a moment ago and results are due: what goes elsewhere lets them go. No
    longer than that, for a master that takes nothing must not keep mails."""
    returned_at = conn.execute(_RETURNED).scalar()
    if returned_at is None or not timedelta(0) <= now - returned_at < timedelta(seconds=RESULTS_FIRST_S):
        return False
    found = at_rest(conn, now)
    return found is not None and found.results_are_due


_RETURNED = select(Link.returned_at).where(Link.name == MASTER)


def prober_is_free(conn: Connection, now: datetime, worker: str, name: str = MASTER) -> bool:
    """Whether this worker may become the prober, or stay it; takes nothing."""
    return _may_take(_SEEN.one(conn, {"name": name}), now, worker)


def _may_take(row: Row[Any], now: datetime, worker: str) -> bool:
    return row.prober is None or row.prober == worker or passed(row.prober_until, PROBER_LEASE_S, now)


def take_prober(conn: Connection, now: datetime, worker: str, name: str = MASTER) -> LinkSnapshot:
    """Become the prober, or stay it; someone else stays it while they keep saying so."""
    row = lock(conn, name)
    free = _may_take(row, now, worker)
    if free:
        until = now + timedelta(seconds=PROBER_LEASE_S)
        _TAKE_PROBER.run(conn, {"_name": name, "_worker": worker, "_until": until})
    return replace(snapshot(row, now, worker), mine=free)


_OF_THIS = update(Link).where(Link.name == bindparam("_name"))
_TAKE_PROBER = PreparedStatement(
    _OF_THIS.values(prober=bindparam("_worker"), prober_until=bindparam("_until", type_=UtcDateTime()))
)
_PROBE = _OF_THIS.values(probes=Link.probes + 1, next_probe_at=bindparam("_at"), probe_wait_s=bindparam("_wait_s"))


def drop_prober(conn: Connection, worker: str, name: str = MASTER) -> None:
    """A worker that stops hands the prober's lease back."""
    conn.execute(update(Link).where(Link.name == name, Link.prober == worker).values(prober=None, prober_until=None))


def start_probe(conn: Connection, now: datetime, jitter: float, name: str = MASTER) -> int:
    """A probe is about to be started: its number. The next one is due as the link's state says."""
    row = lock(conn, name)
    wait_s = probe_wait_s(LinkState(row.state), row.suspect, jitter)
    next_at = now + timedelta(seconds=wait_s)
    conn.execute(_PROBE, {"_name": name, "_at": next_at, "_wait_s": wait_s})
    count_probe(conn, row.outage_id)
    return int(row.probes) + 1


def count_probe(conn: Connection, outage_id: int | None) -> None:
    """One more was started in this outage, where there is one."""
    if outage_id is not None:
        conn.execute(_COUNT_PROBE, {"_id": outage_id})


_COUNT_PROBE = update(Outage).where(Outage.id == bindparam("_id")).values(probes=Outage.probes + 1)


def ask_for_probe(conn: Connection, now: datetime) -> None:
    """A page asks for the link's state: a probe is due at once, where `askable` still says so."""
    if _askable(lock(conn), now):
        conn.execute(update(Link).where(Link.name == MASTER).values(**next_probe(now, 0.0)))


def askable(conn: Connection, now: datetime) -> tuple[bool, bool]:
    """Whether a worker probes, and whether to ask it for a probe: none has been started in the last few seconds, and
    the next one is not due. A link that is not up is probed often enough, and as the master asked."""
    row = conn.execute(_LOOK, {"name": MASTER}).one()
    lives = row.prober is not None and not passed(row.prober_until, PROBER_LEASE_S, now)
    return lives, lives and _askable(row, now)


def _askable(row: Row[Any], now: datetime) -> bool:
    due = passed(row.next_probe_at, row.probe_wait_s, now)
    if due or LinkState(row.state) is not LinkState.UP:
        return False
    started = row.next_probe_at - timedelta(seconds=row.probe_wait_s)
    return not timedelta(0) <= now - started < timedelta(seconds=HEARD_S)


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What a probe's answer changed: `returned` and `lost` are the two moments that people ask about."""

    state: LinkState
    returned: bool = False
    lost: bool = False


def clock_facts(row: Row[Any], now: datetime, answer: ProbeAnswer) -> dict[str, Any]:
    """What the answer says of the time."""
    heard = answer.cause is None and answer.master_time_offset_s is not None
    offset_s = answer.master_time_offset_s if heard else row.clock_offset_s
    return {"clock_offset_s": offset_s, "newest_at": newest(now, row.newest_at, offset_s, heard=heard)}


def probe_answered(
    conn: Connection,
    now: datetime,
    number: int,
    answer: ProbeAnswer,
    ceiling: int,
    jitter: float,
    name: str = MASTER,
) -> LinkChange:
    """Write down what a probe found. A failure that was started before the last success is old news."""
    row = lock(conn, name)
    before = LinkState(row.state)
    after = state_for(answer.cause)
    facts: dict[str, Any] = {"probed_at": now, "probe_s": answer.duration_s, **clock_facts(row, now, answer)}
    if answer.cause is None:
        facts |= {"ok_probe": max(number, row.ok_probe), "cause": None, "detail": None}
        if before is not LinkState.UP:
            facts |= come_back(conn, now, row, row.outage_id, row.epoch, ceiling)
        began = now - timedelta(seconds=answer.duration_s)
        if row.suspect_at is None or not began < row.suspect_at <= now:
            facts |= {
                "suspect": False,
                "suspect_at": None,
                **next_probe(now, probe_wait_s(LinkState.UP, False, jitter)),
            }
        # else it had begun before the trouble: the next one decides
    elif number < row.ok_probe:
        return LinkChange(before)
    else:
        retry_after_s = None if answer.retry_after_s is None else min(answer.retry_after_s, RETRY_AFTER_CAP_S)
        facts |= {
            "suspect": False,
            "suspect_at": None,
            "cause": answer.cause,
            "detail": answer.detail,
            "state": after,
        }
        if after is not before or retry_after_s is not None:
            facts |= next_probe(now, probe_wait_s(after, False, jitter, retry_after_s))
        if before is LinkState.UP:
            began = row.suspect_at or now
            facts["since"] = began
            if row.outage_id is None:  # else it had begun before: the master answered, and took nothing
                facts["outage_id"] = open_outage(conn, name, began, answer.cause, answer.detail, probes=1)
        elif after is not before:
            facts["since"] = now
    conn.execute(_OF_THIS, {"_name": name, **facts})
    up = answer.cause is None
    return LinkChange(after, returned=up and before is not LinkState.UP, lost=not up and before is LinkState.UP)


def next_probe(now: datetime, wait_s: float) -> dict[str, Any]:
    """What the link's row says when a probe is due so many seconds from now."""
    return {"next_probe_at": now + timedelta(seconds=wait_s), "probe_wait_s": wait_s}


def open_outage(conn: Connection, name: str, began_at: datetime, cause: str, detail: str, probes: int) -> int:
    """An outage of this link begins; its number."""
    facts = {"link": name, "began_at": began_at, "cause": cause, "detail": detail, "probes": probes}
    return conn.execute(insert(Outage).values(**facts).returning(Outage.id)).scalar_one()


NOTHING_FAILS = {"failures": 0, "failed_seq": 0, "failing_since": None, "trial_at": None}


def come_back(
    conn: Connection, now: datetime, row: Row[Any], outage_id: int | None, epoch: int, ceiling: int
) -> dict[str, Any]:
    """The link returns: whatever waited for it waits no longer, and its outage is over. What its row says then."""
    last_seq = conn.execute(select(func.coalesce(func.max(Submission.seq), 0))).scalar_one()
    outbox.release_from_link(conn, row.name)
    if outage_id is not None:
        # counted once an outage, from the index on state
        delayed = conn.execute(
            select(func.count()).where(Submission.state.in_(WAITING), Submission.destination == row.name)
        ).scalar_one()
        conn.execute(
            update(Outage).where(Outage.id == outage_id).values(ended_at=now, delayed=delayed, last_seq=last_seq)
        )
    return {
        "state": LinkState.UP,
        "since": now,
        "returned_at": now,
        "return_seq": last_seq,
        "epoch": epoch + 1,
        "outage_id": None,
        **NOTHING_FAILS,
        "window": opening(ceiling).size,
        "answered": 0,
        "opened_at": None,
    }


def suspect(conn: Connection, now: datetime, name: str = MASTER) -> int:
    """A call met trouble that is the link's: a probe is due at once. The number of the last probe started,
    so that the caller can recognise a later one."""
    row = lock(conn, name)
    if LinkState(row.state) is LinkState.UP and not row.suspect:
        facts = {"suspect": True, "suspect_at": now, **next_probe(now, 0.0)}
        conn.execute(_OF_THIS, {"_name": name, **facts})
    return int(row.probes)


def window(row: Row[Any]) -> Window:
    """The slow-start window as a value."""
    return Window(row.window, row.answered, row.opened_at)


def keep(conn: Connection, name: str, value: Window, claimed: int, last_round: int, facts: dict[str, Any]) -> None:
    """Write back the window, the number claimed, the last round, and the other columns that the cycle changed."""
    values = {"_size": value.size, "_answered": value.answered, "_opened_at": value.opened_at}
    conn.execute(_KEEP, {**values, "_name": name, "_claimed": claimed, "_round": last_round})
    later = {"round", "window", "answered", "opened_at"}  # written above, with what this cycle made of them
    facts = {name: found for name, found in facts.items() if name not in later}
    if facts:
        conn.execute(_OF_THIS, {"_name": name, **facts})


_KEEP = (
    update(Link)
    .where(Link.name == bindparam("_name"))
    .values(
        window=bindparam("_size"),
        answered=bindparam("_answered"),
        opened_at=bindparam("_opened_at"),
        round=bindparam("_round"),
        turns=Link.turns + bindparam("_claimed"),  # counted by claims, not by cycles, so that old and new alternate
    )
)


def credentials_changed(conn: Connection, fingerprint: str, name: str = MASTER) -> bool:
    """Note the credentials that are in force; new ones are tried at once, refused or not."""
    row = lock(conn, name)
    if row.credentials == fingerprint:
        return False
    again = {"refused_at": None, "refused_next_at": None}
    conn.execute(update(Link).where(Link.name == name).values(credentials=fingerprint, **again))
    if name == MASTER:
        _forget_refusals(conn, again)
    return row.credentials is not None


def _forget_refusals(conn: Connection, again: dict[str, Any]) -> None:
    conn.execute(update(Event).where(Event.refused_at.is_not(None)).values(**again))  # of the version before
    refusals.forget_all(conn)
