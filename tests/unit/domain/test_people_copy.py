"""How much of another node's accounts, events and tokens is taken at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from resultsq.domain.people_copy import SCHEMA, CopiedEvent, PeopleList

AT = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "slug": "bushy",
    "name": "Bushy",
    "time_zone": "Europe/London",
    "country": "",
    "language": None,
    "shows_results": True,
    "run_s": (600, 720, 2700, 14_400),
    "own": True,
}


def people(**changes: Any) -> PeopleList:
    values = {"format": SCHEMA, "source": "north", "made_at": AT, "events": (), "accounts": (), "tokens": ()}
    return PeopleList(**values | changes)


def test_a_list_has_up_to_a_hundred_thousand_events() -> None:
    event = CopiedEvent(**EVENT)
    assert len(people(events=[event] * 100_000).events) == 100_000
    with pytest.raises(ValidationError, match="at most 100000 items"):
        people(events=[event] * 100_001)


def test_what_a_run_takes_is_from_0_to_what_an_integer_holds() -> None:
    most = (0, 1, 2, 2**31 - 1)
    assert CopiedEvent(**EVENT | {"run_s": most}).run_s == most
    for wrong in ((-1, 1, 2, 3), (0, 1, 2, 2**31)):
        with pytest.raises(ValidationError):
            CopiedEvent(**EVENT | {"run_s": wrong})


def test_the_same_list_is_good_as_of_another_moment() -> None:
    later = people().at(AT + timedelta(hours=1))
    assert (later.made_at, later.source) == (AT + timedelta(hours=1), "north")


def test_a_newer_node_may_say_more() -> None:
    assert people(weather="wet") == people()
