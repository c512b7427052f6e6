"""Whoever tells people of the link asks for a probe first, and says what is not known."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from resultsq import doctor
from resultsq.app import heard
from resultsq.cli import main
from resultsq.clock import SystemClock
from resultsq.delivery.prober import Prober
from resultsq.domain.link import HEARD_S, LinkState
from resultsq.domain.outcome import Cause
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MASTER, Link
from resultsq.store.outbox import links
from resultsq.store.views import queries
from tests.integration.bundle.conftest import Far
from tests.support.manual_clock import ManualClock
from tests.support.nodes import CEILING, StoreNode, migrated
from tests.support.waiting import wait_until


@pytest.fixture
def node(store: Database) -> StoreNode:
    node = StoreNode(store)
    node.now = SystemClock().now()
    node.probe()
    return node


def idle(node: StoreNode, seconds: float) -> None:
    """As if the last probe had been so long ago."""
    node.pass_time(seconds)


def ask(node: StoreNode) -> bool:
    return heard.ask(node.database, ManualClock(node.now))


def told(node: StoreNode, tmp_path: Path) -> str:
    patient = doctor.CheckTarget(Settings(data_dir=tmp_path), node.database, ManualClock(node.now))
    (finding,) = doctor.examine(patient, parts=["link"])
    return finding.text


def probes(node: StoreNode) -> bool:
    return node.database.write(lambda conn: links.take_prober(conn, node.now, "w1")).probe_due


def test_a_probe_is_asked_for_when_the_last_one_is_old_and_once_in_five_seconds(node: StoreNode) -> None:
    assert not probes(node)
    idle(node, HEARD_S)
    assert not ask(node)
    idle(node, 1)
    assert not probes(node)
    assert ask(node)
    assert probes(node), "due at once"
    number = node.start_probe()
    assert ask(node)
    assert not probes(node), "one is on its way"
    node.probe_answered(number)
    assert not ask(node)
    assert not probes(node)


def test_nothing_is_asked_when_no_worker_probes_or_the_master_asked_for_a_pause(node: StoreNode) -> None:
    idle(node, 20)
    before = node.link()
    assert not ask(node)
    assert node.link() == before
    assert not probes(node)
    node.probe(Cause.MASTER_DOWN, retry_after_s=600)
    idle(node, 300)
    assert not probes(node)
    assert not ask(node)
    assert not probes(node)


def test_the_doctor_says_when_it_was_last_heard_when_nothing_newer_comes(node: StoreNode, tmp_path: Path) -> None:
    assert told(node, tmp_path).startswith("The link is up since")
    at = node.link().probed_at
    idle(node, 6)
    assert f"last heard at {at:%H:%M:%S} UTC" in told(node, tmp_path)


def test_the_doctor_does_not_say_up_when_the_master_takes_nothing(node: StoreNode, tmp_path: Path) -> None:
    outage = node.database.write(lambda conn: links.open_outage(conn, MASTER, node.now, Cause.TAKES_NOTHING, "", 0))
    stalled: Any = update(Link).where(Link.name == MASTER).values(outage_id=outage)
    node.database.write(lambda conn: conn.execute(stalled))
    assert "takes no results" in told(node, tmp_path)
    assert "up" not in told(node, tmp_path)


@contextmanager
def probing(database: Database, far: Far) -> Iterator[None]:
    """A real prober."""
    prober = Prober(database, far.master, SystemClock(), "w1", CEILING, lambda _: None)
    prober.start()
    yield
    prober.stop()


def test_the_status_hears_the_master_anew_when_the_last_probe_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database, far = migrated(f"sqlite:///{tmp_path / 'resultsq.db'}"), Far(f"sqlite:///{tmp_path / 'master.db'}")
    node, clock = StoreNode(database), SystemClock()

    def status() -> str:
        mask = os.umask(0o022)  # a command sets its own, for the process that it is
        with pytest.raises(SystemExit):
            main(["--data-dir", str(tmp_path), "status"])
        os.umask(mask)
        return capsys.readouterr().out

    node.now = clock.now()
    node.pass_time(-20)
    node.probe()
    at = node.link().probed_at
    assert f"not known at present. The master was last heard at {at:%H:%M:%S} UTC" in status()
    with probing(database, far):
        wait_until(lambda: node.link().prober, what="a worker probes")
        assert "The link is up since" in status()
        with database.read() as conn:
            link = queries.link(conn)
        assert link is not None
        assert (link.state, link.fresh(clock.now())) == (LinkState.UP, True)
    far.master.close()
    database.close()
