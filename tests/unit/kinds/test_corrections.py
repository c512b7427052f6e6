"""Hand corrections: what each does, and the words in which it is refused."""

from typing import Any

import pytest

from resultsq.domain.errors import InputRefused
from resultsq.domain.problem import Fix
from resultsq.kinds.results import corrections_files, join
from resultsq.kinds.results.corrections import asked, correction_of
from resultsq.kinds.results.join import Joined, Work, apply, evaluate
from resultsq.readers import MAX_ROWS
from tests.unit.kinds.builders import clocks, corrected, file, pairs, refusal, scans, watch, work

TIMES = [1000, 1010, 1020, 1030, 1040]
TABLE = b"position,time,athlete\n1,18:11,A1\n2,19:08,\n3,20:00,A3\n"


def good() -> Work:
    return work(watch(TIMES), pairs(range(1, 6)))


def times(joined: Joined) -> list[str | None]:
    return [row.time for row in joined.finishers]


def athletes(joined: Joined) -> list[str | None]:
    return [row.athlete for row in joined.finishers]


def codes(joined: Joined) -> list[str]:
    return [problem.code for problem in joined.problems]


# times


@pytest.mark.parametrize("time", ["00:17:05", "17:05", " 17:5 ", 1025])
def test_a_time_is_edited(time: object) -> None:
    assert times(corrected(good(), "edit-time", position=3, time=time)) == clocks([1000, 1010, 1025, 1030, 1040])


def test_a_time_is_taken_away_when_it_is_edited_to_nothing() -> None:
    assert times(corrected(good(), "edit-time", position="3", time=""))[2] is None


def test_a_time_is_refused_when_it_makes_no_sense() -> None:
    assert "62 minutes" in refusal(good(), "edit-time", position=3, time="62:10")
    assert "no position 6: they go from 1 to 5" in refusal(good(), "edit-time", position=6, time="18:00")
    assert "already has 00:17:00" in refusal(good(), "edit-time", position=3, time="17:00")
    assert "no times have come yet" in refusal(work(pairs([1])), "edit-time", position=1, time="17:00")


def test_times_behind_move_down_when_one_is_inserted_and_athletes_stay() -> None:
    joined = corrected(good(), "insert-time", position=2, time="16:45")

    assert times(joined) == clocks([1000, 1005, 1010, 1020, 1030, 1040])
    assert athletes(joined) == ["A1001", "A1002", "A1003", "A1004", "A1005", None]


def test_missed_times_are_inserted_at_the_end() -> None:
    joined = corrected(work(watch(TIMES), pairs(range(1, 8))), "insert-time", position=6, count=2)

    assert times(joined)[5:] == [None, None]
    [problem] = joined.problems
    assert (problem.code, problem.blocks) == ("time-missing", False)
    assert problem.message.startswith("There is no time for positions 6 to 7")
    assert (problem.fixes[0].action, problem.fixes[0].arguments) == ("edit-time", {"position": 6})


def test_a_time_is_not_inserted_when_there_is_no_such_place() -> None:
    assert "no position 7" in refusal(good(), "insert-time", position=7)
    assert "more than 20000 rows" in refusal(good(), "insert-time", position=1, count=20_000)


def test_times_behind_move_up_when_one_is_removed_and_athletes_stay() -> None:
    joined = corrected(good(), "remove-time", position=1)

    assert times(joined) == clocks(TIMES[1:])
    assert athletes(joined) == ["A1001", "A1002", "A1003", "A1004"]
    assert codes(joined) == ["token-beyond-times"]


# finishers


def test_whole_rows_move_down_when_a_finisher_is_inserted() -> None:
    joined = corrected(good(), "insert-finisher", position=2, time="16:45", athlete="A77")

    assert times(joined) == clocks([1000, 1005, 1010, 1020, 1030, 1040])
    assert athletes(joined) == ["A1001", "A77", "A1002", "A1003", "A1004", "A1005"]


