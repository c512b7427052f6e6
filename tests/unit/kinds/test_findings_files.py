"""What is asked about a table's columns and times, about days, and about finishers that are here already."""

import pytest

from resultsq.domain.problem import Problem
from resultsq.kinds.results.corrections import correction_of
from resultsq.kinds.results.findings_files import already_here
from resultsq.kinds.results.join import Work, apply, evaluate
from tests.unit.kinds.builders import (
    athletes,
    checked,
    codes,
    corrected,
    file,
    pairs,
    refusal,
    scans,
    times,
    watch,
    work,
)


def only(*contents: bytes) -> Problem:
    [problem] = checked(*contents).problems
    return problem


# columns


def test_no_times_are_asked_of_a_table_of_athletes_where_another_table_has_them() -> None:
    timed = b"Pos,Time\n1,17:00\n2,18:00\n"
    people = b"Pos,Athlete\n1,A11\n2,A12\n"

    found = checked(timed, people)
    assert (codes(found), athletes(found)) == ([], ["A11", "A12"])
    assert times(found) == ["00:17:00", "00:18:00"]
    assert codes(checked(people)) == ["no-time-column"]
    assert codes(checked(people, b"Pos,Athlete\n3,A13\n")) == ["no-time-column", "no-time-column"]


@pytest.mark.parametrize(
    ("table", "code", "labels"),
    [
        (
            b"Position,Barcode,Blink\n1,A11,17:31\n2,A12,18:02\n",
            "column-not-understood",
            ["Blink is the time", "Do not use Blink"],
        ),
        (
            b"Position,Barcode,Gun Time,Chip Time\n1,A11,17:31,17:29\n2,A12,18:02,18:00\n",
            "column-not-understood",
            ["Gun Time is the time", "Chip Time is the time"],
        ),
        (
            b"Position,Time,Blink,Lap\n1,17:31,0:18:01,0:20:01\n2,18:02,0:19:00,0:21:00\n",
            "column-not-understood",
            ["Blink is the time", "Lap is the time", "Do not use Blink", "Do not use Lap"],
        ),
    ],
)
def test_a_column_may_be_left_when_it_alone_is_in_doubt_or_another_is_used(
    table: bytes, code: str, labels: list[str]
) -> None:
    problem = next(one for one in checked(table).problems if one.code == code)

    assert [fix.label for fix in problem.fixes] == labels
    one, several = "Until you say so it is not used", "Say which one it is"
    assert (one in problem.message, several in problem.message) == (b",Blink\n" in table, b",Blink\n" not in table)


# times that a spreadsheet has changed


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (2, "00:17:00 and 00:18:00"),
        (3, "00:17:00, 00:18:00 and 00:19:00"),
        (4, "00:17:00, 00:18:00, 00:19:00 and 1 more"),
        (6, "00:17:00, 00:18:00, 00:19:00 and 3 more"),
    ],
)
def test_the_first_three_times_that_were_read_back_are_shown(count: int, shown: str) -> None:
    rows = "".join(f"{at},12:{16 + at}:00 AM,A{at}\n" for at in range(1, count + 1))
    problem = only(f"Position,Time,Athlete\n{rows}".encode())

    assert f"Read back, they are {shown}." in problem.message
    assert [fix.label for fix in problem.fixes] == [f"Yes, they are {shown}"]


def test_a_table_of_athletes_is_not_asked_for_times_when_two_others_have_them() -> None:
    found = checked(b"position,time\n1,18:11\n", b"position,time\n1,18:12\n", b"position,athlete\n1,A5\n")

    assert codes(found) == ["times-from-two-places"]


# positions of a table that are there twice, or not in order


def test_athletes_of_a_scanner_are_shown_beside_a_table_with_a_hole() -> None:
    found = checked(b"position,time\n1,18:11\n3,20:00\n", pairs([1, 3]))

    assert (athletes(found), codes(found)) == (["A1001", "A1003"], ["position-missing"])


def test_two_athletes_of_one_position_are_told_beside_a_table_with_a_hole() -> None:
    found = checked(b"position,time\n1,18:11\n3,20:00\n", scans("A7,P1", "A8,P1", "A9,P3"))

    assert codes(found) == ["position-with-two-athletes", "position-missing"]


# lines of a scanner that were set aside


def test_lines_with_one_habit_are_mended_together_and_a_line_alone_is_edited() -> None:
    two = only(watch([1051, 1082, 1100]), b"A11,P1,x\na12,p2,x\na13,p3,x\n")
    assert [where.line for where in two.where] == [2, 3]
    assert [fix.action for fix in two.fixes] == ["read-lines-as-meant"]

    none = only(b"a12,p2,x\n&d084,x\n")
    assert [fix.action for fix in none.fixes] == ["read-lines-as-meant", "drop-file"]
    assert [fix.action for fix in only(watch([1051, 1082]), b"A12;x\nA13;y\n").fixes] == ["drop-file"]

    for problem in (none, only(watch([1051, 1082, 1100]), b"A11,P1,x\na12,p2,x\n13,p3,x\n")):
        assert "“a12” is not an athlete's barcode" in problem.message, "the reason of the first"

    one = only(watch([1051, 1082, 1100]), b"A11,P1,x\na12,p2,x\nA13,P3,x\n")
    assert [fix.label for fix in one.fixes] == ["Read it as A12,P2,x", "Edit the line", "Drop the line"]


