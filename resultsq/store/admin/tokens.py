"""Bearer tokens of programs: issued once, kept as a hash."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.role import Role
from resultsq.store.admin.events import RUN_COLUMNS, plausible_in
from resultsq.store.engine.tables import ApiToken, Event

PREFIX = "rq_"
"""So that a scanner can recognise a leaked token."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose token it is. `event_id` and `event_slug` are a team's; None for the other roles. `plausible`: what a run
    takes at that event; `time_zone`: where it is. `events`: a node's, None for all."""

    id: int
    label: str
    role: Role
    event_id: int | None
    event_slug: str | None
    plausible: Plausible = FIVE_K
    time_zone: str = "UTC"
    events: tuple[str, ...] | None = None

    @property
    def who(self) -> str:
        """Who acts with it, for submissions and the audit: its number in the list, whatever its label says."""
        return f"{self.role} token {self.id}" if self.event_slug is None else f"{self.event_slug} (token {self.id})"


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it is listed: everything but itself. `is_copy`: another node's, and revoked there alone."""

    bearer: Bearer
    created_at: datetime
    revoked_at: datetime | None
    is_copy: bool = False


def issue(conn: Connection, now: datetime, label: str, role: Role, event_id: int | None = None) -> str:
    """A new token, as `issue_numbered`."""
    return issue_numbered(conn, now, label, role, event_id)[0]


def issue_numbered(
    conn: Connection,
    now: datetime,
    label: str,
    role: Role,
    event_id: int | None = None,
    node_events: Sequence[str] | None = None,
) -> tuple[str, int]:
    """A new token and its number in the list. The token is returned here and nowhere else, ever.

    :raises InputRefused: a team's token without an event, another role's with one, or an unusable label."""
    if (role is Role.TEAM) != (event_id is not None):
        raise InputRefused(gettext("A team's token is good for one event: name it. Tokens of other roles name none."))
    if not 0 < len(label) <= 100 or not label.isprintable():
        raise InputRefused(gettext("A token's label has 1 to 100 characters."))
    if node_events is not None and role is not Role.NODE:
        raise InputRefused(gettext("Only a node's token is good for several events."))
    token = PREFIX + secrets.token_urlsafe(32)
    values: dict[str, Any] = {
        "hash": digest(token),
        "label": label,
        "role": role,
        "event_id": event_id,
        "created_at": now,
    }
    if node_events is not None:
        values["events"] = sorted(set(node_events))
    return token, conn.execute(insert(ApiToken).values(**values).returning(ApiToken.id)).scalar_one()


def digest(token: str) -> str:
    """The hash that is kept of a token. A token is random enough to need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def verify(conn: Connection, token: str) -> Bearer | None:
    """Whose token it is; None if it was never issued, or was revoked."""
    row = conn.execute(_SELECT.where(ApiToken.hash == digest(token), ApiToken.revoked_at.is_(None))).first()
    return None if row is None else _bearer(row)


def revoke(conn: Connection, now: datetime, token_id: int) -> None:
    """The token is good no more (a web process notices within `web.auth.TOKEN_CACHE_S`).

    :raises NotThere: there is no such token."""
    wanted = ApiToken.id == token_id
    if conn.execute(select(ApiToken.id).where(wanted)).first() is None:
        raise NotThere(gettext("There is no token {token_id}.", token_id=token_id))
    conn.execute(update(ApiToken).where(wanted, ApiToken.revoked_at.is_(None)).values(revoked_at=now))


def every(conn: Connection) -> list[Issued]:
    """All tokens ever issued, oldest first."""
    return [
        Issued(_bearer(row), row.created_at, row.revoked_at, row.is_copy)
        for row in conn.execute(_SELECT.order_by(ApiToken.id))
    ]


def search(conn: Connection, text: str, most: int) -> list[Issued]:
    """The newest tokens whose label or event has `text` in it; those that are good come first."""
    query = _SELECT.order_by(ApiToken.revoked_at.is_not(None), ApiToken.id.desc()).limit(most)
    if text:
        part = text.lower()
        label = func.lower(ApiToken.label).contains(part, autoescape=True)
        query = query.where(or_(label, Event.slug.contains(part, autoescape=True)))
    return [Issued(_bearer(row), row.created_at, row.revoked_at, row.is_copy) for row in conn.execute(query)]


_SELECT = select(
    ApiToken.id,
    ApiToken.label,
    ApiToken.role,
    ApiToken.event_id,
    ApiToken.events,
    ApiToken.created_at,
    ApiToken.revoked_at,
    ApiToken.is_copy,
    Event.slug,
    Event.time_zone,
    *RUN_COLUMNS,
).join(Event, Event.id == ApiToken.event_id, isouter=True)


def _bearer(row: Any) -> Bearer:
    plausible = FIVE_K if row.event_id is None else plausible_in(row)
    covered = None if row.events is None else tuple(row.events)
    zone = row.time_zone or "UTC"
    return Bearer(row.id, row.label, Role(row.role), row.event_id, row.slug, plausible, zone, covered)