def test_an_unknown_is_inserted_when_nobody_is_named() -> None:
    assert athletes(corrected(good(), "insert-finisher", position=6))[5] is None


def test_a_finisher_is_not_inserted_when_it_makes_no_sense() -> None:
    assert "A1003 is at position 3 already" in refusal(good(), "insert-finisher", position=2, athlete="A1003")
    assert "No times have come" in refusal(work(pairs([1])), "insert-finisher", position=1)
    full = work(watch([1000] * 20_000))
    assert "more than 20000 rows" in refusal(full, "insert-finisher", position=1)


def test_whole_rows_move_up_when_a_finisher_is_removed() -> None:
    of = apply(good(), correction_of("remove-finisher", {"position": 2}), by="bushy")

    assert times(evaluate(of)) == clocks([1000, 1020, 1030, 1040])
    assert athletes(evaluate(of)) == ["A1001", "A1003", "A1004", "A1005"]
    assert of.changes[0].said == "Removed A1002 (00:16:50) at position 2; later rows moved up."
    assert "an Unknown" in apply(work(watch(TIMES)), of.changes[0].correction, by="bushy").changes[0].said


def test_an_athlete_is_edited() -> None:
    assert athletes(corrected(good(), "edit-athlete", position=2, athlete="A77"))[1] == "A77"
    assert athletes(corrected(good(), "edit-athlete", position=2, athlete=""))[1] is None
    assert athletes(corrected(work(pairs([1, 2])), "edit-athlete", position=3, athlete="A9"))[2] == "A9"


def test_an_athlete_is_settled_when_a_token_had_two() -> None:
    joined = corrected(work(watch(TIMES), scans("A7,P5", "A8,P5")), "edit-athlete", position=5, athlete="A8")

    assert (athletes(joined)[4], codes(joined)) == ("A8", [])


def test_an_athlete_is_refused_when_it_makes_no_sense() -> None:
    assert "already has A1002" in refusal(good(), "edit-athlete", position=2, athlete="A1002")
    assert "already has an Unknown" in refusal(work(watch(TIMES)), "edit-athlete", position=2, athlete=None)
    assert "A1003 is at position 3 already" in refusal(good(), "edit-athlete", position=2, athlete="A1003")
    assert "no position 9" in refusal(good(), "edit-athlete", position=9, athlete="A77")
    assert "not an athlete's barcode" in refusal(good(), "edit-athlete", position=2, athlete="1234")


# tokens


@pytest.mark.parametrize("token", [4, "4", "P0004", " P4 "])
def test_a_missing_token_is_typed(token: object) -> None:
    joined = corrected(work(watch(TIMES), pairs([1, 2, 3, 5]), scans("A7,")), "edit-token", athlete="A7", token=token)

    assert (athletes(joined)[3], codes(joined)) == ("A7", [])


def test_a_token_is_refused_when_it_makes_no_sense() -> None:
    of = work(watch(TIMES), pairs([1, 2, 3]), scans("A7,"))

    assert "belongs to A1002" in refusal(of, "edit-token", athlete="A7", token=2)
    assert "only 5 times" in refusal(of, "edit-token", athlete="A7", token=6)
    assert "was not scanned" in refusal(of, "edit-token", athlete="A8", token=5)
    assert "has token 2 already" in refusal(of, "edit-token", athlete="A1002", token=2)
    assert "The token" in refusal(of, "edit-token", athlete="A7", token="P0")
    assert "The token is missing." in refusal(of, "edit-token", athlete="A7")
    assert "The token" in refusal(of, "edit-token", athlete="A7", token="")


def test_one_token_is_chosen_when_an_athlete_has_two() -> None:
    of = work(watch(TIMES), scans("A7,P1", "A7,P5", "A7,", "A8,P4"))

    assert athletes(corrected(of, "choose-token", athlete="A7", token=5)) == [None, None, None, "A8", "A7"]
    assert "not scanned with token 4" in refusal(of, "choose-token", athlete="A7", token=4)
    assert "no other token" in refusal(of, "choose-token", athlete="A8", token=4)


