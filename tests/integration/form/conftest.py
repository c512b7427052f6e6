"""A node with two teams, and their browsers without a browser: a client that fills in forms."""

import html
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from resultsq.domain.athletes import Athlete
from resultsq.domain.role import Role
from resultsq.sealed import PersonalKeys
from resultsq.settings import Settings
from resultsq.store.admin import accounts, events
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.support.athletes import load
from tests.support.manual_clock import ManualClock
from tests.support.passwords import hashed
from tests.support.templates import compiled_once

NOW = datetime(2013, 12, 7, 10, 42, tzinfo=UTC)
DAY = "2013-12-07"
PASSWORD = "wet hands"
HASHED = hashed(PASSWORD)

STOPWATCH = b"""STARTOFEVENT,07/12/2013 09:00:00,junsd_stopwatch
0,07/12/2013 09:00:00
1,07/12/2013 09:17:31,00:17:31
2,07/12/2013 09:18:02,00:18:02
3,07/12/2013 09:19:40,00:19:40
ENDOFEVENT,07/12/2013 09:30:00
"""
SCANNER = b"""A1234567,P0001,07/12/2013 09:20:00
A7654321,P0003,07/12/2013 09:21:00
"""
FILES = [("stopwatch.csv", STOPWATCH), ("scanner.csv", SCANNER)]

AS_OF = NOW - timedelta(hours=3, minutes=44)
PEOPLE = [
    Athlete("A1234567", "Jane SMITH", "Harriers", "bushy", 57),
    Athlete("A1234577", "Ann JONES", None, "bushy", 12),
    Athlete("A7654321", "Tom BROWN", None, "richmond", 3),
    Athlete("A1234568", "Eva GREEN", None, "richmond", 90),
    Athlete("A8888", None),
]
"""The list of athletes, where a test loads it."""

_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


class Site:
    """The application, its store and a clock that stands until it is moved."""

    def __init__(self, folder: Path, bell: Bell, **more: Any) -> None:
        self._bell = bell
        self.settings = Settings(data_dir=folder, **more)
        self.database = Database(self.settings.store_url)
        self.clock = ManualClock(NOW)
        self.app = compiled_once(create_app(self.settings, self.database, clock=self.clock, bell=bell))

    def with_key(self) -> "Site":
        """The same with a key for personal data."""
        self.database.close()
        self.database = Database(self.settings.store_url, lambda: PersonalKeys.of([bytes(32)]))
        self.app = compiled_once(create_app(self.settings, self.database, clock=self.clock, bell=self._bell))
        return self

    def browser(self, name: str | None = None) -> "Browser":
        """A browser of its own, logged in where a name is given."""
        return Browser(self.app.test_client(), name)


class Browser:
    """Gets pages and sends their forms back with everything that was hidden in them."""

    def __init__(self, client: FlaskClient, name: str | None) -> None:
        self.client = client
        if name is not None:
            answer = self.post("/login", {"name": name, "password": PASSWORD}, page="/login")
            assert answer.status_code == 303, answer.text

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def hidden(self, page: str, action: str) -> dict[str, str]:
        """The fields of the first form on `page` that goes to `action`."""
        text = self.get(page).text
        found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.DOTALL)
        assert found is not None, f"no form to {action} on {page}: {text}"
        return {name: html.unescape(value) for name, value in _FIELD.findall(found[0])}

    def post(self, action: str, fields: dict[str, Any], page: str, htmx: bool = False) -> TestResponse:
        """Fill in the form on `page` that goes to `action`, and send it."""
        data = {**self.hidden(page, action), **fields}
        return self.client.post(action, data=data, headers={"HX-Request": "true"} if htmx else {})

    # a team's morning at its own event

    def drop(self, files: list[tuple[str, bytes]], event: str = "bushy", htmx: bool = False) -> TestResponse:
        uploads = [(BytesIO(content), name) for name, content in files]
        return self.post(f"/submit/{event}/files", {"files": uploads}, f"/submit/{event}", htmx)

    def change(self, action: str, event: str = "bushy", htmx: bool = False, **fields: Any) -> TestResponse:
        hidden = self.hidden(f"/submit/{event}", f"/submit/{event}/restart")
        return self.client.post(
            f"/submit/{event}/change",
            data={"csrf_token": hidden["csrf_token"], "revision": hidden["revision"], "action": action, **fields},
            headers={"HX-Request": "true"} if htmx else {},
        )

    def send(self, event: str = "bushy") -> TestResponse:
        return self.post(f"/submit/{event}/send", {}, f"/submit/{event}")

    def submit(self, files: list[tuple[str, bytes]] = FILES, event: str = "bushy") -> str:
        """From files to the receipt; the submission's id."""
        self.drop(files, event)
        answer = self.send(event)
        assert "/submissions/" in answer.location, self.get(answer.location).text
        return answer.location.rpartition("/")[2]


@pytest.fixture(scope="session")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with events and people, to be copied: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("populated") / "resultsq.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)

    def people(conn: Any) -> None:
        links.ensure(conn, NOW, 8)
        for slug in ("bushy", "richmond"):
            events.add(conn, NOW, slug, f"{slug.title()} parkrun", "Europe/London")
            accounts.add(conn, NOW, slug, HASHED, Role.TEAM, [slug])
        for role in (Role.VIEWER, Role.OPERATOR):
            accounts.add(conn, NOW, role, HASHED, role)

    database.write(people)
    database.close()  # the last one out takes the journal into the file
    return path


@pytest.fixture
def site(tmp_path: Path, populated: Path, bell: Bell) -> Iterator[Site]:
    shutil.copy(populated, tmp_path / "resultsq.db")
    made = Site(tmp_path, bell)
    yield made
    made.database.close()


@pytest.fixture
def remind(tmp_path: Path, populated: Path, bell: Bell) -> Iterator[Site]:
    """The same with a list of athletes, and the page where a runner asks for the barcode."""
    shutil.copy(populated, tmp_path / "resultsq.db")
    made = Site(tmp_path, bell, reminder=True).with_key()
    load(made.database, [*PEOPLE, Athlete("A42", "Never RAN", None, "bushy")], AS_OF)
    yield made
    made.database.close()


@pytest.fixture
def team(site: Site) -> Browser:
    return site.browser("bushy")


@pytest.fixture
def stranger(site: Site) -> Browser:
    return site.browser("richmond")


@pytest.fixture
def browser_of(site: Site) -> Callable[[str], Browser]:
    return site.browser
