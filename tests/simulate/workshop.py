"""What the mornings of one process share, because it is dear to make: the engines with their compiled statements, the
two applications, and the empty databases that each morning begins with."""

import shutil
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
from resultsq.store.engine.session import Database
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
_WAL = ("", "-wal", "-shm")


def _nothing() -> None:
    return


class VirtualBell(Bell):
    """Its rings are heard as the morning says."""

    def __init__(self) -> None:
        super().__init__("")
        self.hear: Callable[[], None] = _nothing

    def ring(self) -> None:
        self.hear()


class Workshop:
    """`begin` makes it as new for the next morning."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = VirtualClock(Scheduler(Random(0)))
        self.bell = VirtualBell()
        self.tokens: dict[str, str] = {}
        self.events: dict[str, int] = {}
        self._make_templates()
        store = folder / "resultsq.db"
        shutil.copy(folder / "empty.db", store)
        self.plain = Database(f"sqlite:///{store}")
        self.databases = {name: SteppedDatabase(self.plain, name) for name in _OPENED}
        self._looker: Any = None
        self.engine = open_engine(f"sqlite:///{folder / 'master.db'}")
        self._counted = Counted()
        self.ledger = Ledger(self.engine, self._counted)
        rules = {TOKEN: TokenRule("this node"), OTHER_TOKEN: TokenRule("another node")}
        self.master = create_master(self.ledger, tokens=rules, clock=self.clock)
        self.settings = Settings(data_dir=folder)
        self.web: Flask = create_web(self.settings, self.databases["web"], clock=self.clock, bell=self.bell)
        self._extensions = dict(self.web.extensions)

    def _make_templates(self) -> None:
        database = migrated(f"sqlite:///{self._folder / 'empty.db'}")
        database.write(self._make_events)
        database.close()
        engine = open_engine(f"sqlite:///{self._folder / 'empty-master.db'}")
        Ledger(engine).create_tables()
        engine.dispose()

    def _make_events(self, conn: Connection) -> None:
        for number in range(TEAMS):
            slug = f"event{number}"
            made = {"slug": slug, "name": slug, "time_zone": "Europe/London", "created_at": NOW}
            self.events[slug] = conn.execute(insert(Event).values(**made).returning(Event.id)).scalar_one()
            self.tokens[slug] = tokens.issue(conn, NOW, slug, Role.TEAM, self.events[slug])

    def begin(self, scheduler: Scheduler) -> None:
        """Everything is new: nothing of the last morning is left."""
        self.close()
        self.clock.scheduler = scheduler
        for template, name in (("empty.db", "resultsq.db"), ("empty-master.db", "master.db")):
            for end in _WAL:
                (self._folder / f"{name}{end}").unlink(missing_ok=True)
            shutil.copy(self._folder / template, self._folder / name)
        self.web.extensions = dict(self._extensions)  # without what it remembers
        self._counted.__init__()  # type: ignore[misc]  # the master is another process

    def look(self, query: str, *values: object) -> list[Any]:
        """What a query of ours finds in the store, without all that SQLAlchemy does for one: there are many."""
        if self._looker is None:
            self._looker = sqlite.driver.connect(self._folder / "resultsq.db", isolation_level=None)
        found: list[Any] = self._looker.execute(query, values).fetchall()
        return found

    def back_up_master(self) -> None:
        """Copy the master's database."""
        self.engine.dispose()
        shutil.copy(self._folder / "master.db", self._folder / "yesterday.db")

    def restore_master(self) -> None:
        """The copy takes its place."""
        self.engine.dispose()
        for end in _WAL:
            (self._folder / f"master.db{end}").unlink(missing_ok=True)
        shutil.copy(self._folder / "yesterday.db", self._folder / "master.db")
        self._counted.__init__()  # type: ignore[misc]

    def close(self) -> None:
        """Let go of every connection, and of the morning. Connections are made again when one is needed."""
        for one in (self.plain, *self.databases.values()):
            one._leave_writer()  # `close` is for good
            one.engine.dispose()
        self.engine.dispose()
        if self._looker is not None:
            self._looker.close()
            self._looker = None
        self.bell.hear = _nothing
        for stepped in self.databases.values():
            vars(stepped).pop("disk", None)
            vars(stepped).pop("audit", None)


@contextmanager
def workshop() -> Iterator[Workshop]:
    """One in a folder that goes with it."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = Workshop(Path(folder))
        try:
            yield made
        finally:
            made.close()