def test_one_athlete_is_chosen_when_a_token_has_two() -> None:
    of = work(watch(TIMES), scans("A7,P5", "A8,P5", "A9,P5", "A9,P4", ",P5"))
    joined = corrected(of, "choose-athlete", token=5, athlete="A7")

    assert athletes(joined)[3:] == ["A9", "A7"]
    # who loses the token and has no other was there all the same
    assert codes(joined) == ["athlete-without-token"]
    assert "not scanned with token 4" in refusal(of, "choose-athlete", token=4, athlete="A7")
    assert "no other athlete" in refusal(of, "choose-athlete", token=4, athlete="A9")


def test_lone_scans_are_dropped_and_pairs_stay() -> None:
    of = work(watch(TIMES), scans("A7,P5", "A7,", "A8,"))

    assert codes(corrected(of, "drop-scans", athlete="A7")) == ["athlete-without-token"]
    assert athletes(corrected(of, "drop-scans", athlete="A7"))[4] == "A7"
    assert "not scanned without" in refusal(of, "drop-scans", athlete="A1")


def test_tokens_beyond_the_times_are_dropped() -> None:
    of = work(watch(TIMES), pairs(range(1, 8)), scans("A9,"))
    joined = corrected(of, "drop-tokens-beyond", last=5)

    assert codes(joined) == ["athlete-without-token"]
    assert "No token above 7" in refusal(of, "drop-tokens-beyond", last=7)


def test_tokens_are_higher_from_here_on_when_somebody_had_none() -> None:
    of = work(watch(TIMES), pairs([1, 2, 3, 4]), scans("A9,"))

    assert athletes(corrected(of, "insert-tokens", first=2)) == ["A1001", None, "A1002", "A1003", "A1004"]
    assert athletes(corrected(of, "insert-tokens", first=1, count=1))[1] == "A1001"
    assert "No token from 5 on" in refusal(of, "insert-tokens", first=5)
    assert "up to 99999" in refusal(work(scans("A1,P99999")), "insert-tokens", first=1)


def test_tokens_are_lower_from_here_on_when_nobody_got_some() -> None:
    of = work(watch(TIMES), pairs([1, 2, 5, 6]), scans(",P3"))
    joined = corrected(of, "remove-tokens", first=3, last=4)

    assert athletes(joined) == ["A1001", "A1002", "A1005", "A1006", None]
    assert codes(joined) == ["unusual-count"]
    assert "Token 5 was scanned with an athlete" in refusal(of, "remove-tokens", first=3, last=5)
    assert "goes upward" in refusal(of, "remove-tokens", first=4, last=3)
    assert "No token from 7 on" in refusal(of, "remove-tokens", first=7, last=8)


def test_two_ranges_of_tokens_are_swapped() -> None:
    assert athletes(corrected(good(), "swap-tokens", first=1, last=2, other=4)) == [
        "A1004",
        "A1005",
        "A1003",
        "A1001",
        "A1002",
    ]
    assert "overlap" in refusal(good(), "swap-tokens", first=1, last=3, other=2)
    assert "overlap" in refusal(good(), "swap-tokens", first=3, last=4, other=2)
    assert "No token from 6 on" in refusal(good(), "swap-tokens", first=1, last=2, other=6)
    assert "up to 99999" in refusal(work(scans("A1,P99999")), "swap-tokens", first=1, last=9, other=99_998)


def test_a_range_of_tokens_is_reversed() -> None:
    assert athletes(corrected(good(), "reverse-tokens", first=2, last=4)) == [
        "A1001",
        "A1004",
        "A1003",
        "A1002",
        "A1005",
    ]
    assert "One token alone" in refusal(good(), "reverse-tokens", first=2, last=2)
    assert "No token from 6 on" in refusal(good(), "reverse-tokens", first=6, last=8)


# stopwatches


def apart() -> Work:
    slow = [1000 + 20 * index for index in range(30)]
    return work(watch(slow), watch([time + 7 for time in slow]), pairs(range(1, 31)))


