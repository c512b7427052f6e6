"""`up`: all processes of a node on one machine, brought back when they die and ended together.

The children are the commands that an operator would start one by one. This process loads what they run, each before
it is forked, and asks the database nothing.
"""

import http.client
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Self
from urllib.parse import urlsplit

from resultsq.address import note, phone_url, url
from resultsq.clock import Clock
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.settings import PREFIX, Settings
from resultsq.supervisor.broker import BROKER_SOCKET, broker_binary, broker_command, socket_folder
from resultsq.supervisor.children import DEMO, SCHEMA, Supervisor
from resultsq.supervisor.demo import DEMO_EVENTS, DEMO_OUTAGE_S
from resultsq.supervisor.folder import MASTER_DATABASE, TICK_S, write_secret
from resultsq.supervisor.forking import OwnCommands

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the person who starts the node asked for.

    `verbose`: show each request and each line of the broker. `demo`: fill an empty node with events and results,
    and keep its master away for the first `DEMO_OUTAGE_S`. `qr_code` writes a QR code of an address; None: no
    terminal is there to show one."""

    verbose: bool = False
    demo: bool = False
    qr_code: Callable[[str], None] | None = None


def run(settings: Settings, clock: Clock, lock: int, own_commands: OwnCommands, say: Say, options: UpOptions) -> None:
    """Run a node until SIGTERM or Ctrl-C. `lock` comes from `claimed`; `say` tells the person who started it.

    :raises SettingsError: the port is taken, or a child cannot run with these settings"""
    port = _port(settings.host, settings.port)
    leave = _Leave()
    supervisor = Supervisor(clock, lock, own_commands)
    env = _environment(settings, port, options)
    with ExitStack() as stack:
        stack.callback(supervisor.end)
        env |= _start_broker(settings, supervisor, stack, say, quiet=not options.verbose)
        supervisor.load("db")
        supervisor.start(SCHEMA, "db", "upgrade", "--first-admin", env=env, once=True)
        # all that will be forked, before the first of them: what is loaded later is not shared with those before
        supervisor.load("web", "worker", *([] if settings.master_url.get_secret_value() else ["master"]))
        supervisor.start("web", "web", env=env)
        delivery = _start_delivery(settings, clock, supervisor, env, say, options)
        ready = False
        while not leave.asked:
            supervisor.tend(TICK_S)
            next(delivery, None)
            if not ready and _answers(settings.host, port):
                ready = True
                _tell_address(settings, port, say, options)
        say(gettext("Stopping: what is being sent is finished; what waits is sent after the next start."))


def _environment(settings: Settings, port: int, options: UpOptions) -> dict[str, str]:
    env = {**os.environ, f"{PREFIX}DATA_DIR": str(settings.data_dir)}
    env |= {f"{PREFIX}HOST": settings.host, f"{PREFIX}PORT": str(port)}
    if not options.verbose:
        env |= {f"{PREFIX}LOG_REQUESTS": "false"}
    return env


def _start_delivery(
    settings: Settings, clock: Clock, supervisor: Supervisor, env: dict[str, str], say: Say, options: UpOptions
) -> Iterator[None]:
    """Start what needs the tables, step by step: the next step is tried each time the iterator is asked."""
    while not supervisor.has_done(SCHEMA):
        yield
    if options.demo:
        supervisor.start(DEMO, "demo-data", env=env, once=True)
        while not supervisor.has_done(DEMO):
            yield
    master = None if settings.master_url.get_secret_value() else _OwnMaster.prepare(settings)
    if master is not None:
        env |= master.env
    if master is not None and not options.demo:
        master.start(supervisor, env, say)
    supervisor.start("worker", "worker", env=env)
    if master is not None and options.demo:
        away = gettext(
            "The demo's master is away for {number} s: look at how the results wait for it.",
            number=f"{DEMO_OUTAGE_S:.0f}",
        )
        say(away)
        give_up = clock.monotonic() + DEMO_OUTAGE_S
        while clock.monotonic() < give_up:
            yield
        # it refuses the one event that it does not know
        master.start(supervisor, env, say, *(word for slug in DEMO_EVENTS for word in ("--event", slug)))


def _tell_address(settings: Settings, port: int, say: Say, options: UpOptions) -> None:
    """Say where the node is, and note the address for links. Scripts that look for
    `resultsq is at` start it with LC_ALL=C."""
    here, phone = url(settings.host, port), phone_url(settings.host, port)
    public = settings.public_url.rstrip("/")
    note(settings.data_dir, phone or here)
    say(gettext("resultsq is at {address} (Ctrl-C ends it).", address=here))
    reachable = public or phone
    if reachable is None:
        say(
            gettext(
                "Only this machine can open it. For phones on the same network: {command}",
                command="resultsq up --host 0.0.0.0",
            )
        )
        return
    if public:
        say(gettext("People open {address}", address=public))
    else:
        say(gettext("Phones on the same network open {address}", address=reachable))
    if options.qr_code is not None:
        options.qr_code(reachable)


class _Leave:
    """Whether a signal asked us to end. The handlers only take a note, so that nothing is cut in the middle."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def _start_broker(
    settings: Settings, supervisor: Supervisor, stack: ExitStack, say: Say, quiet: bool
) -> dict[str, str]:
    if settings.broker_url.get_secret_value():
        say(gettext("The broker is the one in the settings."))
        return {}
    binary = broker_binary() if sys.platform == "linux" else None
    if binary is None:
        say(gettext("There is no broker here; none is needed: the worker looks into the database every second."))
        return {}
    folder = settings.data_dir / "broker"
    unix_socket = stack.enter_context(socket_folder(folder)) / BROKER_SOCKET
    supervisor.start_foreign("broker", *broker_command(binary, folder, unix_socket), quiet=quiet)
    return {f"{PREFIX}BROKER_URL": f"redis+socket://{unix_socket}"}


@dataclass(frozen=True, slots=True)
class _OwnMaster:
    """The reference master that runs beside a node for which none is set."""

    host: str
    port: int
    token_file: Path
    database_url: str

    @classmethod
    def prepare(cls, settings: Settings) -> Self:
        token_file = settings.data_dir / "master-token"
        if not token_file.exists():
            write_secret(token_file, secrets.token_urlsafe(32))
        host = "127.0.0.1"
        return cls(host, _port(host, 0), token_file, f"sqlite:///{settings.data_dir / MASTER_DATABASE}")

    @property
    def env(self) -> dict[str, str]:
        """What tells the worker of it."""
        return {
            f"{PREFIX}MASTER_URL": url(self.host, self.port),
            f"{PREFIX}MASTER_TOKEN": self.token_file.read_text().strip(),
        }

    def start(self, supervisor: Supervisor, env: Mapping[str, str], say: Say, *more: str) -> None:
        where = ["--host", self.host, "--port", str(self.port), "--database-url", self.database_url]
        supervisor.start("master", "master", *where, "--token-file", str(self.token_file), *more, env=env)
        address = url(self.host, self.port)
        say(gettext("No master is set, so a reference master runs here too, on {address}.", address=address))


def _port(host: str, port: int) -> int:
    """`port`, or a free one for 0: fixed once, so that a child which comes back listens where it did.

    :raises SettingsError: it cannot be listened on"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                gettext(
                    "Nothing can listen on port {port} of {host}: {reason}. Choose another with --port.",
                    port=port,
                    host=host,
                    reason=error.strerror,
                )
            ) from None
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url(host, port)).netloc, timeout=0.5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
