"""The office's notices as an answer lists them: within their bounds, and with nothing that a page cannot show."""

import json
from datetime import UTC, datetime

import pytest

from resultsq.delivery.masters import notices_feed
from resultsq.delivery.masters.answers import Answer
from resultsq.domain.notices import NoticeList
from resultsq.domain.outcome import Cause, Deferred

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
ICE = {"id": "1", "title": "Ice", "text": "No run.\nTell all.", "at": "2026-03-14T08:00:00Z",
       "until": "2026-03-14T12:00:00Z"}  # fmt: skip


def taken(*lines: object) -> int | None:
    """How many notices such an answer has; None: it is a stranger's."""
    body = json.dumps({"notices": lines}).encode()
    found, _ = notices_feed.read(Answer(200, {"content-type": "application/json"}, body), "", NOW)
    if isinstance(found, Deferred):
        assert found.cause is Cause.NOT_OUR_MASTER
        return None
    assert isinstance(found, NoticeList)
    assert found.notices is not None
    return len(found.notices)


@pytest.mark.parametrize(("field", "longest"), [("title", 120), ("text", 2000), ("id", 100)])
def test_a_notice_has_texts_up_to_their_length(field: str, longest: int) -> None:
    assert taken({**ICE, field: "x" * longest}) == 1
    assert taken({**ICE, field: "x" * (longest + 1)}) is None
    assert taken({**ICE, field: ""}) is None


def test_up_to_two_hundred_notices_are_the_masters() -> None:
    assert taken(*[ICE] * 200) == 200
    assert taken(*[ICE] * 201) is None


@pytest.mark.parametrize(("field", "text"), [("text", "a\x07b"), ("title", "a\nb"), ("id", "1\n")])
def test_what_no_page_shows_is_a_strangers(field: str, text: str) -> None:
    assert taken({**ICE, field: text}) is None
