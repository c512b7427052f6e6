"""Every answer to a PUT means what the upload contract's table says, whoever it came from."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resultsq.delivery.masters import answers
from resultsq.delivery.masters.answers import Answer
from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Outcome,
    Reason,
    Receipt,
    Redirected,
    Rejected,
    Scope,
    Unauthorised,
)
from resultsq.domain.ports import ReceiptPage
from resultsq.domain.sheet import Finisher, Sheet, canonical_bytes, digest
from tests.support.one_sheet import ID, NOW, OTHER, PARCEL, RECEIPT, SHEET

PORTAL = b"<html><body>Tick the box to use our guest Wi-Fi.</body></html>"


def said(status: int, body: bytes | dict[str, Any] = b"", kind: str = "", **headers: str) -> Answer:
    """An answer; an object as body is JSON: a problem from 400 on."""
    if isinstance(body, dict):
        kind = kind or ("application/problem+json" if status >= 400 else "application/json")
        body = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": kind, **named}, body)


def put(answer: Answer) -> Outcome:
    return answers.of_put(answer, PARCEL, NOW)


def test_an_answer_about_a_condition_is_a_strangers_where_the_kind_makes_none() -> None:
    message = replace(PARCEL, kind="messages")
    for body in ({"head": {"submission": OTHER, "revision": 3}}, {"head": None}):
        outcome = answers.of_put(said(412, body), message, NOW)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.NOT_OUR_MASTER


BODIES: dict[str, Answer] = {
    "problem details": said(400, {"title": "No", "errors": [{"pointer": "/date", "detail": "is not a Saturday"}]}),
    "receipt": said(200, RECEIPT),
    "head": said(200, {"head": {"submission": OTHER, "revision": 3}}),
    "portal": said(200, PORTAL, "text/html"),
    "other json": said(200, {"error": "nope"}),
    "empty": said(200),
    "truncated": Answer(200, {"content-type": "application/json"}, json.dumps(RECEIPT).encode()[:-20]),
}


def by_the_contract(status: int, body: str) -> tuple[object, ...]:
    """The contract's table once more, said shortly: (kind, what matters of it)."""
    with_problem = body == "problem details"
    if status in (200, 201) and body == "receipt":
        return ("accepted",)
    if status == 412 and body == "head":
        return ("conflict", OTHER, 3)
    if status in (408, 425, 429):
        return ("deferred", Cause.BUSY)
    if 500 <= status <= 599 and status != 511:
        return ("deferred", Cause.MASTER_DOWN)
    if with_problem and status in (401, 403):
        return ("unauthorised", Scope.DESTINATION if status == 401 else Scope.EVENT)
    if with_problem and status == 409:
        return ("rejected", "id-reused")
    if with_problem and status in (400, 404, 410, 413, 415, 422):
        return ("rejected",)
    return ("deferred", Cause.NOT_OUR_MASTER)


def in_short(outcome: Outcome) -> tuple[object, ...]:
    match outcome:
        case Accepted(receipt):
            assert receipt == Receipt.model_validate(RECEIPT)
            return ("accepted",)
        case Conflict(head, revision):
            return ("conflict", head, revision)
        case Deferred(cause, in_doubt=in_doubt):
            assert in_doubt, "a request was sent and not answered by a refusal: its end is unknown"
            return ("deferred", cause)
        case Unauthorised(scope):
            return ("unauthorised", scope)
        case Rejected("id-reused"):
            return ("rejected", "id-reused")
        case Rejected(reasons=reasons):
            assert reasons == (Reason("is not a Saturday", "/date"),)
            return ("rejected",)
        case Redirected(destination):
            return ("redirected", destination)


@pytest.mark.parametrize("body", BODIES)
def test_every_status_means_what_the_table_says_when_it_carries(body: str) -> None:
    like = BODIES[body]
    wrong = {}
    for status in range(100, 600):
        got = in_short(put(Answer(status, like.headers, like.body)))
        if got != by_the_contract(status, body):
            wrong[status] = got
    assert not wrong


