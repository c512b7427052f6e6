"""What teams are to be mailed about, and what they were."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, literal, select

from resultsq.domain.submission import NEEDS_A_PERSON, WAITING
from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.tables import MAIL, MASTER, Account, AccountEvent, Event, Submission, TeamMail
from resultsq.store.outbox import links

LATELY = timedelta(hours=1)
"""An event longer ago than this is not mailed: it would come too late."""

WAITS = "waiting"
PUBLISHED = "published"
MOST = 500
_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Untold:
    """An event that a team has not been mailed about: `about` is a state's name, or `waiting`."""

    seq: int
    about: str
    submission: str
    kind: str
    count: int
    event: str
    event_name: str
    time_zone: str
    date: str
    at: datetime
    revision: int | None
    accounts: Mapping[str, str | None]
    """Each account's name, and its owner's language, or the event's."""


def untold(conn: Connection, now: datetime, waits: timedelta) -> list[Untold]:
    """The latest events of submissions of teams that have an address, not mailed yet. The mail server's row is
    locked first, so that two workers do not tell it twice."""
    links.lock(conn, MAIL)
    found: list[Untold] = []
    for about, at, where, index in _happenings(now, waits):
        told = select(TeamMail.seq).where(TeamMail.seq == Submission.seq, TeamMail.about == about).exists()
        event = (Event.slug, Event.name, Event.time_zone, Event.language)
        columns = (Submission, *event, at.label("at"), about.label("about"))
        has_address = _team(Submission.event_id).exists()
        query = select(*columns).join(Event, Event.id == Submission.event_id)
        query = query.where(where, Submission.destination == MASTER, has_address, ~told).limit(MOST)
        query = query.with_hint(Submission, f"INDEXED BY {index}", "sqlite")
        found += [_untold(conn, row) for row in conn.execute(query)]
    return found


def _happenings(now: datetime, waits: timedelta) -> Sequence[tuple[Any, Any, Any, str]]:
    """What it is, when it happened, which submissions it concerns, and the index by which those are found."""
    published = and_(Submission.published_at > now - LATELY, Submission.published_at <= now)
    is_open = and_(Submission.published_at.is_(None), Submission.state_at > now - LATELY)
    waited = and_(Submission.accepted_at > now - waits - LATELY, Submission.accepted_at <= now - waits)
    given_up, still = Submission.state.in_(sorted(NEEDS_A_PERSON)), Submission.state.in_(sorted(WAITING))
    return (
        (literal(PUBLISHED), Submission.published_at, published, "ix_submissions_published_at"),
        (Submission.state, Submission.state_at, and_(is_open, given_up), "ix_submissions_destination"),
        (literal(WAITS), Submission.accepted_at, and_(waited, still), "ix_submissions_accepted_at"),
    )


def _team(event_id: Any) -> Any:
    """The accounts of an event that have an address."""
    mine = select(Account.name, Account.language).join(AccountEvent, AccountEvent.account_id == Account.id)
    return mine.where(AccountEvent.event_id == event_id, Account.mail.is_not(None), Account.disabled_at.is_(None))


def _untold(conn: Connection, row: Any) -> Untold:
    accounts = conn.execute(_team(row.event_id).order_by(by_code_point(Account.name)))
    return Untold(
        seq=row.seq,
        about=row.about,
        submission=row.id,
        kind=row.kind,
        count=row.finishers,
        event=row.slug,
        event_name=row.name,
        time_zone=row.time_zone,
        date=row.date,
        at=row.at,
        revision=row.revision,
        accounts={account.name: account.language or row.language for account in accounts},
    )


def note_told(conn: Connection, now: datetime, told: Collection[Untold]) -> None:
    """Note that these were mailed; old notes are forgotten."""
    if told:
        conn.execute(insert(TeamMail), [{"seq": one.seq, "about": one.about, "told_at": now} for one in told])
    conn.execute(delete(TeamMail).where(TeamMail.told_at < now - _KEPT))
