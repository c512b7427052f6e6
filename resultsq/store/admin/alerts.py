"""The alerts that hold, those that ended, and the messages that carry them to people.

A message waits here, as results do, when the same outage swallows it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from resultsq.domain.backoff import wait_s
from resultsq.domain.submission import WAITING, State
from resultsq.store import outbox
from resultsq.store.admin import actions, comparisons
from resultsq.store.engine.tables import MASTER, Alert, AlertMessage, Outage, Submission
from resultsq.store.outbox import links, refusals, repairs
from resultsq.store.views import queries

Tell = Callable[[Connection, datetime, str, str], None]
"""Queues a message for people, a subject and a text, in the transaction that raises an alert."""

MESSAGE_LEASE_S = 60.0
"""How long a message belongs to one worker before another may take it."""

MESSAGE_CAP_S = 300.0
COUNTED = 10_000
"""Those that wait are counted up to one more, for a sentence: it would cost the more the longer an outage lasts."""

_LONG_AGO = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert. `ended_at` None: it holds."""

    id: int
    rule: str
    text: str
    raised_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the rules ask of the store. `waiting` is counted up to one more than COUNTED."""

    oldest_waiting_at: datetime | None
    waiting: int
    rejected: Mapping[str, int]
    conflicts: Mapping[str, int]
    refused_events: int
    damaged: int
    aside: int
    failing_actions: int
    lost_there: int


def counts(conn: Connection, now: datetime) -> Counts:
    """The figures that rules are asked with; each from an index."""
    # their kind is in no index, and those that wait for a person are few
    stuck: dict[str, dict[str, int]] = {State.REJECTED: {}, State.CONFLICT: {}}
    for state, kind, count in conn.execute(_for_the_master(stuck, Submission.state, Submission.kind)):
        stuck[state][kind] = count
    return Counts(
        queries.oldest_waiting_at(conn),
        min(COUNTED + 1, sum(_some_waiting(conn, state) for state in sorted(WAITING))),
        stuck[State.REJECTED],
        stuck[State.CONFLICT],
        refusals.count(conn),
        sum(count for _, count in repairs.damaged(conn, watched=True)),
        outbox.count_aside(conn),
        actions.failing(conn),
        comparisons.lost_lately(conn, now),
    )


def _some_waiting(conn: Connection, state: str) -> int:
    """How many in this state the master is to have, of which no more than needed are read."""
    # between, not equal, as in queries.py: else PostgreSQL looks for them from the first submission ever on
    waits = (
        Submission.published_at.is_(None),
        Submission.destination == MASTER,
        Submission.state.between(state, state),
    )
    some = select(Submission.seq).where(*waits).with_hint(Submission, "INDEXED BY ix_submissions_destination", "sqlite")
    some = some.order_by(Submission.state, Submission.seq).limit(COUNTED + 1)
    return conn.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def _for_the_master(states: Collection[str], *groups: Any) -> Select[Any]:
    """How many in these states, in each group."""
    return (
        select(*groups, func.count())
        .where(
            Submission.published_at.is_(None), Submission.destination == MASTER, Submission.state.in_(sorted(states))
        )
        .with_hint(Submission, "INDEXED BY ix_submissions_destination", "sqlite")
        .group_by(*groups)
    )


def bring_up_to_date(conn: Connection, now: datetime, holding: Mapping[str, str], tell: Tell) -> None:
    """Bring the table up to date: raise new alerts, end those that are over, and send messages about both.

    The link's row is locked first, so that two workers do not report twice."""
    links.lock(conn)
    standing = {row.rule: row.id for row in conn.execute(select(Alert.rule, Alert.id).where(Alert.ended_at.is_(None)))}
    for rule, text in holding.items():
        if rule in standing:
            conn.execute(update(Alert).where(Alert.id == standing[rule], Alert.text != text).values(text=text))
        else:
            conn.execute(insert(Alert), {"rule": rule, "text": text, "raised_at": now})
            tell(conn, now, f"resultsq: {rule}", text)
    for rule in standing.keys() - holding.keys():
        conn.execute(update(Alert).where(Alert.id == standing[rule]).values(ended_at=now))
        tell(conn, now, f"resultsq: over: {rule}", "This no longer holds.")


