"""Figures, the outage's report and alerts have every kind of the registry: a new one comes out by itself."""

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from resultsq.app.context import AppContext
from resultsq.domain.destinations import MASTER
from resultsq.domain.outcome import Cause
from resultsq.kinds.registry import KINDS
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import alerts
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links
from resultsq.store.views import outages, queries
from resultsq.wakeup import Bell
from resultsq.watch import messenger
from resultsq.web.exposition import NodeCollector
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode, rejected

FOR_THE_MASTER = {name: 1 for name, kind in KINDS.items() if kind.destination == MASTER}


@pytest.fixture
def node(store: Database) -> StoreNode:
    """One of each kind waits, and the master is away."""
    node = StoreNode(store)
    node.probe()
    node.probe(Cause.REFUSED)

    def accept(conn: Connection) -> None:
        links.ensure(conn, node.now, 8, "mail")
        for name, kind in KINDS.items():
            id_ = str(uuid.uuid4())
            entry = replace(node.entry(), kind=name, destination=kind.destination, subject=id_, id=id_)
            outbox.accept(conn, node.now, entry)

    store.write(accept)
    return node


def test_every_kind_is_in_the_figures_and_in_the_report_of_the_outage(node: StoreNode, tmp_path: Path) -> None:
    context = AppContext(Settings(data_dir=tmp_path), node.database, ManualClock(node.now), Bell(""))
    figures = NodeCollector(context).text().decode().splitlines()
    assert [one for one in KINDS if f'resultsq_waiting{{kind="{one}"}} 1.0' not in figures] == []
    with node.database.read() as conn:
        assert queries.status(conn, node.now).waiting_by_kind == dict.fromkeys(KINDS, 1)
        assert outages.report(conn, node.outages()[0].id).by_kind == FOR_THE_MASTER


def test_every_kind_that_the_master_refuses_is_in_the_alert(node: StoreNode, tmp_path: Path) -> None:
    node.probe()
    while leases := [one for one in node.claim() if one.kind in FOR_THE_MASTER]:
        for lease in leases:
            node.settle(lease, rejected())
    messenger.evaluate_alerts(Settings(data_dir=tmp_path, disk_low_bytes=0), node.database, ManualClock(node.now))
    with node.database.read() as conn:
        (text,) = [one.text for one in alerts.standing(conn) if one.rule == "rejected"]
    kinds = ", ".join(f"{one}: 1" for one in sorted(FOR_THE_MASTER))
    assert text.startswith(f"The master refused {len(FOR_THE_MASTER)} submissions ({kinds}) for good.")
