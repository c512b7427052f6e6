"""The feed of athletes as its answers are read: only what is certainly the master's counts."""

import base64
import json
from datetime import UTC, datetime

import pytest

from resultsq.delivery.masters import athletes_feed
from resultsq.delivery.masters.answers import Answer
from resultsq.domain.athletes import Athlete, ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.outcome import Cause, Deferred, Unauthorised

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
JSON, PROBLEM, HTML = "application/json", "application/problem+json", "text/html"
JANE = {"athlete": "A1234567", "name": "Jane SMITH", "club": None, "home_event": "bushy", "runs": 57}
GOING_ON = ListQuestion("h1", "7", etag='"tag"')


def answer(content: object, status: int = 200, kind: str = JSON, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, {"content-type": kind, **headers}, body)


def page(*lines: object, **changes: object) -> dict[str, object]:
    return {"handle": "h1", "athletes": list(lines), "next": "8", "up_to_date": True, **changes}


def test_a_page_is_read_with_its_tombstones_and_hashes() -> None:
    mail = base64.b64encode(bytes(range(16))).decode()
    lines = ({**JANE, "mail": mail}, {"athlete": "A777", "gone": True}, {"athlete": "A5", "name": "Tom", "more": 1})
    found = athletes_feed.read(answer(page(*lines), etag='"t"'), ListQuestion(), NOW)
    assert found == ListPage(
        "h1",
        [
            Athlete("A1234567", "Jane SMITH", None, "bushy", 57, bytes(range(16))),
            Athlete("A777", None),
            Athlete("A5", "Tom"),
        ],
        "8",
        True,
        '"t"',
    )


def test_a_number_that_no_copy_holds_is_left_out_and_counted() -> None:
    found = athletes_feed.read(answer(page(JANE, {**JANE, "athlete": "A" + "9" * 25})), ListQuestion(), NOW)
    assert isinstance(found, ListPage)
    assert (len(found.athletes), found.skipped) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        [],
        {},
        page(JANE, handle=None),
        page(JANE, up_to_date="yes"),
        page({**JANE, "athlete": "1234567"}),
        page({**JANE, "name": ""}),
        page({**JANE, "name": None}),
        page({**JANE, "name": "Jane\u0007"}),
        page({**JANE, "name": "x" * 201}),
        page({**JANE, "runs": -1}),
        page({**JANE, "mail": "no base64!"}),
        page({**JANE, "mail": base64.b64encode(bytes(16)).decode() + "!"}),
        page({**JANE, "mail": base64.b64encode(b"short").decode()}),
        page("A1234567"),
    ],
)
def test_what_is_no_page_is_taken_for_a_strangers(content: object) -> None:
    found = athletes_feed.read(answer(content), ListQuestion(), NOW)
    assert isinstance(found, Deferred)
    assert found.cause is Cause.NOT_OUR_MASTER


def test_names_and_clubs_have_up_to_two_hundred_characters() -> None:
    for field in ("name", "club"):
        found = athletes_feed.read(answer(page({**JANE, field: "x" * 200})), ListQuestion(), NOW)
        assert isinstance(found, ListPage)
        assert isinstance(athletes_feed.read(answer(page({**JANE, field: "x" * 201})), ListQuestion(), NOW), Deferred)


@pytest.mark.parametrize(
    ("content", "is_page"),
    [
        (page(handle="h" * 1000), True),
        (page(handle="h" * 1001), False),
        (page(next="7" * 1000), True),
        (page(next="7" * 1001), False),
        (page({**JANE, "name": "x" * 200, "club": "x" * 200, "home_event": "x" * 63}), True),
        (page({**JANE, "club": "x" * 201}), False),
        (page({**JANE, "club": "Club\u0007"}), False),
        (page({**JANE, "home_event": "x" * 64}), False),
        (page({**JANE, "runs": 0}), True),
        (page({**JANE, "runs": 2**31 - 1}), True),
        (page({**JANE, "runs": 2**31}), False),
        (page({**JANE, "mail": base64.b64encode(bytes(16)).decode()}), True),
        (page({**JANE, "mail": base64.b64encode(bytes(17)).decode()}), False),
        (page({**JANE, "mail": "A" * 65}), False),
        (page({"athlete": "A7", "name": "", "gone": True}), True),
    ],
)
def test_what_a_copy_can_hold_has_its_limits(content: object, is_page: bool) -> None:
    found = athletes_feed.read(answer(content), ListQuestion(), NOW)
    assert isinstance(found, ListPage if is_page else Deferred)


def test_runs_that_are_not_said_are_none() -> None:
    found = athletes_feed.read(answer(page({"athlete": "A7", "name": "Jane"})), ListQuestion(), NOW)
    assert isinstance(found, ListPage)
    assert [(one.runs, one.mail) for one in found.athletes] == [(0, None)]


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_a_master_of_an_earlier_contract_has_no_list(status: int) -> None:
    said = {"title": "No", "status": status}
    assert isinstance(athletes_feed.read(answer(said, status, PROBLEM), GOING_ON, NOW), NoList)


@pytest.mark.parametrize(("tag", "kept"), [('W/"t"', True), ('"' + "x" * 201 + '"', False), ("t", False)])
def test_a_tag_is_kept_if_it_is_one(tag: str, kept: bool) -> None:
    found = athletes_feed.read(answer(page(), etag=tag), ListQuestion(), NOW)
    assert isinstance(found, ListPage)
    assert found.etag == (tag if kept else "")


def test_unchanged_voided_and_missing_are_told_apart_from_strangers() -> None:
    void = {"title": "Conflict", "status": 409, "code": "must-refetch"}
    none = {"title": "Not Found", "status": 404}
    assert athletes_feed.read(answer(b"", 304), GOING_ON, NOW) == ListPage("h1", (), "7", True, '"tag"')
    assert isinstance(athletes_feed.read(answer(void, 409, PROBLEM), GOING_ON, NOW), MustRefetch)
    assert isinstance(athletes_feed.read(answer(none, 404, PROBLEM), GOING_ON, NOW), NoList)
    for strange in (
        answer(b"", 304),
        answer({**void, "code": "other"}, 409, PROBLEM),
        answer(b"<h1>No</h1>", 409, HTML),
        answer(b"<h1>No</h1>", 404, HTML),
        answer(b"", 302),
    ):
        found = athletes_feed.read(strange, ListQuestion(), NOW)
        assert isinstance(found, Deferred)
        assert found.cause is Cause.NOT_OUR_MASTER
    later = athletes_feed.read(answer(none, 503, PROBLEM, **{"retry-after": "90"}), GOING_ON, NOW)
    assert isinstance(later, Deferred)
    assert later.retry_after_s == 90
    refused = athletes_feed.read(answer({"title": "Unauthorized", "status": 401}, 401, PROBLEM), GOING_ON, NOW)
    assert isinstance(refused, Unauthorised)


def test_the_question_carries_place_events_and_size() -> None:
    path = athletes_feed.path(ListQuestion("h 1", "7", ("bushy", "mill-lane")))
    assert path == "/v1/athletes?handle=h+1&after=7&limit=2000&events=bushy%2Cmill-lane"
    assert "events" not in athletes_feed.path(ListQuestion())
