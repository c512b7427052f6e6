"""Times by position, athletes by token, and a named example of every rule."""

import pytest

from resultsq.domain.problem import Problem, Severity
from resultsq.kinds.results.check import Report
from tests.unit.kinds.builders import athletes, checked, codes, pairs, scans, times, watch

FIVE = watch([1000, 1010, 1020, 1030, 1040])


def only(found: Report) -> Problem:
    [problem] = found.problems
    return problem


def places(problem: Problem) -> list[tuple[str | None, int | None]]:
    return [(where.file, where.line) for where in problem.where]


def fixes(problem: Problem) -> list[str]:
    return [fix.action for fix in problem.fixes]


def test_every_finisher_has_time_and_athlete_when_the_files_are_good() -> None:
    found = checked(FIVE, pairs(range(1, 6)))

    assert [(row.position, row.athlete, row.time) for row in found.finishers] == [
        (1, "A1001", "00:16:40"),
        (2, "A1002", "00:16:50"),
        (3, "A1003", "00:17:00"),
        (4, "A1004", "00:17:10"),
        (5, "A1005", "00:17:20"),
    ]
    assert found.problems == ()
    assert not found.blocked


def test_a_finisher_is_unknown_when_the_token_was_not_scanned() -> None:
    found = checked(FIVE, pairs([1, 2, 4, 5]))

    assert athletes(found) == ["A1001", "A1002", None, "A1004", "A1005"]
    assert found.problems == ()


def test_a_pair_is_one_and_no_problem_when_it_was_scanned_twice() -> None:
    twice = scans("A1001,P0001", "A1001,P1", "A1002,P0002", "A1003,P0003", "A1004,P0004", "A1005,P0005")

    assert checked(FIVE, twice).problems == ()
    assert checked(FIVE, twice, pairs([1, 2])).problems == ()
    assert checked(FIVE, twice, twice).problems == ()


def test_times_stand_alone_when_there_are_no_scans() -> None:
    found = checked(FIVE)

    assert athletes(found) == [None] * 5
    assert found.problems == ()


def test_athletes_stand_alone_when_there_is_no_stopwatch() -> None:
    found = checked(pairs([1, 3]))

    assert [(row.athlete, row.time) for row in found.finishers] == [("A1001", None), (None, None), ("A1003", None)]
    assert found.problems == ()


# scans


def test_an_athlete_with_two_tokens_blocks() -> None:
    found = checked(FIVE, pairs(range(1, 6)), scans("A1002,P0004"))
    # token 4 now has two athletes as well
    two = next(problem for problem in found.problems if problem.code == "athlete-in-two-positions")

    assert two.severity is Severity.BLOCKS
    assert places(two) == [("file2", 2), ("file3", 1)]
    assert fixes(two) == ["choose-token", "choose-token"]
    assert [where.row for where in two.where] == [2, 4]


def test_an_athlete_with_two_tokens_is_shown_in_both_positions() -> None:
    found = checked(FIVE, scans("A7,P1", "A7,P5"))

    assert athletes(found) == ["A7", None, None, None, "A7"]
    assert only(found).code == "athlete-in-two-positions"


def test_a_token_with_two_athletes_blocks() -> None:
    problem = only(checked(FIVE, scans("A7,P1", "A8,P1", "A9,P5")))

    assert (problem.code, problem.severity) == ("position-with-two-athletes", Severity.BLOCKS)
    assert places(problem) == [("file2", 1), ("file2", 2)]
    assert fixes(problem) == ["choose-athlete", "choose-athlete"]
    assert "A7 and A8" in problem.message


def test_a_position_stays_unknown_while_its_token_has_two_athletes() -> None:
    assert athletes(checked(FIVE, scans("A7,P1", "A8,P1", "A9,P5")))[0] is None


def test_tokens_beyond_the_times_block_as_one_problem() -> None:
    found = checked(FIVE, pairs(range(1, 6)), scans("A6,P0006", ",P0009", "A8,P0008"))
    problem = only(found)

    assert (problem.code, problem.severity) == ("token-beyond-times", Severity.BLOCKS)
    assert "5 times" in problem.message
    assert "up to 9" in problem.message
    assert sorted(places(problem)) == [("file3", 1), ("file3", 2), ("file3", 3)]
    assert [(fix.action, fix.arguments) for fix in problem.fixes] == [
        ("insert-time", {"count": 4}),  # a person says where
        ("drop-tokens-beyond", {"last": 5}),
    ]
    assert len(found.finishers) == 5


