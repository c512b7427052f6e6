"""Every page of an admin on a phone: nothing scrolls sideways, and no action lies beside the window."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from resultsq.clock import SystemClock
from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import events, holding, tokens
from resultsq.wakeup import Bell
from resultsq.web.auth import Audience, rules
from resultsq.web.factory import create_app
from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.browser.test_saturday import LogIn, Shoot
from tests.support import nodes

pytestmark = pytest.mark.long

TEAM = "an-event-with-a-rather-long-name"
LONG = "the course is measured anew before anything is published"
FRAGMENTS = {"dashboard.live", "form.live"}
OUTSIDE = """(width) => [...document.querySelectorAll(":is(header, main) :is(a, button, input, select)")]
    .filter((one) => one.checkVisibility({ checkVisibilityCSS: true }) && !one.closest("svg"))
    .filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width > 0 && (box.left < 0 || box.right > width + 1);
    })
    .map((one) => (one.textContent.trim() || one.name || one.id).slice(0, 40))"""
"""The actions that lie beside the window."""
SMALL = """[...document.querySelectorAll("main svg text")]
    .filter((one) => one.checkVisibility() && parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a < 10)
    .map((one) => one.textContent)"""
"""A chart's words that are drawn smaller than 10 px."""


@pytest.fixture
def furnished(running_node: RunningNode) -> Iterator[str]:
    """A line in every list; the submission."""
    now = SystemClock().now()
    team = running_node.team(TEAM)

    def fill(conn: Any) -> tuple[int, str]:
        event = events.find(conn, team)
        assert event is not None
        tokens.issue(conn, now, "the laptop of the timing team at the finish", Role.TEAM, event.id)
        hold = holding.place_hold(conn, now, "somebody", event.id, LONG)
        return hold, outbox.accept(conn, now, nodes.entry(event.id, team, 30)).id

    hold, submission = running_node.database.write(fill)
    yield submission
    running_node.database.write(lambda conn: holding.release_hold(conn, now, "somebody", hold))


def addresses(node: RunningNode, folder: Path, submission: str) -> list[str]:
    """Every address that a person can open, with values in its gaps."""
    app = create_app(Settings(data_dir=folder), node.database, clock=SystemClock(), bell=Bell(""))
    values = {"submission": submission, "slug": TEAM, "day": "2013-12-07", "what": "results"}
    declared = rules(app)
    return [
        re.sub(r"<(?:[^:<>]*:)?(\w+)>", lambda gap: values.get(gap[1], "1"), route.rule)
        for route in app.url_map.iter_rules()
        if "GET" in (route.methods or set()) and route.endpoint not in FRAGMENTS | {"static"}
        if declared[route.endpoint].who not in (Audience.PROGRAM, Audience.MACHINE)
    ]


def test_at_360_px_no_page_scrolls_sideways_and_every_action_is_in_sight(
    running_node: RunningNode, furnished: str, new_page: NewPage, log_in: LogIn, shoot: Shoot, tmp_path: Path
) -> None:
    page = log_in(new_page(size=PHONE), running_node.person("phone-admin", Role.ADMIN))
    seen, found = 0, []
    for path in addresses(running_node, tmp_path, furnished):
        if "text/html" not in page.request.get(path).headers.get("content-type", ""):
            continue  # a picture, a table or a program's answer
        found += [f"{path}: {what}" for what in astray(page, path, shoot)]
        seen += 1
    assert found == []
    assert seen >= 25, f"only {seen} pages"


def astray(page: Page, path: str, shoot: Shoot) -> Iterator[str]:
    """What is wrong with the layout of a page."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status < 500, path
    page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")
    width = page.evaluate("document.documentElement.clientWidth")
    wider = page.evaluate("document.documentElement.scrollWidth") - width
    outside = page.evaluate(OUTSIDE, width)
    if wider > 0:
        yield f"{wider} px wider than the window"
    yield from outside
    yield from (f"too small: {words}" for words in page.evaluate(SMALL))
    if wider > 0 or outside:
        shoot(page, f"phone{path.replace('/', '-')}")
