"""What a use case works with: each entry point makes one, and passes it on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from resultsq.clock import Clock
from resultsq.settings import Settings
from resultsq.store.engine import audit
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction, with the time and the name that its lines of the audit carry: `who` is the person or program
    that asks."""

    conn: Connection
    now: datetime
    who: str

    def note(self, action: str, target: Mapping[str, Any], count: int = 1) -> None:
        """Add a line to the audit."""
        audit.note(self.conn, self.now, self.who, action, target, count)


@dataclass(frozen=True, slots=True)
class AppContext:
    """This node's settings, database, clock and bell."""

    settings: Settings
    database: Database
    clock: Clock
    bell: Bell

    def transact(self, who: str, do: Callable[[Transaction], T]) -> T:
        """Run `do` in one transaction and return its result."""
        now = self.clock.now()
        return self.database.write(lambda conn: do(Transaction(conn, now, who)))
