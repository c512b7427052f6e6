"""What a web process holds, for any view to ask."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from resultsq.clock import Clock
from resultsq.settings import Settings
from resultsq.store.session import Database
from resultsq.wakeup import Bell

_KEY = "resultsq"


@dataclass(frozen=True, slots=True)
class Node:
    """This node's settings, database, clock and bell."""

    settings: Settings
    database: Database
    clock: Clock
    bell: Bell


def put(app: Flask, held: Node) -> None:
    """Make `held` what `node` gives in requests to `app`."""
    app.extensions[_KEY] = held


def node() -> Node:
    """The node of the app whose request this is."""
    return cast(Node, current_app.extensions[_KEY])
