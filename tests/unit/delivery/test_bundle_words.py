"""What the master says to each submission of a bundle, and how it is sent there."""

from datetime import UTC, datetime
from typing import cast

import pytest

from resultsq.delivery import bundle
from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Outcome,
    Receipt,
    Redirected,
    Rejected,
    Scope,
    Unauthorised,
)
from resultsq.domain.ports import Master, Parcel
from resultsq.store.outbox import BundledVersion

NOW = datetime(2013, 12, 7, 12, 5, tzinfo=UTC)


def version(number: int) -> BundledVersion:
    return BundledVersion(
        id=f"id-{number}", kind="results", event="bushy", date="2013-12-07", base="before", digest="d",
        rows_digest="r", finishers=0, submitted_by="x", accepted_at=NOW, body=b"{}",
    )  # fmt: skip


def taken(revision: int | None) -> Accepted:
    """With a revision, or of a kind that has none."""
    known = {"submission": "id-1", "digest": "d", "received_at": NOW}
    return Accepted(Receipt.model_validate(known if revision is None else {**known, "revision": revision}))


class Answering:
    """A master that gives these answers in turn."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[Parcel] = []

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        self.sent.append(parcel)
        return self.outcomes.pop(0)


@pytest.mark.parametrize(
    ("outcome", "word", "detail"),
    [
        (taken(3), "published", "revision 3"),
        (taken(None), "published", ""),
        (Deferred(Cause.TIMEOUT, "Late.", in_doubt=True), "deferred", "Late."),
        (Rejected("gone", "No."), "rejected", "No."),
        (Redirected("mail", "By mail."), "rejected", "By mail."),
        (Conflict("other", 2), "conflict", "another sheet is published there"),
        (Unauthorised(Scope.EVENT, "Not yours."), "refused", "Not yours."),
    ],
)
def test_each_outcome_has_its_word(outcome: Outcome, word: str, detail: str) -> None:
    (found,) = bundle.give_to_master(cast(Master, Answering(outcome)), [version(1)])
    assert found == bundle.Delivered("id-1", "bushy", "2013-12-07", word, detail)


def test_all_are_sent_in_their_order_and_asked_about_first_whatever_the_others_met() -> None:
    master = Answering(Rejected("gone", "No."), taken(1))
    found = bundle.give_to_master(cast(Master, master), [version(1), version(2)])
    assert [(one.submission, one.word) for one in found] == [("id-1", "rejected"), ("id-2", "published")]
    assert [(one.submission, one.precondition, one.in_doubt) for one in master.sent] == [
        ("id-1", "before", True),
        ("id-2", "before", True),
    ]
