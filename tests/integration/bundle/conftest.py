"""Two nodes, a master with its real ledger, and bundles between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import MultiFernet

from resultsq.delivery import bundle, sender
from resultsq.delivery.masters import open_master
from resultsq.domain.ports import Master, ReceiptPage
from resultsq.domain.submission import State
from resultsq.master.database import open_engine
from resultsq.store.engine.session import Database
from resultsq.store.outbox import BundledVersion
from resultsq.store.views import queries
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, migrated


class Far:
    """The master, straight in its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = ManualClock(NOW)
        self.master: Master = open_master(url, "a token", clock=self.clock)
        assert self.master.probe().cause is None, "it makes its tables"

    def has(self) -> dict[str, int]:
        """Submission → revision, each once."""
        page = self.master.receipts(None, None, None)
        assert isinstance(page, ReceiptPage)
        found = {one.submission: one.revision for one in page.receipts}
        assert len(found) == len(page.receipts)
        return found

    def loses(self, submission: str) -> None:
        """As after a restore from an older backup."""
        engine = open_engine(self.url)  # two copies of SQLite in one process would undo each other's locks
        number = "(SELECT number FROM master_sheets WHERE submission = :id)"
        with engine.begin() as conn:
            for table in ("master_finishers", "master_volunteers"):
                conn.execute(sa.text(f"DELETE FROM {table} WHERE sheet = {number}"), {"id": submission})
            conn.execute(sa.text("DELETE FROM master_sheets WHERE submission = :id"), {"id": submission})
        engine.dispose()


def deliver_all(node: StoreNode, far: Far) -> None:
    """Turns until nothing goes any more."""
    while leases := node.claim():
        ends = [sender.deliver(far.master, lease, far.clock, 0.5) for lease in leases]
        node.turn(*ends, free=0)


def parted(submission: str, node: StoreNode) -> BundledVersion:
    """The submission as it would travel."""
    row = node.row(submission)
    with node.database.read() as conn:
        body = queries.body(conn, row.seq)
    assert body is not None
    return BundledVersion(
        id=row.id, kind=row.kind, event="bushy", date=row.date, base=row.base, digest=row.digest,
        rows_digest=row.rows_digest, finishers=row.finishers, submitted_by=row.submitted_by,
        accepted_at=row.accepted_at, body=body,
    )  # fmt: skip


def export(node: StoreNode, locks: MultiFernet) -> bytes:
    return bundle.export(node.database, node.now, locks, [State.QUEUED]).content


def take_in(node: StoreNode, content: bytes, locks: MultiFernet) -> tuple[int, int]:
    """How many were new and how many were known; none was refused."""
    found = bundle.take_in(node.database, node.now, bundle.unseal(content, locks), "Europe/London")
    assert not found.refused
    return found.new, found.known


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    found = Far(f"sqlite:///{tmp_path / 'master.db'}")
    yield found
    found.master.close()


@pytest.fixture
def here(store: Database) -> StoreNode:
    """The node whose link is gone, on each make of database."""
    node = StoreNode(store)
    node.probe()
    return node


@pytest.fixture
def there(tmp_path: Path) -> Iterator[StoreNode]:
    """Another node, which has never heard of the events."""
    database = migrated(f"sqlite:///{tmp_path / 'there.db'}")
    node = StoreNode(database, events=("elsewhere",))
    node.probe()
    yield node
    database.close()


@pytest.fixture
def locks() -> MultiFernet:
    return bundle.keys(bundle.new_key())
