"""Holds of an event, of the destination, and their end: each written in the audit.

A hold is a row that each claim asks. What one that is released held by itself, submission by submission, is released by
an action."""

from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, insert, or_, select, text, update

from resultsq.domain.errors import NotThere
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.store.admin import actions
from resultsq.store.admin.actions import Verb
from resultsq.store.engine import audit
from resultsq.store.engine.tables import Event, Hold, Submission
from resultsq.store.outbox.aside import BY_ITSELF

_TIME_HAS_COME = gettext_noop("its time has come")


def place_hold(
    conn: Connection, now: datetime, who: str, event_id: int | None, reason: str, release_at: datetime | None = None
) -> int:
    """Hold an event, or the destination (`event_id` None), until a person releases it or until `release_at`.
    It takes the place of the hold that was there. The hold's id."""
    scope, target = _scope(conn, event_id)
    if conn.dialect.name == "postgresql":
        conn.execute(_ONE_PLACES)
    same = (Hold.scope == scope, Hold.event_id == event_id if event_id is not None else Hold.event_id.is_(None))
    conn.execute(update(Hold).where(Hold.released_at.is_(None), *same).values(released_at=now, released_by=who))
    values = {"scope": scope, "event_id": event_id, "reason": reason, "placed_by": who, "placed_at": now}
    hold = conn.execute(insert(Hold).values(**values, release_at=release_at).returning(Hold.id)).scalar_one()
    audit.note(conn, now, who, Verb.HOLD, target, 1, reason)
    return hold


# Two people may hold one event at once: they take turns, so the second finds the first one's hold. Who reads holds, or
# puts a submission under one, does not wait for them.
_ONE_PLACES = text("LOCK TABLE holds IN SHARE ROW EXCLUSIVE MODE")


def release_hold(conn: Connection, now: datetime, who: str, hold: int, reason: str = "") -> str | None:
    """End a hold. Where it held single submissions, an action releases them: its id.

    :raises NotThere: there is no such hold in force."""
    row = conn.execute(
        update(Hold)
        .where(Hold.id == hold, Hold.released_at.is_(None))
        .values(released_at=now, released_by=who)
        .returning(Hold.scope, Hold.event_id)
    ).first()
    if row is None:
        raise NotThere(gettext("There is no such hold in force."))
    if row.scope == "submission":
        return actions.release_held(conn, now, who, hold, reason)
    audit.note(conn, now, who, Verb.RELEASE, _scope(conn, row.event_id)[1], 1, reason)
    return None


def hidden_holds(conn: Connection, now: datetime) -> dict[int, int]:
    """Holds of an event, or of the destination, in whose place a newer one has come and that are in force all the same:
    each with the newer one."""
    in_force = and_(Hold.released_at.is_(None), or_(Hold.release_at.is_(None), Hold.release_at > now))
    query = select(Hold.id, Hold.scope, Hold.event_id).where(in_force, Hold.scope != "submission").order_by(Hold.id)
    rows = conn.execute(query).all()
    newest = {(row.scope, row.event_id): row.id for row in rows}
    found = {row.id: newest[row.scope, row.event_id] for row in rows}
    return {older: newer for older, newer in found.items() if older != newer}


def end_hidden_holds(conn: Connection, now: datetime, who: str) -> int:
    """The newer hold takes the place of those, and lasts as long as the longest of them: nothing is released before
    people said so. How many were ended."""
    if conn.dialect.name == "postgresql":
        conn.execute(_ONE_PLACES)
    found = hidden_holds(conn, now)
    for older, newer in found.items():
        ended = update(Hold).where(Hold.id == older).values(released_at=now, released_by=who)
        until = conn.execute(ended.returning(Hold.release_at)).scalar()
        sooner = Hold.release_at.is_not(None) if until is None else Hold.release_at < until
        conn.execute(update(Hold).where(Hold.id == newer, sooner).values(release_at=until))
        conn.execute(update(Submission).where(Submission.hold_id == older).values(hold_id=newer))
        audit.note(conn, now, who, "mend", {"repair": "hidden hold", "hold": older, "kept": newer}, 1, "")
    return len(found)


def release_due(conn: Connection, now: datetime, *these: ColumnElement[bool]) -> None:
    """End the holds, or those of them that are meant, whose time has come. Those of events and of the destination have
    ended by then: each claim reads their time."""
    ended = select(Hold.id).where(*due(now), *these).with_for_update(skip_locked=True)
    for hold in conn.execute(ended).scalars().all():
        release_hold(conn, now, BY_ITSELF, hold, _TIME_HAS_COME)


def due(now: datetime | BindParameter[datetime]) -> list[ColumnElement[bool]]:
    """Which holds are to end by now."""
    return [Hold.released_at.is_(None), Hold.release_at <= now]


def _scope(conn: Connection, event_id: int | None) -> tuple[str, dict[str, Any]]:
    if event_id is None:
        return "destination", {"scope": "destination"}
    slug = conn.execute(select(Event.slug).where(Event.id == event_id)).scalar_one()
    return "event", {"scope": "event", "event": slug}
