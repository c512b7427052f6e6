"""A filter is the same in an address, in JSON and as a value; what makes no sense is refused by name."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resultsq.domain.errors import InputRefused
from resultsq.domain.filter import Filter
from resultsq.domain.submission import State

LONDON = ZoneInfo("Europe/London")
WORDS = st.text("abcdefgh-0123456789", min_size=1, max_size=20)

filters = st.builds(
    Filter,
    text=WORDS | st.just(""),
    events=st.lists(WORDS, max_size=3).map(tuple),
    states=st.lists(st.sampled_from(State), max_size=3).map(tuple),
    cause=WORDS | st.none(),
    fingerprint=WORDS | st.none(),
    status=st.integers(100, 599) | st.none(),
    attempts_min=st.integers(0, 99) | st.none(),
    attempts_max=st.integers(0, 99) | st.none(),
    accepted_from=st.integers(0, 2**31).map(lambda s: datetime.fromtimestamp(s, UTC)) | st.none(),
    waiting_only=st.booleans(),
)


@given(filters)
def test_a_filter_comes_back_when_its_pairs_are_read_in_another_time_zone(one: Filter) -> None:
    assert Filter.parse(one.pairs(), ZoneInfo("Asia/Tokyo")) == one


@given(filters)
def test_a_filter_comes_back_when_it_was_kept_as_json(one: Filter) -> None:
    assert Filter.model_validate(one.model_dump(mode="json", exclude_defaults=True)) == one


def test_everything_is_meant_when_nothing_is_asked() -> None:
    assert Filter.parse([("text", " "), ("sort", "-attempts"), ("after", "7")], LONDON).is_everything
    assert not Filter(attempts_min=0).is_everything
    assert not Filter.parse([], LONDON).waiting_only


def test_a_time_is_the_nodes_own_when_it_has_no_zone() -> None:
    found = Filter.parse([("accepted_from", "2013-07-06T09:00"), ("accepted_to", "2013-07-06T09:00Z")], LONDON)
    assert found.accepted_from == datetime(2013, 7, 6, 8, 0, tzinfo=UTC)
    assert found.accepted_to == datetime(2013, 7, 6, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [("states", "lost"), ("status", "twelve"), ("status", "42"), ("attempts_min", "-1"), ("accepted_from", "soon")],
)
def test_a_filter_is_refused_by_name_when_it_makes_no_sense(name: str, value: str) -> None:
    with pytest.raises(InputRefused, match=name):
        Filter.parse([(name, value)], LONDON)


@pytest.mark.parametrize(
    ("name", "least", "most"), [("status", 100, 599), ("attempts_min", 0, 1_000_000), ("attempts_max", 0, 1_000_000)]
)
def test_a_number_counts_up_to_its_bounds(name: str, least: int, most: int) -> None:
    for number in (least, most):
        assert getattr(Filter.parse([(name, str(number))], LONDON), name) == number
    for number in (least - 1, most + 1):
        with pytest.raises(InputRefused, match=name):
            Filter.parse([(name, str(number))], LONDON)


@pytest.mark.parametrize(("name", "longest"), [("text", 100), ("cause", 32), ("fingerprint", 120)])
def test_a_text_counts_up_to_its_length(name: str, longest: int) -> None:
    assert getattr(Filter.parse([(name, "x" * longest)], LONDON), name) == "x" * longest
    with pytest.raises(InputRefused, match=name):
        Filter.parse([(name, "x" * (longest + 1))], LONDON)


def test_a_filter_is_refused_in_words_when_very_many_of_its_values_make_no_sense() -> None:
    with pytest.raises(InputRefused, match="states"):
        Filter.parse([("states", "!")] * 3_000, UTC)
