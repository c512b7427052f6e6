"""Each answer that used the list of athletes says as of when it is, in words and in headers: all routes are walked."""

import shutil
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.store.admin import events, reminders, tokens
from resultsq.store.engine.tables import Submission
from resultsq.wakeup import Bell
from tests.integration.form.conftest import AS_OF, FILES, NOW, PEOPLE, Browser, Site
from tests.integration.form.test_access import address, routes
from tests.integration.store.test_plans import heard
from tests.support.athletes import load

LIST = "athletes|athlete_names|athlete_mails"
JANE = "A1234567"
Prepare = Callable[[Route, str], Callable[[], TestResponse] | None]
"""Makes all ready for the call of a route, which is not for everybody."""


def walk(site: Site, prepare: Prepare) -> set[str]:
    """The routes whose answers used the list; each of them says as of when it is, and no other one does."""
    using = set()
    for route, method in routes(site.app):
        if (call := prepare(route, method)) is None:
            continue
        with heard(site.database, LIST) as statements:
            answer = call()
        where, text = f"{method} {route.rule}", answer.get_data().decode(errors="replace")
        answer.close()
        if statements and answer.status_code < 300:
            using.add(where)
            assert "Names are as of 06:58." in text, where
            assert answer.headers["Age"] == "13440", where
            assert answer.headers["Last-Modified"] == "Sat, 07 Dec 2013 06:58:00 GMT", where
            assert "no-store" in answer.headers["Cache-Control"], where
        else:
            assert ("Age" in answer.headers) == ("Names are as of" in text), where
            assert not any(name in text for name in ("Jane SMITH", "Tom BROWN")), where
    return using


def looking(browser: Browser, submission: str) -> Prepare:
    def prepare(route: Route, method: str) -> Callable[[], TestResponse] | None:
        path = address(route, submission).replace("/athletes/1", f"/athletes/{JANE}")
        return partial(browser.get, path) if method == "GET" else None

    return prepare


@pytest.fixture
def submission(remind: Site) -> str:
    team = remind.browser("bushy")
    submission = team.submit()
    team.drop(FILES)
    return submission


PROFILE = "GET /athletes/<number>"
OF_TEAMS = {"GET /submit/<slug>", "GET /submissions/<submission>", PROFILE}


@pytest.mark.parametrize(("who", "using"), [("bushy", OF_TEAMS), ("operator", {PROFILE}), (None, set())])
def test_every_page_that_used_the_list_says_as_of_when(
    remind: Site, submission: str, who: str | None, using: set[str]
) -> None:
    assert walk(remind, looking(remind.browser(who), submission)) == using


def test_whatever_is_public_names_nobody(tmp_path: Path, populated: Path, bell: Bell) -> None:
    shutil.copy(populated, tmp_path / "resultsq.db")
    site = Site(tmp_path, bell, public_profiles=True, reminder=True).with_key()
    load(site.database, PEOPLE, AS_OF)
    submission, stranger = site.browser("bushy").submit(), site.browser()
    published = update(Submission).where(Submission.id == submission).values(state=State.PUBLISHED)
    site.database.write(lambda conn: conn.execute(published))
    prepare, used = looking(stranger, submission), set()
    for route, method in routes(site.app):
        if (call := prepare(route, method)) is not None:
            answer = call()
            text = answer.get_data().decode(errors="replace")
            answer.close()
            assert not any(name in text for name in ("SMITH", "Smith", "BROWN", "Harriers")), route.rule
            used |= {route.rule} if "J. S." in text else set()
    assert used == {"/athletes/<number>"}
    site.database.close()


def test_the_page_that_a_mailed_link_opened_says_as_of_when(remind: Site, submission: str) -> None:
    browser = remind.browser()
    secret = remind.database.write(lambda conn: reminders.add_link(conn, NOW, JANE))
    browser.client.post(f"/card/{secret}")
    assert walk(remind, looking(browser, submission)) == {PROFILE}


def test_every_answer_to_a_change_in_the_form_says_as_of_when(remind: Site) -> None:
    team = remind.browser("bushy")

    def prepare(route: Route, method: str) -> Callable[[], TestResponse] | None:
        if method != "POST" or not route.rule.startswith("/submit/<slug>/"):
            return None
        team.drop(FILES)
        hidden = team.hidden("/submit/bushy", "/submit/bushy/change")
        sent = {name: hidden[name] for name in ("csrf_token", "revision")}
        return partial(team.client.post, address(route, ""), data=sent, headers={"HX-Request": "true"})

    assert {f"POST /submit/<slug>/{name}" for name in ("change", "volunteers", "date")} <= walk(remind, prepare)


def test_every_answer_to_a_program_says_as_of_when(remind: Site, submission: str) -> None:
    def issue(conn: Any) -> str:
        event = events.find(conn, "bushy")
        assert event is not None
        return tokens.issue(conn, NOW, "laptop", Role.TEAM, event.id)

    client, token = remind.app.test_client(), remind.database.write(issue)
    rows = [{"position": n, "athlete": one, "time": f"00:2{n}:00"} for n, one in ((1, JANE), (2, "A1234576"))]

    def prepare(route: Route, method: str) -> Callable[[], TestResponse] | None:
        if not route.rule.startswith("/api/") or method == "DELETE":
            return None
        sent: dict[str, Any] = {"json": {"event": "bushy", "date": "2013-11-30", "finishers": rows}}
        if route.rule.endswith("/check"):
            sent = {"data": {name: (BytesIO(content), name) for name, content in FILES}}
        auth = {"Authorization": f"Bearer {token}"}
        more = sent if method == "POST" else {}
        return partial(client.open, address(route, submission), method=method, headers=auth, **more)

    assert walk(remind, prepare) == {"POST /api/v1/submissions", "POST /api/v1/check"}
