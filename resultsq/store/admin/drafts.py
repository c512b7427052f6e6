"""Teams' work in progress, one draft a team and event, kept so that a closed tab or a flat battery loses nothing.

Each change names the revision it was made on: of two devices that change the same one, the second is refused. What
a draft holds is text here; only the form reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from resultsq.domain.errors import Conflicting
from resultsq.domain.i18n import gettext
from resultsq.store.engine.tables import ClientKey, DraftFile
from resultsq.store.engine.tables import DraftRow as Stored
from resultsq.store.outbox import File


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """One draft. `date` is ISO 8601, or empty where none was chosen yet; `base` is the version that it corrects;
    `revision` 0: it was never stored."""

    event_id: int
    account_id: int
    date: str = ""
    base: str | None = None
    work: str = ""
    revision: int = 0


class DraftMoved(Conflicting):
    """The draft was changed since it was shown; nothing was stored."""


def load(conn: Connection, event_id: int, account_id: int) -> StoredDraft:
    """The draft of that event and account; an empty one where there is none."""
    row = conn.execute(
        select(Stored.date, Stored.base, Stored.work, Stored.revision).where(
            Stored.event_id == event_id, Stored.account_id == account_id
        )
    ).first()
    return StoredDraft(event_id, account_id) if row is None else StoredDraft(event_id, account_id, *row)


def of_account(conn: Connection, account_id: int, limit: int) -> list[tuple[int, str, str]]:
    """Event, date and work of the drafts that this account changed last."""
    query = select(Stored.event_id, Stored.date, Stored.work).where(Stored.account_id == account_id, Stored.work != "")
    return [(*row,) for row in conn.execute(query.order_by(Stored.updated_at.desc()).limit(limit))]


def save(
    conn: Connection, now: datetime, draft: StoredDraft, files: Sequence[File] = (), *, afresh: bool = False
) -> int:
    """Store `draft`, which was made from its `revision`, and add `files`; with `afresh` all older files go.
    The new revision.

    :raises DraftMoved: another one was stored since."""
    values = {"date": draft.date, "base": draft.base, "work": draft.work, "updated_at": now}
    whose = (Stored.event_id == draft.event_id, Stored.account_id == draft.account_id)
    at = conn.execute(select(Stored.id, Stored.revision).where(*whose).with_for_update()).first()
    if draft.revision != (0 if at is None else at.revision):
        raise DraftMoved(gettext("These results were changed since this page was shown, perhaps on another device."))
    if at is None:
        made = insert(Stored).returning(Stored.id)
        row = {**values, "event_id": draft.event_id, "account_id": draft.account_id, "revision": 1}
        draft_id = conn.execute(made, row).scalar_one()
    else:
        draft_id = at.id
        conn.execute(update(Stored).where(Stored.id == draft_id).values(**values, revision=Stored.revision + 1))
    if afresh:
        conn.execute(delete(DraftFile).where(DraftFile.draft_id == draft_id))
    if files:
        rows = [
            {"draft_id": draft_id, "name": file.name, "kind": file.kind, "digest": file.digest, "content": file.content}
            for file in files
        ]
        conn.execute(insert(DraftFile), rows)
    return draft.revision + 1


def files(conn: Connection, draft: StoredDraft) -> tuple[File, ...]:
    """The draft's files in the order they came."""
    rows = conn.execute(
        select(DraftFile.name, DraftFile.kind, DraftFile.digest, DraftFile.content)
        .join(Stored, Stored.id == DraftFile.draft_id)
        .where(Stored.event_id == draft.event_id, Stored.account_id == draft.account_id)
        .order_by(DraftFile.id)
    )
    return tuple(File(*row) for row in rows)


def size(conn: Connection, draft: StoredDraft) -> int:
    """Bytes of the draft's files together."""
    query = (
        select(func.sum(func.length(DraftFile.content)))
        .join(Stored, Stored.id == DraftFile.draft_id)
        .where(Stored.event_id == draft.event_id, Stored.account_id == draft.account_id)
    )
    return int(conn.execute(query).scalar_one() or 0)


def sent_as(conn: Connection, event_id: int, key: str) -> str | None:
    """The submission that a draft's key became, where it was sent already."""
    return conn.execute(
        select(ClientKey.submission).where(ClientKey.event_id == event_id, ClientKey.key == key)
    ).scalar_one_or_none()