def test_a_misread_token_can_only_be_dropped_when_it_is_beyond_all_rows() -> None:
    assert fixes(only(checked(FIVE, pairs(range(1, 6)), scans("A6,P99999")))) == ["drop-tokens-beyond"]


def test_an_athlete_without_a_token_is_told_once() -> None:
    problem = only(checked(FIVE, pairs(range(1, 6)), scans("A7,", "A7,null")))

    assert (problem.code, problem.severity) == ("athlete-without-token", Severity.WARNS)
    assert places(problem) == [("file3", 1), ("file3", 2)]
    assert fixes(problem) == ["edit-token", "drop-scans"]


def test_an_athlete_with_and_without_a_token_is_told() -> None:
    problem = only(checked(FIVE, pairs(range(1, 6)), scans("A1003,")))

    assert (problem.code, problem.severity) == ("athlete-with-and-without-token", Severity.WARNS)
    assert places(problem) == [("file3", 1)]
    assert fixes(problem) == ["drop-scans"]


def test_two_positions_stand_alone_when_the_athlete_was_also_scanned_alone() -> None:
    problem = only(checked(FIVE, scans("A7,P1", "A7,P5", "A7,")))

    assert problem.code == "athlete-in-two-positions"
    assert [where.line for where in problem.where] == [1, 2]


def test_a_misread_is_told_when_it_begins_like_a_normal_barcode() -> None:
    problem = only(checked(FIVE, scans("A1234567,P5", "A123456712345,")))

    assert (problem.code, problem.severity) == ("misread-athlete", Severity.WARNS)
    assert fixes(problem) == ["drop-scans"]


@pytest.mark.parametrize("lone", ["A123456789", "A12345999"])
def test_a_misread_has_more_than_eight_digits(lone: str) -> None:
    expected = "misread-athlete" if len(lone) > 9 else "athlete-without-token"

    assert codes(checked(FIVE, scans("A1234567,P5", f"{lone},"))) == [expected]


def test_a_long_lone_scan_is_a_misread_when_six_characters_agree() -> None:
    for good in ("A1234567", "A12345678"):
        assert codes(checked(FIVE, scans(f"{good},P5", "A123459999,"))) == ["misread-athlete"]


def test_a_long_lone_scan_is_no_misread_when_only_five_characters_agree() -> None:
    assert codes(checked(FIVE, scans("A1234999,P5", "A123456789,"))) == ["athlete-without-token"]


def test_a_long_lone_scan_is_no_misread_when_only_long_ones_are_like_it() -> None:
    assert codes(checked(FIVE, scans("A1234567890,P5", "A1234567899,"))) == [
        "athlete-without-token",
        "overlong-athlete",
    ]


def test_a_lone_scan_like_another_lone_one_is_a_misread() -> None:
    assert set(codes(checked(FIVE, scans("A1234567,", "A123456789,", "A5,P5")))) == {
        "athlete-without-token",
        "misread-athlete",
    }


def test_a_paired_athlete_is_told_when_too_long() -> None:
    problem = only(checked(FIVE, scans("A123456789,P5")))

    assert (problem.code, problem.severity) == ("overlong-athlete", Severity.WARNS)
    assert problem.where[0].row == 5
    assert [(fix.action, fix.arguments) for fix in problem.fixes] == [("edit-athlete", {"position": 5})]


def test_an_athlete_of_eight_digits_is_not_too_long() -> None:
    assert checked(FIVE, scans("A12345678,P5")).problems == ()


def test_an_id_beyond_32_bits_is_kept_as_text() -> None:
    assert athletes(checked(FIVE, scans("A42949672970,P5")))[4] == "A42949672970"


def test_a_token_without_an_athlete_is_told_and_stays_unknown() -> None:
    found = checked(FIVE, pairs([1, 2, 3, 5]), scans(",P0004", "null,P4"))
    problem = only(found)

    assert (problem.code, problem.severity) == ("token-without-athlete", Severity.WARNS)
    assert problem.fixes == ()
    assert places(problem) == [("file3", 1), ("file3", 2)]
    assert athletes(found)[3] is None


def test_a_token_alone_is_no_problem_when_it_is_paired_elsewhere() -> None:
    assert checked(FIVE, pairs(range(1, 6)), scans(",P0004")).problems == ()


