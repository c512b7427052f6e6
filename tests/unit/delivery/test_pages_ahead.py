"""Pages of a list are read while those before them are used, one after the other, and none is lost."""

import threading
from collections.abc import Callable

import pytest

from resultsq.delivery import pages_ahead
from resultsq.delivery.pages_ahead import PagesAhead
from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW
from tests.support.waiting import wait_until

PAGES = 40


class Master:
    """A list of so many pages; it notes the threads that ask."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.answer: Callable[[int], ListPage | MustRefetch] = lambda at: ListPage("h", (), str(at + 1), at == PAGES)

    def ask(self, question: ListQuestion) -> ListPage | MustRefetch:
        self.asked.append(question.after)
        self.threads.add(threading.get_ident())
        return self.answer(int(question.after or 0))


@pytest.fixture
def master() -> Master:
    return Master()


def pages(master: Master) -> PagesAhead:
    return PagesAhead(master.ask, ManualClock(NOW), ListQuestion("", "", ("bushy",)))


def taken(reader: PagesAhead) -> list[str]:
    found = []
    while (read := reader.take()) is not None:
        assert isinstance(read.answer, ListPage)
        assert read.asked_at == NOW
        found.append(read.answer.after)
    return found


def test_each_page_comes_once_and_in_its_order(master: Master) -> None:
    reader = pages(master)
    assert taken(reader) == [str(n) for n in range(1, PAGES + 2)]
    assert master.asked == ["", *map(str, range(1, PAGES + 1))]
    assert reader.take() is None
    reader.close()


def test_the_first_is_read_here_and_nothing_ahead_of_it(master: Master) -> None:
    reader = pages(master)
    assert reader.take() is not None
    assert (master.asked, master.threads) == ([""], {threading.get_ident()})
    assert reader.take() is not None
    wait_until(lambda: len(master.asked) > 3, 30)
    assert threading.get_ident() in master.threads
    assert len(master.threads) == 2
    reader.close()


def test_no_more_wait_than_are_meant_to(master: Master) -> None:
    reader = pages(master)
    for _ in range(2):
        reader.take()
    wait_until(lambda: len(master.asked) >= pages_ahead.AHEAD + 2, 30)
    assert len(master.asked) <= pages_ahead.AHEAD + 3  # two taken, and one in the hand
    reader.close()


def test_what_was_read_is_used_after_it_was_stopped(master: Master) -> None:
    reader = pages(master)
    first = [reader.take(), reader.take()]
    wait_until(lambda: len(master.asked) > 5, 30)
    reader.stop()
    left = taken(reader)
    assert len(first) + len(left) == len(master.asked) < PAGES
    reader.close()


def test_what_a_call_raises_comes_to_who_takes(master: Master) -> None:
    def fail(at: int) -> ListPage:
        if at == 3:
            raise RuntimeError("no master")
        return ListPage("h", (), str(at + 1), up_to_date=False)

    master.answer = fail
    reader = pages(master)
    for _ in range(3):
        assert reader.take() is not None
    with pytest.raises(RuntimeError, match="no master"):
        reader.take()
    reader.close()


@pytest.mark.parametrize(
    "last",
    [MustRefetch(), ListPage("other", (), "9", False), ListPage("h", (), "1", False), ListPage("h", (), "2", True)],
)
def test_nothing_is_asked_after_an_answer_that_leads_nowhere(master: Master, last: ListPage | MustRefetch) -> None:
    master.answer = lambda at: last if at == 1 else ListPage("h", (), "1", up_to_date=False)
    reader = pages(master)
    assert [reader.take() is None for _ in range(3)] == [False, False, True]
    assert master.asked == ["", "1"]
    reader.close()
