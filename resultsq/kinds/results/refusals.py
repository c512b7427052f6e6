"""Files that could not be read, beside those that could."""

from collections.abc import Iterable, Sequence

from resultsq.domain.problem import Problem, Severity
from resultsq.domain.sheet import Finisher
from resultsq.readers.rules import NOT_RESULTS


def beside(refusals: Iterable[Problem], finishers: Sequence[Finisher]) -> list[Problem]:
    """The refusals as they count beside these finishers. A picture or a PDF blocks nothing where the other
    files have both times and athletes; a file that may hold results always does."""
    timed = any(row.time is not None for row in finishers)
    whole = timed and any(row.athlete is not None for row in finishers)
    return [_warning(one) if whole and one.code == NOT_RESULTS.code else one for one in refusals]


def _warning(problem: Problem) -> Problem:
    return problem.model_copy(update={"severity": Severity.WARNS})
