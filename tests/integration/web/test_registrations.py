"""Registrations over the API: a program hands one in under its own id, operators read name, number and state."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.store.admin import number_blocks
from tests.integration.registrations.conftest import runner
from tests.integration.web.site import Answer, Site
from tests.support.nodes import NOW

CONSENTS = ["results-1", "risk-1"]
PRIVATE = ("zoe1@", "1990", "Mustermann", "7946")


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A node where runners register, with ten numbers at hand."""
    found = make_site(registration=True, event_submissions_per_day=3)
    block = LeasedBlock("b-1", 90_000_000, 90_000_009, NOW + timedelta(days=7))
    key = found.database.write(lambda conn: number_blocks.ask(conn, 10)).key
    found.database.write(lambda conn: number_blocks.leased(conn, key, block, block.expires_at))
    return found


def post(site: Site, key: str | None = None, who: str | None = "bushy", number: int = 1, **changes: Any) -> Answer:
    headers = {} if key is None else {"Idempotency-Key": f'"{key}"'}
    value = runner(number, consents=CONSENTS, **changes)
    return site.call("POST", "/registrations", who, json=value, headers=headers)


def test_the_same_id_again_is_the_same_registration(site: Site) -> None:
    id_ = str(uuid4())
    first, again = post(site, id_), post(site, id_)
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json | {"digest": ""} == {
        "id": id_, "name": "Zoë 1 O'Brien", "number": "A90000000", "state": "queued", "digest": ""
    }  # fmt: skip
    assert first.headers["Location"] == f"/api/v1/registrations/{id_}"
    assert post(site, id_, number=2).status == 422, "another person under this id"
    assert site.node.count() == 1


def test_an_id_is_a_uuid_and_the_node_makes_one_where_there_is_none(site: Site) -> None:
    assert post(site, "bushy-1").status == 400
    assert {post(site).status, post(site).status} == {201}
    assert site.node.count() == 2


def test_each_fault_has_its_pointer_and_nothing_is_kept(site: Site) -> None:
    faults: list[tuple[dict[str, Any], str]] = [
        ({"given_name": ""}, "/given_name"),
        ({"born": 0}, "/born"),
        ({"born": "2012-01-01"}, "/born"),
        ({"email": "zoe"}, "/email"),
        ({"emergency": None}, "/emergency"),
        ({"emergency": {"name": "Max", "phone": "call me"}}, "/emergency"),
        ({"consents": ["risk-1"]}, "/consents"),
        ({"athlete": "A1", "block": "b-1"}, "/athlete"),
        ({"colour": "red"}, ""),
    ]
    for changes, pointer in faults:
        answer = site.call("POST", "/registrations", json=runner(consents=CONSENTS) | changes)
        assert (answer.status, answer.headers["Content-Type"]) == (422, "application/problem+json"), changes
        assert answer.places == [("pointer", pointer)]
        assert not any(one in answer.text for one in PRIVATE)
    for body in ("[]", "null", '"x"', "{", ""):
        answer = site.call("POST", "/registrations", data=body, content_type="application/json")
        assert answer.status in (400, 422)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert site.node.count() == 0
    assert post(site).json["number"] == "A90000000", "no number was used up"


def test_operators_read_name_number_and_state_and_nothing_else(site: Site) -> None:
    ids = [post(site, number=number).json["id"] for number in (1, 2, 3)]
    one = site.call("GET", f"/registrations/{ids[0]}", "operator")
    assert set(one.json) == {"id", "name", "number", "state", "accepted_at", "published_at"}
    first = site.call("GET", "/registrations?size=2", "operator")
    assert [line["id"] for line in first.json["registrations"]] == [ids[2], ids[1]]
    second = site.call("GET", f"/registrations?size=2&after={first.json['next']}", "operator")
    assert ([line["id"] for line in second.json["registrations"]], second.json["next"]) == ([ids[0]], None)
    site.node.withdraw(ids[1])
    gone = site.call("GET", "/registrations?state=withdrawn", "operator")
    assert [line["name"] for line in gone.json["registrations"]] == ["Zoë 2 O'Brien"]
    assert not any(text in answer.text for answer in (one, first, second, gone) for text in PRIVATE)
    results = site.node.accept()
    assert site.call("GET", f"/registrations/{results.id}", "operator").status == 404
    for path in ("?state=x", "?size=0", "?after=x", "?name=Zoe"):
        assert site.call("GET", f"/registrations{path}", "operator").status == 422, path


def test_teams_and_viewers_read_no_names(site: Site) -> None:
    id_ = post(site).json["id"]
    for who, path in product(("bushy", "viewer"), (f"/registrations/{id_}", "/registrations")):
        answer = site.call("GET", path, who)
        assert (answer.status, "O'Brien" in answer.text) == (403, False)


def test_a_program_registers_as_many_in_a_day_as_its_event_may_hand_in(site: Site) -> None:
    assert [post(site, number=number).status for number in range(4)] == [201, 201, 201, 429]
    assert site.node.count() == 3
    assert post(site, who="operator", number=5).json["number"] == "A90000003", "the refused one took none"


def test_nobody_registers_where_the_setting_is_off(make_site: Callable[..., Site]) -> None:
    assert post(make_site()).status == 404
