"""The operators' part of the API: exactly what was named, and by whom it may be asked."""

from datetime import timedelta
from typing import Any

import pytest

from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.admin import alerts
from tests.integration.web.site import Answer, Site
from tests.support.nodes import NOW, rejected, tell_nothing


@pytest.fixture
def busy(site: Site) -> Site:
    """Five submissions of bushy and two of richmond wait."""
    site.node.accept_many(5)
    site.node.accept_many(2, "richmond")
    return site


NOBODY = "00000000-0000-4000-8000-000000000000"


def act(site: Site, who: str = "operator", **asked: Any) -> Answer:
    return site.call("POST", "/actions", who, json=asked)


# lists


def test_each_submission_is_on_one_page_when_they_are_read_page_by_page(busy: Site) -> None:
    seen: list[str] = []
    path = "/submissions?size=3"
    while path:
        page = busy.call("GET", path, "viewer").json
        seen += [one["id"] for one in page["submissions"]]
        path = f"/submissions?size=3&after={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 7


def test_a_filter_and_an_order_are_those_of_the_dashboard(busy: Site) -> None:
    busy.node.probe()
    first = busy.node.publish_one().submission
    found = busy.call("GET", "/submissions?events=bushy&states=published", "viewer").json["submissions"]
    assert [(one["id"], one["state"], one["event"]) for one in found] == [(first, "published", "bushy")]
    found = busy.call("GET", "/submissions?sort=-attempts&size=1", "viewer").json["submissions"]
    assert [one["id"] for one in found] == [first]


def test_a_team_sees_its_own_event_alone_whatever_it_asks_for(busy: Site) -> None:
    for path in ("/submissions", "/submissions?events=richmond"):
        found = busy.call("GET", path, "bushy").json["submissions"]
        assert {one["event"] for one in found} == {"bushy"}
        assert len(found) == 5


@pytest.mark.parametrize(
    "query",
    [
        "state=queued", "size=0", "size=501", "size=x", "after=x", "after=1~2~3", "sort=event", "status=7", "text=%00",
        "after=99999999999999999999", "accepted_from=0001-01-01T00:00%2B14:00", "states=nowhere",
    ],
)  # fmt: skip
def test_a_list_is_refused_when_a_parameter_makes_no_sense(busy: Site, query: str) -> None:
    answer = busy.call("GET", f"/submissions?{query}", "viewer")
    assert answer.status == 422
    assert answer.json["detail"]


# actions


def test_exactly_the_filter_is_acted_on_and_the_audit_says_who(busy: Site) -> None:
    dry = act(busy, verb="withdraw", filter={"events": ["bushy"]}, dry_run=True)
    assert (dry.status, dry.json) == (200, {"total": 5, "able": 5})
    answer = act(busy, verb="withdraw", filter={"events": ["bushy"]}, reason="wrong day")
    assert answer.status == 201
    assert (answer.json["total"], answer.json["done"], answer.json["skipped"]) == (5, 5, 0)
    assert answer.json["who"] == "operator token 5"
    assert busy.open("GET", answer.headers["Location"]).status == 401
    assert busy.call("GET", f"/actions/{answer.json['id']}", "viewer").json == answer.json
    assert busy.node.count(state=State.QUEUED) == 2
    undone = act(busy, verb="undo", action=answer.json["id"])
    assert undone.json["done"] == 5
    assert busy.node.count(state=State.QUEUED) == 7


def test_the_rest_is_left_when_an_action_is_cancelled(busy: Site) -> None:
    done = act(busy, verb="hold", ids=[busy.node.accept("wimbledon").id])
    answer = busy.call("DELETE", f"/actions/{done.json['id']}", "operator")
    assert (answer.status, answer.json["cancelled"]) == (200, False), "it was over"
    assert busy.call("DELETE", f"/actions/{NOBODY}", "operator").status == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"verb": "retry"},
        {"verb": "explode", "filter": {}},
        {"verb": "retry", "filter": {"event": "bushy"}},
        {"verb": "retry", "filter": {}, "ids": ["a"]},
        {"verb": "retry", "ids": []},
        {"verb": "retry", "filter": {}, "surprise": 1},
        {"verb": "retry", "filter": {}, "release_at": "2030-01-01T00:00:00Z"},
        {"verb": "hold", "filter": {}, "release_at": "2001-01-01T00:00:00Z"},
        {"verb": "retry", "action": "0"},
        {"verb": "retry", "filter": {}, "reason": "two\nlines"},
        {"verb": "retry", "filter": {"text": "\0"}},
    ],
)
def test_an_action_is_refused_and_nothing_is_changed_when_it_makes_no_sense(busy: Site, asked: dict[str, Any]) -> None:
    answer = act(busy, **asked)
    assert answer.status == 422
    assert "Nothing was changed" in answer.json["detail"]
    assert busy.node.count(state=State.QUEUED, hold_id=None) == 7