def test_a_token_with_two_athletes_is_told_with_their_scans_alone() -> None:
    problem = only(watch([1051, 1082]), scans("A7,P2", ",P2", "A8,P2", "A9,P1"))

    assert problem.code == "position-with-two-athletes"
    assert [where.line for where in problem.where] == [1, 3]


# scans of several days


def two_days() -> list[bytes]:
    return [
        watch([1051, 1082]),
        scans("A8,P1", "A9,P2", clock="07/03/2026 09:20:00") + scans("A1,P2", clock="14/03/2026 09:20:00"),
    ]


def test_the_days_of_a_scanner_are_named_with_their_scans_and_the_last_one_counts() -> None:
    problem = only(*two_days())

    assert problem.code == "scans-of-two-days"
    assert [fix.label for fix in problem.fixes] == [
        "Leave out the 2 scans of 7 March 2026",
        "Leave out the 1 scans of 14 March 2026",
        "All are of this event",
    ]
    assert athletes(checked(*two_days())) == [None, "A1"]


def test_days_are_offered_in_their_order_and_the_one_that_counts_last() -> None:
    days = [scans(*(f"A{day},P1",) * (3 - at), clock=f"{day}/03/2026 09:20:00") for at, day in enumerate((7, 10, 14))]
    problem = only(watch([1051]), b"".join(days))

    assert [fix.arguments.get("day") for fix in problem.fixes] == ["2026-03-07", "2026-03-10", "2026-03-14", None]


def test_the_chosen_day_counts_and_the_others_are_offered_first() -> None:
    of = work(*two_days(), day="2026-03-07")
    [problem] = evaluate(of).problems

    assert [row.athlete for row in evaluate(of).finishers] == ["A8", "A9"]
    assert [fix.arguments.get("day") for fix in problem.fixes] == ["2026-03-14", "2026-03-07", None]


def test_all_scans_count_when_a_person_says_that_they_are_of_this_event() -> None:
    joined = corrected(work(*two_days()), "as-given", code="scans-of-two-days")

    assert [scan.line for scan in joined.scans] == [1, 2, 3], "in the order of the file"
    assert {scan.athlete for scan in joined.scans} == {"A1", "A8", "A9"}


def test_scans_stay_in_the_order_of_their_files_when_a_day_is_withheld() -> None:
    """Whatever name or digest the file has: what is shown first does not depend on it."""
    others = [scans(f"A{number},P{number}", f"A{number + 1},P{number + 1}") for number in range(3, 15, 2)]
    found = [(scan.file, scan.line) for scan in evaluate(work(*two_days(), *others)).scans]

    assert found == sorted(found)
    assert len(found) == 13


def test_a_day_that_was_left_out_comes_no_more_and_the_last_one_stays() -> None:
    of = work(*two_days())
    [day] = {scan.athlete for scan in corrected(of, "leave-out-day", file=file(of, 2), day="2026-03-07").scans}

    assert day == "A1"
    assert "no scans of that day" in refusal(of, "leave-out-day", file=file(of, 2), day="2026-03-08")
    left = apply(of, correction_of("leave-out-day", {"file": file(of, 2), "day": "2026-03-07"}), by="bushy")
    assert "no scans of that day" in refusal(left, "leave-out-day", file=file(of, 2), day="2026-03-07")
    assert codes_of(of, "2026-03-07") == codes_of(of, "2026-03-14") == []


def codes_of(of: Work, left: str) -> list[str]:
    joined = corrected(of, "leave-out-day", file=file(of, 2), day=left)
    return [problem.code for problem in joined.problems if problem.code == "scans-of-two-days"]


def test_lines_that_were_set_aside_explain_nothing_when_their_file_was_left_out() -> None:
    of = work(watch([1000, 1010]), pairs([1]), scans("A7,P1", "&d084"))

    joined = corrected(of, "drop-file", file=file(of, 3))
    assert [problem.code for problem in joined.problems] == ["unusual-count"]


# finishers that are here already


@pytest.mark.parametrize(
    ("day", "event", "place"),
    [
        (None, None, "another event of this node"),
        ("2026-03-07", None, "7 March 2026"),
        ("2026-03-07", "bushy", "bushy on 7 March 2026"),
    ],
)
def test_finishers_that_are_here_already_are_told_with_the_place_that_may_be_named(
    day: str | None, event: str | None, place: str
) -> None:
    problem = already_here(day, event)

    assert (problem.code, problem.blocks) == ("already-here", True)
    assert f"are here already, for {place}. " in problem.message
    assert [(fix.label, fix.arguments) for fix in problem.fixes] == [("They are right", {"code": "already-here"})]
