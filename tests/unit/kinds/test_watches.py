"""Two stopwatches in one piece of work: when both count, which one counts alone, and times of one watch alone."""

import pytest

from resultsq.kinds.results.corrections import correction_of
from resultsq.kinds.results.join import Work, apply, evaluate
from tests.unit.kinds.builders import checked, clocks, codes, corrected, file, refusal, times, watch, work


def done(of: Work, action: str, **arguments: object) -> Work:
    return apply(of, correction_of(action, arguments), by="bushy")


def agreeing(alike: int, of: int) -> tuple[bytes, bytes]:
    """Two watches with so many times each, of which so many are alike and the others are minutes apart."""
    one = [1000 + 300 * at for at in range(of)]
    other = [time if at < alike else time + 100 + 7 * at for at, time in enumerate(one)]
    return watch(one), watch(other)


@pytest.mark.parametrize(("alike", "of", "apart"), [(7, 10, True), (8, 10, False), (6, 9, False), (0, 9, False)])
def test_two_watches_disagree_when_less_than_eight_of_ten_times_are_on_both(alike: int, of: int, apart: bool) -> None:
    found = checked(*agreeing(alike, of))

    assert codes(found) == ["watches-disagree"] * apart
    assert len(found.finishers) == (of if apart else 2 * of - alike)


def test_a_person_is_told_how_far_two_watches_agree_and_may_use_both() -> None:
    [problem] = checked(*agreeing(7, 10)).problems

    assert "7" in problem.message
    assert "10" in problem.message
    assert [fix.label for fix in problem.fixes] == [
        "Use file1 alone: 10 times",
        "Use file2 alone: 10 times",
        "Use both: 13 finishers",
    ]


def test_the_watch_with_more_times_counts_alone_and_the_first_of_two_with_as_many() -> None:
    def alone(one: bytes, other: bytes) -> list[str | None]:
        found = checked(one, other)
        assert codes(found) == ["watches-disagree"]
        return times(found)

    few, many = [1000 + 300 * at for at in range(10)], [1131 + 307 * at for at in range(11)]
    assert alone(watch(few), watch(many)) == alone(watch(many), watch(few)) == clocks(many)
    assert alone(watch(few), watch(many[:10])) == clocks(few)
    assert alone(watch(many[:10]), watch(few)) == clocks(many[:10])


def test_both_watches_are_not_joined_below_edits_by_hand() -> None:
    of = done(work(*agreeing(7, 10)), "edit-time", position=1, time="16:41")

    assert "undo those edits first" in refusal(of, "as-given", code="watches-disagree")
    assert corrected(of, "as-given", code="other-day").finishers[0].time == "00:16:41"
    assert "said already" in refusal(done(of, "as-given", code="other-day"), "as-given", code="other-day")


def test_the_record_says_which_time_was_unticked_and_ticked_again() -> None:
    of = work(watch([1000, 1100, 1200]), watch([1000, 1200]))
    of = done(of, "untick-time", file=file(of, 1), line=4)
    of = done(of, "tick-time", file=file(of, 1), line=4)

    assert [one.said for one in of.changes] == [
        "Unticked 00:18:20; later times moved up.",
        "Ticked 00:18:20 again; later times moved down.",
    ]


@pytest.mark.parametrize("swapped", [False, True])
def test_an_unticked_time_counts_again_when_a_shift_finds_it_on_the_other_watch_too(swapped: bool) -> None:
    first, second = watch([1000, 1200, 1400]), watch([1160, 1360])
    of = work(second, first) if swapped else work(first, second)
    mine, theirs = (file(of, 2), file(of, 1)) if swapped else (file(of, 1), file(of, 2))
    of = done(done(of, "leave-offset"), "untick-time", file=mine, line=4)
    assert [row.time for row in evaluate(of).finishers] == clocks([1000, 1160, 1360, 1400])

    of = done(of, "shift-stopwatch", file=theirs, seconds=40)

    assert [row.time for row in evaluate(of).finishers] == clocks([1000, 1200, 1400])


def test_a_watch_is_shifted_by_all_its_shifts_together() -> None:
    of = work(watch([1000, 1010]))
    of = done(
        done(of, "shift-stopwatch", file=file(of, 1), seconds=-60), "shift-stopwatch", file=file(of, 1), seconds=5
    )

    assert [row.time for row in evaluate(of).finishers] == clocks([945, 955])
    assert [one.said for one in of.changes] == ["Shifted file1 by -60 s.", "Shifted file1 by +5 s."]


def test_an_offset_is_told_from_the_watch_that_is_ahead() -> None:
    one = [1000 + 20 * index for index in range(30)]
    [problem] = checked(watch([time + 7 for time in one]), watch(one)).problems

    assert "file1 shows 7 s more than file2" in problem.message
    assert [fix.label for fix in problem.fixes] == [
        "Take 7 s from file1",
        "Add 7 s to file2",
        "Use file1 alone: 30 times",
        "Use file2 alone: 30 times",
        "Leave them as they are",
    ]


def test_a_third_copy_of_a_watch_is_named_and_one_is_left_out() -> None:
    [problem] = checked(watch([1000]), watch([1000]), watch([1000])).problems

    assert [where.file for where in problem.where] == ["file1", "file2", "file3"]
    assert [fix.label for fix in problem.fixes] == ["Leave out file3"]
