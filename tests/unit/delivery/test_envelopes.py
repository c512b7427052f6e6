"""Which sheet of a bundle a refusal names."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from resultsq.delivery import envelopes
from resultsq.domain.errors import InputRefused
from resultsq.store.outbox import BundledVersion

ONE = BundledVersion(
    id="no id", kind="results", event="bushy", date="2013-12-07", base=None, digest="d", rows_digest="r", finishers=0,
    submitted_by="x", accepted_at=datetime(2013, 12, 7, 12, 5, tzinfo=UTC), body=b"{}",
)  # fmt: skip


def test_the_first_sheet_is_number_one_when_its_id_is_none() -> None:
    with pytest.raises(InputRefused, match=r"^Sheet number 1 in this bundle has an id that is none\."):
        envelopes.check([ONE, replace(ONE, id=str(uuid.uuid4()))])