@pytest.mark.parametrize(("status", "meaning"), [(409, Conflict), (422, Rejected), (400, Rejected)])
def test_a_registration_that_the_office_has_already_is_for_a_person(status: int, meaning: type[Outcome]) -> None:
    problem = {"title": "Registered", "code": answers.REGISTERED_ALREADY, "detail": "A777 has this address."}
    outcome = put(said(status, problem))
    assert isinstance(outcome, meaning)
    if isinstance(outcome, Conflict):
        assert (outcome.code, outcome.detail) == (answers.REGISTERED_ALREADY, "A777 has this address.")


@pytest.mark.parametrize(
    ("member", "other"),
    [
        ("submission", OTHER),
        ("event", "richmond"),
        ("date", "2026-03-07"),
        ("digest", digest(b"{}")),
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_a_receipt_is_not_accepted_when_it_is_for_another(status: int, member: str, other: str) -> None:
    outcome = put(said(status, {**RECEIPT, member: other}))
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.NOT_OUR_MASTER
    assert outcome.in_doubt


@pytest.mark.parametrize("member", RECEIPT)
def test_a_receipt_is_not_accepted_when_a_member_is_missing(member: str) -> None:
    outcome = put(said(201, {name: value for name, value in RECEIPT.items() if name != member}))
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.NOT_OUR_MASTER


@pytest.mark.parametrize(
    "another",
    [
        {"revision": 2**31},
        {"revision": 10**30},
        {"received_at": "0001-01-01T00:00:00+14:00"},
        {"received_at": "soon"},
        {"event": "a\0b"},
        {"event": "x" * 101},
        {"date": "soon"},
        {"digest": "x" * 101},
    ],
)
def test_a_receipt_that_no_database_could_keep_is_none(another: dict[str, Any]) -> None:
    answer = said(200, {**RECEIPT, **another})
    assert isinstance(put(answer), Deferred)
    assert isinstance(answers.of_receipt(answer, ID, NOW), Deferred)
    page = said(200, {"receipts": [{**RECEIPT, **another}], "next": None})
    assert isinstance(answers.of_receipts(page, NOW), Deferred)


def test_a_receipts_time_is_utc_when_it_names_no_zone() -> None:
    outcome = put(said(201, {**RECEIPT, "received_at": "2026-03-14T10:00:00"}))
    assert isinstance(outcome, Accepted)
    assert outcome.receipt.received_at == NOW


def test_what_the_master_says_can_be_kept_and_shown_when_it_is_no_text() -> None:
    outcome = put(said(422, {"title": "\0", "errors": [{"pointer": "/\udc00", "detail": "half a \ud83d"}]}))
    assert outcome == Rejected("invalid-sheet", "\N{REPLACEMENT CHARACTER}", (Reason("half a ?", "/?"),))


def test_a_conflict_has_no_head_when_nothing_is_published_there() -> None:
    answer = said(412, {"title": "No", "head": None})
    assert answers.of_put(answer, replace(PARCEL, precondition=OTHER), NOW) == Conflict(None, None)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (None, "application/problem+json"),  # to a first sheet, which asks for nothing to be there
        ({"submission": OTHER, "revision": 3}, "text/html"),
        ({"submission": OTHER, "revision": 3}, ""),
    ],
)
def test_a_412_is_not_the_masters_when_it_contradicts_itself(head: object, kind: str) -> None:
    outcome = put(said(412, json.dumps({"head": head}).encode(), kind))
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.NOT_OUR_MASTER, True)


@pytest.mark.parametrize("body", [{}, {"title": "No", "status": 412}])
def test_a_412_to_a_correction_is_not_the_masters_when_it_says_nothing_of_the_head(body: dict[str, Any]) -> None:
    outcome = answers.of_put(said(412, body), replace(PARCEL, precondition=OTHER), NOW)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.NOT_OUR_MASTER


def test_a_412_is_not_the_masters_when_it_is_a_page() -> None:
    head = {"head": {"submission": OTHER, "revision": 3}}
    for answer in (
        said(412, PORTAL, "text/html"),
        said(412, head, "text/html"),
        said(412, {"head": None}, "text/html"),
    ):
        outcome = put(answer)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.NOT_OUR_MASTER


