"""The alerts that hold, those that ended, and the messages that carry them to people.

A message waits here, as results do, when the same outage swallows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, Connection, bindparam, func, insert, select, update

from resultsq.domain.backoff import wait_s
from resultsq.domain.submission import WAITING, State
from resultsq.store import outbox
from resultsq.store.admin import actions, comparisons
from resultsq.store.engine.prepared import PreparedStatement
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
    for state, kind, count in conn.execute(_STUCK):
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
    return int(_SOME_WAITING.one(conn, {"state": state})[0])


_FOR_THE_MASTER = (Submission.published_at.is_(None), Submission.destination == MASTER)
_STATE: BindParameter[str] = bindparam("state")
_SOME_WAITING = PreparedStatement(
    select(func.count()).select_from(
        select(Submission.seq)
        # between, not equal, as in queries.py: else PostgreSQL looks for them from the first submission ever on
        .where(*_FOR_THE_MASTER, Submission.state.between(_STATE, _STATE))
        .with_hint(Submission, "INDEXED BY ix_submissions_destination", "sqlite")
        .order_by(Submission.state, Submission.seq)
        .limit(COUNTED + 1)
        .subquery()
    )
)
_STUCK = (
    select(Submission.state, Submission.kind, func.count())
    .where(*_FOR_THE_MASTER, Submission.state.in_(sorted((State.REJECTED, State.CONFLICT))))
    .with_hint(Submission, "INDEXED BY ix_submissions_destination", "sqlite")
    .group_by(Submission.state, Submission.kind)
)


def holding(conn: Connection) -> dict[str, str]:
    """Rule → text of each alert that stands."""
    return {row.rule: row.text for row in _HOLDING.all(conn, {})}


_HOLDING = PreparedStatement(select(Alert.rule, Alert.text).where(Alert.ended_at.is_(None)))


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
    if _alerted(conn, now, rule, [about]):
        return False
    conn.execute(insert(Alert), {"rule": rule, "about": about, "text": text, "raised_at": now, "ended_at": now})
    tell(conn, now, f"resultsq: {rule}", text)
    return True


def _alerted(conn: Connection, now: datetime, rule: str, abouts: Sequence[str]) -> set[str]:
    """About which of these events of the last day this rule raised an alert."""
    raised = (Alert.raised_at > now - 2 * _LONG_AGO, Alert.about.in_(abouts))
    # the rule is compared here: by its index each alert that it ever raised would be read
    return {row.about for row in conn.execute(select(Alert.rule, Alert.about).where(*raised)) if row.rule == rule}


@dataclass(frozen=True, slots=True)
class Drained:
    """An outage whose submissions are all published: how many, and how long after its end the last was."""

    outage: int
    published: int
    seconds: float

    @property
    def about(self) -> str:
        """What an alert about it is about."""
        return _about(self.outage)


def _about(outage: int) -> str:
    return f"outage {outage}"


def drained_outages(conn: Connection, now: datetime, rule: str) -> list[Drained]:
    """Outages that ended lately with submissions waiting, of which none waits any more, and about which this rule has
    raised no alert."""
    ended = conn.execute(_ENDED_LATELY, {"since": now - _LONG_AGO}).all()
    if not ended:
        return []
    alerted = _alerted(conn, now, rule, [_about(row.id) for row in ended])
    found, first = [], queries.oldest_waiting_seq(conn)
    for row in ended:
        if _about(row.id) in alerted or (first is not None and first <= row.last_seq):
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


_ENDED_LATELY = select(Outage.id, Outage.ended_at, Outage.last_seq).where(
    Outage.ended_at > bindparam("since"), Outage.delayed > 0, Outage.link == MASTER
)


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
