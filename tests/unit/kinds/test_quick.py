"""The quick way takes what the ordinary one takes, with the same bytes, and nothing else."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from resultsq.domain.plausible import FIVE_K, PRESETS, Plausible
from resultsq.domain.sheet import rows_of
from resultsq.kinds.results.checks import check_rows
from resultsq.kinds.results.kind import ResultsPayload
from resultsq.kinds.results.quick import read_quickly

GOOD: dict[str, Any] = {
    "event": "bushy",
    "date": "2013-12-07",
    "finishers": [
        {"position": 1, "athlete": "A1", "time": "00:17:31"},
        {"position": 2, "athlete": None, "time": None},
        {"position": 3, "athlete": "A3", "time": "00:17:33"},
    ],
    "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}],
}
ROWS = [("finishers", n, field) for n in range(3) for field in ("position", "athlete", "time", "name")]
PLACES = [
    ("event",), ("date",), ("finishers",), ("volunteers",), ("name",), *ROWS, ("finishers", 0), ("finishers", 2),
    ("volunteers", 0), ("volunteers", 0, "athlete"), ("volunteers", 0, "role"), ("volunteers", 0, "name"),
]  # fmt: skip
WRONG: list[Any] = [
    None, True, 0, -1, 1, 2, 3, 2.0, 10**30, "", [], {}, [1], {"position": 1},
    "A", "A0", "A1", "A3", "A1\n", "A1\nA2", "A12345678", "A123456789", "A" + "1" * 31, "A" + "1" * 32, "A１", "a1",
    "00:17:30", "00:17:31", "00:17:34", "00:17:31\n", "00:17:31\n00:17:31", "00:61:00", "00:17:60", "０0:17:31",
    "17:31", "100:17:31",
    "00:09:59", "00:10:00", "04:00:00", "04:00:01", "17:31:00", "25:02:00",
    "\x00", "\x1f", "\x7f", "é", "x" * 63, "x" * 64, "x" * 100, "x" * 101, "B", "-b", "b-", "b-1", "b\n", "b_b",
    "2013-12-07", "2013-02-30", "0000-01-01", "20131207", "2013-12-07T00:00:00", "2013-W49-6", "２013-12-07",
]  # fmt: skip


def changed(body: Any, place: tuple[str | int, ...], value: Any) -> None:
    *way, last = place
    for step in way:
        body = body[step]
    body[last] = copy.deepcopy(value)  # or another change would change it for all that come


def ordinary(body: bytes, plausible: Plausible = FIVE_K) -> tuple[object, ...] | None:
    """What the ordinary way takes without a word; None: it says something."""
    try:
        given = ResultsPayload.model_validate_json(body)
    except ValidationError:
        return None
    if check_rows(given.finishers, given.volunteers, plausible):
        return None
    return given.event, given.date, rows_of(given.finishers, given.volunteers), len(given.volunteers)


def quick(body: bytes, plausible: Plausible = FIVE_K) -> tuple[object, ...] | None:
    good = read_quickly(body, lambda event: plausible)
    return None if good is None else (good.event, good.date, good.rows, good.volunteers)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "/".join(map(str, place)))
def test_a_body_is_taken_as_the_ordinary_way_takes_it_whatever_stands_in_one_place(
    place: tuple[str | int, ...],
) -> None:
    for value in WRONG:
        body = copy.deepcopy(GOOD)
        changed(body, place, value)
        sent = json.dumps(body).encode()
        assert quick(sent) == ordinary(sent) or quick(sent) is None, value


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(WRONG)), min_size=2, max_size=3))
def test_a_body_is_taken_as_the_ordinary_way_takes_it_whatever_stands_in_some(changes: list[Any]) -> None:
    body = copy.deepcopy(GOOD)
    for place, value in changes:
        with suppress(TypeError, IndexError, KeyError):  # an earlier change has taken the place away
            changed(body, place, value)
    sent = json.dumps(body).encode()
    assert quick(sent) in (None, ordinary(sent))


@pytest.mark.parametrize("field", ["finishers", "event", "date"])
def test_a_body_is_left_to_the_ordinary_way_when_something_is_missing(field: str) -> None:
    body = copy.deepcopy(GOOD)
    del body[field]
    assert quick(json.dumps(body).encode()) is None


@pytest.mark.parametrize(
    "row",
    ['"position":1,"position":2', '"position":1,"athlete":"A1","athlete":"A2"', '"position":1.0', '"position":01',
     '"position":1e0', '"position":1,"athlete":"A1\\ud800"', '"position":1,"time":"\\u0000"', '"position":1,'],
)  # fmt: skip
def test_what_json_leaves_open_is_taken_as_the_ordinary_way_takes_it(row: str) -> None:
    sent = f'{{"event":"bushy","date":"2013-12-07","finishers":[{{{row}}}]}}'.encode()
    assert quick(sent) in (None, ordinary(sent))


def test_a_stuck_watch_is_left_to_the_ordinary_way() -> None:
    for equal in (4, 5, 6):
        rows = [{"position": at, "athlete": None, "time": "00:59:59"} for at in range(1, equal + 1)]
        sent = json.dumps({"event": "bushy", "date": "2013-12-07", "finishers": rows}).encode()
        assert quick(sent) == ordinary(sent)
        assert (quick(sent) is None) == (equal > 4)


@pytest.mark.parametrize("run", PRESETS)
def test_times_are_judged_by_what_a_run_takes_at_the_event(run: str) -> None:
    taken = {}
    for first, last in (("00:07:31", "00:08:02"), ("07:31:00", "08:02:00"), ("00:20:00", "02:30:00")):
        rows = [{"position": at, "time": time} for at, time in ((1, first), (2, last))]
        sent = json.dumps({"event": "bushy", "date": "2013-12-07", "finishers": rows}).encode()
        taken[first] = quick(sent, PRESETS[run]) is not None
        assert quick(sent, PRESETS[run]) in (None, ordinary(sent, PRESETS[run]))
    assert taken == {"00:07:31": run == "junior", "07:31:00": False, "00:20:00": run == "5k"}


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"\xef\xbb\xbf{}", b"\xff", b"[" * 100_000, b'{"event":"\xff"}', b"{} {}"]
)
def test_what_is_no_body_is_left_to_the_ordinary_way(sent: bytes) -> None:
    assert quick(sent) is None


def test_a_usual_body_goes_the_quick_way() -> None:
    rows: list[dict[str, object]] = [
        {"position": n, "athlete": f"A{1000 + n}" if n % 12 else None, "time": f"00:{15 + n // 60}:{n % 60:02}"}
        for n in range(1, 251)
    ]
    rows[-1]["time"] = None
    helpers = [{"athlete": "A55501", "role": 'Timekeeper & "Marshal" \\ é 😀'}]
    sent = json.dumps({"event": "bushy", "date": "2013-12-07", "finishers": rows, "volunteers": helpers}).encode()
    assert quick(sent) is not None
    assert quick(sent) == ordinary(sent)


def test_times_at_the_limits_of_a_run_go_the_quick_way_and_those_beyond_do_not() -> None:
    for first, last, goes in (
        ("00:10:00", "04:00:00", True),
        ("00:09:59", "04:00:00", False),
        ("00:10:00", "04:00:01", False),
    ):
        rows = [{"position": at, "time": time} for at, time in ((1, first), (2, last))]
        sent = json.dumps({"event": "bushy", "date": "2013-12-07", "finishers": rows}).encode()
        assert (quick(sent) is not None) == goes


def test_the_longest_barcodes_and_roles_go_the_quick_way_and_longer_ones_do_not() -> None:
    for athlete, helper, role, goes in (
        ("A" + "1" * 8, "A" + "1" * 31, "x" * 100, True),
        ("A" + "1" * 9, "A" + "1" * 31, "x" * 100, False),
        ("A" + "1" * 8, "A" + "1" * 32, "x" * 100, False),
        ("A" + "1" * 8, "A" + "1" * 31, "x" * 101, False),
    ):
        rows = [{"position": 1, "athlete": athlete}]
        helpers = [{"athlete": helper, "role": role}]
        sent = json.dumps({"event": "bushy", "date": "2013-12-07", "finishers": rows, "volunteers": helpers}).encode()
        assert (quick(sent) is not None) == goes
