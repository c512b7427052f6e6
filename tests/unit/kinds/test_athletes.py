"""Numbers that the list of athletes does not know, and whose number may have been meant."""

from datetime import UTC, datetime

import pytest

from resultsq.domain.athletes import Athlete, can_hold, digits_of, likely_misread, search_key
from resultsq.domain.sheet import Finisher, Volunteer
from resultsq.kinds.results.athletes import KnownAthletes, findings

AT = datetime(2026, 3, 14, 6, 58, tzinfo=UTC)
JANE, TOM, GONE = Athlete("A1234567", "Jane SMITH"), Athlete("A1234568", "Tom BROWN"), Athlete("A777", None)


def row(position: int, athlete: str | None) -> Finisher:
    return Finisher(position=position, athlete=athlete, time="00:20:00")


def known(*people: Athlete, whole: bool = True, **meant: list[Athlete]) -> KnownAthletes:
    return KnownAthletes(AT, "As of 06:58", "Names are as of 06:58.", whole, {one.number: one for one in people}, meant)


def test_an_unknown_number_is_told_with_who_was_meant_one_tap_away() -> None:
    rows = [row(1, JANE.number), row(2, "A1234586"), row(3, None)]
    (problem,) = findings(rows, known(JANE, A1234586=[TOM]))
    assert problem.code == "athlete-unknown"
    assert not problem.blocks
    assert problem.message.startswith("As of 06:58, no athlete has the number A1234586 (position 2).")
    (fix,) = problem.fixes
    assert fix.label == "It was Tom BROWN, A1234568"
    assert (fix.action, fix.arguments) == ("edit-athlete", {"position": 2, "athlete": "A1234568"})


def test_a_number_has_the_name_that_the_list_says() -> None:
    names = known(JANE, GONE)
    assert [names.name(one) for one in (JANE.number, "A777", "A5", None)] == ["Jane SMITH", None, None, None]


def test_at_most_three_are_offered() -> None:
    near = [Athlete(f"A10{n}", f"Name {n}") for n in range(9)]
    (problem,) = findings([row(1, "A109")], known(A109=near))
    assert [fix.arguments["athlete"] for fix in problem.fixes] == ["A100", "A101", "A102"]


def test_a_retired_number_is_told_and_not_as_unknown() -> None:
    (problem,) = findings([row(4, "A777")], known(GONE))
    assert problem.code == "athlete-retired"
    assert "A777 (position 4)" in problem.message


def test_a_number_that_is_too_long_is_told_by_its_own_rule_alone() -> None:
    assert list(findings([row(1, "A1234567890")], known(JANE))) == []


def test_a_number_as_long_as_any_is_told_when_the_list_lacks_it() -> None:
    (problem,) = findings([row(1, "A12345678")], known(JANE))
    assert problem.code == "athlete-unknown"


def test_a_list_of_some_events_lacks_visitors_and_tells_only_near_misses() -> None:
    rows = [row(1, "A5"), row(2, "A1234586")]
    (problem,) = findings(rows, known(JANE, whole=False, A1234586=[TOM]))
    assert problem.code == "athlete-unknown"
    assert "If it is a visitor" in problem.message


def test_a_volunteers_number_is_told_once_with_its_role_and_who_was_meant_one_tap_away() -> None:
    twice = [Volunteer(athlete="A1234586", role="Timekeeper"), Volunteer(athlete="A1234586", role="Marshal")]
    unknown, retired = findings([], known(GONE, A1234586=[TOM]), [*twice, Volunteer(athlete="A777", role="Marshal")])
    assert (unknown.code, retired.code) == ("athlete-unknown", "athlete-retired")
    assert unknown.message.startswith("As of 06:58, no athlete has the number A1234586 of a volunteer (Timekeeper).")
    assert "A777 of a volunteer (Marshal) is a number that is no longer used" in retired.message
    (fix,) = unknown.fixes
    assert fix.label == "It was Tom BROWN, A1234568"
    assert (fix.action, fix.arguments) == ("edit-volunteer", {"volunteer": "A1234586", "athlete": "A1234568"})
    assert not unknown.blocks


def test_a_list_of_some_events_tells_only_near_misses_of_volunteers() -> None:
    helpers = [Volunteer(athlete="A5", role="Marshal"), Volunteer(athlete="A1234586", role="Marshal")]
    (problem,) = findings([], known(JANE, whole=False, A1234586=[TOM]), helpers)
    assert "A1234586 of a volunteer (Marshal) is not known here" in problem.message


def test_thousands_of_unknown_numbers_are_a_few_problems() -> None:
    rows = [row(n, f"A{1000 + n}") for n in range(1, 5001)]
    assert len(list(findings(rows, known(JANE)))) < 1000


@pytest.mark.parametrize(
    ("read", "meant"), [(1234576, 1234567), (1234561, 1234567), (234567, 134567), (200, 900), (1002, 1020), (12, 21)]
)
def test_one_misread_digit_or_two_in_each_others_place_are_near(read: int, meant: int) -> None:
    assert meant in likely_misread(read)


def test_what_is_near_are_numbers_of_the_same_length_and_never_the_same_number() -> None:
    for number, substituted, exchanged in ((1, 8, 0), (10, 17, 0), (1001, 35, 1), (99_999_999, 71, 0), (123, 26, 2)):
        near = likely_misread(number)
        assert number not in near
        assert all(can_hold(f"A{one}") and len(str(one)) == len(str(number)) for one in near)
        assert len(near) == substituted + exchanged


def test_barcodes_go_without_their_letter_but_for_those_that_no_list_can_hold() -> None:
    assert digits_of(["A12", "A0", "A012", "B7", "", "A99"]) == {12, 99}


def test_names_are_searched_family_name_first_without_accents() -> None:
    assert search_key("Zoë Ann O'NEIL") == "o'neil zoe ann"
