"""A real web process with two teams, and people who come to it over sockets."""

import html
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests
from sqlalchemy import Connection

from resultsq.domain.role import Role
from resultsq.store.admin import accounts, events, tokens
from resultsq.store.engine.session import Database
from tests.support.days import DAY, IN_FILES
from tests.support.nodes import migrated
from tests.support.passwords import hashed
from tests.support.processes import Process
from tests.support.services import HOST

NOW = datetime(2013, 12, 7, 9, tzinfo=UTC)
PASSWORD = "wet-hands-0n-deck"
TEAMS = ("bushy", "richmond")
STOPWATCH = b"""STARTOFEVENT,07/12/2013 09:00:00,junsd_stopwatch
0,07/12/2013 09:00:00
1,07/12/2013 09:17:31,00:17:31
2,07/12/2013 09:18:02,00:18:02
ENDOFEVENT,07/12/2013 09:30:00
"""
SCANNER = f"A7654321,P0001,{IN_FILES} 09:20:00\nA7654322,P0002,{IN_FILES} 09:21:00\n".encode()
_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')
RESULTSQ = (sys.executable, "-m", "resultsq")
Files = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Site:
    """The process, its address, its store, and the teams' tokens."""

    web: Process
    port: int
    database: Database
    tokens: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def browser(self, team: str, **headers: str) -> "Browser":
        """A browser in which a team has logged in."""
        made = Browser(self.url, headers)
        answer = made.fill("/login", "/login", {"name": team, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return made


class Browser:
    """Gets pages, and sends their forms back with everything that was hidden in them."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers)

    def get(self, path: str) -> requests.Response:
        return self.session.get(f"{self.url}{path}", allow_redirects=False, timeout=20)

    def post(self, path: str, fields: Mapping[str, str], files: Files = ()) -> requests.Response:
        parts = [("files", file) for file in files]
        return self.session.post(f"{self.url}{path}", fields, files=parts, allow_redirects=False, timeout=20)

    def hidden(self, page: str, action: str) -> dict[str, str]:
        """The fields of the form on `page` that goes to `action`."""
        text = self.get(page).text
        found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.DOTALL)
        assert found is not None, f"no form to {action} on {page}: {text}"
        return {name: html.unescape(value) for name, value in _FIELD.findall(found[0])}

    def fill(self, page: str, action: str, fields: Mapping[str, str], files: Files = ()) -> requests.Response:
        return self.post(action, {**self.hidden(page, action), **fields}, files)

    def submit(self, event: str, files: Files) -> str:
        """From files to the receipt; the submission's id."""
        self.fill(f"/submit/{event}", f"/submit/{event}/files", {}, files)
        self.fill(f"/submit/{event}", f"/submit/{event}/date", {"date": DAY})
        answer = self.fill(f"/submit/{event}", f"/submit/{event}/send", {})
        assert "/submissions/" in answer.headers.get("Location", ""), answer.text
        return answer.headers["Location"].rpartition("/")[2]


@contextmanager
def raised(folder: Path, program: Sequence[str] = RESULTSQ, **settings: str) -> Iterator[Site]:
    """A node's web process on a fresh database in `folder`; `program` is the command line before its arguments."""
    stored = hashed(PASSWORD)

    def prepare(conn: Connection) -> dict[str, str]:
        issued = {}
        for team in TEAMS:
            event = events.add(conn, NOW, team, f"{team.title()} Park", "Europe/London")
            accounts.add(conn, NOW, team, stored, Role.TEAM, [team])
            issued[team] = tokens.issue(conn, NOW, "laptop", Role.TEAM, event)
        return issued

    env = {"RESULTSQ_DATA_DIR": str(folder), "RESULTSQ_LOG_FORMAT": "json"}
    env |= {f"RESULTSQ_{name.upper()}": value for name, value in settings.items()}
    with closing(migrated(f"sqlite:///{folder / 'resultsq.db'}")) as database:
        issued = database.write(prepare)
        with Process("web", "--port", "0", env=env, program=program) as web:
            web.wait_for("web.ready", 60)
            found = re.search(rf"http://{re.escape(HOST)}:(\d+)", web.stderr)
            assert found is not None, web
            yield Site(web, int(found[1]), database, issued)
            print(web)
