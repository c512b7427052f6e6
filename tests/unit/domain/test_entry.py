"""What an entry is that says no more than it has to."""

from resultsq.domain.destinations import MASTER
from resultsq.domain.entry import Entry


def entry() -> Entry:
    return Entry("results", 7, "2013-12-07", b"{}", "d", "r", 1, "bushy")


def test_an_entry_takes_turns_one_by_one_and_before_those_with_patience() -> None:
    assert (entry().weight, entry().patience, entry().destination) == (1, 0, MASTER)


def test_each_entry_has_an_id_of_its_own() -> None:
    assert entry().id != entry().id
