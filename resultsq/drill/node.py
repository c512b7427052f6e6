"""A whole node and its master, raised for a rehearsal: database, broker, processes, and the link between them."""

import secrets
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import Connection

from resultsq import embedded
from resultsq.clock import Clock
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.drill.link import HOST, Link, free_port
from resultsq.drill.stage import Stage
from resultsq.store import events, migrate, queries, tokens
from resultsq.store.session import Database


@dataclass(frozen=True, slots=True)
class Node:
    """What runs. Teams send to `address`; the witness asks `master` with `master_token`; `has_broker` False:
    the workers' own sweep delivers. `team_tokens` are by event."""

    address: str
    master: str
    master_token: str
    link: Link
    has_broker: bool
    team_tokens: dict[str, str]
    database: Database

    def settled(self, submissions: Iterable[str]) -> frozenset[str]:
        """Those that the node itself calls published."""
        with self.database.read() as conn:
            views = [queries.submission(conn, each) for each in submissions]
        return frozenset(view.id for view in views if view is not None and view.state is State.PUBLISHED)


@contextmanager
def raised(stage: Stage, slugs: Iterable[str], workers: int) -> Generator[Node]:
    """A node with these events on `stage`. The processes end with the stage, the rest with this block.

    :raises RehearsalFailed: a process ended, or did not answer in time"""
    folder = stage.folder / "node"
    folder.mkdir(mode=0o700)
    with ExitStack() as stack:
        database = Database(f"sqlite:///{folder / 'resultsq.db'}")
        stack.callback(database.close)
        team_tokens = _populate(database, stage.clock, slugs)
        web_port, master_port, link_port = free_port(), free_port(), free_port()
        address, master = f"http://{HOST}:{web_port}", f"http://{HOST}:{master_port}"

        master_token = secrets.token_urlsafe(24)
        token_file = stage.folder / "master-token"
        token_file.write_text(master_token)
        master_options: list[str | Path] = ["--port", str(master_port), "--token-file", token_file]
        stage.start("master", "master", *master_options, data_dir=stage.folder / "master")

        broker = _start_broker(stage, stack)
        common = {"data_dir": folder, "broker_url": broker}
        stage.start("web", "web", **common, host=HOST, port=web_port)
        far_side = {"master_url": f"http://{HOST}:{link_port}", "master_token": master_token}
        for number in range(1, workers + 1):
            stage.start(f"worker-{number}", "worker", **common, **far_side)

        stage.wait_for("An answer of the master", lambda: _answers(f"{master}/v1/health"))
        stage.wait_for("An answer of the web process", lambda: _answers(f"{address}/healthz"))
        link = stack.enter_context(Link(link_port, master_port))
        yield Node(address, master, master_token, link, bool(broker), team_tokens, database)


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


def _start_broker(stage: Stage, stack: ExitStack) -> str:
    """Start a Valkey or Redis on a socket; its URL, or nothing where there is none."""
    binary = embedded.broker_binary()
    if binary is None:
        return ""
    folder = stage.folder / "broker"
    unix_socket = stack.enter_context(embedded.socket_folder(folder)) / embedded.BROKER_SOCKET
    stage.start_foreign("broker", embedded.broker_command(binary, folder, unix_socket))
    stage.wait_for("The broker's socket", unix_socket.exists)
    return f"redis+socket://{unix_socket}"


def _answers(url: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False