def test_a_bad_scanner_line_is_told_with_its_place() -> None:
    problem = only(checked(FIVE, scans("A1001,P1", "&d084", "A1005,P5")))

    assert (problem.code, problem.severity) == ("line-set-aside", Severity.WARNS)
    assert places(problem) == [("file2", 2)]
    assert fixes(problem) == ["edit-line", "drop-line"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("P0001,A12345", "A12345,P0001,14/03/2026 09:20:00"),
        ("a12345,p0001", "A12345,P0001,14/03/2026 09:20:00"),
    ],
)
def test_what_a_bad_line_means_is_offered_and_not_done(line: str, meant: str) -> None:
    found = checked(FIVE, scans("A5,P5", line))
    problem = only(found)

    assert problem.fixes[0].arguments["text"] == meant
    assert athletes(found)[0] is None


def test_many_bad_lines_are_told_together_when_the_file_is_full_of_them() -> None:
    found = checked(FIVE, scans("A5,P5", *(f"bad{number}" for number in range(150))))
    placed = [where.line for problem in found.problems for where in problem.where]

    assert len(found.problems) == 51
    assert set(codes(found)) == {"line-set-aside"}
    assert placed == list(range(2, 102)), "the first of both kinds"
    assert found.problems[-1].message.startswith("There are 100 more like this one: Line 52 of file2")


def test_the_days_are_told_when_the_files_differ() -> None:
    found = checked(
        FIVE,
        scans("A1,P1", clock="14/03/2026 09:20:00"),
        scans("A5,P5", clock="07/03/2026 09:20:00"),
        scans("A2,P2", clock="no clock"),
    )
    problem = only(found)

    assert (problem.code, problem.severity) == ("files-from-different-days", Severity.WARNS)
    assert [where.file for where in problem.where] == ["file3", "file2"]
    assert fixes(problem) == ["drop-file", "drop-file", "as-given"]
    assert "file3 of 7 March 2026 and file2 of 14 March 2026" in problem.message


def test_the_days_are_no_problem_when_they_are_one_or_unreadable() -> None:
    assert checked(FIVE, scans("A1,P1"), scans("A5,P5"), scans("A2,P2", clock="")).problems == ()


def test_a_run_is_told_when_tokens_were_scanned_before_athletes() -> None:
    found = checked(FIVE, scans("A1,P1", ",P2", "A2,P3", "A3,P4", "A4,", "A5,P5"))
    problem = only(found)

    assert (problem.code, problem.severity) == ("token-before-athlete", Severity.WARNS)
    assert places(problem) == [("file2", 2), ("file2", 3), ("file2", 4), ("file2", 5)]
    assert [(fix.action, fix.arguments["first"], fix.arguments["last"]) for fix in problem.fixes] == [
        ("move-athletes-up", 2, 5)
    ]


def test_a_run_needs_pairs_between_its_ends() -> None:
    assert codes(checked(FIVE, scans("A1,P1", ",P2", "A2,", "A5,P5"))) == [
        "athlete-without-token",
        "token-without-athlete",
    ]


def test_a_run_begins_anew_when_another_token_stands_alone() -> None:
    found = checked(FIVE, scans(",P1", "A2,P2", ",P3", "A3,P4", "A4,", "A5,P5"))

    assert codes(found) == ["token-before-athlete", "token-without-athlete"]
    assert places(found.problems[0])[0] == ("file2", 3)


def test_a_run_ends_when_a_bad_line_or_the_file_does() -> None:
    broken = checked(FIVE, scans(",P2", "A2,P3", "&d084", "A4,", "A5,P5"))
    twice = checked(FIVE, scans(",P2", "A2,P3", "&d084", "A4,", "A5,P5", "&d085"))
    over_files = checked(FIVE, scans(",P2", "A2,P3"), scans("A4,", "A5,P5"))

    assert "token-before-athlete" not in codes(broken) + codes(twice) + codes(over_files)


def test_a_run_is_none_when_the_token_was_only_scanned_once_more() -> None:
    assert codes(checked(FIVE, scans(",P2", "A2,P2", "A3,P3", "A4,", "A5,P5"))) == ["athlete-without-token"]


def test_a_bad_line_before_a_run_does_not_break_it() -> None:
    assert codes(checked(FIVE, scans("&d084", ",P2", "A2,P3", "A3,", "A5,P5"))) == [
        "line-set-aside",
        "token-before-athlete",
    ]


def test_the_counts_are_told_when_the_last_times_have_no_token() -> None:
    problem = only(checked(FIVE, pairs([1, 2, 3])))

    assert (problem.code, problem.severity) == ("unusual-count", Severity.WARNS)
    assert "5 times" in problem.message
    assert "token is 3" in problem.message


