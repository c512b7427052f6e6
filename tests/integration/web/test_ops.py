"""What machines that watch a node are told."""

from collections.abc import Callable
from datetime import datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from resultsq.domain.outcome import Cause
from resultsq.domain.role import Role
from resultsq.store.engine import migrate
from resultsq.web.exposition import LIFE_S
from tests.integration.web.site import Sheet, Site

Make = Callable[..., Sheet]
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


def figures(site: Site) -> dict[str, float]:
    text = site.open("GET", "/metrics").text
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_node_is_ready_when_it_would_accept(site: Site) -> None:
    answer = site.open("GET", "/readyz")
    assert answer.status == 200
    assert answer.json == {"status": "ready", "checks": {"store": "ok", "schema": "ok", "disk": "ok"}}


def test_a_node_is_ready_when_the_link_is_down_and_everything_is_held(site: Site) -> None:
    site.node.probe(Cause.TIMEOUT)
    site.node.hold()
    assert site.open("GET", "/readyz").status == 200


def test_a_node_is_alive_but_not_ready_when_its_schema_is_old(site: Site) -> None:
    migrate.downgrade(site.database, "base")
    assert site.open("GET", "/healthz").status == 200
    answer = site.open("GET", "/readyz")
    assert answer.status == 503
    assert answer.json["status"] == "not ready"


def test_a_node_is_not_ready_when_there_is_hardly_any_room(make_site: Callable[..., Site]) -> None:
    site = make_site(max_body_bytes=2**62)
    assert site.open("GET", "/readyz").json["checks"]["disk"] != "ok"


def test_the_figures_are_those_of_the_store_when_they_are_scraped(site: Site, sheet: Make) -> None:
    site.node.probe()
    first = site.post(sheet()).json
    site.node.publish_one()
    site.post(sheet(4), if_match=first["id"])
    site.post(sheet(event="richmond"), "richmond")
    site.node.probe(Cause.REFUSED)
    site.node.hold("richmond")
    site.clock.advance(90)
    seen = figures(site)
    assert (seen["resultsq_submissions queued"], seen["resultsq_submissions published"]) == (2, 1)
    assert (seen["resultsq_accepted_total"], seen["resultsq_published_total"]) == (3, 1)
    assert seen["resultsq_oldest_waiting_seconds"] == pytest.approx(90)
    assert (seen["resultsq_link down"], seen["resultsq_link up"]) == (1, 0)
    assert seen["resultsq_holds"] == 1
    assert seen["resultsq_credentials_refused"] == 0
    assert seen["resultsq_disk_free_bytes"] > 0


def test_the_figures_are_asked_of_the_store_seldom_when_many_scrape(site: Site, sheet: Make) -> None:
    assert figures(site)["resultsq_accepted_total"] == 0
    site.post(sheet())
    assert figures(site)["resultsq_accepted_total"] == 0
    site.clock.advance(LIFE_S)
    assert figures(site)["resultsq_accepted_total"] == 1


LOOKS: dict[str, Callable[[Site], float]] = {
    "metrics": lambda site: figures(site)["resultsq_accepted_total"],
    "status": lambda site: float(site.call("GET", "/status", Role.VIEWER).json["waiting"]),
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_whole_queue_is_counted_for_a_twentieth_of_the_time_at_most(name: str, site: Site, sheet: Make) -> None:
    look = LOOKS[name]

    def pass_a_second(*_: object) -> None:
        site.clock.advance(1.0)

    event.listen(site.database.engine, "before_cursor_execute", pass_a_second)
    began = site.clock.monotonic()
    before, took_s = look(site), site.clock.monotonic() - began
    event.remove(site.database.engine, "before_cursor_execute", pass_a_second)
    assert took_s > LIFE_S
    site.post(sheet())
    site.clock.advance(10 * took_s)
    assert look(site) == before
    assert site.call("GET", "/status").json["waiting"] == 1, "a team's own event is counted at once"
    site.clock.advance(10 * took_s)
    assert look(site) == before + 1


def test_the_figures_need_a_token_when_they_are_scraped_from_elsewhere(site: Site) -> None:
    assert site.open("GET", "/metrics", environ_base={"REMOTE_ADDR": "::1"}).status == 200
    assert site.open("GET", "/metrics", environ_base=ELSEWHERE).status == 401
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    assert site.open("GET", "/metrics", headers=forwarded).status == 401
    for who, status in ((Role.VIEWER, 200), (Role.OPERATOR, 200), ("bushy", 403)):
        headers = {"Authorization": f"Bearer {site.tokens[who]}"}
        assert site.open("GET", "/metrics", environ_base=ELSEWHERE, headers=headers).status == status


def test_a_node_is_asked_whether_it_lives_from_anywhere_when_somebody_watches(site: Site) -> None:
    for path in ("/healthz", "/readyz"):
        assert site.open("GET", path, environ_base=ELSEWHERE).status == 200


def test_a_link_on_which_nothing_goes_is_not_up(site: Site) -> None:
    site.node.probe()
    assert (figures(site)["resultsq_link up"], figures(site)["resultsq_link takes-nothing"]) == (1, 0)
    assert site.call("GET", "/status").json["link"]["state"] == "up"
    site.node.accept_many(6)
    began = site.node.stall()
    site.clock.advance(LIFE_S)
    assert (figures(site)["resultsq_link up"], figures(site)["resultsq_link takes-nothing"]) == (0, 1)
    said = site.call("GET", "/status").json["link"]
    assert (said["state"], said["cause"]) == ("takes-nothing", "takes-nothing")
    assert abs((datetime.fromisoformat(said["since"]) - began).total_seconds()) < 1
    site.node.probe()
    site.node.publish_one()
    assert site.call("GET", "/status").json["link"]["state"] == "up"
