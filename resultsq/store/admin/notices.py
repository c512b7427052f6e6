"""Notices to teams: written here, or brought from the master, and kept so that they are read while the link is down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from resultsq.domain.clock_steps import passed
from resultsq.domain.notices import OfficeNotice
from resultsq.store.engine.tables import Event, Notice, NoticeFeed

SHOWN = 5
"""Notices on top of one form."""

LISTED = 100
_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One notice. `event` is a slug, None: all events; `written_by` is empty for the office's."""

    id: int
    event: str | None
    title: str
    text: str
    written_by: str
    shown_from: datetime
    shown_until: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedState:
    """The tag of the master's last list, when it was asked, and why it gave none."""

    etag: str = ""
    asked_at: datetime | None = None
    next_at: datetime | None = None
    wait_s: float = 0.0
    error: str | None = None


_VIEW = select(
    Notice.id,
    Event.slug,
    Notice.title,
    Notice.text,
    Notice.written_by,
    Notice.shown_from,
    Notice.shown_until,
    Notice.ended_at,
).join(Event, Event.id == Notice.event_id, isouter=True)


def in_force(conn: Connection, now: datetime, event_ids: Sequence[int]) -> list[NoticeView]:
    """What teams of these events read now, the newest first."""
    for_them = or_(Notice.event_id.is_(None), Notice.event_id.in_(event_ids))
    query = _VIEW.where(Notice.shown_until > now, Notice.shown_from <= now, Notice.ended_at.is_(None), for_them)
    return [NoticeView(*row) for row in conn.execute(query.order_by(Notice.shown_from.desc()).limit(SHOWN))]


def latest(conn: Connection, now: datetime) -> list[NoticeView]:
    """Those that are in force or to come, and some that are over, the last to end first."""
    rows = conn.execute(_VIEW.order_by(Notice.shown_until.desc(), Notice.id.desc()).limit(LISTED))
    found = [NoticeView(*row) for row in rows]
    return sorted(found, key=lambda one: one.ended_at is not None or one.shown_until <= now)


def add(conn: Connection, now: datetime, who: str, event_id: int | None, title: str, text: str, until: datetime) -> int:
    """Show it from now on; its number."""
    values = {"title": title, "text": text, "written_by": who[:100], "shown_from": now, "shown_until": until}
    made = insert(Notice).values(event_id=event_id, **values).returning(Notice.id)
    return int(conn.execute(made).scalar_one())


def end(conn: Connection, now: datetime, number: int) -> bool:
    """Show it no more; False: there is no such notice of this node in force."""
    own = and_(Notice.id == number, Notice.office_id.is_(None), Notice.ended_at.is_(None), Notice.shown_until > now)
    return bool(conn.execute(update(Notice).where(own).values(ended_at=now)).rowcount)


# the office's


def feed(conn: Connection) -> FeedState:
    """How the master's notices stand."""
    query = select(NoticeFeed.etag, NoticeFeed.asked_at, NoticeFeed.next_at, NoticeFeed.wait_s, NoticeFeed.error)
    row = conn.execute(query).first()
    return FeedState() if row is None else FeedState(*row)


def is_due(state: FeedState, now: datetime, returned_at: datetime | None) -> bool:
    """Whether the master is asked now: when the wait is over, and at once after the link's return."""
    returned = returned_at is not None and (state.asked_at is None or returned_at > state.asked_at)
    return returned or passed(state.next_at, state.wait_s, now)


def asked(conn: Connection, now: datetime, wait_s: float, error: str | None, etag: str | None = None) -> None:
    """Write down the end of a question. `etag` None: as it was."""
    next_at = now + timedelta(seconds=wait_s)
    values = {"asked_at": now, "next_at": next_at, "wait_s": wait_s, "error": error}
    if etag is not None:
        values["etag"] = etag
    if not conn.execute(update(NoticeFeed).values(values)).rowcount:
        conn.execute(insert(NoticeFeed), {"id": 1, "etag": "", **values})


def replace_offices(conn: Connection, now: datetime, notices: Sequence[OfficeNotice]) -> None:
    """These are the master's from now on: others of it end. One for an event that is not here is left out."""
    events = {row.slug: row.id for row in conn.execute(select(Event.slug, Event.id))}
    ours = [one for one in notices if one.event is None or one.event in events]
    gone = and_(Notice.office_id.is_not(None), Notice.ended_at.is_(None), Notice.shown_until > now)
    conn.execute(update(Notice).where(gone, Notice.office_id.not_in([one.id for one in ours])).values(ended_at=now))
    for one in ours:
        values = {
            "event_id": None if one.event is None else events[one.event],
            "title": one.title,
            "text": one.text,
            "shown_from": one.at,
            "shown_until": one.until,
            "ended_at": None,
        }
        if not conn.execute(update(Notice).where(Notice.office_id == one.id).values(values)).rowcount:
            conn.execute(insert(Notice), {"office_id": one.id, "written_by": "", **values})
    conn.execute(delete(Notice).where(Notice.shown_until < now - _KEPT))
