"""The databases that writers meet in, put back to what both find before each schedule.

Each state is made once and kept in tables beside the store's own; to put it back, the tables that were written to are
filled from there. Ids and times are then the same each time, so that two ends can be compared."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Table, make_url

from resultsq import sqlite
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Base
from tests.races.race import Found, Race, begin
from tests.support.nodes import StoreNode, empty

TABLES: dict[str, Table] = {table.name: table for table in Base.metadata.sorted_tables}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEFT_OUT = {
    "submissions": {"chain_id", "event_id", "lane", "epoch", "round", "request_id"},
    "chains": {"id", "event_id"},
    "attempts": {"id"},
    "holds": {"id"},
    "payloads": {"body", "other_body"},
    "handovers": set(),
    "custodies": {"token_id"},
    "actions": {"id", "until_seq", "audit_id", "target", "done", "skipped", "total"},
}
"""Columns of the end that say in which order rows were made, or nothing."""
_ORDER = {
    "submissions": "version, id", "attempts": "seq, number", "holds": "reason, placed_by, scope, released_at",
    "actions": "verb, started_at",
}  # fmt: skip


class Stage:
    """One store. `databases` are those of the two writers: one of a process each on SQLite, where those of one process
    take turns anyway."""

    def __init__(self, database: Database, other: Database | None = None) -> None:
        self.databases = (database, other or database)
        self.is_sqlite = database.is_sqlite
        self._raw = _raw(database)
        self._found = "found." if self.is_sqlite else "found_"
        self._filled: set[str] = set()
        self._dirty: set[str] = set()
        self._sequences: dict[str, str] = {}
        self._patience("SET deadlock_timeout = '20ms'")
        self._node = self._empty()

    def _empty(self) -> StoreNode:
        if self.is_sqlite:
            kept = self.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_kept_%'")
            self._run(*(f"DROP TRIGGER {name}" for (name,) in kept), *(f"DELETE FROM {name}" for name in TABLES))
            self._run("DELETE FROM state_counts")  # what was removed has changed it
        else:
            empty(self.databases[0])
        return StoreNode(self.databases[0])

    def _patience(self, change: str) -> None:
        """How long PostgreSQL waits before it looks whether two wait for each other."""
        if not self.is_sqlite:
            self._raw.execute(f"ALTER SYSTEM {change}")
            self._raw.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        self._forget()
        self._patience("RESET deadlock_timeout")
        self._raw.close()

    def _forget(self) -> None:
        self._run(*(f"DROP TABLE IF EXISTS {self._found}{name}" for name in self._filled))

    def find(self, found: Found) -> Race:
        """Make that state of a chain, and keep it to be put back."""
        self._node = self._empty()
        race = begin(self._node, found)
        self._forget()
        self._filled = {name for name in TABLES if self.rows(f"SELECT 1 FROM {name} LIMIT 1")}
        self._run(*(f"CREATE TABLE {self._found}{name} AS SELECT * FROM {name}" for name in self._filled))
        self._sequences = {} if self.is_sqlite else self._where_sequences_are()
        self._dirty = set()
        return race

    def _where_sequences_are(self) -> dict[str, str]:
        """What puts the sequence of a table back."""
        at = dict(self.rows("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"))
        numbered = {name: table.autoincrement_column for name, table in TABLES.items()}
        names = {name: f"{name}_{column.name}_seq" for name, column in numbered.items() if column is not None}
        return {
            table: f"SELECT setval('{name}', {at[name] or 1}, {at[name] is not None})"
            for table, name in names.items()
            if name in at
        }

    def written(self, tables: Collection[str]) -> None:
        """These will have to be put back."""
        self._dirty |= set(tables)

    def put_back(self, race: Race) -> Race:
        """All as it was found."""
        dirty = sorted(self._dirty)
        fills = (f"INSERT INTO {one} SELECT * FROM {self._found}{one}" for one in dirty if one in self._filled)
        sequences = (self._sequences[one] for one in dirty if one in self._sequences)
        if dirty:
            self._run(*(f"DELETE FROM {one}" for one in dirty), *fills, *sequences)
        self._dirty = set()
        self._node.now = race.now
        return race.copy()

    def end(self, race: Race) -> str:
        """How everything is now; equal where nobody could see a difference."""
        numbers: dict[str, dict[Any, str]] = {"seq": {}, "hold_id": {}}
        for hold, *said in self.rows("SELECT id, scope, reason, placed_by FROM holds"):
            numbers["hold_id"][hold] = str(said)
        told = []
        for table, left_out in _LEFT_OUT.items():
            columns = [column.name for column in TABLES[table].columns if column.name not in left_out]
            rows = self.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {_ORDER.get(table, '1')}")
            told += [f"{table} {_named(dict(zip(columns, row, strict=True)), numbers)}" for row in rows]
        told.append(f"master {race.there}, gone {sorted(set(race.parted), key=race.parted.index)}")
        names: dict[str, str] = {}
        return _UUID.sub(lambda one: names.setdefault(one[0], f"id {len(names) + 1}"), "\n".join(told))

    def _run(self, *statements: str) -> None:
        if self.is_sqlite:
            self._raw.execute("BEGIN IMMEDIATE")
            for one in statements:
                self._raw.execute(one)
            self._raw.execute("COMMIT")
        elif statements:
            self._raw.execute("BEGIN;" + ";".join(statements) + ";COMMIT")

    def rows(self, statement: str) -> list[Any]:
        """What is committed."""
        return list(self._raw.execute(statement).fetchall())

    def waits_for_a_lock(self, pid: int) -> bool:
        """Whether that session of PostgreSQL does."""
        return bool(self.rows(f"SELECT 1 FROM pg_locks WHERE NOT granted AND pid = {pid} LIMIT 1"))


def _named(row: dict[str, Any], numbers: dict[str, dict[Any, str]]) -> dict[str, Any]:
    """A row whose numbers say what they stand for: a version of the chain, or a hold."""
    if "version" in row:
        numbers["seq"][row["seq"]] = f"v{row['version']}"
    names = {"seq": "seq", "last_seq": "seq", "hold_id": "hold_id"}
    return {name: numbers[names[name]].get(value, value) if name in names else value for name, value in row.items()}


def _raw(database: Database) -> Any:
    """A connection that fills tables past all triggers and references."""
    url = database.url
    if database.is_sqlite:
        raw = sqlite.driver.connect(url.database, isolation_level=None, timeout=10, check_same_thread=False)
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute(f"ATTACH '{Path(str(url.database)).with_suffix('.found')}' AS found")
        return raw
    pg = psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True)
    pg.execute("SET session_replication_role = replica")
    return pg


@contextmanager
def stage(*databases: Database) -> Iterator[Stage]:
    made = Stage(*databases)
    try:
        yield made
    finally:
        made.close()
