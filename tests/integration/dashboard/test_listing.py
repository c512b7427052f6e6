"""One condition for what is shown, counted and acted on; pages by key that miss and repeat nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from resultsq.domain.errors import InputRefused
from resultsq.domain.filter import Filter
from resultsq.domain.outcome import Cause, Outcome
from resultsq.store.admin import actions
from resultsq.store.engine.tables import Event, Submission, Submitter
from resultsq.store.views import conditions, listing
from resultsq.store.views.listing import Order, Sort
from tests.support.nodes import NOW, StoreNode, lost, moved, rejected, unsent


@pytest.fixture
def busy(node: StoreNode) -> StoreNode:
    """A node with something in every state that a list tells apart."""
    for n, (event, outcome) in enumerate(
        zip(("bushy", "richmond", "wimbledon", "bushy"), OUTCOMES, strict=True)
    ):  # fmt: skip
        node.accept(event, 2, date=f"2013-11-0{n + 1}", by=f"Team {event}")
        node.pass_time(61)
        node.try_one(outcome)
        node.probe()  # some of these make the link suspect
    for n in range(6):
        node.accept("bushy", 1, date=f"2013-10-0{n + 1}", by="Team bushy")
        node.pass_time(5)
        if n % 2:
            node.publish_one()
    node.withdraw(node.accept("richmond", 4, date="2013-09-07").id)
    node.accept("wimbledon", 4, date="2013-09-07", by="100%_sure")
    return node


OUTCOMES: list[Outcome] = [rejected(), moved(None), lost(Cause.TIMEOUT), unsent()]

FILTERS: list[tuple[Filter, Callable[[Any], bool]]] = [
    (Filter(), lambda row: True),
    (Filter(text="bush"), lambda row: "bush" in row.slug or "bush" in row.submitted_by.lower()),
    (Filter(text="TEAM RICH"), lambda row: "team rich" in row.submitted_by.lower()),
    (Filter(text="0%_s"), lambda row: row.submitted_by == "100%_sure"),
    (Filter(text="2013-10"), lambda row: row.date.startswith("2013-10")),
    (Filter(events=("richmond", "wimbledon")), lambda row: row.slug != "bushy"),
    (Filter(states=("rejected", "conflict")), lambda row: row.state in ("rejected", "conflict")),
    (Filter(waiting_only=True), lambda row: row.state in ("queued", "sending")),
    (Filter(waiting_only=True, states=("queued", "rejected")), lambda row: row.state == "queued"),
    (Filter(cause="timeout"), lambda row: row.cause == "timeout"),
    (Filter(fingerprint="conflict"), lambda row: row.state == "conflict"),
    (Filter(status=422), lambda row: row.status == 422),
    (Filter(attempts_min=1), lambda row: row.attempts >= 1),
    (Filter(attempts_max=0), lambda row: row.attempts == 0),
    (Filter(accepted_from=NOW + timedelta(seconds=244)), lambda row: row.accepted_at >= NOW + timedelta(seconds=244)),
    (Filter(accepted_to=NOW + timedelta(seconds=61)), lambda row: row.accepted_at < NOW + timedelta(seconds=61)),
    (Filter(events=("bushy",), states=("published",)), lambda row: row.slug == "bushy" and row.state == "published"),
    (Filter(text="nobody"), lambda row: False),
    (Filter(text="00000000"), lambda row: False),
    (Filter(waiting_only=True, states=("published",)), lambda row: False),
    (Filter(events=("nowhere",)), lambda row: False),
    (Filter(kinds=("results",), states=("queued", "withdrawn")), lambda row: row.state in ("queued", "withdrawn")),
    (Filter(kinds=("messages",)), lambda row: False),
    (Filter(status=201), lambda row: row.status == 201),
    (Filter(events=("bushy",), waiting_only=True), lambda row: row.slug == "bushy" and row.state == "queued"),
]


def test_list_count_and_action_mean_the_same_when_they_are_given_a_filter(busy: StoreNode) -> None:
    with busy.database.read() as conn:
        rows = conn.execute(select(Submission, Event.slug).join(Event, Event.id == Submission.event_id)).all()
        for filter_, fits in FILTERS:
            expected = {row.id for row in rows if fits(row)}
            shown = listing.page(conn, filter_, Order(), 100).lines
            assert {line.id for line in shown} == expected, filter_
            assert listing.count(conn, filter_) == (len(expected), False)
            assert actions.count(conn, filter_) == len(expected)
        assert len({len([row for row in rows if fits(row)]) for _, fits in FILTERS}) > 5


def test_a_part_of_a_name_finds_the_same_whether_few_have_it_or_many(
    busy: StoreNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    for most in (0, 1, 100):
        monkeypatch.setattr(conditions, "MOST_NAMED", most)
        with busy.database.read() as conn:
            rows = conn.execute(select(Submission, Event.slug).join(Event, Event.id == Submission.event_id)).all()
            for filter_, fits in FILTERS:
                if filter_.text:
                    expected = {row.id for row in rows if fits(row)}
                    assert {one.id for one in listing.page(conn, filter_, Order(), 100).lines} == expected, filter_
                    assert listing.count(conn, filter_) == (len(expected), False)


def test_each_who_submitted_is_known_by_name_once(busy: StoreNode) -> None:
    with busy.database.read() as conn:
        told = set(conn.execute(select(Submission.submitted_by)).scalars())
        known = list(conn.execute(select(Submitter.name)).scalars())
    assert (set(known), len(known)) == (told, len(told))
    assert len(told) > 3


def test_an_id_is_found_when_its_beginning_is_searched_for(busy: StoreNode) -> None:
    with busy.database.read() as conn:
        for line in listing.page(conn, Filter(), Order(), 100).lines:
            assert [one.id for one in listing.page(conn, Filter(text=line.id[:8]), Order(), 9).lines] == [line.id]
            assert [one.id for one in listing.page(conn, Filter(text=line.id.upper()), Order(), 9).lines] == [line.id]


@pytest.mark.parametrize(
    "filter_",
    [
        Filter(),
        Filter(states=("queued", "published")),
        Filter(states=("queued", "rejected", "conflict", "withdrawn")),
        Filter(waiting_only=True),
    ],
    ids=["all", "some", "none that is published", "what waits"],
)
def test_every_line_comes_once_when_pages_are_turned_there_and_back(busy: StoreNode, filter_: Filter) -> None:
    with busy.database.read() as conn:
        for order in (Order(sort, descending) for sort in Sort for descending in (False, True)):
            whole = [line.id for piece in listing.every(conn, filter_, order, 100) for line in piece]
            assert whole or order.sort is Sort.PUBLISHED, order
            there = [listing.page(conn, filter_, order, 3)]
            while there[-1].after is not None:
                there.append(listing.page(conn, filter_, order, 3, after=there[-1].after))
            assert [line.id for page in there for line in page.lines] == whole
            assert there[0].before is None
            back = [there[-1]]
            while back[-1].before is not None:
                back.append(listing.page(conn, filter_, order, 3, before=back[-1].before))
            assert [line.id for page in reversed(back) for line in page.lines] == whole
            assert [line.id for piece in listing.every(conn, filter_, order, 2) for line in piece] == whole


def test_lines_come_in_the_order_that_is_asked_when_they_are_sorted(busy: StoreNode) -> None:
    with busy.database.read() as conn:
        tried = [line.attempts for line in listing.page(conn, Filter(), Order(Sort.ATTEMPTS), 100).lines]
        assert tried == sorted(tried, reverse=True)
        assert len(set(tried)) > 1
        published = [line.published_at for line in listing.page(conn, Filter(), Order(Sort.PUBLISHED, False), 9).lines]
        assert published == sorted(filter(None, published))


@pytest.mark.parametrize(("sort", "key"), [("accepted", "x"), ("-attempts", "1"), ("published", "soon~3")])
def test_a_key_is_refused_when_it_is_none_of_the_order(node: StoreNode, sort: str, key: str) -> None:
    with node.database.read() as conn, pytest.raises(InputRefused, match="first page"):
        listing.page(conn, Filter(), Order.parse(sort), 10, after=key)
    with pytest.raises(InputRefused, match="accepted, published and attempts"):
        Order.parse("-colour")


def test_more_than_ten_thousand_is_said_when_there_are_more(node: StoreNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "COUNTED", 3)
    node.accept_many(3)
    with node.database.read() as conn:
        assert listing.count(conn, Filter()) == (3, False)
    node.accept_many(1, first=3)
    with node.database.read() as conn:
        assert listing.count(conn, Filter()) == (3, True)
