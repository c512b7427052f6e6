"""Which workers are alive, by what they say of themselves."""

from resultsq.store.outbox import workers
from tests.support.nodes import StoreNode


def alive(node: StoreNode, name: str) -> None:
    node.database.write(lambda conn: workers.alive(conn, node.now, name))


def test_each_is_known_from_its_start_to_its_end_and_by_when_it_was_last_seen(node: StoreNode) -> None:
    def known() -> list[tuple[str, float, float]]:
        """Name, start and last sign of life, as seconds from the test's beginning."""
        with node.database.read() as conn:
            found = workers.every(conn)
            latest = max((seen_at for _, _, seen_at in found), default=None)
            assert workers.last_seen_at(conn) == latest
        return [(name, (a - began).total_seconds(), (b - began).total_seconds()) for name, a, b in found]

    began = node.now
    assert known() == []
    alive(node, "w2")
    node.pass_time(5)
    alive(node, "w1")
    node.pass_time(5)
    alive(node, "w2")
    assert known() == [("w1", 5, 5), ("w2", 0, 10)]
    node.database.write(lambda conn: workers.gone(conn, "w2"))
    assert known() == [("w1", 5, 5)]
    alive(node, "w2")
    assert known() == [("w1", 5, 5), ("w2", 10, 10)], "it has started anew"
