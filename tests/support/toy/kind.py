"""The kind "kites"."""

import json
from collections.abc import Mapping
from datetime import datetime

from resultsq.domain.entry import NO_EVENT, Entry, Slip
from resultsq.domain.errors import SheetRefused
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Envelope, OfficeLetter, Parcel, Request
from resultsq.domain.problem import Problem, Severity, Where
from resultsq.domain.sheet import digest


class KitesKind:
    """Lost kites, each with its colours."""

    name = "kites"
    title = "kites"
    counted = ("{number} kite", "{number} kites")
    schema = "toy.kite/1"
    destination = "master"
    weight = 2
    patience = 1
    template = "kites.html"
    form = None

    def prepare(self, payload: object, *, submission: str, submitted_by: str, submitted_at: datetime) -> Entry:
        colours = payload.get("colours") if isinstance(payload, dict) else None
        if not isinstance(colours, list) or not all(isinstance(one, str) for one in colours):
            wrong = Problem(
                code="colours",
                severity=Severity.BLOCKS,
                message="A kite has colours.",
                where=(Where(pointer="/colours"),),
            )
            raise SheetRefused("This is no kite. Nothing was stored.", (wrong,))
        says = json.dumps(colours)
        body = json.dumps(
            {"schema": self.schema, "colours": colours, "by": submitted_by, "at": submitted_at.isoformat()}
        )
        return Entry(
            self.name,
            NO_EVENT,
            submitted_at.date().isoformat(),
            body.encode(),
            digest(body.encode()),
            digest(says.encode()),
            len(colours),
            submitted_by,
            weight=self.weight,
            patience=self.patience,
            subject=submission,
            id=submission,
        )

    def envelope(self, body: bytes) -> Envelope:
        said = json.loads(body)
        colours = said["colours"]
        return Envelope("", said["at"][:10], digest(json.dumps(colours).encode()), len(colours), said["by"])

    def rows_digest(self, body: bytes) -> str:
        return self.envelope(body).rows_digest

    def office_letter(self, body: bytes) -> OfficeLetter | None:
        return None

    def example(self, event: str, number: int) -> Mapping[str, object] | None:
        return None

    def slip(self, body: bytes) -> Slip | None:
        return None

    def subject(self, submission: str, date: str) -> str:
        return submission

    def request(self, parcel: Parcel) -> Request:
        return Request("PUT", f"/v1/{self.name}/{parcel.submission}")

    def accepts(self, parcel: Parcel, receipt: Receipt) -> bool:
        return (receipt.submission, receipt.digest) == (parcel.submission, parcel.digest)

    def expires_at(self, body: bytes) -> datetime | None:
        return None

    def summary(self, count: int) -> str:
        return f"A kite of {count} colours"
