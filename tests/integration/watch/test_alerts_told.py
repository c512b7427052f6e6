"""What really happens to a node is told by the webhook, and so is its end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from resultsq.app import submissions
from resultsq.app.context import AppContext
from resultsq.delivery import reconcile, sender
from resultsq.delivery.masters import open_master
from resultsq.domain.errors import QuotaReached
from resultsq.settings import Settings
from resultsq.store.admin import alerts, comparisons
from resultsq.store.engine.tables import Payload, Submission
from resultsq.store.outbox import repairs
from resultsq.wakeup import Bell
from resultsq.watch import messenger
from tests.conftest import mounted
from tests.integration.bundle.conftest import Far, deliver_all
from tests.integration.watch.servers import webhook
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode, migrated
from tests.support.processes import OtherMaster
from tests.support.services import free_port

DISK, LOW = "4m", 2 * 1024 * 1024
"""The size of a disk, and the room on it below which an operator is told."""


@dataclass
class Site:
    """A node, a master with its real ledger, and what the node's operators were told. `mount`: a disk of its size."""

    node: StoreNode
    settings: Settings
    far: Far
    posted: list[dict[str, Any]]
    mount: Callable[[], Path]

    @property
    def clock(self) -> ManualClock:
        return ManualClock(self.node.now)

    def look(self) -> list[str]:
        """The worker's two periodic tasks about alerts; what holds after them."""
        messenger.evaluate_alerts(self.settings, self.node.database, self.clock)
        messenger.send_waiting(self.settings, self.node.database, self.clock)
        with self.node.database.read() as conn:
            return [one.rule for one in alerts.standing(conn) if one.ended_at is None]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, hook = tmp_path_factory.mktemp("site"), free_port()
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'store.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgresql").database())
        database = migrated(url)
        stack.callback(database.close)
        far = Far(f"sqlite:///{folder / 'master.db'}")
        stack.callback(far.master.close)
        settings = Settings(
            data_dir=folder,
            disk_low_bytes=LOW,
            alert_webhook_url=f"http://127.0.0.1:{hook}/",
        )
        told = stack.enter_context(webhook(hook))
        yield Site(StoreNode(database), settings, far, told, lambda: stack.enter_context(mounted(DISK, folder)))


@contextmanager
def credentials_are_refused(site: Site) -> Iterator[None]:
    site.node.accept(date="2013-01-05")
    (lease,) = site.node.claim()
    with OtherMaster("--token", "right") as server, closing(open_master(server.url, "wrong", clock=site.clock)) as far:
        site.node.turn(sender.deliver(far, lease, site.clock, 0.5), free=0)
    yield
    site.node.pass_time(61)
    deliver_all(site.node, site.far)


@contextmanager
def disk_fills(site: Site) -> Iterator[None]:
    site.settings = site.settings.model_copy(update={"data_dir": site.mount()})
    assert site.look() == []
    filler = site.settings.data_dir / "filler"
    filler.write_bytes(bytes(3 * 1024 * 1024))
    yield
    filler.unlink()


@contextmanager
def row_is_damaged(site: Site) -> Iterator[None]:
    """As by a fault of 0.1.0: it waits behind another version, and there is none."""
    made = site.node.accept(date="2013-01-12").id
    stranded = update(Submission).where(Submission.id == made).values(blocked=True)
    site.node.database.write(lambda conn: conn.execute(stranded))
    yield
    assert [count for _, count in repairs.mend(site.node.database, site.clock, "op")] == [1]


@contextmanager
def sheet_is_gone(site: Site) -> Iterator[None]:
    made = site.node.accept(date="2013-01-19").id
    seq = site.node.row(made).seq
    site.node.database.write(lambda conn: conn.execute(delete(Payload).where(Payload.seq == seq)))
    assert site.node.claim() == []
    yield
    site.node.withdraw(made)


def restored(site: Site) -> bool:
    """Whether the probe's answer, as the prober writes it down, says that the master has less than it had."""
    answer = site.far.master.probe()
    return site.node.database.write(lambda conn: comparisons.note_latest(conn, site.node.now, answer.latest))


@contextmanager
def master_is_older(site: Site) -> Iterator[None]:
    gone = site.node.accept(date="2013-01-26").id
    deliver_all(site.node, site.far)
    assert not restored(site)
    site.far.loses(gone)
    site.node.pass_time(2 * 3600)
    assert restored(site)
    assert reconcile.by_itself(site.node.database, site.far.master, site.clock)
    deliver_all(site.node, site.far)
    yield
    site.node.pass_time(86_400)


@contextmanager
def event_hands_in_too_much(site: Site) -> Iterator[None]:
    strict = site.settings.model_copy(update={"event_submissions_per_day": 1})
    ctx = AppContext(strict, site.node.database, site.clock, Bell(""))
    submissions.keep(ctx, site.node.now, site.node.entry("richmond", date="2013-02-02"))
    with pytest.raises(QuotaReached):
        submissions.keep(ctx, site.node.now, site.node.entry("richmond", date="2013-02-09"))
    deliver_all(site.node, site.far)
    yield
    site.node.pass_time(86_400)


@pytest.mark.parametrize(
    ("rule", "happens", "words"),
    [
        ("credentials-refused", credentials_are_refused, "has refused this node's credentials since"),
        ("disk-low", disk_fills, "Only 1 MB are free on this node's disk"),
        ("damaged", row_is_damaged, "1 submission would wait for ever after a fault of this product"),
        ("put-aside", sheet_is_gone, "resultsq cannot go on with 1 submission"),
        ("master-lost", master_is_older, "The master no longer had 1 submission that it had given a receipt for"),
        ("quota-reached", event_hands_in_too_much, "richmond handed in as much today as an event may"),
    ],
)
def test_it_is_told_when_it_happens_and_when_it_is_over(
    site: Site, rule: str, happens: Callable[[Site], Any], words: str
) -> None:
    site.node.probe()
    assert site.look() == []
    site.posted.clear()
    with happens(site):
        assert site.look() == [rule]
        assert [message["subject"] for message in site.posted] == [f"resultsq: {rule}"]
        assert words in site.posted[0]["text"]
        assert site.look() == [rule], "once is enough"
    assert site.look() == []
    told = [f"resultsq: {rule}", f"resultsq: over: {rule}"]
    assert [message["subject"] for message in site.posted] == told
    deliver_all(site.node, site.far)
