"""What a use case works with: each entry point makes one, and passes it on."""

from dataclasses import dataclass

from resultsq.clock import Clock
from resultsq.settings import Settings
from resultsq.store.session import Database
from resultsq.wakeup import Bell


@dataclass(frozen=True, slots=True)
class AppContext:
    """This node's settings, database, clock and bell."""

    settings: Settings
    database: Database
    clock: Clock
    bell: Bell
