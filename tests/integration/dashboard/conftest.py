"""A node of either make, and the dashboard over it for people of each role, on a clock that is moved by hand."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import accounts
from resultsq.store.engine.session import Database
from resultsq.store.outbox import workers
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.support.nodes import NOW, StoreNode
from tests.support.passwords import hashed
from tests.support.templates import compiled_once

PASSWORD = "wet hands"
HASHED = hashed(PASSWORD)
_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


@pytest.fixture
def node(store: Database) -> StoreNode:
    """A node of each make in turn, whose link is up."""
    return _node(store)


@pytest.fixture
def sqlite_node(sqlite_store: Database) -> StoreNode:
    """A node on SQLite, whose link is up."""
    return _node(sqlite_store)


def _node(database: Database) -> StoreNode:
    node = StoreNode(database)
    node.probe()
    node.database.write(lambda conn: workers.alive(conn, node.now, "w1"))
    return node


class NodeClock:
    """The node's own hand-moved time."""

    def __init__(self, node: StoreNode) -> None:
        self._node = node

    def now(self) -> datetime:
        return self._node.now

    def monotonic(self) -> float:
        return (self._node.now - NOW).total_seconds()


class Person:
    """A browser without a browser: gets pages, and sends forms with what was hidden in them."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def stays_logged_in(self) -> None:
        """For a test that lets months pass: sessions do not end meanwhile."""
        self.client.application.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=1000)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers)

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/admin/holds").text)
        return found[1] if found else ""

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(), **fields})

    def confirm(self, dialog: TestResponse, **fields: Any) -> TestResponse:
        """Send the form that a dialog is."""
        assert dialog.status_code == 200, dialog.text
        form = re.search(r'<form class="p-3".*?action="([^"]+)".*?</form>', dialog.text, re.DOTALL)
        assert form is not None, dialog.text
        hidden: dict[str, Any] = {}
        for name, value in _FIELD.findall(form[0]):
            hidden.setdefault(name, []).append(unescape(value))
        return self.client.post(form[1], data={**hidden, **fields})


LogIn = Callable[..., Person]


@pytest.fixture
def log_in(sqlite_node: StoreNode, tmp_path: Path, bell: Bell) -> LogIn:
    """Logs in with a role; `read_only` and `public_status` are the settings."""

    def log_in(role: Role, read_only: bool = False, public_status: bool = False) -> Person:
        node = sqlite_node
        settings = Settings(
            data_dir=tmp_path, read_only=read_only, public_status=public_status, time_zone="Europe/London"
        )
        app = compiled_once(create_app(settings, node.database, clock=NodeClock(node), bell=bell))
        name = f"{role} {node.now:%H%M%S} {read_only}"
        events = ["bushy"] if role is Role.TEAM else []
        node.database.write(lambda conn: accounts.add(conn, node.now, name, HASHED, role, events))
        person = Person(app.test_client())
        found = re.search(r'name="csrf_token" value="([^"]+)"', person.get("/login").text)
        assert found is not None
        answer = person.client.post("/login", data={"csrf_token": found[1], "name": name, "password": PASSWORD})
        assert answer.status_code == 303
        return person

    return log_in


@pytest.fixture
def viewer(log_in: LogIn) -> Person:
    return log_in(Role.VIEWER)


@pytest.fixture
def operator(log_in: LogIn) -> Person:
    return log_in(Role.OPERATOR)
