"""The node whose accounts are copied: its list, the same list again, and why there is none."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.people_source import HttpPeopleSource, Listed, NotListed
from resultsq.delivery.masters.watch import Failed
from resultsq.domain.people_copy import SCHEMA, PeopleList
from tests.support.answering_lines import AnsweringLines, away, problem, said
from tests.support.manual_clock import ManualClock

NOW = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
MADE = "2026-03-14T10:00:00Z"
PEOPLE = {"format": SCHEMA, "source": "hall", "made_at": MADE, "events": [], "accounts": [], "tokens": []}
Open = Callable[..., tuple[HttpPeopleSource, AnsweringLines]]


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:

        def at(answer: Answer | Failed) -> tuple[HttpPeopleSource, AnsweringLines]:
            lines = AnsweringLines(answer)
            source = HttpPeopleSource("https://master.test/prefix", "token", clock=ManualClock(NOW), lines=lines)
            stack.callback(source.close)
            return source, lines

        yield at


def test_the_list_comes_with_its_tag(opened: Open) -> None:
    source, lines = opened(said(200, PEOPLE, etag='"' + "x" * 200))
    found = source.people("")
    assert isinstance(found, Listed)
    assert found == Listed(PeopleList.model_validate_json(json.dumps(PEOPLE)), '"' + "x" * 79)
    (asked,) = lines.asked
    assert (asked.path, "If-None-Match" in asked.headers) == ("/v1/people", False)
    assert asked.limit > 50_000_000, "a hundred thousand accounts"


def test_the_same_list_is_not_sent_again(opened: Open) -> None:
    source, lines = opened(said(304, b""))
    assert source.people('"tag"') == Listed(None, '"tag"')
    assert lines.asked[0].headers["If-None-Match"] == '"tag"'
    assert isinstance(source.people(""), NotListed), "nothing was asked that could be the same"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (away(detail="It was cut."), "It was cut."),
        (problem(403, detail="Not for you."), "It answered 403: Not for you."),
        (problem(403, detail="x" * 500), "It answered 403: " + "x" * 183),
        (problem(403), "It answered 403."),
        (said(502, b"<html>", "text/html"), "It answered 502."),
        (said(200, b"<html>"), "Its answer is no list of accounts."),
    ],
)
def test_why_there_is_no_list_is_told(opened: Open, answer: Answer | Failed, why: str) -> None:
    source, _ = opened(answer)
    assert source.people('"tag"') == NotListed(why)
