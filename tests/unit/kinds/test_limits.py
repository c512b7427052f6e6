"""How much a correction, a list or a pile of files may hold: the last that is taken, and the first that is not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import ReadFile, StopwatchFile
from resultsq.domain.sheet import Finisher, Rows, Volunteer, rows_of
from resultsq.kinds.registry import KINDS
from resultsq.kinds.results.checks import check_rows, choices_of_athlete, choices_of_token, listed
from resultsq.kinds.results.corrections import correction_of
from resultsq.kinds.results.join import Work, apply, evaluate, too_many_together
from resultsq.kinds.results.kind import ResultsKind
from resultsq.readers import MAX_ROWS, read
from tests.unit.kinds.builders import checked, clocks, codes, corrected, file, pairs, refusal, scans, watch, work

TIMES = [1000, 1010, 1020]
TABLE = b"Position,Time,Blink\n1,18:11,A1\n2,19:08,A2\n"
NOW = datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC)


# rows


def test_a_sheet_has_at_most_twenty_thousand_finishers_and_as_many_volunteers() -> None:
    rows = [Finisher(position=position, athlete=None, time=None) for position in range(1, 20_002)]
    helpers = [Volunteer(athlete="A1", role="Marshal")] * 20_001

    assert check_rows(rows[:20_000], helpers[:20_000]) == ()
    assert [one.code for one in check_rows(rows, helpers)] == ["too-many-rows"] * 2


def test_a_body_is_no_sheet_when_it_has_more_rows_than_any() -> None:
    kind = ResultsKind()
    rows = [Finisher(position=position, athlete=None, time=None) for position in range(1, 20_002)]
    helpers = [Volunteer(athlete="A1", role="Marshal")] * 20_001

    def body(of: Rows) -> bytes:
        entry = kind.prepare_rows("bushy", NOW.date(), of, problems=(), submitted_by="bushy", submitted_at=NOW)
        return entry.body

    assert kind.envelope(body(rows_of(rows[:20_000], helpers[:20_000]))).finishers == 20_000
    for of in (rows_of(rows, ()), rows_of(rows[:1], helpers)):
        with pytest.raises(ValueError, match="more rows"):
            kind.envelope(body(of))


def test_times_are_inserted_until_there_are_twenty_thousand() -> None:
    of = work(watch(TIMES))

    assert len(corrected(of, "insert-time", position=1, count=MAX_ROWS - 3).finishers) == 20_000
    assert "more than 20000 rows" in refusal(of, "insert-time", position=1, count=MAX_ROWS - 2)


def test_a_finisher_is_inserted_until_there_are_twenty_thousand() -> None:
    assert len(corrected(work(watch([1000] * 19_999)), "insert-finisher", position=1).finishers) == 20_000


def test_tokens_make_rows_until_there_are_twenty_thousand() -> None:
    last = checked(scans("A7,P20000"))
    assert (codes(last), len(last.finishers)) == ([], 20_000)
    [problem] = checked(scans("A7,P20001")).problems
    assert problem.message.startswith("There are 20,001 ")


def test_missed_times_are_offered_while_all_of_them_would_fit() -> None:
    def offered(token: int) -> list[str]:
        [problem] = checked(watch(TIMES), pairs(range(1, 4)), scans(f"A7,P{token}")).problems
        return [fix.action for fix in problem.fixes]

    assert offered(20_000) == ["insert-time", "drop-tokens-beyond"]
    assert offered(20_001) == ["drop-tokens-beyond"]


def test_the_files_of_one_event_have_at_most_eighty_thousand_rows_together() -> None:
    one = read("watch", watch(TIMES))
    assert isinstance(one, StopwatchFile)
    full: list[ReadFile] = [replace(one, rows=one.rows[:1] * 20_000)] * 4

    assert too_many_together(full) is None
    problem = too_many_together([*full, replace(one, name="last", rows=one.rows[:1])])
    assert problem is not None
    assert "80,001 rows together, and no more than 80,000" in problem.message
    assert [where.file for where in problem.where] == ["last"]


# tokens


def test_tokens_are_raised_and_swapped_up_to_the_highest() -> None:
    of = work(scans("A1,P99998"))

    highest = apply(of, correction_of("insert-tokens", {"first": 1}), by="bushy")
    assert [scan.token for scan in evaluate(highest).scans] == [99_999]
    assert "up to 99999" in refusal(of, "insert-tokens", first=1, count=2)
    swapped = apply(of, correction_of("swap-tokens", {"first": 1, "last": 2, "other": 99_998}), by="bushy")
    assert [scan.token for scan in evaluate(swapped).scans] == [1]
    assert "No token from" in refusal(of, "swap-tokens", first=1, last=2, other=99_999)


def test_ranges_are_swapped_when_one_begins_where_the_other_ends() -> None:
    of = work(watch(TIMES), pairs(range(1, 4)))

    assert athletes_of(of, "swap-tokens", first=1, last=1, other=2) == ["A1002", "A1001", "A1003"]
    assert athletes_of(of, "swap-tokens", first=2, last=2, other=1) == ["A1002", "A1001", "A1003"]
    assert athletes_of(of, "reverse-tokens", first=2, last=3) == ["A1001", "A1003", "A1002"]


def test_the_last_token_is_raised_and_given_and_none_beyond_it() -> None:
    of = work(watch(TIMES), pairs([1, 2]), scans("A7,"))

    assert athletes_of(of, "edit-token", athlete="A7", token=3) == ["A1001", "A1002", "A7"]
    assert "only 3 times" in refusal(of, "edit-token", athlete="A7", token=4)
    assert athletes_of(of, "insert-tokens", first=2) == ["A1001", None, "A1002"]
    assert "No token from 3 on" in refusal(of, "insert-tokens", first=3)


def test_a_token_alone_is_removed_and_those_above_are_one_lower() -> None:
    of = work(watch(TIMES), pairs([1, 3, 4]), scans(",P2"))

    assert athletes_of(of, "remove-tokens", first=2, last=2) == ["A1001", "A1003", "A1004"]


def test_all_tokens_are_dropped_when_none_was_handed_out() -> None:
    assert athletes_of(work(watch(TIMES), pairs([1, 2, 3])), "drop-tokens-beyond", last=0) == [None] * 3
    with pytest.raises(InputRefused, match="at least 0"):
        correction_of("drop-tokens-beyond", {"last": -1})


def athletes_of(of: Work, action: str, **arguments: object) -> list[str | None]:
    return [row.athlete for row in corrected(of, action, **arguments).finishers]


def test_the_record_says_that_the_first_time_was_put_back() -> None:
    of = work(watch([0, *TIMES]))
    back = apply(of, correction_of("keep-double-tap", {"file": file(of, 1)}), by="bushy")

    assert back.changes[-1].said == "Put back the time at the beginning of file1."


def test_the_record_says_how_many_scans_were_dropped() -> None:
    of = work(watch(TIMES), pairs(range(1, 6)))
    dropped = apply(of, correction_of("drop-tokens-beyond", {"last": 3}), by="bushy")

    assert dropped.changes[-1].said == "Dropped 2 scans with tokens above 3."


# the fields of corrections


@pytest.mark.parametrize(
    ("action", "good", "bad", "words"),
    [
        ("insert-time", {"position": 1, "count": 1}, {"position": 1, "count": 0}, "at least 1"),
        ("insert-time", {"position": 1, "count": 20_000}, {"position": 1, "count": 20_001}, "at most 20000"),
        ("insert-tokens", {"first": 1, "count": 20_000}, {"first": 1, "count": 20_001}, "at most 20000"),
        ("insert-tokens", {"first": 1, "count": 1}, {"first": 1, "count": 0}, "at least 1"),
        ("edit-time", {"position": 20_000, "time": 0}, {"position": 20_001, "time": 0}, "at most 20000"),
        ("edit-time", {"position": 1, "time": 359_999}, {"position": 1, "time": 360_000}, "at most 359999"),
        ("edit-time", {"position": 1, "time": 0}, {"position": 1, "time": -1}, "at least 0"),
        ("choose-token", {"athlete": "A7", "token": 1}, {"athlete": "A7", "token": 0}, "at least 1"),
        ("choose-token", {"athlete": "A7", "token": 99_999}, {"athlete": "A7", "token": 100_000}, "at most 99999"),
        ("drop-tokens-beyond", {"last": 99_999}, {"last": 100_000}, "at most 99999"),
        ("shift-stopwatch", {"file": "x", "seconds": 359_999}, {"file": "x", "seconds": 360_000}, "at most 359999"),
        ("shift-stopwatch", {"file": "x", "seconds": -359_999}, {"file": "x", "seconds": -360_000}, "at least -359999"),
        ("read-times", {"way": "since", "start": 86_400}, {"way": "since", "start": 86_401}, "at most 86400"),
        ("read-times", {"way": "since", "start": 0}, {"way": "since", "start": -1}, "at least 0"),
        ("use-column", {"file": "x", "column": 1, "use": ""}, {"file": "x", "column": 0, "use": ""}, "at least 1"),
        (
            "edit-line",
            {"file": "x", "line": 1, "text": "x" * 200},
            {"file": "x", "line": 1, "text": "x" * 201},
            "at most 200 characters",
        ),
    ],
)
def test_a_field_is_taken_to_its_limit(
    action: str, good: dict[str, object], bad: dict[str, object], words: str
) -> None:
    assert correction_of(action, good).model_dump().items() >= good.items()
    with pytest.raises(InputRefused, match=words):
        correction_of(action, bad)


def test_a_number_is_no_barcode() -> None:
    with pytest.raises(InputRefused, match="athlete"):
        correction_of("edit-athlete", {"position": 1, "athlete": 7})


def test_a_watch_is_shifted_down_to_nought_and_up_to_the_longest_time() -> None:
    of = work(watch(TIMES))
    down = corrected(of, "shift-stopwatch", file=file(of, 1), seconds=-1000)
    up = corrected(of, "shift-stopwatch", file=file(of, 1), seconds=359_999 - 1020)

    assert [row.time for row in down.finishers] == clocks([0, 10, 20])
    assert [row.time for row in up.finishers][-1] == "99:59:59"
    assert "below zero or beyond" in refusal(of, "shift-stopwatch", file=file(of, 1), seconds=-1001)
    assert "below zero or beyond" in refusal(of, "shift-stopwatch", file=file(of, 1), seconds=359_999 - 1019)


def test_times_of_day_are_read_from_a_start_that_is_not_after_the_first() -> None:
    of = work(watch([36_000, 36_010]))

    assert [row.time for row in corrected(of, "read-times", way="since", start=36_000).finishers] == clocks([0, 10])
    assert "below zero" in refusal(of, "read-times", way="since", start=36_001)


def test_a_table_has_no_column_beyond_its_last() -> None:
    of = work(TABLE)

    assert athletes_of(of, "use-column", file=file(of, 1), column=3, use="athlete") == ["A1", "A2"]
    left = apply(of, correction_of("use-column", {"file": file(of, 1), "column": 3, "use": ""}), by="bushy")
    assert left.changes[-1].said == "The column Blink of file1 is not used."
    assert "no such column" in refusal(of, "use-column", file=file(of, 1), column=4, use="athlete")
    assert "Blink cannot be that." in refusal(of, "use-column", file=file(of, 1), column=3, use="time")
    assert "Time cannot be that." in refusal(of, "use-column", file=file(of, 1), column=2, use="")


# what is listed


def test_twenty_things_are_listed_and_of_more_the_first_ten() -> None:
    assert listed(range(1, 21)).endswith("18, 19 and 20")
    assert listed(range(1, 22)) == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 11 more"


def test_at_most_twenty_choices_are_offered_for_one_problem() -> None:
    assert len(choices_of_token("A7", range(1, 22))) == len(choices_of_athlete(1, ["A7"] * 21)) == 20


def test_fifty_problems_of_one_kind_are_told_one_by_one_and_the_others_as_one() -> None:
    def count(long: int) -> int:
        rows = [Finisher(position=at, athlete=f"A{10**9 + at}", time=None) for at in range(1, long + 1)]
        return len(check_rows(rows))

    assert [count(50), count(51), count(60)] == [50, 51, 51]


# the queue


def test_a_kind_has_one_submission_a_round_and_results_begin_before_the_others() -> None:
    text = {"subject": "A late barcode", "text": "It is A123."}
    given: dict[str, dict[str, object]] = {
        "results": {"event": "bushy", "date": "2013-12-07", "finishers": [{"position": 1}]},
        "messages": {"event": "bushy", **text},
        "mails": {"account": "team", **text},
    }
    turns = {}
    for kind, payload in given.items():
        entry = KINDS[kind].prepare(payload, submission="1", submitted_by="bushy", submitted_at=NOW)
        turns[kind] = (entry.weight, entry.patience)

    assert turns == {"results": (1, 0), "messages": (1, 3), "mails": (1, 3)}