def tell_once(conn: Connection, now: datetime, rule: str, about: str, text: str, tell: Tell) -> bool:
    """Raise an alert about a single event, once for each `about`; False: it was raised before."""
    links.lock(conn)
    if conn.execute(select(Alert.id).where(Alert.rule == rule, Alert.about == about)).first() is not None:
        return False
    conn.execute(insert(Alert), {"rule": rule, "about": about, "text": text, "raised_at": now, "ended_at": now})
    tell(conn, now, f"resultsq: {rule}", text)
    return True


@dataclass(frozen=True, slots=True)
class Drained:
    """An outage whose submissions are all published: how many, and how long after its end the last was."""

    outage: int
    published: int
    seconds: float


def drained_outages(conn: Connection, now: datetime) -> list[Drained]:
    """Outages that ended lately with submissions waiting, of which none waits any more."""
    found, first = [], queries.oldest_waiting_seq(conn)
    for row in conn.execute(
        select(Outage.id, Outage.ended_at, Outage.last_seq).where(
            Outage.ended_at > now - _LONG_AGO, Outage.delayed > 0, Outage.link == MASTER
        )
    ):
        if first is not None and first <= row.last_seq:
            continue
        count, last = conn.execute(
            select(func.count(), func.max(Submission.published_at)).where(
                Submission.published_at >= row.ended_at,
                Submission.seq <= row.last_seq,
                Submission.destination == MASTER,
            )
        ).one()
        if count and row.ended_at is not None:
            found.append(Drained(row.id, count, (last - row.ended_at).total_seconds()))
    return found


def standing(conn: Connection, most: int = 50) -> list[AlertView]:
    """The alerts that hold, and the last that ended, newest first."""
    rows = conn.execute(
        select(Alert.id, Alert.rule, Alert.text, Alert.raised_at, Alert.ended_at)
        .order_by(Alert.ended_at.is_not(None), Alert.id.desc())
        .limit(most)
    )
    return [AlertView(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class UnsentAlerts:
    """Messages that one channel did not take: how many, the oldest's time, and the last one's error."""

    channel: str
    count: int
    since: datetime
    error: str | None


def unsent(conn: Connection) -> list[UnsentAlerts]:
    """What could not leave, by channel. A message that has not been tried yet is not among them."""
    query = (
        select(AlertMessage.road, func.count(), func.min(AlertMessage.created_at), func.max(AlertMessage.last_error))
        .where(AlertMessage.sent_at.is_(None), AlertMessage.last_error.is_not(None))
        .group_by(AlertMessage.road)
    )
    return [UnsentAlerts(*row) for row in conn.execute(query)]


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    road: str
    subject: str
    text: str
    created_at: datetime


def any_message_is_due(conn: Connection, now: datetime) -> bool:
    """Whether there is one for `take_message`."""
    return conn.execute(_DUE, {"now": now}).first() is not None


_DUE = (
    select(AlertMessage.id)
    .where(AlertMessage.sent_at.is_(None), AlertMessage.next_attempt_at <= bindparam("now"))
    .limit(1)
)


def take_message(conn: Connection, now: datetime) -> Message | None:
    """The next message that is due, ours to send for a minute."""
    row = conn.execute(
        select(AlertMessage)
        .where(AlertMessage.sent_at.is_(None), AlertMessage.next_attempt_at <= now)
        .order_by(AlertMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    conn.execute(
        update(AlertMessage)
        .where(AlertMessage.id == row.id)
        .values(next_attempt_at=now + timedelta(seconds=MESSAGE_LEASE_S), attempts=AlertMessage.attempts + 1)
    )
    return Message(row.id, row.road, row.subject, row.text, row.created_at)


def message_sent(conn: Connection, now: datetime, message: int) -> None:
    """It has arrived."""
    conn.execute(update(AlertMessage).where(AlertMessage.id == message).values(sent_at=now, last_error=None))


def message_failed(conn: Connection, now: datetime, message: int, error: str, jitter: float) -> None:
    """It has not; it is tried again, and never given up."""
    attempts = conn.execute(select(AlertMessage.attempts).where(AlertMessage.id == message)).scalar_one()
    wait = 1.0 + wait_s(attempts, jitter, cap_s=MESSAGE_CAP_S)
    conn.execute(
        update(AlertMessage)
        .where(AlertMessage.id == message)
        .values(next_attempt_at=now + timedelta(seconds=wait), last_error=error[:200])
    )


def add_message(conn: Connection, now: datetime, channel: str, subject: str, text: str) -> None:
    """A message for this channel, due at once."""
    said = {"road": channel, "subject": subject, "text": text, "created_at": now, "next_attempt_at": now}
    conn.execute(insert(AlertMessage), said)
