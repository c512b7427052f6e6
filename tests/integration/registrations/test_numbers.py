"""Numbers are leased ahead of need, under a key that a repeat carries again, and given while their lease lasts."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from resultsq import backup
from resultsq.delivery import athlete_numbers
from resultsq.delivery.masters import open_master
from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.domain.outcome import Cause
from resultsq.master.blocks import FIRST_NUMBER
from resultsq.store.admin import number_blocks
from resultsq.store.engine.tables import NumberBlock
from tests.integration.masters.far import TOKENS
from tests.integration.registrations.conftest import RegisteringNode, sealing
from tests.support.manual_clock import ManualClock
from tests.support.processes import OtherMaster

Make = Callable[..., RegisteringNode]
DAY_S = 86_400.0


def test_more_are_leased_when_few_are_left_and_never_while_the_link_is_down(node: RegisteringNode) -> None:
    assert node.lease()
    assert node.left() == 20
    assert not node.lease()
    for number in range(16):
        node.register(number)
    node.store.probe(Cause.REFUSED)
    assert not node.lease()
    node.store.probe()
    assert node.lease(), "waiting registrations do not hold it up"
    assert node.left() == 24
    assert node.register(99).slip.number == "A90000016", "the older block first"


def test_a_lost_answer_is_asked_for_again_under_the_same_key(sqlite_node: RegisteringNode) -> None:
    node = sqlite_node
    asked = node.database.write(lambda conn: number_blocks.ask(conn, 20))
    first = node.master.lease_block(asked.key, asked.size)  # and its answer is lost
    assert isinstance(first, LeasedBlock)
    assert node.lease()
    with node.database.read() as conn:
        rows = conn.execute(select(NumberBlock)).all()
    assert [(row.key, row.first) for row in rows] == [(asked.key, first.first)]


def test_no_number_of_an_expired_block_is_given(node: RegisteringNode) -> None:
    node.lease()
    node.clock.advance(node.settings.number_block_days * DAY_S + 1)
    assert node.left() == 0
    assert node.register().slip.number is None
    assert node.lease()
    assert node.register(2).slip.number == f"A{FIRST_NUMBER + 20}"


def test_nothing_is_leased_where_nobody_registers(sqlite_node: RegisteringNode) -> None:
    settings = sqlite_node.settings.model_copy(update={"registration": False})
    assert not athlete_numbers.periodic_task(settings, sqlite_node.database, sqlite_node.clock).due()


def test_a_master_that_leases_none_is_asked_again_in_an_hour(
    make_node: Make, tmp_path: Path, clock: ManualClock
) -> None:
    with OtherMaster() as master:
        node = make_node(f"sqlite:///{tmp_path / 'store.db'}")
        node.settings = node.settings.model_copy(update={"master_url": type(node.settings.master_url)(master.url)})
        node.task = athlete_numbers.periodic_task(node.settings, node.database, clock)
        assert node.lease()
        with node.database.read() as conn:
            found = number_blocks.asked(conn)
        assert found is not None
        assert found.error == athlete_numbers.NO_CALL
        assert not node.lease(600.0)
        assert node.lease(3600.0)
        assert node.register().slip.number is None


def test_a_restored_backup_gives_no_number_again(make_node: Make, tmp_path: Path) -> None:
    node = make_node(f"sqlite:///{tmp_path / 'store.db'}")
    node.lease()
    node.register(1)
    backup.backup(node.database, tmp_path / "backup.db")
    given = node.register(2)
    url = f"sqlite:///{tmp_path / 'restored.db'}"
    restored = sealing(url)
    try:
        assert backup.restore(restored, tmp_path / "backup.db", node.clock) == 1
        with restored.read() as conn:
            assert number_blocks.left(conn, node.clock.now()) == 0
    finally:
        restored.close()
    assert given.slip.number == "A90000001"


def test_straight_into_the_database_blocks_are_leased_too(sqlite_node: RegisteringNode, tmp_path: Path) -> None:
    master = open_master(f"sqlite:///{tmp_path / 'ledger.db'}", TOKENS[0], clock=sqlite_node.clock)
    try:
        first, again = master.lease_block("key-1", 5), master.lease_block("key-1", 5)
        assert isinstance(first, LeasedBlock)
        assert first == again
        assert first.last - first.first == 4
    finally:
        master.close()
