"""What each call of the HTTP master asks, within which limits, and what a call without an answer means."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.delivery.masters.watch import Failed
from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.domain.athletes import ListPage, ListQuestion
from resultsq.domain.notices import MOST, NoNotices, NoticeList
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Outcome, Receipt
from resultsq.domain.ports import ReceiptPage
from resultsq.domain.sheet import digest
from tests.support.answering_lines import AnsweringLines, away, problem, said
from tests.support.manual_clock import ManualClock, SlowClock
from tests.support.one_sheet import ID, NOW, OTHER, PARCEL, RECEIPT, SHEET

LIMITS = CallTimeouts(probe_s=1.0, receipt_s=2.0, page_s=3.0, send_s=4.0, slowest_bytes_per_s=1.0)
NOT_FOUND = problem(404)
LARGE = 1_000_000
Open = Callable[..., tuple[HttpMaster, AnsweringLines]]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a master over lines that answer so."""
    with ExitStack() as stack:

        def at(*answers: Answer | Failed, sent: bool = True, **options: Any) -> tuple[HttpMaster, AnsweringLines]:
            lines = AnsweringLines(*answers, sent=sent)
            known = {"clock": ManualClock(NOW, 1000.0), "lines": lines, "limits": LIMITS}
            master = HttpMaster("https://master.test/prefix", "token", **{**known, **options})
            stack.callback(master.close)
            return master, lines

        yield at


def deferred(outcome: object) -> Deferred:
    assert isinstance(outcome, Deferred), outcome
    return outcome


# the probe


def test_a_probe_goes_without_token_on_a_connection_that_is_new_and_is_not_kept(opened: Open) -> None:
    latest = {"received_at": "2026-03-14T09:00:00Z", "count": 7}
    answer = said(200, {"service": "results-master", "latest": latest}, date="Sat, 14 Mar 2026 10:00:07 GMT")
    master, lines = opened(answer)
    found = master.probe()
    (asked,) = lines.asked
    assert (asked.method, asked.path, asked.fresh, asked.keep) == ("GET", "/v1/health", True, False)
    assert (asked.time_s, "Authorization" in asked.headers) == (1.0, False)
    assert (found.cause, found.duration_s, found.master_time_offset_s) == (None, 0.0, 7.5)
    assert found.latest is not None
    assert (found.latest.received_at, found.latest.count) == (datetime(2026, 3, 14, 9, tzinfo=UTC), 7)


@pytest.mark.parametrize(
    ("answer", "cause", "retry_after_s"),
    [
        (away(Cause.REFUSED, "Nothing listens."), Cause.REFUSED, None),
        (said(503, {"title": "No"}, **{"retry-after": "9"}), Cause.MASTER_DOWN, 9.0),
        (said(200, b"<html>", "text/html"), Cause.NOT_OUR_MASTER, None),
    ],
)
def test_a_probe_says_what_is_wrong_and_how_long_it_took(
    opened: Open, answer: Answer | Failed, cause: Cause, retry_after_s: float | None
) -> None:
    master, _ = opened(answer, clock=SlowClock(NOW, 0.125, 1000.0))
    found = master.probe()
    assert (found.cause, found.retry_after_s) == (cause, retry_after_s)
    assert 0.0 < found.duration_s < 10.0


# a sheet


def test_a_sheet_has_longer_the_larger_it_is(opened: Open) -> None:
    master, lines = opened(said(201, RECEIPT))
    assert isinstance(master.send(PARCEL), Accepted)
    (asked,) = lines.asked
    assert asked.body is not None
    assert asked.time_s == 4.0 + len(asked.body)
    assert (asked.fresh, asked.keep) == (False, True)
    assert asked.headers["Content-Length"] == str(len(asked.body))


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("was_in_doubt", [True, False])
def test_a_sheet_without_an_answer_is_in_doubt_if_it_was_or_if_a_byte_has_left(
    opened: Open, sent: bool, was_in_doubt: bool
) -> None:
    answers = [NOT_FOUND] * was_in_doubt + [away()]
    master, lines = opened(*answers, sent=sent)
    outcome = deferred(master.send(replace(PARCEL, in_doubt=was_in_doubt)))
    assert (outcome.cause, outcome.in_doubt) == (Cause.RESET, sent or was_in_doubt)
    assert [one.fresh for one in lines.asked] == [was_in_doubt] * len(answers)


def test_a_sheet_in_doubt_is_asked_about_first_and_another_sheet_s_receipt_settles_nothing(opened: Open) -> None:
    for receipt, asks in ((RECEIPT, 1), ({**RECEIPT, "digest": digest(b"{}")}, 2)):
        master, lines = opened(said(200, receipt), problem(409))
        master.send(replace(PARCEL, in_doubt=True))
        assert lines.paths[0] == f"GET /v1/submissions/{ID}"
        assert len(lines.asked) == asks


