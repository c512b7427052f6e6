"""Acts on a store with the code of one version: commands come as lines of JSON, answers go back so.

It runs with the old version's modules as well as with this one's, and so uses only names that both have."""

import importlib
import json
import sys
from datetime import timedelta
from typing import Any

nodes: Any = importlib.import_module("tests.support.nodes")
Node: Any = getattr(nodes, "StoreNode", None) or nodes.Node  # as 0.1.0 calls it


class Acting:
    """One store that is open. `leases` are those that this process has in hand."""

    def __init__(self) -> None:
        self.node: Any = None
        self.leases: dict[str, Any] = {}

    def open(self, url: str, first: bool) -> None:
        """`first`: make its tables and events, or bring the tables up to date."""
        self.close()
        database = nodes.migrated(url) if first else nodes.Database(url)
        self.node = Node.__new__(Node)
        self.node.database, self.node.now = database, nodes.NOW
        with database.read() as conn:
            rows = conn.exec_driver_sql("SELECT slug, id FROM events WHERE slug IN ('bushy', 'richmond', 'wimbledon')")
            self.node.events = {slug: id_ for slug, id_ in rows}  # noqa: C416 - rows are no pairs to `dict`
        if not self.node.events:
            self.node = Node(database)

    def close(self) -> None:
        self.leases = {}
        if self.node is not None:
            self.node.database.close()
        self.node = None

    def at(self, seconds: float) -> None:
        self.node.now = nodes.NOW + timedelta(seconds=seconds)

    def accept(self, event: str, rows: int, date: str, corrects: str | None) -> dict[str, str]:
        told = self.node.accept(event, rows, corrects=corrects, date=date)
        return {"id": told.id, "digest": told.digest}

    def withdraw(self, submission: str) -> None:
        self.node.withdraw(submission)

    def probe(self) -> None:
        self.node.probe()

    def void(self, worker: str) -> None:
        self.node.database.write(lambda conn: nodes.outbox.void_leases(conn, self.node.now, worker))

    def claim(self, worker: str, free: int) -> list[dict[str, Any]]:
        got = self.node.claim(worker, free=free)
        self.leases |= {lease.lease: lease for lease in got}
        names = ("lease", "submission", "event", "date", "digest", "base", "in_doubt")
        return [{name: getattr(lease, name) for name in names} for lease in got]

    def settle(self, lease: str, worker: str, revision: int | None) -> None:
        """`revision` None: the answer was lost."""
        mine = self.leases.pop(lease)
        outcome = nodes.lost() if revision is None else nodes.accepted(mine, revision)
        self.node.settle(mine, outcome)


def main() -> None:
    acting = Acting()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"ok": getattr(acting, asked.pop("do"))(**asked)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
