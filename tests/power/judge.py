"""A disk after a power cut, judged: every acknowledged sheet is there, the database is whole, and the node goes on from
there without anything being lost, doubled or out of its order."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select

from resultsq import sqlite
from resultsq.domain.submission import WAITING
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from tests.history.check import Event, Finding, judge
from tests.power.morning import Ledger, Ready
from tests.support.nodes import NOW
from tests.support.promises import broken

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
_SHEETS = "SELECT s.id, s.state, s.revision, p.body FROM submissions s LEFT JOIN payloads p ON p.seq = s.seq"
_MOST_TURNS = 200


class Looked:
    """What one disk holds. `state` is the same for the same rows."""

    def __init__(self, store: Path) -> None:
        self.found: list[Finding] = []
        self.sheets: dict[str, tuple[str, int | None, str]] = {}
        self.state = ""
        try:
            connection = sqlite.driver.connect(store, isolation_level=None)
            try:
                self._look(connection)
            finally:
                connection.close()
        except sqlite.driver.Error as error:
            self.found.append(Finding("damaged", "", f"it cannot be opened: {error}"))

    def _look(self, connection: Any) -> None:
        sqlite.make_durable(connection, 1.0)
        without_sync(connection)
        said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if said != ["ok"]:
            self.found.append(Finding("damaged", "", "; ".join(said[:3])))
            return
        if loose := connection.execute("PRAGMA foreign_key_check").fetchall():
            self.found.append(Finding("damaged", "", f"rows that name none: {loose[:3]}"))
        rows = hashlib.sha256()
        for (table,) in connection.execute(_TABLES).fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                rows.update(repr((table, row)).encode())
        self.state = rows.hexdigest()
        for id_, state, revision, body in connection.execute(_SHEETS):
            self.sheets[id_] = (state, revision, digest_of(body))


def without_sync(connection: Any, _record: object = None) -> None:
    """No power is cut from here on, and syncs are most of a judge's time."""
    connection.execute("PRAGMA synchronous=OFF")


def digest_of(body: bytes | None) -> str:
    return "" if body is None else f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def unkept(looked: Looked, history: Sequence[Event]) -> Iterator[Finding]:
    """Promises that the disk itself breaks: what was said before the cut."""
    asked = {event["op"]: event for event in history if event["kind"] == "invoke"}
    for event in history:
        if event["kind"] == "ok":
            yield from _unkept(looked, asked[event["op"]], event)
        elif event["kind"] == "receipt":
            state, revision, _ = looked.sheets.get(event["id"], ("", None, ""))
            if (state, revision) not in (("published", event["revision"]), ("corrected", event["revision"])):
                yield Finding("lost", event["id"], f"it was shown as published, and is {state or 'gone'}")


def _unkept(looked: Looked, asked: Event, told: Event) -> Iterator[Finding]:
    if asked["what"] == "withdraw":
        if looked.sheets.get(asked["id"], ("",))[0] != "withdrawn":
            yield Finding("lost", asked["id"], "its withdrawal was acknowledged")
    elif told["id"] not in looked.sheets:
        yield Finding("lost", told["id"], "it was acknowledged, and is not on the disk")
    elif looked.sheets[told["id"]][2] != asked["digest"]:
        yield Finding("altered", told["id"], "other bytes were acknowledged")


class Revived(Ready):
    """The node after the power is back: its worker starts, and the master has what it had."""

    def __init__(self, database: Database, history: Sequence[Event], workers: Sequence[str] = ("w1",)) -> None:
        super().__init__(database, NOW + timedelta(days=1))
        self.history = list(history)
        self.found: list[Finding] = []
        self.ledger = Ledger([event for event in history if event["kind"] == "commit"])
        for name in workers:
            self.database.write(partial(outbox.void_leases, now=self.now, worker=name))
        with database.read() as conn:
            self.found += [Finding("store", "", one) for one in broken(conn)]
        self.probe()

    def go_on(self) -> list[Finding]:
        """Until nothing waits; then everything is judged."""
        for _ in range(_MOST_TURNS):
            for lease in self.claim("w1"):
                self._send(lease)
            self.pass_time(5)
            if not self.count_waiting():
                break
        with self.database.read() as conn:
            self.found += [Finding("store", "", one) for one in broken(conn)]
            rows = conn.execute(select(Submission)).all()
        for row in rows:
            self.history.append({"kind": "state", "id": row.id, "state": str(row.state)})
            if row.revision is not None:
                shown = {"id": row.id, "revision": row.revision, "digest": row.digest}
                self.history.append({"kind": "receipt", **shown})
        self.history.append({"kind": "end", "settled": True})
        return [*self.found, *judge(self.history)]

    def _send(self, lease: outbox.Lease) -> None:
        commit = self.ledger.put(lease)
        if commit is not None:
            self.history.append(commit)
        elif not lease.in_doubt:  # the master would take it for a repeat; but it was sent as if never sent before
            self.found.append(Finding("doubled", lease.submission, "it was sent again, and the master was not asked"))
        if digest_of(lease.body) != lease.digest:
            self.found.append(Finding("altered", lease.submission, "other bytes than were accepted are sent"))
        self.settle(lease, self.ledger.answer(lease))

    def count_waiting(self) -> int:
        return sum(self.count(state=state) for state in WAITING)
