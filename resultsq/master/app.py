"""The HTTP face of the reference master: upload contract (CONTRACT.md), version 1.1, over one `Ledger`.

It is written from the contract alone and shares no wire code with the node's HTTP adapter, so that a mistake
cannot be made the same way on both sides. Its calls are in `routes`.
"""

from collections.abc import Collection, Mapping

from flask import Flask

from resultsq.clock import Clock, SystemClock
from resultsq.master import routes
from resultsq.master.answers import add_error_handlers
from resultsq.master.context import MasterContext
from resultsq.master.credentials import Credentials
from resultsq.master.credentials import TokenRule as TokenRule
from resultsq.master.ledger import Ledger

MAX_BODY_BYTES = 8 * 2**20


def create_app(
    ledger: Ledger,
    *,
    tokens: Mapping[str, TokenRule],
    events: Collection[str] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    clock: Clock | None = None,
) -> Flask:
    """The WSGI application. `events` None takes any event; `max_body_bytes` bounds a sheet before and after
    decompression. The ledger's tables must be there."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    routes.add_routes(app, MasterContext(ledger, Credentials(tokens), events, max_body_bytes, clock or SystemClock()))
    add_error_handlers(app)
    return app