@pytest.mark.parametrize(
    "head",
    [
        "x",
        3,
        [],
        {},
        {"submission": OTHER},
        {"submission": OTHER, "revision": "3"},
        {"submission": OTHER, "revision": 2**31},
        {"submission": "longer than any id of ours could be, ever", "revision": 3},
        {"submission": "half a \ud83d", "revision": 3},
    ],
)
def test_a_412_is_not_the_masters_when_its_head_has_another_shape(head: object) -> None:
    outcome = put(said(412, {"head": head}))
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.NOT_OUR_MASTER


@pytest.mark.parametrize(
    ("problem", "taken"),
    [
        ({"title": "Unprocessable", "status": 422, "detail": "Not like this."}, True),
        ({"errors": [{"pointer": "/date", "detail": "is not a Saturday"}]}, True),
        ({"title": "Unprocessable", "status": 400}, False),
        ({"message": "Forbidden"}, False),
        ({"timestamp": "2026", "status": 422, "error": "Unprocessable", "path": "/"}, False),
    ],
)
def test_plain_json_counts_as_problem_details_when_it_has_their_members(problem: dict[str, Any], taken: bool) -> None:
    assert isinstance(put(said(422, problem, "application/json; charset=utf-8")), Rejected) is taken


@pytest.mark.parametrize("kind", ["text/html", "text/plain", ""])
def test_what_has_the_members_of_problem_details_is_none_when_it_is_not_called_json(kind: str) -> None:
    body = json.dumps({"title": "Unprocessable", "status": 422}).encode()
    assert isinstance(put(said(422, body, kind)), Deferred)


def test_a_rejection_says_it_in_the_masters_words_when_there_are_any() -> None:
    outcome = put(said(422, {"title": "x", "detail": "The date is not one.", "errors": [7, {"detail": "x"}]}))
    assert isinstance(outcome, Rejected)
    assert outcome.detail == "The date is not one."
    assert outcome.reasons == (Reason("x"),)


SENT = datetime(2031, 1, 1, 8, 0, tzinfo=UTC)  # the master's clock is years ahead of ours


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("17", "", 17.0),
        (" 0 ", "", 0.0),
        ("99999999999", "", 99999999999.0),
        (format_datetime(SENT + timedelta(seconds=90), usegmt=True), format_datetime(SENT, usegmt=True), 90.0),
        (format_datetime(SENT - timedelta(seconds=90), usegmt=True), format_datetime(SENT, usegmt=True), 0.0),
        ("Wednesday, 01-Jan-31 08:01:30 GMT", format_datetime(SENT, usegmt=True), 90.0),
        ("Wed Jan  1 08:01:30 2031", format_datetime(SENT, usegmt=True), 90.0),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), "", 30.0),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), "yesterday", 30.0),
        ("soon", "", None),
        ("-5", "", None),
        ("1.5", "", None),
        ("٣", "", None),
        ("", "", None),
    ],
)
def test_the_masters_word_is_read_when_it_says_later(
    status: int, retry_after: str, date: str, seconds: float | None
) -> None:
    outcome = put(said(status, {"title": "Later"}, retry_after=retry_after, date=date))
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after_s == seconds


LATER: dict[str, tuple[Answer, float]] = {
    "problem details": (said(503, {"title": "Later"}, retry_after="3600"), 3600.0),
    "JSON": (said(503, {"message": "later"}, "application/json", retry_after="3600"), 3600.0),
    "a proxy's page": (said(503, PORTAL, "text/html", retry_after="3600"), 15.0),
    "a proxy's page, with a date": (
        said(
            503, PORTAL, "text/html", retry_after=format_datetime(SENT + timedelta(hours=1)), date=format_datetime(SENT)
        ),
        15.0,
    ),
    "a page that is called JSON": (said(503, PORTAL, "application/json", retry_after="3600"), 15.0),
    "JSON that is called a page": (said(503, {"title": "Later"}, "text/html", retry_after="3600"), 15.0),
    "nothing": (said(503, retry_after="3600"), 15.0),
    "a proxy's page that is gone sooner": (said(503, PORTAL, "text/html", retry_after="2"), 2.0),
}