def test_a_stopwatch_is_shifted() -> None:
    of = apart()
    joined = corrected(of, "shift-stopwatch", file=file(of, 2), seconds=-7)

    assert codes(joined) == ["same-stopwatch-twice"]
    assert times(corrected(of, "shift-stopwatch", file=file(of, 1), seconds=7))[0] == "00:16:47"
    one = good()
    assert times(corrected(one, "shift-stopwatch", file=file(one, 1), seconds=-60))[0] == "00:15:40"


def test_a_shift_is_refused_when_it_makes_no_sense() -> None:
    of = apart()

    assert "not a stopwatch" in refusal(of, "shift-stopwatch", file=file(of, 3), seconds=1)
    assert "changes nothing" in refusal(of, "shift-stopwatch", file=file(of, 1), seconds=0)
    assert "below zero" in refusal(of, "shift-stopwatch", file=file(of, 1), seconds=-1001)
    assert "below zero or beyond" in refusal(of, "shift-stopwatch", file=file(of, 1), seconds=359_999)
    assert "not among" in refusal(of, "shift-stopwatch", file="nothing", seconds=1)


def test_the_files_are_not_joined_anew_below_edits_by_hand() -> None:
    of = apply(apart(), correction_of("edit-time", {"position": 1, "time": "16:41"}), by="bushy")

    assert "undo those edits" in refusal(of, "shift-stopwatch", file=file(of, 1), seconds=7)
    assert "undo those edits" in refusal(of, "drop-file", file=file(of, 1))
    assert times(corrected(of, "drop-file", file=file(of, 3)))[0] == "00:16:41"


def test_an_offset_is_left_as_it_is() -> None:
    of = apart()
    joined = corrected(of, "leave-offset")

    assert (codes(joined), times(joined)) == (["watches-disagree"], times(evaluate(of)))
    left = apply(of, correction_of("leave-offset", {}), by="bushy")
    assert "no difference" in refusal(left, "leave-offset")
    assert "no difference" in refusal(good(), "leave-offset")


def test_a_time_of_one_watch_alone_is_unticked_and_ticked_again() -> None:
    of = work(watch([1000, 1100, 1200]), watch([1000, 1200, 1300]))
    assert times(evaluate(of)) == clocks([1000, 1100, 1200, 1300])

    unticked = apply(of, correction_of("untick-time", {"file": file(of, 1), "line": 4}), by="bushy")
    assert times(evaluate(unticked)) == clocks([1000, 1200, 1300])
    assert [time.counts for time in evaluate(unticked).times] == [True, False, True, True]
    assert "that way already" in refusal(unticked, "untick-time", file=file(of, 1), line=4)
    assert times(corrected(unticked, "tick-time", file=file(of, 1), line=4)) == clocks([1000, 1100, 1200, 1300])
    assert times(corrected(unticked, "edit-time", position=2, time="20:01"))[1] == "00:20:01"
    assert times(corrected(of, "untick-time", file=file(of, 2), line=5)) == clocks([1000, 1100, 1200])


def test_an_unticked_time_stays_so_when_the_other_watch_is_shifted() -> None:
    of = work(watch([1000, 1100, 1200]), watch([1000, 1200, 1300]))
    of = apply(of, correction_of("untick-time", {"file": file(of, 1), "line": 4}), by="bushy")
    of = apply(of, correction_of("untick-time", {"file": file(of, 2), "line": 5}), by="bushy")
    of = apply(of, correction_of("leave-offset", {}), by="bushy")

    assert times(corrected(of, "shift-stopwatch", file=file(of, 2), seconds=1)) == clocks([1000, 1200])


def test_a_tick_is_refused_when_both_watches_have_the_time() -> None:
    of = work(watch([1000, 1100]), watch([1000]), scans("A7,P2"))

    assert "Only a time" in refusal(of, "untick-time", file=file(of, 1), line=3)
    assert "Only a time" in refusal(of, "untick-time", file=file(of, 3), line=1)
    assert "Only a time" in refusal(good(), "untick-time", file=file(good(), 1), line=3)


