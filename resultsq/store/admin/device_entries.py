"""Results that teams' devices sent: kept until their team opens them, or with the submission that they became."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from resultsq.store.engine.tables import DeviceEntryFile
from resultsq.store.engine.tables import DeviceEntryRow as Stored

_COLUMNS = (
    Stored.id,
    Stored.event_id,
    Stored.account_id,
    Stored.date,
    Stored.digest,
    Stored.received_at,
    Stored.reasons,
    Stored.submission,
    Stored.done_at,
)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry that came from a device. `reasons` say why it was not submitted at once; `submission` is what it
    became; `done_at`: it was submitted, or its team has opened it."""

    id: str
    event_id: int
    account_id: int
    date: str
    digest: str
    received_at: datetime
    reasons: Sequence[str] = ()
    submission: str | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenEntries:
    """How many entries of an event wait to be opened, and their bytes."""

    count: int
    bytes: int


def find(conn: Connection, id_: str) -> StoredEntry | None:
    """The entry of that id."""
    row = conn.execute(select(*_COLUMNS).where(Stored.id == id_)).first()
    return None if row is None else StoredEntry(*row)


def of_account(conn: Connection, account_id: int, ids: Sequence[str]) -> list[StoredEntry]:
    """Those of these entries that the account sent."""
    query = select(*_COLUMNS).where(Stored.id.in_(ids), Stored.account_id == account_id)
    return [StoredEntry(*row) for row in conn.execute(query)]


def add(conn: Connection, entry: StoredEntry, files: Sequence[tuple[str, bytes]]) -> None:
    """Store an entry with its files."""
    values = {
        "id": entry.id,
        "event_id": entry.event_id,
        "account_id": entry.account_id,
        "date": entry.date,
        "digest": entry.digest,
        "size": sum(len(content) for _, content in files),
        "received_at": entry.received_at,
        "reasons": list(entry.reasons),
        "submission": entry.submission,
        "done_at": entry.done_at,
    }
    conn.execute(insert(Stored), values)
    if files:
        conn.execute(
            insert(DeviceEntryFile),
            [{"entry_id": entry.id, "name": name, "content": content} for name, content in files],
        )


def waiting(conn: Connection, event_id: int, account_id: int, limit: int) -> list[StoredEntry]:
    """The entries of that event that the account has not opened yet, oldest first."""
    mine = (Stored.event_id == event_id, Stored.account_id == account_id, Stored.done_at.is_(None))
    return [
        StoredEntry(*row)
        for row in conn.execute(select(*_COLUMNS).where(*mine).order_by(Stored.received_at).limit(limit))
    ]


def open_of_event(conn: Connection, event_id: int) -> OpenEntries:
    """What of that event waits to be opened."""
    query = select(func.count(), func.coalesce(func.sum(Stored.size), 0)).where(
        Stored.event_id == event_id, Stored.done_at.is_(None)
    )
    count, size = conn.execute(query).one()
    return OpenEntries(int(count), int(size))


def files(conn: Connection, id_: str) -> list[tuple[str, bytes]]:
    """Name and content of an entry's files, in their order."""
    query = select(DeviceEntryFile.name, DeviceEntryFile.content).where(DeviceEntryFile.entry_id == id_)
    return [(row.name, row.content) for row in conn.execute(query.order_by(DeviceEntryFile.id))]


def finish(conn: Connection, now: datetime, id_: str) -> None:
    """Its team has opened it: the draft has its files now."""
    conn.execute(update(Stored).where(Stored.id == id_, Stored.done_at.is_(None)).values(done_at=now))
    conn.execute(delete(DeviceEntryFile).where(DeviceEntryFile.entry_id == id_))


def prune(conn: Connection, before: datetime) -> None:
    """Forget what was received before that time, opened or not."""
    conn.execute(delete(Stored).where(Stored.received_at < before))
