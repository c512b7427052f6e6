"""A problem names some of its places, and its sentence has what fills the gaps."""

from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.problem import Fix, ProblemRule, Severity, Where

RULE = ProblemRule("unknown", Severity.BLOCKS, "{number} rows are unknown.")


def test_a_problem_names_its_first_fifty_places() -> None:
    places = [Where(row=n) for n in range(1, 61)]
    found = RULE.broken(iter(places), [Fix(action="drop", label="Drop them")], number=60)
    assert found.where == tuple(places[:50])
    assert (found.code, found.message, found.blocks) == ("unknown", "60 rows are unknown.", True)
    assert [fix.action for fix in found.fixes] == ["drop"]


def test_a_warning_does_not_block() -> None:
    assert not ProblemRule("odd", Severity.WARNS, "Odd.").broken([]).blocks


def test_a_store_that_is_away_says_why_or_what_it_means() -> None:
    assert StoreUnavailable("Try again.", "The disk is slow.").cause == "The disk is slow."
    assert StoreUnavailable("Try again.").cause == "Try again."
