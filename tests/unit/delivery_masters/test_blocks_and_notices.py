"""Blocks of numbers and the office's notices as their answers are read: only what is certainly the master's counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resultsq.delivery.masters import blocks_call, notices_feed
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.notices import NoNotices, NoticeList, OfficeNotice
from resultsq.domain.outcome import Cause, Deferred, Scope, Unauthorised
from tests.support.answering_lines import problem, said

NOW = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
BLOCK: dict[str, Any] = {"block": "b-1", "first": 101, "last": 105, "expires_at": "2026-04-14T10:00:00Z"}
LARGEST = 10**14 - 1
"""An athlete's number has fourteen digits at most."""

NO_CALL = (404, 405, 410, 501)


@pytest.mark.parametrize("status", [200, 201])
def test_a_block_is_leased(status: int) -> None:
    found = blocks_call.read(said(status, BLOCK), 5, NOW)
    assert found == LeasedBlock("b-1", 101, 105, datetime(2026, 4, 14, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "is_good"),
    [
        ({"last": 101}, True),
        ({"last": 100}, False),
        ({"last": 106}, False),
        ({"first": 1, "last": 5}, True),
        ({"first": 0, "last": 4}, False),
        ({"first": LARGEST - 4, "last": LARGEST}, True),
        ({"first": LARGEST - 3, "last": LARGEST + 1}, False),
        ({"first": "101"}, False),
        ({"block": ""}, False),
        ({"block": "x" * 100}, True),
        ({"block": "x" * 101}, False),
        ({"block": "b\u0007"}, False),
        ({"expires_at": "2026-04-14T10:00:00"}, False),
    ],
)
def test_a_block_is_at_most_as_long_as_was_asked_for_and_can_be_kept(changes: dict[str, Any], is_good: bool) -> None:
    found = blocks_call.read(said(200, {**BLOCK, **changes}), 5, NOW)
    assert isinstance(found, LeasedBlock if is_good else Deferred)
    assert is_good or found.cause is Cause.NOT_OUR_MASTER  # type: ignore[union-attr]


def test_statuses_alone_say_that_the_master_leases_none() -> None:
    found = [status for status in range(200, 600) if isinstance(blocks_call.read(problem(status), 5, NOW), NoBlocks)]
    assert found == [*NO_CALL]
    for status in NO_CALL:
        assert isinstance(blocks_call.read(said(status, b"<html>", "text/html"), 5, NOW), Deferred)


def test_another_answer_about_a_block_is_told() -> None:
    assert blocks_call.read(problem(401, detail="Who?"), 5, NOW) == Unauthorised(Scope.DESTINATION, "Who?")
    for strange in (said(200, b"<html>"), said(302, b""), said(202, BLOCK)):
        found = blocks_call.read(strange, 5, NOW)
        assert isinstance(found, Deferred)
        assert found.cause is Cause.NOT_OUR_MASTER


# notices


NOTICE: dict[str, Any] = {
    "id": "n-1",
    "event": "bushy",
    "title": "Ice",
    "text": "No run.\nTell all.",
    "at": "2026-03-14T09:00:00Z",
    "until": "2026-03-15T09:00:00Z",
}


def read(content: object, status: int = 200, etag: str = "", **headers: str) -> Any:
    return notices_feed.read(said(status, content, **headers), etag, NOW)


def test_notices_are_read_with_their_tag_and_where_they_go_on() -> None:
    at = NOW - timedelta(hours=1)
    one = OfficeNotice("n-1", "bushy", "Ice", "No run.\nTell all.", at, at + timedelta(days=1))
    content = {"notices": [NOTICE], "next": "7"}
    assert read(content, etag="") == (NoticeList([one]), "7")
    answer = said(200, {"notices": [NOTICE]}, etag='"' + "x" * 300)
    assert notices_feed.read(answer, "", NOW) == (NoticeList([one], '"' + "x" * 199), "")


@pytest.mark.parametrize(
    ("changes", "is_good"),
    [
        ({"event": None}, True),
        ({"event": "x" * 63}, True),
        ({"event": "x" * 64}, False),
        ({"title": ""}, False),
        ({"title": "x" * 120}, True),
        ({"title": "x" * 121}, False),
        ({"title": "Ice\nand snow"}, False),
        ({"text": ""}, False),
        ({"text": "x" * 2000}, True),
        ({"text": "x" * 2001}, False),
        ({"text": "a\u0007"}, False),
        ({"id": ""}, False),
        ({"id": "x" * 100}, True),
        ({"id": "x" * 101}, False),
        ({"id": "a\u0007"}, False),
        ({"id": "1\n"}, False),
        ({"at": "2026-03-14T09:00:00"}, False),
    ],
)
def test_a_notice_that_no_page_could_show_is_not_the_masters(changes: dict[str, Any], is_good: bool) -> None:
    found, following = read({"notices": [NOTICE, {**NOTICE, **changes}], "next": "7"})
    assert isinstance(found, NoticeList if is_good else Deferred)
    assert following == ("7" if is_good else "")


@pytest.mark.parametrize(("count", "length", "is_good"), [(200, 1000, True), (201, 7, False), (1, 1001, False)])
def test_a_page_of_notices_has_its_limits(count: int, length: int, is_good: bool) -> None:
    found, _ = read({"notices": [NOTICE] * count, "next": "x" * length})
    assert isinstance(found, NoticeList if is_good else Deferred)


def test_notices_that_are_the_same_are_so_under_a_tag_that_was_sent() -> None:
    assert read(b"", 304, '"tag"') == (NoticeList(None, '"tag"'), "")
    found, following = read(b"", 304)
    assert isinstance(found, Deferred)
    assert (found.cause, following) == (Cause.NOT_OUR_MASTER, "")


def test_statuses_alone_say_that_the_master_has_no_notices() -> None:
    none = [
        status
        for status in range(200, 600)
        if isinstance(read({"title": "No", "status": status}, status)[0], NoNotices)
    ]
    assert none == [*NO_CALL]
    for status in NO_CALL:
        assert isinstance(read(b"<html>", status)[0], Deferred)


def test_another_answer_about_notices_is_told() -> None:
    found, following = read({"title": "Who?", "status": 401}, 401)
    assert (found, following) == (Unauthorised(Scope.DESTINATION, "Who?"), "")
