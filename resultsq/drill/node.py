"""A whole node and its master, raised for a rehearsal: database, broker, processes, and the link between them."""

import secrets
import uuid
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import requests
from sqlalchemy import Connection

from resultsq.app import mails
from resultsq.clock import Clock, SystemClock
from resultsq.domain.current_language import ENGLISH
from resultsq.domain.filter import Filter
from resultsq.domain.i18n import gettext
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.drill.link import HOST, LinkRelay, free_port
from resultsq.drill.processes import ProcessGroup
from resultsq.sealed import personal_keys
from resultsq.store.admin import events, number_blocks, reminders, tokens
from resultsq.store.admin.reminders import Asked
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.outbox import workers
from resultsq.store.views import listing, queries
from resultsq.store.views.listing import Order
from resultsq.supervisor import broker

_MOST_LEASED = 10_000
"""Athlete numbers in one block."""


@dataclass(frozen=True, slots=True)
class RehearsalNode:
    """What runs. Teams send to `addresses`; the observer asks `master` with `master_token`; `has_broker` False:
    the workers' own sweep delivers. `team_tokens` are by event."""

    addresses: tuple[str, ...]
    master: str
    master_token: str
    link: LinkRelay
    has_broker: bool
    team_tokens: dict[str, str]
    database: Database

    def states(self, submissions: Iterable[str]) -> dict[str, State]:
        """What the node itself says of these."""
        with self.database.read() as conn:
            views = [queries.submission(conn, each) for each in submissions]
        return {view.id: view.state for view in views if view is not None}

    def queue_mails(self, now: datetime, addresses: Iterable[str]) -> list[str]:
        """Queue a mail to each address, as the node itself does; their ids."""
        said = {"subject": "A rehearsal", "text": "Nobody is to do anything."}
        return self.database.write(lambda conn: [mails.queue(conn, now, address=each, **said) for each in addresses])

    def ask_reminders(self, now: datetime, addresses: Iterable[str]) -> list[str]:
        """Keep a request for each address, as the page does; their ids."""
        asked = {Asked(str(uuid.uuid4()), now, ENGLISH): address for address in addresses}

        def work(conn: Connection) -> None:
            for one, address in asked.items():
                reminders.ask(conn, now, one, address, secrets.token_bytes(16))

        self.database.write(work)
        return [one.id for one in asked]

    def digests(self, submissions: Iterable[str]) -> dict[str, str]:
        """Of these the digests; what the node has not queued is left out."""
        with self.database.read() as conn:
            views = [queries.submission(conn, each) for each in submissions]
        return {view.id: view.digest for view in views if view is not None}

    def mails(self) -> set[str]:
        """Every mail of this node, its own too."""
        with self.database.read() as conn:
            pieces = listing.every(conn, Filter(kinds=(mails.KIND,)), Order())
            return {line.id for piece in pieces for line in piece}

    def has_numbers(self) -> bool:
        """Whether athlete numbers are at hand."""
        with self.database.read() as conn:
            return number_blocks.left(conn, SystemClock().now()) > 0

    def workers(self) -> int:
        """How many workers have said that they live."""
        with self.database.read() as conn:
            return len(workers.every(conn))


@contextmanager
def raised(
    processes: ProcessGroup,
    slugs: Iterable[str],
    workers: int,
    webs: int = 1,
    store_url: str = "",
    mail_port: int | None = None,
    numbers: int = 200,
) -> Generator[RehearsalNode]:
    """A node with these events, run in `processes`, which ends the processes; this block ends the rest. `store_url`: an
    empty database; without it the node has SQLite in its folder. `mail_port`: where a mail server listens. `numbers`:
    how many athlete numbers are to be at hand.

    :raises RehearsalFailed: a process ended, or did not answer in time"""
    folder = processes.folder / "node"
    folder.mkdir(mode=0o700)
    store_url = store_url or f"sqlite:///{folder / 'resultsq.db'}"
    with ExitStack() as stack:
        database = Database(store_url, partial(personal_keys, "", folder))
        stack.callback(database.close)
        team_tokens = _populate(database, processes.clock, slugs)
        master_port, link_port, *web_ports = _free_ports(2 + webs)
        addresses = tuple(f"http://{HOST}:{port}" for port in web_ports)
        master = f"http://{HOST}:{master_port}"

        master_token = secrets.token_urlsafe(24)
        token_file = processes.folder / "master-token"
        token_file.write_text(master_token)
        master_options: list[str | Path] = ["--port", str(master_port), "--token-file", token_file]
        processes.start("master", "master", *master_options, data_dir=processes.folder / "master")

        broker = _start_broker(processes, stack)
        leased = min(numbers, _MOST_LEASED)
        common = {"data_dir": folder, "database_url": store_url, "broker_url": broker, "registration": True}
        common |= {"number_block_size": leased, "number_block_low": leased, "event_submissions_per_day": 0}
        for number, port in enumerate(web_ports, start=1):
            processes.start(f"web-{number}", "web", **common, host=HOST, port=port)
        far_side = {"master_url": f"http://{HOST}:{link_port}", "master_token": master_token}
        if mail_port is not None:
            far_side |= {"smtp_url": f"smtp://{HOST}:{mail_port}"}
        for number in range(1, workers + 1):
            processes.start(f"worker-{number}", "worker", **common, **far_side)

        processes.wait_for(gettext("An answer of the master"), lambda: answers(f"{master}/v1/health"))
        for address in addresses:
            processes.wait_for(gettext("An answer of the web process"), partial(answers, f"{address}/healthz"))
        link = stack.enter_context(LinkRelay(link_port, master_port))
        yield RehearsalNode(addresses, master, master_token, link, bool(broker), team_tokens, database)


def _free_ports(count: int) -> list[int]:
    """So many, each another: nothing listens on them yet."""
    found: list[int] = []
    while len(found) < count:
        found.append(free_port(frozenset(found)))
    return found


def _populate(database: Database, clock: Clock, slugs: Iterable[str]) -> dict[str, str]:
    """Make the tables, the events and a team's token for each; the tokens by event."""
    migrate.upgrade(database)
    rows = [{"slug": slug, "name": slug.replace("-", " ").title()} for slug in slugs]

    def work(conn: Connection) -> dict[str, str]:
        events.import_rows(conn, clock.now(), rows)
        return {
            event.slug: tokens.issue(conn, clock.now(), "rehearsal", Role.TEAM, event.id)
            for event in events.every(conn)
        }

    return database.write(work)


def _start_broker(processes: ProcessGroup, stack: ExitStack) -> str:
    """Start a Valkey or Redis on a socket; its URL, or nothing where there is none."""
    binary = broker.broker_binary()
    if binary is None:
        return ""
    folder = processes.folder / "broker"
    unix_socket = stack.enter_context(broker.socket_folder(folder)) / broker.BROKER_SOCKET
    processes.start_foreign("broker", broker.broker_command(binary, folder, unix_socket))
    processes.wait_for(gettext("The broker's socket"), unix_socket.exists)
    return f"redis+socket://{unix_socket}"


def answers(url: str) -> bool:
    """Whether it answers 200 at that address."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False
