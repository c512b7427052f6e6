"""Prometheus' rules and Grafana's dashboard: they ask for figures that a node really shows."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.store.outbox import workers
from resultsq.store.views import totals
from resultsq.store.views.totals import RunningTotals
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.deploy import compose
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, lost, rejected
from tests.support.processes import ROOT

WATCH = ROOT / "config" / "watch"
LABELS = {"state": {*map(str, LinkState), *map(str, State)}, "work": {"accept", "claim", "other"}}
_NAME = re.compile(r"\bresultsq_\w+")
_LABEL = re.compile(r"(\w+)=~?\"([^\"]+)\"")


@pytest.fixture
def node(store: Database) -> StoreNode:
    return StoreNode(store)


@pytest.fixture
def scrape(node: StoreNode, tmp_path: Path) -> Callable[[], str]:
    """What a web process of the node shows."""
    app = create_app(Settings(data_dir=tmp_path), node.database, clock=ManualClock(node.now), bell=Bell(""))
    return lambda: app.test_client().get("/metrics").text


def _expressions() -> list[str]:
    groups = compose.parse((WATCH / "alerts.yml").read_text())["groups"]
    board = json.loads((WATCH / "grafana" / "dashboards" / "resultsq.json").read_text())
    alerts = [rule["expr"] for group in groups for rule in group["rules"]]
    return alerts + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_every_figure_that_is_asked_for_is_shown_when_a_node_has_worked(
    node: StoreNode, scrape: Callable[[], str]
) -> None:
    node.probe()
    node.accept()
    node.publish_one()
    node.database.write(lambda conn: None, "accept")
    node.database.write(lambda conn: None, "claim")
    shown = {sample.name for family in text_string_to_metric_families(scrape()) for sample in family.samples}
    asked = {name for expression in _expressions() for name in _NAME.findall(expression)}
    assert len(asked) > 10
    assert asked <= shown
    for expression in _expressions():
        for label, values in _LABEL.findall(expression):
            assert set(values.split("|")) <= LABELS[label], expression


def test_attempts_and_delays_are_those_of_the_store_when_they_are_shown(
    node: StoreNode, scrape: Callable[[], str]
) -> None:
    node.probe()
    node.accept("bushy")
    node.pass_time(7)
    node.publish_one()
    node.accept("richmond")
    node.try_one(rejected())
    node.accept("wimbledon")
    node.try_one(lost())
    node.database.write(lambda conn: workers.alive(conn, node.now, "w1"))
    node.probe(Cause.TIMEOUT)
    shown = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(scrape())
        for sample in family.samples
    }
    outcomes = {key[1]: value for key, value in shown.items() if key[0] == "resultsq_attempts_total" and value}
    assert outcomes == {"accepted": 1, "rejected": 1, "deferred": 1}
    assert [shown["resultsq_delay_seconds_bucket", bound] for bound in ("5.0", "10.0", "+Inf")] == [0, 1, 1]
    assert 6 <= shown["resultsq_delay_seconds_sum",] <= 8
    assert shown["resultsq_workers",] == 1
    assert shown["resultsq_probe_seconds",] > 0


def test_figures_only_grow_and_are_the_same_for_all_when_hours_go_by(node: StoreNode) -> None:
    old = RunningTotals()
    node.probe()
    for day in range(1, 7):
        node.accept(date=f"2013-11-{day:02}")
        node.pass_time(day)
        node.publish_one()
        with node.database.read() as conn:
            seen = old.count(conn, node.now)
            assert seen == RunningTotals().count(conn, node.now)
        assert (seen.attempts["accepted"], seen.delays.total()) == (day, day)
        node.pass_time(totals.SETTLED.total_seconds() * 0.9)
    with node.database.read() as conn:
        assert old.count(conn, NOW + timedelta(days=1)).delays.total() == 6
