"""A node's web application, called as a program calls it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.datastructures import Headers

from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import tokens
from resultsq.store.engine.session import Database
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode

Sheet = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """`json` is None where the body is none."""

    status: int
    headers: Headers
    text: str
    json: Any

    @property
    def places(self) -> list[tuple[str, object]]:
        """Where a problem detail says that something is wrong: its pointers and lines."""
        return [(key, one[key]) for one in self.json.get("errors", ()) for key in ("pointer", "line") if key in one]


@dataclass
class Site:
    """A node, its settings and clock, its application, and tokens by event and by role."""

    node: StoreNode
    settings: Settings
    clock: ManualClock
    app: Flask
    tokens: Mapping[str, str]

    @property
    def database(self) -> Database:
        return self.node.database

    def token(self, role: Role, event: str | None = None) -> str:
        """A new token."""
        event_id = None if event is None else self.node.events[event]
        return self.database.write(lambda conn: tokens.issue(conn, NOW, f"{role} of {event}", role, event_id))

    def open(self, method: str, path: str, **more: Any) -> Answer:
        """Call any address."""
        answer = self.app.test_client().open(path, method=method, buffered=True, **more)
        return Answer(answer.status_code, answer.headers, answer.text, answer.get_json(silent=True))

    def call(self, method: str, path: str, who: str | None = "bushy", **more: Any) -> Answer:
        """Call the API with the token of an event's team, or of a role."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return self.open(method, f"/api/v1{path}", headers=headers, **more)

    def post(self, sheet: Sheet, who: str | None = "bushy", **headers: str) -> Answer:
        """Submit as JSON. `if_match="x"` is the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", "/submissions", who, json=sheet, headers=named)