def moved(answers: list[Answer | Failed], opened: Open, in_doubt: bool = False) -> tuple[Outcome, AnsweringLines]:
    """The master has another sheet, and answers so when it is asked about that one."""
    first = [NOT_FOUND] * in_doubt + [said(412, {"head": {"submission": OTHER, "revision": 3}})]
    master, lines = opened(*first, *answers)
    return master.send(replace(PARCEL, in_doubt=in_doubt)), lines


THERE = said(200, SHEET, etag=f'"{OTHER}"')
ITS_RECEIPT = said(200, {**RECEIPT, "submission": OTHER, "revision": 3})


def test_the_sheet_that_is_there_comes_with_a_conflict(opened: Open) -> None:
    outcome, lines = moved([THERE, ITS_RECEIPT], opened)
    assert outcome == Conflict(OTHER, 3, SHEET, Receipt.model_validate({**RECEIPT, "submission": OTHER, "revision": 3}))
    assert lines.paths[1:] == ["GET /v1/events/bushy/results/2026-03-14", f"GET /v1/submissions/{OTHER}"]
    assert lines.asked[1].limit > LARGE, "a sheet is larger than most answers"


@pytest.mark.parametrize("in_doubt", [True, False])
@pytest.mark.parametrize("answer", [away(), said(200, b"<html>", "text/html"), problem(503)])
def test_a_conflict_without_the_other_sheet_leaves_the_doubt_as_it_was(
    opened: Open, answer: Answer | Failed, in_doubt: bool
) -> None:
    outcome, _ = moved([answer], opened, in_doubt)
    assert deferred(outcome).in_doubt is in_doubt


@pytest.mark.parametrize(
    ("tag", "receipt", "revision"),
    [
        (OTHER, NOT_FOUND, 3),
        (OTHER, away(), 3),
        ("newer", NOT_FOUND, None),
        ("newer", said(200, {**RECEIPT, "submission": "newer", "revision": 4}), 4),
    ],
)
def test_a_conflict_has_the_revision_of_the_sheet_that_it_shows(
    opened: Open, tag: str, receipt: Answer | Failed, revision: int | None
) -> None:
    outcome, _ = moved([said(200, SHEET, etag=f'"{tag}"'), receipt], opened)
    assert isinstance(outcome, Conflict)
    assert (outcome.head, outcome.revision) == (tag, revision)


# questions


def test_a_receipt_that_cannot_be_had_is_a_doubt(opened: Open) -> None:
    master, lines = opened(away())
    assert deferred(master.receipt(ID)).in_doubt
    assert (lines.asked[0].time_s, lines.asked[0].fresh) == (2.0, False)


LISTS: list[Callable[[HttpMaster], object]] = [
    lambda master: master.receipts(None, None, None),
    lambda master: master.athletes(ListQuestion()),
    lambda master: master.notices(""),
]
SINGLE: list[Callable[[HttpMaster], object]] = [
    lambda master: master.lease_block("key", 5),
    lambda master: master.receipt(ID),
]


def test_what_is_only_read_puts_nothing_in_doubt(opened: Open) -> None:
    for ask in (*LISTS, SINGLE[0]):
        master, lines = opened(away())
        outcome = deferred(ask(master))
        assert (outcome.cause, outcome.in_doubt) == (Cause.RESET, False)
        assert lines.asked[0].headers["Authorization"] == "Bearer token"


def test_lists_may_be_long_and_take_their_time_and_other_answers_are_short(opened: Open) -> None:
    for ask, long in [*((one, True) for one in LISTS), *((one, False) for one in SINGLE)]:
        master, lines = opened(problem(500))
        ask(master)
        assert lines.asked[0].time_s == (3.0 if long else 2.0)
        assert (lines.asked[0].limit > LARGE) == long


def test_a_block_is_asked_for_under_its_key(opened: Open) -> None:
    master, lines = opened(problem(500))
    master.lease_block("key-1", 5)
    (asked,) = lines.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/athlete-blocks", b'{"size": 5}')
    assert (asked.headers["Idempotency-Key"], asked.headers["Content-Type"]) == ('"key-1"', "application/json")


def test_a_block_is_leased(opened: Open) -> None:
    until = "2026-04-14T10:00:00Z"
    master, _ = opened(said(201, {"block": "b-1", "first": 1, "last": 5, "expires_at": until}))
    assert master.lease_block("key-1", 5) == LeasedBlock("b-1", 1, 5, datetime(2026, 4, 14, 10, tzinfo=UTC))


