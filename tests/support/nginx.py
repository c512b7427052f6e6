"""A real nginx, with a configuration of the test's own."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tests.conftest import give_up
from tests.support.services import HOST, Missing, free_port
from tests.support.waiting import wait_until


def installed(name: str, package: str) -> str:
    """A program of Debian's package `package`, which need not be on an ordinary user's PATH."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        give_up(Missing(f"No {name} here: install Debian's {package}."))
    return found


def whole(folder: Path, site: str, more: str = "") -> str:
    """A whole configuration that keeps its files in `folder`. `site` belongs into its http block, `more` before it."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    return f"pid {folder / 'pid'};\n{more}events {{}}\nhttp {{\n{temporary}{site} }}\n"


@contextmanager
def running(folder: Path, port: int) -> Iterator[int]:
    """nginx with the `nginx.conf` of that folder, once it listens on the port; its pid."""
    program = installed("nginx", "nginx-light")
    started = subprocess.Popen([program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")])
    try:
        wait_until(lambda: _listens(port), 20, "nginx")
        yield started.pid
    finally:
        started.terminate()
        started.wait(20)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


class RefusingProxy:
    """nginx in front of a port, which refuses one path by itself when a test asks for it. A context manager."""

    def __init__(self, folder: Path, behind: int) -> None:
        self._folder, self._behind, self._port = folder, behind, free_port()
        self._loads = 0
        self._running: Any = None
        self._pid = 0

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._port}"

    def __enter__(self) -> Self:
        self._write("")
        self._running = running(self._folder, self._port)
        self._pid = self._running.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)

    def refusing(self, path: str, status: int) -> Callable[..., Iterator[None]]:
        """For the length of a block, what is sent there is answered like this: 413, 429 or 502."""
        rule = {
            413: f"client_max_body_size 16; proxy_pass http://{HOST}:{self._behind};",
            429: "return 429;",
            502: f"proxy_pass http://{HOST}:{free_port()};",
        }[status]

        def strikes(*_: object) -> Iterator[None]:
            self._load(f"location = {path} {{ {rule} }}")
            yield
            self._load("")

        return strikes

    def _write(self, more: str) -> None:
        here = f"location = /loads {{ return 200 '{self._loads}'; }}"
        pass_on = f"location / {{ proxy_pass http://{HOST}:{self._behind}; proxy_set_header Host $http_host; }}"
        site = f"access_log off; server {{ listen {HOST}:{self._port}; {here} {pass_on} {more} }}"
        user = "user root;\n" if os.geteuid() == 0 else ""
        text = whole(self._folder, site, f"{user}daemon off;\nworker_processes 1;\nerror_log /dev/null;\n")
        (self._folder / "nginx.conf").write_text(text)

    def _load(self, more: str) -> None:
        self._loads += 1
        self._write(more)
        os.kill(self._pid, signal.SIGHUP)
        wait_until(lambda: self._loaded() == str(self._loads), 20, "nginx has its new configuration")

    def _loaded(self) -> str:
        with closing(http.client.HTTPConnection(HOST, self._port, timeout=5)) as asked:
            asked.request("GET", "/loads")
            return asked.getresponse().read().decode()
