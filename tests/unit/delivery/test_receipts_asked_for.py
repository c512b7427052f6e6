"""The master's list of receipts is read whole or not at all, and what it lacks is asked for by name."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from resultsq.delivery import reconcile
from resultsq.domain.errors import ResultsqError
from resultsq.domain.outcome import Cause, Deferred, Outcome, Receipt, Rejected
from resultsq.domain.ports import Master, ReceiptPage
from resultsq.store.outbox import Question

NOW = datetime(2013, 12, 7, 12, 5, tzinfo=UTC)


def receipt(submission: str) -> Receipt:
    return Receipt(submission=submission, event="bushy", date="2013-12-07", revision=1, digest="d", received_at=NOW)


def page(following: str | None, *names: str) -> ReceiptPage:
    return ReceiptPage(tuple(map(receipt, names)), following)


class Lists:
    """A master that gives these pages in turn, and knows these submissions."""

    def __init__(self, *pages: ReceiptPage | Outcome, known: Sequence[str] = ()) -> None:
        self.pages = list(pages)
        self.cursors: list[str | None] = []
        self.asked: list[str] = []
        self.known: dict[str, Receipt | Outcome] = {name: receipt(name) for name in known}

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        assert (since, until) == (NOW.isoformat(), None)
        self.cursors.append(cursor)
        return self.pages.pop(0)

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        self.asked.append(submission)
        return self.known.get(submission)


def listed(master: Lists) -> list[str]:
    return sorted(reconcile._listed(cast(Master, master), NOW))


def test_every_page_is_read() -> None:
    master = Lists(page("a", "one", "two"), page("b", "three"), page(None))
    assert listed(master) == ["one", "three", "two"]
    assert master.cursors == [None, "a", "b"]


@pytest.mark.parametrize(
    "pages",
    [
        (page("a", "one"), page("a", "two")),
        (page("a", "one"), page("b", "two"), page("a", "three")),
        (page("a", "one"), page("b")),
    ],
)
def test_a_list_that_turns_in_a_circle_or_is_empty_and_goes_on_has_no_end(pages: Sequence[ReceiptPage]) -> None:
    with pytest.raises(ResultsqError, match="does not come to an end"):
        listed(Lists(*pages))


@pytest.mark.parametrize(("pages", "ends"), [(4, True), (5, False)])
def test_a_list_of_too_many_pages_has_no_end(pages: int, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "MOST_PAGES", 3)
    master = Lists(*(page(str(number), str(number)) for number in range(1, pages)), page(None, "last"))
    if ends:
        assert len(listed(master)) == pages
        return
    with pytest.raises(ResultsqError, match="does not come to an end"):
        listed(master)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Deferred(Cause.TIMEOUT, "It is away.", in_doubt=False), "It is away. Nothing was changed."),
        (Rejected("gone", "No more."), "No more. Nothing was changed."),
    ],
)
def test_nothing_is_known_when_a_page_cannot_be_had(answer: Outcome, reason: str) -> None:
    with pytest.raises(ResultsqError, match=reason):
        listed(Lists(page("a", "one"), answer))


def questions(*names: str) -> list[Question]:
    return [Question(name, number) for number, name in enumerate(names)]


def test_each_name_is_asked_for_once_and_what_is_there_is_added() -> None:
    master, has = Lists(known=["here"]), {"listed": receipt("listed")}
    found = reconcile._ask(cast(Master, master), questions("listed", "here", "gone", "gone", "here"), has)
    assert found == ({"gone"}, 0)
    assert master.asked == ["here", "gone"]
    assert sorted(has) == ["here", "listed"]


def test_the_rest_is_not_asked_for_after_the_first_without_an_answer() -> None:
    master = Lists()
    master.known["second"] = Deferred(Cause.TIMEOUT, "It is away.", in_doubt=True)
    assert reconcile._ask(cast(Master, master), questions("first", "second", "third"), {}) == ({"first"}, 2)
    assert master.asked == ["first", "second"]
