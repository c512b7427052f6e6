"""A PgBouncer in front of a PostgreSQL server."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from resultsq.drill import postgres
from tests.support.services import HOST, Missing, Server

CONNECTIONS = 3
"""Of the pooler to the server for one database: fewer than clients, so that their transactions change places."""

ADVISED = {"query_wait_timeout": 5, "query_timeout": 20, "server_login_retry": 1, "tcp_user_timeout": 10_000}
"""What the README says to set."""


class PgBouncer(Server):
    """Leads to every database of the server at `target`. `mode`: session, transaction or statement."""

    name = "pgbouncer"

    def __init__(self, target: int, mode: str) -> None:
        found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if found is None:
            raise Missing("No PgBouncer here: install Debian's pgbouncer.")
        super().__init__()
        self._binary = found
        if who := postgres.identity():
            os.chown(self.folder, who["user"], who["group"])
        settings = {
            "listen_addr": HOST,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": CONNECTIONS,
            "server_round_robin": 1,
            **ADVISED,
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        databases = f"[databases]\n* = host={HOST} port={target} user=postgres\n"
        self._file.write_text("\n".join([databases, "[pgbouncer]", *lines, ""]))
        self._file.chmod(0o644)  # another user reads it, whatever the umask is

    @property
    def _file(self) -> Path:
        return self.folder / "pgbouncer.ini"

    def through(self, url: str) -> str:
        """The same database's URL by way of the pooler."""
        return make_url(url).set(host=HOST, port=self.port).render_as_string(hide_password=False)

    def _options(self) -> dict[str, Any]:
        return {**postgres.identity()}

    def _command(self) -> Sequence[str | Path]:
        return [self._binary, "-q", self._file]

    def _answers(self) -> bool:
        psycopg.connect(host=HOST, port=self.port, user="postgres", dbname="postgres", connect_timeout=5).close()
        return True