# lines and files


def test_a_line_set_aside_is_edited_into_its_place() -> None:
    of = work(watch(TIMES), scans("A7,P1", "&d084", "A9,P5"))
    joined = corrected(of, "edit-line", file=file(of, 2), line=2, text="A8,P2")

    assert (athletes(joined)[:2], codes(joined)) == (["A7", "A8"], [])
    assert [scan.line for scan in joined.scans] == [1, 2, 3]


def test_a_last_line_set_aside_is_edited() -> None:
    of = work(watch(TIMES), scans("A7,P1", "A9,P5", "&d084"))

    assert athletes(corrected(of, "edit-line", file=file(of, 2), line=3, text="A8,P2"))[1] == "A8"


def test_lines_are_edited_into_their_own_files_when_there_are_several() -> None:
    of = work(
        watch(TIMES), *(scans(f"A{first},P{first}", "&d084", f"A{first + 1},P{first + 1}") for first in (1, 3, 5))
    )
    for number in (2, 3, 4):
        edit = correction_of("edit-line", {"file": file(of, number), "line": 2, "text": f"A7{number},"})
        of = apply(of, edit, by="bushy")
    found = [(scan.file, scan.line) for scan in evaluate(of).scans]

    assert sorted(found) == found
    assert len(found) == 9


def test_a_good_line_is_edited() -> None:
    of = work(watch(TIMES), scans("A7,P1", "A9,P5"))

    assert athletes(corrected(of, "edit-line", file=file(of, 2), line=1, text="A8,P2"))[:2] == [None, "A8"]


def test_an_edit_of_a_line_is_refused_when_it_makes_no_sense() -> None:
    of = work(watch(TIMES), scans("A7,P1", "A9,P5"))

    assert "cannot be read like this" in refusal(of, "edit-line", file=file(of, 2), line=1, text="P1,A7")
    assert "says that already" in refusal(of, "edit-line", file=file(of, 2), line=1, text="A7,P0001")
    assert "no scan in line 3" in refusal(of, "edit-line", file=file(of, 2), line=3, text="A8,P2")
    assert "not a scanner file" in refusal(of, "edit-line", file=file(of, 1), line=3, text="A8,P2")


def test_a_line_is_dropped() -> None:
    of = work(watch(TIMES), scans("A7,P1", "&d084", "A9,P5"))

    assert codes(corrected(of, "drop-line", file=file(of, 2), line=2)) == []
    assert athletes(corrected(of, "drop-line", file=file(of, 2), line=1))[0] is None
    assert "no scan in line 9" in refusal(of, "drop-line", file=file(of, 2), line=9)
    assert "not a scanner file" in refusal(of, "drop-line", file=file(of, 1), line=3)


def test_a_file_is_left_out() -> None:
    of = work(watch(TIMES), pairs([1, 5]), scans("A7,P2", "&d084"))

    assert athletes(corrected(of, "drop-file", file=file(of, 3)))[:2] == ["A1001", None]
    assert codes(corrected(of, "drop-file", file=file(of, 3))) == []
    left = apply(of, correction_of("drop-file", {"file": file(of, 3)}), by="bushy")
    assert "left out already" in refusal(left, "drop-file", file=file(of, 3))


def test_a_stopwatch_is_left_out_when_three_came() -> None:
    of = work(watch([1000, 1500]), watch([1000, 1600]), watch([1000, 1700]))
    joined = corrected(of, "drop-file", file=file(of, 1))

    assert "too-many-stopwatches" not in codes(joined)
    assert times(joined) == clocks([1000, 1600, 1700])


def test_only_a_copy_is_left_out_when_a_file_has_two_names() -> None:
    of = work(watch(TIMES), watch(TIMES), pairs(range(1, 6)))
    joined = corrected(of, "drop-file", file=file(of, 1))

    assert (times(joined), codes(joined)) == (clocks(TIMES), [])


