"""The worker leases athlete numbers ahead of need, and waits as the answer says where there are none."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from resultsq.delivery import athlete_numbers
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.outcome import Cause, Deferred, Outcome, Scope, Unauthorised
from resultsq.settings import Settings
from resultsq.store.admin import number_blocks
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import NumberBlock
from tests.support.log_lines import log_lines
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode

SIZE, LOW = 20, 5
LATE = NOW + timedelta(days=1000)
Answer = LeasedBlock | NoBlocks | Outcome


class Leasing:
    """A node whose link is up, and a master that gives this answer."""

    def __init__(self, database: Database, folder: Path, **changes: Any) -> None:
        self.node = StoreNode(database)
        self.node.probe()
        self.clock = ManualClock(self.node.now)
        self.asked: list[tuple[str, int]] = []
        self.closed = 0
        self.answer: Answer = NoBlocks()
        known = {"registration": True, "number_block_size": SIZE, "number_block_low": LOW}
        self.settings = Settings(data_dir=folder, master_url=SecretStr("http://master.test"), **{**known, **changes})
        self.task = athlete_numbers.periodic_task(self.settings, database, self.clock)

    def lease_block(self, key: str, size: int) -> Answer:
        self.asked.append((key, size))
        return self.answer

    def close(self) -> None:
        self.closed += 1

    def is_due(self, after_s: float = 0.0) -> bool:
        self.clock.advance(after_s)
        return self.task.due()

    def lease(self, answer: Answer) -> list[str]:
        """Ask now; the lines of the log."""
        self.answer = answer
        with log_lines() as lines:
            self.task.do()
        assert self.closed == len(self.asked)
        return [line["event"] for line in lines]

    def blocks(self) -> list[Any]:
        with self.node.database.read() as conn:
            return list(conn.execute(select(NumberBlock.first, NumberBlock.last, NumberBlock.expires_at)))

    def left(self) -> int:
        with self.node.database.read() as conn:
            return number_blocks.left(conn, self.clock.now())


@pytest.fixture
def node(sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leasing:
    made = Leasing(sqlite_store, tmp_path)
    monkeypatch.setattr(athlete_numbers, "open_configured", lambda *_: made)
    return made


def block(first: int = 1, count: int = SIZE, until: datetime = LATE) -> LeasedBlock:
    return LeasedBlock(f"b-{first}", first, first + count - 1, until)


def test_a_block_is_leased_when_fewer_than_so_many_are_left(node: Leasing) -> None:
    assert node.is_due()
    assert node.lease(block(count=LOW)) == ["numbers.leased"]
    assert (node.left(), node.is_due()) == (LOW, False)
    node.node.database.write(lambda conn: number_blocks.take(conn, node.clock.now()))
    assert node.is_due()
    node.lease(block(first=101))
    assert node.left() == LOW - 1 + SIZE
    assert [size for _, size in node.asked] == [SIZE, SIZE]
    assert len({key for key, _ in node.asked}) == 2


def test_a_task_that_another_worker_did_meanwhile_asks_for_nothing(node: Leasing) -> None:
    node.lease(block())
    assert node.lease(block(first=101)) == []
    assert len(node.asked) == 1


def test_how_many_numbers_were_leased_is_logged(node: Leasing) -> None:
    node.answer = block(first=101, count=7)
    with log_lines() as lines:
        node.task.do()
    assert [(line["event"], line["numbers"]) for line in lines] == [("numbers.leased", 7)]


@pytest.mark.parametrize("masters_days", [1, 1000])
def test_a_number_is_given_as_long_as_both_the_master_and_the_settings_say(node: Leasing, masters_days: int) -> None:
    until = node.clock.now() + timedelta(days=masters_days)
    node.lease(block(until=until))
    ours = node.clock.now() + timedelta(days=node.settings.number_block_days)
    assert [row.expires_at for row in node.blocks()] == [min(until, ours)]


@pytest.mark.parametrize(
    ("answer", "wait_s", "error"),
    [
        (NoBlocks(), 3600.0, athlete_numbers.NO_CALL),
        (Deferred(Cause.TIMEOUT, "Late.", in_doubt=False), 30.0, "Late."),
        (Deferred(Cause.BUSY, "Busy.", in_doubt=False, retry_after_s=7.0), 30.0, "Busy."),
        (Deferred(Cause.BUSY, "Busy.", in_doubt=False, retry_after_s=90.0), 90.0, "Busy."),
        (Deferred(Cause.BUSY, "Busy.", in_doubt=False, retry_after_s=86_400.0), 3600.0, "Busy."),
        (Deferred(Cause.BUSY, "", in_doubt=False), 30.0, "deferred"),
        (Unauthorised(Scope.DESTINATION, "Who?"), 30.0, "Who?"),
    ],
)
def test_a_master_that_leases_none_is_asked_again_after_a_while_under_the_same_key(
    node: Leasing, answer: Answer, wait_s: float, error: str
) -> None:
    assert node.lease(answer) == ["numbers.not_leased"]
    with node.node.database.read() as conn:
        asked = number_blocks.asked(conn)
    assert asked is not None
    assert asked.error == error
    assert not node.is_due(wait_s - 1.0)
    assert node.is_due(1.0)
    assert node.lease(answer) == [], "it is logged once"
    node.clock.advance(3600.0)
    node.lease(block())
    assert len({key for key, _ in node.asked}) == 1
    assert node.left() == SIZE


def test_nothing_is_asked_while_the_link_is_down_or_where_nobody_registers(
    sqlite_store: Database, tmp_path: Path, node: Leasing
) -> None:
    settings = node.settings.model_copy(update={"registration": False})
    assert not athlete_numbers.periodic_task(settings, sqlite_store, node.clock).due()
    node.node.probe(Cause.REFUSED)
    assert not node.is_due()
    node.node.probe()
    assert node.is_due()