@pytest.mark.parametrize("who", ["bushy", "viewer"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/actions"), ("DELETE", f"/actions/{NOBODY}"), ("POST", "/holds"), ("DELETE", "/holds/1")],
)
def test_only_operators_act(busy: Site, who: str, method: str, path: str) -> None:
    assert busy.call(method, path, who, json={"verb": "withdraw", "filter": {}}).status == 403
    assert busy.node.count(state=State.QUEUED) == 7


# holds


@pytest.mark.parametrize("event", [None, "bushy"])
def test_a_hold_is_placed_seen_and_released(busy: Site, event: str | None) -> None:
    until = (NOW + timedelta(hours=1)).isoformat()
    placed = busy.call("POST", "/holds", "operator", json={"event": event, "reason": "wet", "release_at": until})
    assert (placed.status, placed.json["event"]) == (201, event)
    assert busy.call("GET", "/holds", "viewer").json["holds"] == [placed.json]
    gone = f"/holds/{placed.json['id']}"
    assert busy.call("DELETE", gone, "operator").json == {"action": None}
    assert busy.call("GET", "/holds", "viewer").json["holds"] == []
    assert busy.call("DELETE", gone, "operator").status == 404


def test_those_that_an_action_held_go_when_its_hold_is_released(busy: Site) -> None:
    act(busy, verb="hold", filter={})
    (hold,) = busy.call("GET", "/holds", "viewer").json["holds"]
    assert hold["scope"] == "submission"
    action = busy.call("DELETE", f"/holds/{hold['id']}", "operator").json["action"]
    assert busy.call("GET", f"/actions/{action}", "viewer").json["done"] == 7
    assert busy.node.count(hold_id=None) == 7


def test_a_hold_is_refused_when_there_is_no_such_event_or_no_reason(busy: Site) -> None:
    assert busy.call("POST", "/holds", "operator", json={"event": "nowhere", "reason": "x"}).status == 404
    assert busy.call("POST", "/holds", "operator", json={"event": "bushy"}).status == 422


# outages and alerts


def test_an_outage_has_its_figures_and_its_post(site: Site) -> None:
    site.node.probe()
    site.node.accept()
    site.node.probe(Cause.REFUSED)
    site.node.pass_time(600)
    site.node.probe()
    site.node.publish_one()
    (one,) = site.call("GET", "/outages", "viewer").json["outages"]
    told = site.call("GET", f"/outages/{one['id']}", "viewer").json
    assert (told["affected"], told["published"], told["delays"]["longest_s"]) == (1, 1, pytest.approx(600, abs=1))
    assert told["markdown"].startswith("# Results were delayed on Saturday, 7 December 2013")
    assert site.call("GET", "/outages/999", "viewer").status == 404
    assert site.call("GET", f"/outages/{2**70}", "viewer").status == 404


def test_a_monitor_sees_what_stands_and_fails_where_it_asks_to(site: Site) -> None:
    assert site.open("GET", "/alerts?fail=1").json == {"alerts": []}
    site.node.accept()
    site.node.probe()
    site.node.try_one(rejected())
    for holding in ({"rejected": "One was refused."}, {"rejected": "One was refused.", "disk-low": "Little room."}):
        site.database.write(lambda conn, holding=holding: alerts.bring_up_to_date(conn, NOW, holding, tell_nothing))  # type: ignore[misc]
    seen = site.open("GET", "/alerts")
    assert seen.status == 200
    assert [one["rule"] for one in seen.json["alerts"]] == ["disk-low", "rejected"]
    failing = site.open("GET", "/alerts?fail=1")
    assert (failing.status, failing.json) == (503, seen.json)
    site.database.write(lambda conn: alerts.bring_up_to_date(conn, NOW, {}, tell_nothing))
    assert site.open("GET", "/alerts?fail=1").status == 200


def test_strangers_see_no_alerts_without_a_token(site: Site) -> None:
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.7"}}
    assert site.open("GET", "/alerts", **elsewhere).status == 401
    token = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    assert site.open("GET", "/alerts", headers=token, **elsewhere).status == 200
