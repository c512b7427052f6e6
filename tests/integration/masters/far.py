"""Real masters of every make, each behind a switch, for the conformance suite."""

import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from waitress.server import create_server

from resultsq.clock import Clock, SystemClock
from resultsq.delivery.masters import open_master
from resultsq.domain import sheet
from resultsq.domain.ports import Master, Parcel
from resultsq.domain.sheet import Finisher, Sheet
from resultsq.master.app import TokenRule, create_app
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from tests.support import certificates, processes, proxy, services

DATE = "2026-03-14"
TOKENS = ("token-of-one-node", "token-of-another")


@dataclass(frozen=True)
class Far:
    """A master, opened with one node's token and with another's, and the switch before it."""

    master: Master
    another: Master
    cut: Callable[[], None]
    mend: Callable[[], None]


def parcel(event: str = "bushy", rows: int = 3, on_top_of: str | None = None, **changes: Any) -> Parcel:
    """A sheet that every master takes; another number of rows is another sheet."""
    body = sheet.canonical_bytes(
        Sheet.model_validate(
            {
                "event": event,
                "date": DATE,
                "submitted_by": event,
                "submitted_at": f"{DATE}T10:42:11Z",
                "finishers": [Finisher(position=n, athlete=None, time="00:20:00") for n in range(1, rows + 1)],
            }
        )
    )
    made = {"body": body, "digest": sheet.digest(body), **changes}
    return Parcel("results", str(uuid.uuid4()), event, DATE, precondition=on_top_of, **made)


@contextmanager
def served(ledger: Ledger, clock: Clock | None = None) -> Iterator[int]:
    """The reference master over this ledger, on a socket; its port."""
    rules = {token: TokenRule(f"node-{n}") for n, token in enumerate(TOKENS)}
    app = create_app(ledger, tokens=rules, clock=clock)
    sockets: dict[Any, Any] = {}
    server = create_server(app, map=sockets, host=services.HOST, port=0, threads=12)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            server.asyncore.loop(timeout=1, map=sockets, use_poll=True, count=1)

    loop = threading.Thread(target=serve, daemon=True)
    loop.start()
    try:
        yield server.effective_port
    finally:
        ended.set()
        server.pull_trigger()
        loop.join(5)
        server.task_dispatcher.shutdown()
        server.asyncore.close_all(sockets)


@contextmanager
def _both(url: str, cut: Callable[[], None], mend: Callable[[], None], **options: Any) -> Iterator[Far]:
    one, another = (open_master(url, token, clock=SystemClock(), **options) for token in TOKENS)
    try:
        yield Far(one, another, cut, mend)
    finally:
        one.close()
        another.close()


def _behind(link: proxy.Proxy, scheme: str, **options: Any) -> AbstractContextManager[Far]:
    return _both(f"{scheme}://{services.HOST}:{link.port}", link.refuse, link.restore, **options)


@contextmanager
def _reference(_request: pytest.FixtureRequest, folder: Path) -> Iterator[Far]:
    engine = open_engine(f"sqlite:///{folder / 'ledger.db'}")
    ledger = Ledger(engine)
    ledger.create_tables()
    with served(ledger) as port, proxy.Proxy(port) as link, _behind(link, "http") as far:
        yield far
    engine.dispose()


@contextmanager
def _by_other_hands(_request: pytest.FixtureRequest, _folder: Path) -> Iterator[Far]:
    known = [word for token in TOKENS for word in ("--token", token)]
    with processes.OtherMaster(*known) as server, proxy.Proxy(server.port) as link, _behind(link, "http") as far:
        yield far


class _OverTls(processes.OtherMaster):
    def __init__(self, folder: Path, *arguments: str) -> None:
        self._authority = folder / "authority.pem"
        super().__init__("--certificate", str(folder / "good.pem"), *arguments)

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self._authority))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        with socket.create_connection((services.HOST, self.port), timeout=5) as plain:
            context.wrap_socket(plain, server_hostname=services.HOST).close()
        return True


@contextmanager
def _by_other_hands_over_tls(_request: pytest.FixtureRequest, folder: Path) -> Iterator[Far]:
    known = [word for token in TOKENS for word in ("--token", token)]
    ca_file = str(certificates.write(folder) / "authority.pem")
    with _OverTls(folder, *known) as server, proxy.Proxy(server.port) as link, ExitStack() as stack:
        yield stack.enter_context(_behind(link, "https", ca_file=ca_file))


@contextmanager
def _sqlite(_request: pytest.FixtureRequest, folder: Path) -> Iterator[Far]:
    url = f"sqlite:///{folder / 'ledger.db'}"
    engine = open_engine(url)
    with ExitStack() as stack:
        lock = stack.enter_context(ExitStack())

        def cut() -> None:
            lock.enter_context(engine.begin())

        yield stack.enter_context(_both(url, cut, lock.close))
    engine.dispose()


def through(link: proxy.Proxy, url: str) -> str:
    """A database's URL, by way of the switch."""
    changed = sa.make_url(url).set(host=services.HOST, port=link.port)
    return changed.render_as_string(hide_password=False)


@contextmanager
def _postgresql(request: pytest.FixtureRequest, _folder: Path) -> Iterator[Far]:
    url = request.getfixturevalue("postgres_url")
    target = sa.make_url(url).port or 0
    with proxy.Proxy(target) as link, _both(through(link, url), link.refuse, link.restore) as far:
        yield far


Make = Callable[[pytest.FixtureRequest, Path], Any]

MAKES: Mapping[str, Mapping[str, Make]] = {
    "http": {"reference": _reference, "by other hands": _by_other_hands},
    "https": {"by other hands": _by_other_hands_over_tls},
    "sqlite": {"ledger": _sqlite},
    "postgresql": {"ledger": _postgresql},
}
"""URL scheme → masters of that make. Every scheme of the registry is here."""