@pytest.mark.parametrize("name", LATER)
def test_a_pause_binds_for_seconds_only_when_it_is_not_the_master_who_asks_for_it(name: str) -> None:
    answer, seconds = LATER[name]
    for outcome in (put(answer), answers.of_probe(answer, NOW), answers.of_receipt(answer, ID, NOW)):
        assert isinstance(outcome, Deferred)
        assert outcome.retry_after_s == seconds


@pytest.mark.parametrize("answer", [said(511, PORTAL, "text/html", retry_after="60"), said(511, {"title": "Log in"})])
def test_it_is_a_captive_portal_when_it_asks_for_a_log_in(answer: Answer) -> None:
    for outcome in (put(answer), answers.of_probe(answer, NOW), answers.of_receipt(answer, ID, NOW)):
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.retry_after_s) == (Cause.NOT_OUR_MASTER, None)
        assert "captive portal asks for a log-in" in outcome.detail


@pytest.mark.parametrize(
    ("status", "words"), [(413, "refuses a body of 2.3 MB (status 413)"), (414, "refuses an address as long as this")]
)
def test_the_proxys_limit_is_named_when_it_refuses_a_size(status: int, words: str) -> None:
    outcome = put(replace(said(status, PORTAL, "text/html"), sent_bytes=2_345_678))
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.NOT_OUR_MASTER
    assert f"A proxy in front of the master {words}" in outcome.detail


@pytest.mark.parametrize(
    ("pointer", "kept"),
    [
        ("/finishers/12/time", True),
        ("", True),
        ("/volunteers/0/a~1b", True),
        ("finishers", False),
        ("/a~2", False),
        ("/finishers/" + "9" * 5000, False),
        ("/finishers/" + "9" * 20, False),
        ("/" + "x" * 300, False),
        ("/" + "x" * 199, True),
        ("/" + "x" * 200, False),
        ("/finishers/" + "9" * 9, True),
        ("/finishers/" + "9" * 10, False),
    ],
)
def test_a_reason_keeps_its_sentence_when_it_points_nowhere(pointer: str, kept: bool) -> None:
    outcome = put(said(422, {"title": "No", "errors": [{"pointer": pointer, "detail": "x" * 9000}]}))
    assert isinstance(outcome, Rejected)
    assert outcome.reasons == (Reason("x" * 2000, pointer if kept else None),)


def test_a_hundred_reasons_are_kept_and_no_more() -> None:
    outcome = put(said(422, {"title": "No", "errors": [{"detail": f"is wrong {n}"} for n in range(101)]}))
    assert isinstance(outcome, Rejected)
    assert [reason.detail for reason in outcome.reasons] == [f"is wrong {n}" for n in range(100)]


@pytest.mark.parametrize(("following", "asked"), [("7", "7"), ("", None), (None, None), (7, None), (["7"], None)])
def test_a_page_of_receipts_goes_on_where_its_cursor_is_text(following: object, asked: str | None) -> None:
    page = answers.of_receipts(said(200, {"receipts": [RECEIPT], "next": following}), NOW)
    assert page == ReceiptPage((Receipt.model_validate(RECEIPT),), asked)


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504, 302, 200, 404])
def test_retry_after_binds_nobody_when_the_status_does_not_carry_it(status: int) -> None:
    outcome = put(said(status, PORTAL, "text/html", retry_after="3600"))
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after_s is None


