"""A master's receipt, within what every database can keep."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Head,
    Outcome,
    Receipt,
    Redirected,
    Rejected,
    Scope,
    Unauthorised,
    plain,
    summary,
)

AT = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)


def test_a_revision_is_from_1_to_what_an_integer_holds() -> None:
    for revision in (1, 2**31 - 1):
        assert Head(submission="id", revision=revision).revision == revision
        assert Receipt(submission="id", digest="d", received_at=AT, revision=revision).revision == revision
    for revision in (0, 2**31):
        with pytest.raises(ValidationError):
            Head(submission="id", revision=revision)
        with pytest.raises(ValidationError):
            Receipt(submission="id", digest="d", received_at=AT, revision=revision)


def test_a_receipt_without_versions_has_revision_0() -> None:
    assert Receipt(submission="id", digest="d", received_at=AT).revision == 0


def test_a_receipts_time_is_in_utc() -> None:
    here = AT.astimezone(timezone(timedelta(hours=11)))
    for at in (here, AT.replace(tzinfo=None)):
        assert str(Receipt(submission="id", digest="d", received_at=at).received_at) == "2013-12-07 12:00:00+00:00"
    with pytest.raises(ValidationError, match="outside the calendar"):
        Receipt(submission="id", digest="d", received_at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))))


def test_foreign_text_loses_what_no_database_takes() -> None:
    assert plain("a\0b\ud800ä") == "a\N{REPLACEMENT CHARACTER}b?ä"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Accepted(Receipt(submission="id", digest="d", received_at=AT)), ("accepted", None, None)),
        (Deferred(Cause.BUSY, "Later.", in_doubt=False), ("deferred", "busy", "Later.")),
        (Unauthorised(Scope.DESTINATION, "No."), ("unauthorised", "unauthorised", "No.")),
        (Unauthorised(Scope.EVENT, "No."), ("unauthorised", "forbidden", "No.")),
        (Rejected("invalid-sheet", "No."), ("rejected", "invalid-sheet", "No.")),
        (Redirected("mail", "No such call."), ("redirected", "no-such-call", "No such call.")),
        (Conflict(None, None), ("conflict", "conflict", None)),
        (Conflict(None, None, code="taken", detail="It is."), ("conflict", "taken", "It is.")),
    ],
)
def test_an_attempt_keeps_of_an_outcome_what_and_why(
    outcome: Outcome, words: tuple[str, str | None, str | None]
) -> None:
    found = summary(outcome)
    assert (found.outcome, found.cause, found.detail) == words