def test_a_table_is_left_out_when_times_come_from_two_places() -> None:
    of = work(watch(TIMES), TABLE)

    assert codes(corrected(of, "drop-file", file=file(of, 2))) == []
    assert codes(corrected(of, "drop-file", file=file(of, 1))) == []


def test_the_athletes_of_a_run_move_up() -> None:
    of = work(watch(TIMES), scans("A1,P1", ",P2", "A2,P3", "A3,P4", "A4,", "A5,P5"))
    joined = corrected(of, "move-athletes-up", file=file(of, 2), first=2, last=5)

    assert (athletes(joined), codes(joined)) == (["A1", "A2", "A3", "A4", "A5"], [])


@pytest.mark.parametrize(("first", "last"), [(1, 5), (2, 4), (2, 2), (8, 9)])
def test_athletes_do_not_move_when_the_lines_are_no_run(first: int, last: int) -> None:
    of = work(watch(TIMES), scans("A1,P1", ",P2", "A2,P3", "A3,P4", "A4,", "A5,P5"))

    assert "do not begin" in refusal(of, "move-athletes-up", file=file(of, 2), first=first, last=last)


# tables


def test_a_table_is_corrected_like_any_times() -> None:
    of = work(TABLE)

    assert times(corrected(of, "remove-finisher", position=2)) == ["00:18:11", "00:20:00"]
    assert athletes(corrected(of, "edit-athlete", position=2, athlete="A2")) == ["A1", "A2", "A3"]
    assert "not a scanner file" in refusal(of, "drop-line", file=file(of, 1), line=2)


def test_a_hole_in_a_table_is_filled_and_nothing_moves() -> None:
    of = work(TABLE.replace(b"\n3,", b"\n4,"))
    filled = apply(of, correction_of("insert-finisher", {"position": 3, "athlete": "A9"}), by="bushy")

    assert athletes(evaluate(filled)) == ["A1", None, "A9", "A3"]
    assert codes(evaluate(filled)) == ["time-missing"]
    assert "has position 2 already" in refusal(of, "insert-finisher", position=2)
    # in order again, so that rows can move
    assert athletes(corrected(filled, "remove-finisher", position=1)) == [None, "A9", "A3"]


def test_a_hole_stays_when_another_one_is_filled() -> None:
    of = work(TABLE.replace(b"\n3,", b"\n5,"))

    assert codes(corrected(of, "insert-finisher", position=3)) == ["position-missing", "time-missing"]


def test_a_line_is_dropped_when_a_position_is_there_twice() -> None:
    of = work(b"position,time,athlete\n1,18:11,A1\n1,18:12,A9\n2,19:08,A2\n")

    assert athletes(corrected(of, "drop-line", file=file(of, 1), line=3)) == ["A1", "A2"]
    assert codes(corrected(of, "drop-line", file=file(of, 1), line=2)) == []
    assert "no row in line 9" in refusal(of, "drop-line", file=file(of, 1), line=9)
    assert "there 2 times" in refusal(of, "edit-time", position=1, time="18:13")
    assert times(corrected(of, "edit-time", position=2, time="19:09"))[2] == "00:19:09"


def test_files_are_not_joined_again_over_a_line_that_was_dropped_by_hand() -> None:
    of = work(b"position,time,athlete\n1,18:11,A1\n1,18:12,A9\n2,19:08,A2\n")
    of = apply(of, correction_of("drop-line", {"file": file(of, 1), "line": 3}), by="bushy")

    assert "edited times by hand" in refusal(of, "drop-file", file=file(of, 1))


