"""What the mornings of one process share, because it is dear to make: the engines with their connections and compiled
statements, the two applications, and the empty databases that each morning begins with."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask
from sqlalchemy import Connection, insert

from resultsq import sqlite
from resultsq.domain.role import Role
from resultsq.master.app import TokenRule
from resultsq.master.app import create_app as create_master
from resultsq.master.database import open_engine
from resultsq.master.ledger import Counted, Ledger
from resultsq.settings import Settings
from resultsq.store.admin import tokens
from resultsq.store.engine.tables import Event
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app as create_web
from tests.simulate.disk import SteppedDatabase
from tests.simulate.plan import TEAMS
from tests.simulate.scheduler import Scheduler, VirtualClock
from tests.support.nodes import NOW, migrated

MEMORY = Path("/dev/shm")  # where there is one: nobody cuts the power here
TOKEN = "a token"
OTHER_TOKEN = "another node's token"
_OPENED = ("web", "office", "w1", "w2")


def _nothing() -> None:
    return


class VirtualBell(Bell):
    """Its rings are heard as the morning says."""

    def __init__(self) -> None:
        super().__init__("")
        self.hear: Callable[[], None] = _nothing

    def ring(self) -> None:
        self.hear()


class Copies:
    """What a database was like, to be put back while connections to it are open. These keep the statements that they
    have prepared, for they see the schema that they know: to open and to prepare takes longer than a short morning."""

    def __init__(self, file: Path) -> None:
        self._there = sqlite.driver.connect(file, isolation_level=None)
        (self._schema,) = self._there.execute("PRAGMA schema_version").fetchone()
        self._kept: dict[str, Any] = {}

    def keep(self, name: str) -> None:
        if name not in self._kept:
            self._kept[name] = sqlite.driver.connect(":memory:")
        self._there.backup(self._kept[name])

    def put_back(self, name: str) -> None:
        """:raises sqlite.driver.OperationalError: a transaction is open"""
        self._kept[name].backup(self._there)
        self._there.execute(f"PRAGMA schema_version={self._schema}")  # a copy counts as another schema

    def close(self) -> None:
        for one in (self._there, *self._kept.values()):
            one.close()


class Workshop:
    """`begin` makes it as new for the next morning."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(Scheduler(Random(0)))
        self.bell = VirtualBell()
        self.tokens: dict[str, str] = {}
        self.events: dict[str, int] = {}
        self.plain = migrated(f"sqlite:///{folder / 'resultsq.db'}")
        self.plain.write(self._make_events)
        self.databases = {name: SteppedDatabase(self.plain, name) for name in _OPENED}
        self._looker = sqlite.driver.connect(folder / "resultsq.db", isolation_level=None)
        self.engine = open_engine(f"sqlite:///{folder / 'master.db'}")
        self._counted = Counted()
        self.ledger = Ledger(self.engine, self._counted)
        self.ledger.create_tables()
        self._store, self._masters = Copies(folder / "resultsq.db"), Copies(folder / "master.db")
        for copies in (self._store, self._masters):
            copies.keep("empty")
        rules = {TOKEN: TokenRule("this node"), OTHER_TOKEN: TokenRule("another node")}
        self.master = create_master(self.ledger, tokens=rules, clock=self.clock)
        self.settings = Settings(data_dir=folder)
        self.web: Flask = create_web(self.settings, self.databases["web"], clock=self.clock, bell=self.bell)
        self._extensions = dict(self.web.extensions)

    def _make_events(self, conn: Connection) -> None:
        for number in range(TEAMS):
            slug = f"event{number}"
            made = {"slug": slug, "name": slug, "time_zone": "Europe/London", "created_at": NOW}
            self.events[slug] = conn.execute(insert(Event).values(**made).returning(Event.id)).scalar_one()
            self.tokens[slug] = tokens.issue(conn, NOW, slug, Role.TEAM, self.events[slug])

    def begin(self, scheduler: Scheduler) -> None:
        """Everything is new: nothing of the last morning is left."""
        self.clock.scheduler = scheduler
        for copies in (self._store, self._masters):
            copies.put_back("empty")
        self.web.extensions = dict(self._extensions)  # without what it remembers
        self._counted.__init__()  # type: ignore[misc]  # the master is another process

    def look(self, query: str, *values: object) -> list[Any]:
        """What a query of ours finds in the store, without all that SQLAlchemy does for one: there are many."""
        found: list[Any] = self._looker.execute(query, values).fetchall()
        return found

    def back_up_master(self) -> None:
        """Copy the master's database."""
        self._masters.keep("yesterday")

    def restore_master(self) -> None:
        """The copy takes its place."""
        self._masters.put_back("yesterday")
        self._counted.__init__()  # type: ignore[misc]

    def end(self) -> None:
        """Let go of the morning."""
        self.bell.hear = _nothing
        for stepped in self.databases.values():
            vars(stepped).pop("disk", None)
            vars(stepped).pop("audit", None)

    def close(self) -> None:
        """Let go of every connection, for good."""
        self.end()
        for one in (self.plain, *self.databases.values()):
            one.close()
        self.engine.dispose()
        for connection in (self._looker, self._store, self._masters):
            connection.close()


@contextmanager
def workshop() -> Iterator[Workshop]:
    """One in a folder that goes with it."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = Workshop(Path(folder))
        try:
            yield made
        finally:
            made.close()