@pytest.mark.parametrize(
    ("answer", "cause", "retry_after_s"),
    [
        (said(200, {"service": "results-master", "contract": 1}), None, None),
        (said(200, {"service": "results-master"}, "application/json; charset=utf-8"), None, None),
        (said(200, {"service": "results-master"}, "text/html"), Cause.NOT_OUR_MASTER, None),
        (said(200, {"service": "other"}), Cause.NOT_OUR_MASTER, None),
        (said(200, b"[]", "application/json"), Cause.NOT_OUR_MASTER, None),
        (said(200, PORTAL, "text/html"), Cause.NOT_OUR_MASTER, None),
        (said(201, {"service": "results-master"}), Cause.NOT_OUR_MASTER, None),
        (said(302, PORTAL, "text/html", location="http://login.example/"), Cause.NOT_OUR_MASTER, None),
        (said(404, {"title": "No"}), Cause.NOT_OUR_MASTER, None),
        (said(429, {"title": "Later"}, retry_after="40"), Cause.BUSY, 40.0),
        (said(503, {"title": "Later"}, retry_after="40"), Cause.MASTER_DOWN, 40.0),
        (said(500, PORTAL, "text/html"), Cause.MASTER_DOWN, None),
    ],
)
def test_the_probe_believes_only_the_master_when_it_says_that_it_is_up(
    answer: Answer, cause: Cause | None, retry_after_s: float | None
) -> None:
    trouble = answers.of_probe(answer, NOW)
    assert (trouble and trouble.cause) is cause
    assert (trouble and trouble.retry_after_s) == retry_after_s


def test_a_receipt_is_none_when_the_master_does_not_know_the_submission() -> None:
    assert answers.of_receipt(said(404, {"title": "No"}), ID, NOW) is None
    assert answers.of_receipt(said(404, PORTAL, "text/html"), ID, NOW) is None
    assert answers.of_receipt(said(200, RECEIPT), ID, NOW) == Receipt.model_validate(RECEIPT)


def test_these_statuses_alone_say_that_the_master_does_not_have_a_submission() -> None:
    unknown = [
        status for status in range(100, 600) if answers.of_receipt(said(status, PORTAL, "text/html"), ID, NOW) is None
    ]
    assert unknown == [400, 404, 405, 410, 501]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said(200, {**RECEIPT, "submission": OTHER}), Cause.NOT_OUR_MASTER),
        (said(200, PORTAL, "text/html"), Cause.NOT_OUR_MASTER),
        (said(302, PORTAL, "text/html"), Cause.NOT_OUR_MASTER),
        (said(403, PORTAL, "text/html"), Cause.NOT_OUR_MASTER),
        (said(503, PORTAL, "text/html"), Cause.MASTER_DOWN),
        (said(401, {"title": "Who are you?"}), Scope.DESTINATION),
    ],
)
def test_a_question_has_no_answer_when_another_came(answer: Answer, kind: Cause | Scope) -> None:
    for outcome in (
        answers.of_receipt(answer, ID, NOW),
        answers.of_head(answer, NOW, "results"),
        answers.of_receipts(answer, NOW),
    ):
        match outcome:
            case Deferred(cause):
                assert cause is kind
            case Unauthorised(scope):
                assert scope is kind
            case _:
                pytest.fail(f"{outcome} was taken for an answer")


@pytest.mark.parametrize("tag", [f'"{OTHER}"', f'W/"{OTHER}"'])
def test_the_published_sheet_is_known_when_its_tag_is_read(tag: str) -> None:
    assert answers.of_head(said(200, SHEET, "application/json", etag=tag), NOW, "results") == (OTHER, SHEET)


@pytest.mark.parametrize("body", [PORTAL, b"", b"[]"])
def test_the_published_sheet_is_unknown_when_what_has_its_tag_is_no_object(body: bytes) -> None:
    assert isinstance(answers.of_head(said(200, body, "application/json", etag=f'"{OTHER}"'), NOW, "results"), Deferred)


MANY = tuple(Finisher(position=n) for n in range(1, 20_002))
LONG = canonical_bytes(Sheet(event="bushy", date=NOW.date(), submitted_by="x", submitted_at=NOW, finishers=MANY))


@pytest.mark.parametrize("body", [b"{}", b'{"schema": "resultsq.results/9"}', SHEET.replace(b"2026", b"2O26"), LONG])
def test_the_published_sheet_is_left_out_when_it_is_none_that_can_be_shown(body: bytes) -> None:
    assert answers.of_head(said(200, body, "application/json", etag=f'"{OTHER}"'), NOW, "results") == (OTHER, None)