def test_a_double_tap_is_put_back_into_a_stopwatch_that_had_one_alone() -> None:
    of = work(watch(TIMES), TABLE)

    assert "no double tap" in refusal(of, "keep-double-tap", file=file(of, 1))
    assert "no double tap" in refusal(of, "keep-double-tap", file=file(of, 2))


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("insert-time", {"position": 1}),
        ("remove-time", {"position": 1}),
        ("remove-finisher", {"position": 1}),
        ("edit-token", {"athlete": "A1", "token": 2}),
        ("insert-tokens", {"first": 1}),
    ],
)
def test_nothing_moves_when_a_table_has_holes(action: str, arguments: dict[str, Any]) -> None:
    assert "are missing or there twice" in refusal(work(TABLE.replace(b"\n3,", b"\n4,")), action, **arguments)


# as values


@pytest.mark.parametrize(
    ("action", "arguments", "words"),
    [
        ("explode", {}, "no such correction"),
        ("edit-time", {"position": 1}, "The time is missing."),
        ("edit-time", {"position": 0, "time": "18:11"}, "The position is at least 1."),
        ("edit-time", {"position": "x", "time": "18:11"}, "The position is a whole number."),
        ("edit-time", {"position": 1, "time": 400_000}, "The time is at most 359999."),
        ("edit-time", {"position": 1, "time": "18:11", "why": 1}, "This correction has no why."),
        ("edit-time", {"position": 1, "time": "tea"}, "The time: “tea” is not a time"),
    ],
)
def test_a_correction_is_refused_in_words_when_its_fields_are_wrong(
    action: str, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputRefused) as refused:
        correction_of(action, arguments)

    assert words in str(refused.value)


def test_the_person_is_asked_what_a_fix_leaves_open() -> None:
    assert asked(Fix(action="edit-token", label="", arguments={"athlete": "A7"})) == ("token",)
    assert asked(Fix(action="insert-time", label="", arguments={"position": 6, "count": 2})) == ()


def test_each_problem_that_a_person_confirms_has_its_own_words_in_the_list_of_corrections() -> None:
    assert set(corrections_files._CONFIRMED) == corrections_files.AS_GIVEN


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("edit-time", {"position": 2, "time": "16:55"}),
        ("insert-time", {"position": 2, "time": "16:45"}),
        ("remove-time", {"position": 2}),
        ("insert-finisher", {"position": 2, "time": "16:45"}),
        ("remove-finisher", {"position": 2}),
    ],
)
def test_what_was_edited_by_hand_is_not_joined_anew(action: str, arguments: dict[str, Any]) -> None:
    of = good()
    edited = apply(of, correction_of(action, arguments), by="bushy")
    assert "undo those edits first" in refusal(edited, "shift-stopwatch", file=file(of, 1), seconds=5)


def test_tokens_go_up_to_the_highest_and_no_further() -> None:
    assert "up to 99999" in refusal(work(scans("A1,P99999")), "swap-tokens", first=1, last=2, other=99_999)
    assert athletes(corrected(good(), "insert-tokens", first=5)) == ["A1001", "A1002", "A1003", "A1004", None]


def test_lines_that_are_read_as_they_were_meant_stand_where_they_stood() -> None:
    """Runs of scans are found by their order."""
    of = work(watch(TIMES[:4]), scans("A1001,P0001", "a1002,p0002", "A1003,P0003", "1004,P0004"))
    joined = corrected(of, "read-lines-as-meant", file=file(of, 2))
    assert athletes(joined) == ["A1001", "A1002", "A1003", "A1004"]
    assert [one.line for one in joined.scans] == [1, 2, 3, 4]


def test_what_no_field_can_be_is_refused_in_words() -> None:
    assert "is not valid" in refusal(good(), "as-given", code="no such problem")


def test_as_many_rows_as_there_may_be_are_no_problem() -> None:
    assert "too-many-rows" not in codes(evaluate(work(watch([1000] * MAX_ROWS))))


def test_lines_that_were_set_aside_count_among_those_of_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    files = work(scans("A1001,P0001", "nonsense", "A1003,P0003")).files
    monkeypatch.setattr(join, "MOST_ROWS_TOGETHER", 3)
    assert join.too_many_together(files) is None
    monkeypatch.setattr(join, "MOST_ROWS_TOGETHER", 2)
    assert join.too_many_together(files) is not None
