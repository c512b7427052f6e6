"""One sheet as it travels to a master, and the receipt for it."""

from datetime import UTC, datetime
from typing import Any

from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import Sheet, canonical_bytes, digest

NOW = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"
OTHER = "c0ffee00-0d7b-4c58-9a3b-2f6f1f6f0c11"
SHEET = canonical_bytes(Sheet(event="bushy", date=NOW.date(), submitted_by="x", submitted_at=NOW, finishers=()))
PARCEL = Parcel("results", ID, "bushy", "2026-03-14", SHEET, digest(SHEET), None)
RECEIPT: dict[str, Any] = {
    "submission": ID,
    "event": "bushy",
    "date": "2026-03-14",
    "revision": 1,
    "digest": digest(SHEET),
    "received_at": "2026-03-14T10:00:00Z",
}