@pytest.mark.parametrize("tag", ["", '"', '""', OTHER])
def test_the_published_sheet_is_unknown_when_it_has_no_tag(tag: str) -> None:
    assert isinstance(answers.of_head(said(200, SHEET, "application/json", etag=tag), NOW, "results"), Deferred)


def test_a_page_of_receipts_says_where_to_go_on_when_there_are_more() -> None:
    page = answers.of_receipts(said(200, {"receipts": [RECEIPT], "next": "c2"}), NOW)
    assert page == ReceiptPage((Receipt.model_validate(RECEIPT),), "c2")
    assert answers.of_receipts(said(200, {"receipts": [], "next": None}), NOW) == ReceiptPage((), None)
    assert isinstance(answers.of_receipts(said(200, {"receipts": [{}], "next": None}), NOW), Deferred)


@settings(max_examples=300, deadline=None)
@given(
    status=st.integers(100, 599),
    kind=st.sampled_from(["application/json", "application/problem+json", "text/html", "", "a/b; c"]),
    body=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["head", "errors", "title", "detail", "status", "receipts"]), inner)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
    headers=st.dictionaries(st.sampled_from(["date", "retry-after", "etag"]), st.text(max_size=30)),
)
def test_anything_at_all_has_a_meaning_when_it_is_answered(
    status: int, kind: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = Answer(status, {"content-type": kind, **headers}, body)
    assert not isinstance(put(answer), Accepted)
    answers.of_probe(answer, NOW)
    answers.of_receipt(answer, ID, NOW)
    answers.of_receipts(answer, NOW)
    answers.of_head(answer, NOW, "results")


def test_a_deep_answer_is_nothing_when_a_portal_plays_tricks() -> None:
    assert said(200, b"[" * 100_000, "application/json").object is None


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ({"received_at": "2013-12-07T12:00:00Z", "count": 7}, 7),
        ({"received_at": None, "count": 0}, 0),
        ({"count": 2**53 - 1}, 2**53 - 1),
        ({"count": 2**53}, None),
        ({"count": 7.0}, None),
        ({"received_at": "2013-12-07T12:00:00", "count": 7}, None),
        ({"received_at": "yesterday", "count": 7}, None),
        ({"count": -1}, None),
        ({"count": "7"}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_newest_receipt_is_read_from_the_probe_or_nothing_is(said: object, count: int | None) -> None:
    answer = Answer(200, {"content-type": "application/json"}, json.dumps({"service": "x", "latest": said}).encode())
    found = answers.latest(answer)
    assert (None if found is None else found.count) == count
    if found is not None and isinstance(said, dict):
        at = said.get("received_at")
        assert found.received_at == (None if at is None else datetime.fromisoformat(at))


@pytest.mark.parametrize(
    ("kinds", "taken"), [(["results", "messages"], True), (["results"], False), ("messages", False), (None, False)]
)
def test_a_probe_names_the_kinds_that_the_master_takes(kinds: object, taken: bool) -> None:
    assert answers.takes(said(200, {"service": "results-master", "kinds": kinds}), "messages") is taken


@pytest.mark.parametrize(("sent_bytes", "shown"), [(0, "0.1 MB"), (100_000, "0.1 MB"), (1_260_000, "1.3 MB")])
def test_a_size_that_a_proxy_refuses_is_shown_as_people_set_it(sent_bytes: int, shown: str) -> None:
    outcome = put(replace(said(413, PORTAL, "text/html"), sent_bytes=sent_bytes))
    assert isinstance(outcome, Deferred)
    assert shown in outcome.detail


@pytest.mark.parametrize("problem", [{"title": ""}, {"title": 7, "detail": None}, {}])
def test_a_refusal_without_words_says_so(problem: dict[str, Any]) -> None:
    outcome = put(said(422, problem))
    assert outcome == Rejected("invalid-sheet", "The master gave no reason in words.")
