"""Characters that no text has, wherever somebody may put one: refused in words on both databases, never a failure."""

import html
import re
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import accounts
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.web.site import Answer, Site
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode
from tests.support.passwords import hashed
from tests.support.templates import compiled_once

PASSWORD = "wet hands"
HASHED = hashed(PASSWORD)
WATCH = b"position,time,athlete\n1,18:00,A1\n2,18:10,A2\n"
WRONG = ["\0", "a\0b", "\x07", "a\x1bb", "\x7f"]


@pytest.fixture
def each_site(store: Database, tmp_path: Path) -> Site:
    """A node on each make of database in turn."""
    settings = Settings(data_dir=tmp_path)
    node = StoreNode(store)
    clock = ManualClock(NOW)
    app = compiled_once(create_app(settings, node.database, clock=clock, bell=Bell("")))
    site = Site(node, settings, clock, app, {})
    site.tokens = {"bushy": site.token(Role.TEAM, "bushy"), "operator": site.token(Role.OPERATOR)}
    site.database.write(lambda conn: accounts.add(conn, NOW, "bushy", HASHED, Role.TEAM, ["bushy"]))
    site.database.write(lambda conn: accounts.add(conn, NOW, "chief", HASHED, Role.ADMIN))
    return site


def multipart(site: Site, who: str = "bushy", path: str = "/submissions", name: str = "t.csv", **fields: str) -> Answer:
    given = {"event": "bushy", "date": "2013-12-07", **fields}
    sent = {key: text for key, text in given.items() if path != "/check"}
    return site.call("POST", path, who, data={**sent, "files": (BytesIO(WATCH), name)})


def test_a_program_is_told_which_field_holds_no_text(each_site: Site) -> None:
    for wrong in WRONG:
        for who in ("bushy", "operator"):
            assert multipart(each_site, who, event=wrong).status in (403, 422), wrong
            assert multipart(each_site, who, date=wrong).status == 422, wrong
        volunteers = f'[{{"athlete": "A7", "role": "Mar{wrong}shal"}}]'
        assert multipart(each_site, volunteers=volunteers).status in (400, 422), wrong
        escaped = volunteers.replace(wrong, "".join(f"\\u{ord(sign):04x}" for sign in wrong))
        answer = multipart(each_site, volunteers=escaped)
        assert (answer.status, answer.places) == (422, [("pointer", "/volunteers/0/role")]), answer.text
        assert multipart(each_site, **{f"no{wrong}te": "x"}).status == 422, wrong
    answer = multipart(each_site, event="bu\0shy")
    assert "control character" in answer.text
    assert answer.places == [("pointer", "/event")]
    assert each_site.node.count() == 0


def test_a_files_name_is_kept_without_what_is_no_text(each_site: Site) -> None:
    answer = multipart(each_site, name="wa\0t\x07ch\x1b.csv")
    assert answer.status == 201, answer.text
    assert multipart(each_site, path="/check", name="wa\0tch.csv").status == 200


class Person:
    """A browser that is logged in."""

    def __init__(self, site: Site, name: str) -> None:
        self.client: FlaskClient = site.app.test_client()
        self.token = self._token("/login")
        assert self.post("/login", name=name, password=PASSWORD) == 303
        self.token = self._token("/events")

    def _token(self, page: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(page, follow_redirects=True).text)
        assert found is not None
        return html.unescape(found[1])

    def post(self, path: str, **fields: object) -> int:
        return self.client.post(path, data={"csrf_token": self.token, **fields}).status_code


def test_a_person_is_told_of_a_field_that_holds_no_text(each_site: Site) -> None:
    team, chief = Person(each_site, "bushy"), Person(each_site, "chief")
    for path, field in (("/date", "date"), ("/files", "pasted"), ("/volunteers", "role"), ("/change", "athlete")):
        assert team.post(f"/submit/bushy{path}", **{field: "a\0"}) == 400, path
    assert team.post("/submit/bushy/table", time=["18:00", "1\0"], athlete=["", ""]) == 400
    marked = {"csrf_token": team.token, "revision": 0, "athlete": "A1", "role": "Mar\x1bshal"}
    assert "a word or two" in team.client.post("/submit/bushy/volunteers", data=marked).text
    assert chief.post("/admin/ask", verb="retry", ids=["x", "a\0"]) == 400
    assert chief.post("/admin/holds", event="bushy", reason="it\0rains") == 400
    assert chief.post("/admin/people/link", name="bu\0shy") == 400


def test_no_page_fails_over_an_address_that_holds_no_text(each_site: Site) -> None:
    chief = Person(each_site, "chief")
    names = (
        "who",
        "action",
        "before",
        "after",
        "text",
        "events",
        "states",
        "cause",
        "sort",
        "span",
        "view",
        "rows",
        "edit",
    )
    pages = ("/submit/bushy", "/submit/bushy/table", "/events/bushy", "/admin", "/admin/submissions", "/admin/audit",
             "/admin/audit.csv", "/admin/submissions.csv", "/admin/live", "/admin/errors", "/login")  # fmt: skip
    failed = [
        f"{page}?{name}"
        for page in pages
        for name in names
        for wrong in ("%00", "x%00y")
        if chief.client.get(f"{page}?{name}={wrong}").status_code >= 500
    ]
    assert failed == []
    for name in ("event", "text", "states", "after", "sort", "cause", "fingerprint"):
        assert each_site.call("GET", f"/submissions?{name}=x%00y", "operator").status == 422, name
