"""Runs the reference master: waitress in front of `create_app`, ended in good order by SIGTERM."""

import base64
import binascii
import signal
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from waitress.server import create_server

from resultsq import logs
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext_noop, kept_sentence
from resultsq.master.app import MAX_BODY_BYTES, TokenRule, create_app
from resultsq.master.database import UNAVAILABLE, open_engine
from resultsq.master.ledger import Ledger, node_of
from resultsq.readers.athletes_list import ListedAthlete

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LEAST_KEY_BYTES = 16

log = logs.get("master")


def serve(
    *,
    database_url: str,
    tokens: Sequence[str],
    host: str = "127.0.0.1",
    port: int = 8470,
    events: Collection[str] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    threads: int = 16,
    delay_s: float = 0.0,
    slots: int | None = None,
    athletes: Iterable[ListedAthlete] = (),
    mail_keys: Sequence[str] = (),
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are finished first.

    `tokens` and `mail_keys` are written as `token_rules` reads them; `events` None takes any event. `delay_s` and
    `slots` are rehearsal aids: each PUT takes that many seconds longer, and beyond that many at once it is a 503.

    :raises SettingsError: a token is missing or cannot be read, the database cannot be opened, or the port is
        taken"""
    rules = token_rules(tokens, mail_keys)
    engine = open_engine(database_url, pool_size=threads)
    try:
        ledger = Ledger(engine)
        ledger.create_tables()
        ledger.athletes.load(athletes)
        app: WSGIApplication = create_app(ledger, tokens=rules, events=events, max_body_bytes=max_body_bytes)
        if delay_s or slots is not None:
            app = Rehearsal(app, delay_s, slots)
        server = create_server(
            app,
            host=host,
            port=port,
            threads=threads,
            ident="results-master",
            # The application answers a body over its limit with problem details; this only saves the disk.
            max_request_body_size=8 * max_body_bytes,
        )
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _leave)
        log.info("master.ready", address=f"http://{host}:{server.effective_port}")
        try:
            server.run()  # returns after SystemExit and KeyboardInterrupt, with its threads' work done
        finally:
            server.close()
    except UNAVAILABLE as error:
        raise SettingsError(
            gettext_noop(
                "The master's database cannot be opened, so nothing can be published. Check its URL, and that it runs."
            )
        ) from error
    except OSError as error:
        raise SettingsError(
            kept_sentence(
                "The master cannot listen on {host}:{port}: {reason}.", host=host, port=port, reason=error.strerror
            )
        ) from error
    finally:
        engine.dispose()


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def token_rules(tokens: Sequence[str], mail_keys: Sequence[str] = ()) -> dict[str, TokenRule]:
    """Tokens as a person writes them: `TOKEN`, `NODE:TOKEN` or `NODE:EVENT,EVENT:TOKEN`. Without a name the node is
    called after the token's hash. Keys of nodes that get hashes of addresses: `NODE:KEY`, the key in base64.

    :raises SettingsError: a token or a key cannot be read, or there is no token"""
    keys = dict(map(_mail_key, mail_keys))
    rules: dict[str, TokenRule] = {}
    for text in tokens:
        *said, token = text.split(":")
        if not token or len(said) > 2:
            raise SettingsError(
                gettext_noop("A master's token is written TOKEN, NODE:TOKEN or NODE:EVENT,EVENT:TOKEN.")
            )
        node = said[0] if said else node_of(token)
        rules[token] = TokenRule(node, frozenset(said[1].split(",")) if len(said) == 2 else None, keys.get(node))
    if not rules:
        raise SettingsError(gettext_noop("The master has no token, so no node could publish. Give it at least one."))
    return rules


def _mail_key(text: str) -> tuple[str, bytes]:
    node, _, written = text.partition(":")
    try:
        key = base64.b64decode(written.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not node or len(key) < LEAST_KEY_BYTES:
        raise SettingsError(
            kept_sentence(
                "A key for addresses is written NODE:KEY, and has {number} bytes or more in base64.",
                number=LEAST_KEY_BYTES,
            )
        )
    return node, key


class Rehearsal:
    """A slow or small master to rehearse with: around the application, so that the master itself has no such
    switches. `delay_s` is slept in each PUT; one beyond `slots` at once gets Retry-After: 1."""

    def __init__(self, app: "WSGIApplication", delay_s: float = 0.0, slots: int | None = None) -> None:
        self._app = app
        self._delay_s = delay_s
        self._slots = None if slots is None else threading.BoundedSemaphore(slots)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "PUT":
            return self._app(environ, start_response)
        if self._slots is not None and not self._slots.acquire(blocking=False):
            start_response(
                "503 Service Unavailable",
                [("Content-Type", "application/problem+json"), ("Retry-After", "1")],
            )
            return [b'{"title": "Service Unavailable", "status": 503, "detail": "All slots are taken."}']
        try:
            time.sleep(self._delay_s)
            return self._app(environ, start_response)
        finally:
            if self._slots is not None:
                self._slots.release()