def test_the_counts_say_nothing_when_another_finding_explains_them() -> None:
    assert codes(checked(FIVE, pairs([1, 2, 3, 4]), scans("A7,"))) == ["athlete-without-token"]
    assert codes(checked(FIVE, scans("A4,P4", "&d084"))) == ["line-set-aside"]
    assert codes(checked(FIVE, pairs([1, 2, 3]), scans("A7,"))) == ["athlete-without-token", "unusual-count"]


# times


def test_a_falling_time_is_told_and_stays() -> None:
    found = checked(watch([1000, 990, 1010]), pairs([1, 2, 3]))
    problem = only(found)

    assert times(found) == ["00:16:40", "00:16:30", "00:16:50"]
    assert (problem.code, problem.severity, problem.where[0].row) == ("times-out-of-order", Severity.WARNS, 2)
    assert fixes(problem) == ["edit-time"]


def test_equal_times_are_fine() -> None:
    assert checked(watch([1000, 1000, 1000]), pairs([1, 2, 3])).problems == ()


def test_two_stopwatches_are_one_list_when_they_nearly_agree() -> None:
    one = [1000, 1010, 1020, 1030, 1040, 1100]
    other = [1000, 1010, 1021, 1030, 1040, 1100]

    assert times(checked(watch(one), watch(other)))[2] == "00:17:00"
    assert codes(checked(watch(one), watch(other))) == []


def test_a_time_of_one_watch_alone_counts() -> None:
    found = checked(watch([1000, 1100, 1200]), watch([1000, 1200]))

    assert times(found) == ["00:16:40", "00:18:20", "00:20:00"]


def test_the_same_times_are_told_when_two_stopwatch_files_have_them() -> None:
    problem = only(checked(watch([1000, 1010]), watch([1000, 1010], source="copy"), pairs([1, 2])))

    assert (problem.code, problem.severity) == ("same-stopwatch-twice", Severity.WARNS)
    assert fixes(problem) == ["drop-file", "drop-file"]


def test_the_same_file_counts_once_when_it_has_two_names() -> None:
    found = checked(FIVE, FIVE, pairs(range(1, 6)))

    assert only(found).code == "same-stopwatch-twice"
    assert [where.file for where in only(found).where] == ["file1", "file2"]
    assert len(found.finishers) == 5
    assert checked(FIVE, pairs(range(1, 6)), pairs(range(1, 6))).problems == ()


def test_a_constant_offset_blocks_and_nothing_is_shifted() -> None:
    one = [1000 + 20 * index for index in range(30)]
    other = [time + 7 for time in one]
    found = checked(watch(one), watch(other))
    problem = only(found)

    assert (problem.code, problem.severity) == ("stopwatch-offset", Severity.BLOCKS)
    assert "file2 shows 7 s more than file1" in problem.message
    assert [(fix.action, fix.arguments.get("seconds")) for fix in problem.fixes] == [
        ("shift-stopwatch", -7),
        ("shift-stopwatch", 7),
        ("drop-file", None),
        ("drop-file", None),
        ("leave-offset", None),
    ]
    assert times(found)[0] == "00:16:40"
    assert codes(checked(watch(other), watch(one))) == ["stopwatch-offset"]
    assert "file1 shows 7 s more than file2" in only(checked(watch(other), watch(one))).message


def test_a_third_stopwatch_is_refused_in_words() -> None:
    found = checked(watch([1000, 1500]), watch([1000, 1600]), watch([1000, 1700]))
    problem = next(problem for problem in found.problems if problem.code == "too-many-stopwatches")

    assert problem.severity is Severity.BLOCKS
    assert "at most two" in problem.message
    assert fixes(problem) == ["drop-file"] * 3


def test_a_third_name_is_no_third_stopwatch() -> None:
    assert "too-many-stopwatches" not in codes(checked(watch([1000]), watch([1500]), watch([1500])))


def test_what_a_reader_found_odd_is_among_the_problems() -> None:
    assert codes(checked(FIVE.replace(b"ENDOFEVENT,01/01/2001 01:59:59\n", b""), pairs([1, 5]))) == ["no-end-marker"]


# tables

TABLE = b"position,time,athlete\n1,18:11,A1\n2,19:08,\n3,20:00,A3\n"


def test_a_finished_table_is_the_sheet() -> None:
    found = checked(TABLE)

    assert (athletes(found), times(found)) == (["A1", None, "A3"], ["00:18:11", "00:19:08", "00:20:00"])
    assert found.problems == ()


