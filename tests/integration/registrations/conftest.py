"""A node that registers runners, with a key for their data, and the office that leases numbers to it."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from resultsq.app.context import AppContext
from resultsq.app.registrations import Registered, register
from resultsq.delivery import athlete_numbers, sender
from resultsq.delivery.masters import open_master
from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.domain.ports import Master
from resultsq.master.ledger import Ledger
from resultsq.sealed import PersonalKeys
from resultsq.settings import Settings
from resultsq.store.admin import number_blocks
from resultsq.store.engine.session import Database
from resultsq.store.outbox import slips
from resultsq.wakeup import Bell
from tests.integration.masters.far import TOKENS, served
from tests.support.athletes import master_list
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, migrated

KEYS = PersonalKeys.of([bytes(32)])


def runner(number: int = 1, **changes: Any) -> dict[str, Any]:
    """What a runner types; another number is another person."""
    return {
        "given_name": f"Zoë {number}",
        "family_name": "O'Brien",
        "born": "1990-01-31",
        "gender": None,
        "email": f"zoe{number}@example.org",
        "home_event": "bushy",
        "emergency": {"name": "Max Mustermann", "phone": "+44 20 7946 0000"},
        "consents": ["terms-2026-01"],
    } | changes


class RegisteringNode:
    """A node whose link is up, with a master and its token. Its worker's turns are taken one by one."""

    def __init__(self, database: Database, folder: Path, url: str, clock: ManualClock, token: str = TOKENS[0]) -> None:
        self.settings = Settings(
            data_dir=folder,
            master_url=SecretStr(url),
            master_token=SecretStr(token),
            registration=True,
            number_block_size=20,
            number_block_low=5,
        )
        self.store = StoreNode(database)
        self.store.probe()
        self.database = database
        self.clock = clock
        self.context = AppContext(self.settings, database, clock, Bell(""))
        self.task = athlete_numbers.periodic_task(self.settings, database, clock)
        self.master: Master = open_master(url, token, clock=clock)

    def lease(self, after_s: float = 61.0) -> bool:
        """Whether the worker's task was due, and is done."""
        self.clock.advance(after_s)
        due = self.task.due()
        if due:
            self.task.do()
        return due

    def lease_one(self, size: int) -> None:
        """A block of so many more, whether one is due or not."""
        asked = self.database.write(lambda conn: number_blocks.ask(conn, size))
        block = self.master.lease_block(asked.key, asked.size)
        assert isinstance(block, LeasedBlock)
        until = self.clock.now() + timedelta(days=1)
        self.database.write(lambda conn: number_blocks.leased(conn, asked.key, block, until))

    def left(self) -> int:
        with self.database.read() as conn:
            return number_blocks.left(conn, self.clock.now())

    def register(self, number: int = 1, submission: str | None = None, **changes: Any) -> Registered:
        return register(self.context, runner(number, **changes), submission or str(uuid.uuid4()))

    def number(self, submission: str) -> str | None:
        with self.database.read() as conn:
            found = slips.of(conn, submission)
        assert found is not None
        return found.number

    def send(self) -> Sequence[Any]:
        """Send all that waits to the master; the outcomes."""
        found: list[Any] = []
        while leases := self.store.claim():
            ends = [sender.deliver(self.master, lease, self.clock, 0.5) for lease in leases]
            found += [one.outcome for one in ends]
            self.store.turn(*ends, free=0)
        return found


def sealing(url: str, keys: PersonalKeys = KEYS) -> Database:
    """The database at `url`, with keys."""
    return Database(url, lambda: keys)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The office's ledger."""
    with master_list(tmp_path) as found:
        yield found


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def office_url(ledger: Ledger, clock: ManualClock) -> Iterator[str]:
    """The office behind its HTTP face."""
    with served(ledger, clock) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def make_node(office_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Callable[..., RegisteringNode]]:
    """Makes nodes at databases of the test's own."""
    made: list[RegisteringNode] = []

    def make(store_url: str, token: str = TOKENS[0], keys: PersonalKeys = KEYS) -> RegisteringNode:
        migrated(store_url).close()
        made.append(RegisteringNode(sealing(store_url, keys), tmp_path, office_url, clock, token))
        return made[-1]

    yield make
    for node in made:
        node.master.close()
        node.database.close()


@pytest.fixture
def node(make_node: Callable[..., RegisteringNode], store_url: str) -> RegisteringNode:
    """On each make of database in turn."""
    return make_node(store_url)


@pytest.fixture
def sqlite_node(make_node: Callable[..., RegisteringNode], tmp_path: Path) -> RegisteringNode:
    """For what does not depend on the database."""
    return make_node(f"sqlite:///{tmp_path / 'store.db'}")