def test_a_tag_travels_where_there_is_one(opened: Open) -> None:
    asks: list[Callable[[HttpMaster, str], object]] = [
        lambda master, tag: master.athletes(ListQuestion("h", "7", etag=tag)),
        lambda master, tag: master.notices(tag),
    ]
    for ask in asks:
        master, lines = opened(said(304, b""))
        ask(master, '"tag"')
        ask(master, "")
        assert [one.headers.get("If-None-Match") for one in lines.asked] == ['"tag"', None]


def test_a_page_of_receipts_is_read(opened: Open) -> None:
    master, _ = opened(said(200, {"receipts": [RECEIPT], "next": "7"}))
    assert master.receipts(None, None, None) == ReceiptPage((Receipt.model_validate(RECEIPT),), "7")


def test_a_page_of_athletes_is_read(opened: Open) -> None:
    master, _ = opened(said(200, {"handle": "h", "athletes": [], "next": "8", "up_to_date": True}))
    assert master.athletes(ListQuestion()) == ListPage("h", [], "8", True)


# notices, page after page


def notice(name: str) -> dict[str, str]:
    times = {"at": "2026-03-14T09:00:00Z", "until": "2026-03-15T09:00:00Z"}
    return {"id": name, "title": "Ice", "text": "No run.", **times}


def notices_page(*names: str, following: str | None = None, **headers: str) -> Answer:
    return said(200, {"notices": [notice(name) for name in names], "next": following}, **headers)


def test_all_pages_of_notices_are_one_list_under_the_tag_of_the_first(opened: Open) -> None:
    master, lines = opened(
        notices_page("1", "2", following="a b", etag='"first"'),
        notices_page("3", following="c", etag='"second"'),
        notices_page(),
    )
    found = master.notices('"old"')
    assert isinstance(found, NoticeList)
    assert [one.id for one in found.notices or ()] == ["1", "2", "3"]
    assert found.etag == '"first"'
    assert lines.paths == ["GET /v1/notices?after=", "GET /v1/notices?after=a+b", "GET /v1/notices?after=c"]
    assert [one.headers.get("If-None-Match") for one in lines.asked] == ['"old"', None, None]


def test_notices_that_cannot_be_had_whole_are_not_had(opened: Open) -> None:
    master, _ = opened(notices_page("1", following="a"), away())
    assert deferred(master.notices("")).cause is Cause.RESET
    master, _ = opened(said(404, {"title": "No", "status": 404}))
    assert isinstance(master.notices(""), NoNotices)


@pytest.mark.parametrize(("last", "ends"), [(0, True), (1, False)])
def test_more_notices_than_are_in_force_at_once_have_no_end(opened: Open, last: int, ends: bool) -> None:
    names = [str(number) for number in range(MOST)]
    pages = [notices_page(*names, following="a"), notices_page(*names[:last], following="b"), notices_page()]
    if ends:
        pages[1] = notices_page()
    master, lines = opened(*pages)
    found = master.notices("")
    if ends:
        assert isinstance(found, NoticeList)
        assert len(found.notices or ()) == MOST
    else:
        assert "have no end" in deferred(found).detail
        assert not deferred(found).in_doubt
    assert len(lines.asked) == 2


def test_an_empty_page_of_notices_that_leads_on_has_no_end(opened: Open) -> None:
    master, lines = opened(notices_page(following="a"))
    assert "have no end" in deferred(master.notices("")).detail
    assert len(lines.asked) == 1


# credentials


def test_a_refused_token_is_read_again_and_used_once_if_it_is_another(opened: Open) -> None:
    for now, asks in (("newer", 2), ("token", 1), ("", 1)):
        master, lines = opened(problem(401), reread_token=lambda now=now: now)
        master.receipt(ID)
        tokens = [one.headers["Authorization"] for one in lines.asked]
        assert tokens == ["Bearer token", f"Bearer {now}"][:asks]


def test_a_refused_token_that_no_file_holds_is_used_once(opened: Open) -> None:
    master, lines = opened(problem(401))
    master.receipt(ID)
    assert len(lines.asked) == 1


def test_a_probe_that_is_refused_asks_for_no_token(opened: Open) -> None:
    def reread_token() -> str:
        pytest.fail("none was sent")

    master, lines = opened(problem(401), reread_token=reread_token)
    master.probe()
    assert len(lines.asked) == 1


def test_old_connections_are_let_go_when_it_is_told_and_when_it_is_closed(opened: Open) -> None:
    master, lines = opened(problem(500))
    master.refresh()
    assert lines.refreshed == 1
    master.close()
    assert lines.refreshed == 2