def test_the_order_of_lines_does_not_matter_when_positions_are_given() -> None:
    assert checked(b"position,time,athlete\n3,20:00,A3\n1,18:11,A1\n2,19:08,\n").finishers == checked(TABLE).finishers


def test_a_last_unknown_is_normal_when_a_table_is_finished() -> None:
    assert checked(TABLE.replace(b"A3", b"")).problems == ()


def test_a_hole_in_the_positions_blocks() -> None:
    problem = only(checked(TABLE.replace(b"\n3,", b"\n5,")))

    assert (problem.code, problem.severity) == ("position-missing", Severity.BLOCKS)
    assert "positions 3 to 4" in problem.message
    assert problem.where[0].row == 3


def test_the_first_position_missing_blocks() -> None:
    assert "position 1," in only(checked(b"position,time\n2,18:11\n")).message


def test_a_position_twice_blocks_and_stands_alone() -> None:
    found = checked(TABLE.replace(b"\n3,", b"\n1,"))

    assert codes(found) == ["position-twice"]
    assert athletes(found) == ["A1", "A3", None]


def test_an_athlete_twice_in_a_table_blocks() -> None:
    problem = only(checked(TABLE.replace(b"A3", b"A1")))

    assert (problem.code, problem.severity) == ("athlete-in-two-positions", Severity.BLOCKS)
    assert places(problem) == [("file1", 2), ("file1", 4)]


def test_a_falling_time_in_a_table_is_told() -> None:
    assert codes(checked(TABLE.replace(b"19:08", b"17:08"))) == ["times-out-of-order"]


def test_typed_times_stand_in_for_a_stopwatch() -> None:
    found = checked(b"position,time\n1,18:11\n2,19:08\n", pairs([1, 2]))

    assert (athletes(found), times(found)) == (["A1001", "A1002"], ["00:18:11", "00:19:08"])
    assert found.problems == ()


def test_typed_athletes_stand_in_for_a_scanner() -> None:
    found = checked(watch([1000, 1010]), b"position,athlete\n1,A5\n2,\n")

    assert (athletes(found), times(found)) == (["A5", None], ["00:16:40", "00:16:50"])
    assert found.problems == ()


def test_a_table_without_times_is_the_sheet_when_it_stands_alone() -> None:
    found = checked(b"position,athlete\n1,A5\n2,\n")

    assert (athletes(found), times(found)) == (["A5", None], [None, None])
    assert codes(found) == ["no-time-column"]
    assert codes(checked(b"position,athlete\n1,A5\n3,\n")) == ["no-time-column", "position-missing"]


def test_athletes_come_from_tables_and_scanners_when_no_times_do() -> None:
    found = checked(b"position,athlete\n1,A5\n", pairs([2]))

    assert (athletes(found), codes(found)) == (["A5", "A1002"], ["no-time-column"])


def test_times_from_two_places_block() -> None:
    for found in (checked(TABLE, watch([1000, 1010, 1020])), checked(TABLE, b"time\n18:11\n19:08\n20:00\n")):
        problem = next(problem for problem in found.problems if problem.code == "times-from-two-places")
        assert problem.severity is Severity.BLOCKS
        assert fixes(problem) == ["drop-file", "drop-file"]


def test_times_that_are_missing_in_a_row_are_one_problem_and_others_another() -> None:
    found = checked(b"position,time\n1,\n2,19:08\n3,\n4,\n5,20:00\n")

    assert codes(found) == ["time-missing", "time-missing"]
    assert [[where.row for where in problem.where] for problem in found.problems] == [[1], [3, 4]]
    assert "position 1" in found.problems[0].message
    assert "positions 3 to 4" in found.problems[1].message


# the whole


def test_blocking_problems_come_first() -> None:
    found = checked(watch([1000, 990]), scans("A7,P1", "A8,P1", "A9,", "A10,P2"))

    assert [problem.severity for problem in found.problems] == sorted(
        (problem.severity for problem in found.problems), key=lambda severity: severity is Severity.WARNS
    )
    assert found.blocked


def test_a_scanner_with_a_misread_token_does_not_build_endless_rows() -> None:
    found = checked(scans("A7,P99999"))

    assert codes(found) == ["too-many-rows"]
    assert found.blocked


def test_nothing_at_all_is_a_problem_too() -> None:
    assert codes(checked()) == ["no-finishers"]
    assert codes(checked(scans("A7,"))) == ["no-finishers", "athlete-without-token"]
