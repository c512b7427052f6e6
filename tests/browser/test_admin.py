"""An operator's Saturday in a real browser: an outage from its start to its recovery, a bulk action, a conflict."""

import re
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from resultsq.clock import SystemClock
from resultsq.domain.role import Role
from resultsq.store import outbox
from resultsq.store.admin import events
from resultsq.store.engine.tables import Submission
from tests.browser.conftest import DESK, PHONE, NewPage, RunningNode
from tests.support import nodes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

LogIn = Callable[..., Page]
Shoot = Callable[[Page, str], Path]
FindNothing = Callable[[Page], None]
LOOKS: tuple[tuple[tuple[int, int], Literal["light", "dark"]], ...] = ((DESK, "dark"), (PHONE, "light"))
"""Colours do not depend on the width, nor widths on the colours."""

FEW = 5
"""Submissions in a list that axe looks at: it takes as long for each line."""


@pytest.fixture(scope="module")
def people(running_node: RunningNode) -> dict[Role, str]:
    return {role: running_node.person(f"the {role}", role) for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)}


@pytest.fixture
def quiet(running_node: RunningNode) -> Iterator[RunningNode]:
    """The node, whose link is whole again after the test whatever happens."""
    running_node.link.restore()
    yield running_node
    running_node.link.restore()
    running_node.master.settings(delay=0)


def send(node: RunningNode, slug: str, count: int, rows: int = 3) -> list[str]:
    """As many first versions of an event that is made where it is missing; their ids."""
    now = SystemClock().now()

    def accept(conn: Any) -> list[str]:
        found = events.find(conn, slug)
        event_id = found.id if found else events.add(conn, now, slug, f"{slug.title()} parkrun", "Europe/London")
        made = (nodes.entry(event_id, slug, rows, date=f"{1900 + n}-12-07", by="team") for n in range(count))
        return [outbox.accept(conn, now, one).id for one in made]

    return node.database.write(accept)


def states(node: RunningNode, ids: list[str]) -> set[str]:
    with node.database.read() as conn:
        return set(conn.execute(select(Submission.state).where(Submission.id.in_(ids))).scalars())


def all_that_match(page: Page) -> None:
    """Choose that an action is about the whole list, not about ticked lines."""
    page.locator("input[name=on][value=filtered]").check()


def headline(page: Page) -> Locator:
    return page.locator("[data-headline]")


def test_an_outage_is_told_from_its_start_to_its_recovery_when_nobody_touches_the_page(
    quiet: RunningNode, people: dict[Role, str], new_page: NewPage, log_in: LogIn, shoot: Shoot
) -> None:
    page = log_in(new_page(), people[Role.VIEWER], "/admin")
    expect(headline(page)).to_have_text(re.compile("All is well|Recovered"), timeout=20_000)
    shoot(page, "admin-quiet")

    quiet.link.refuse()
    ids = send(quiet, "outage", 60)
    expect(headline(page)).to_have_text("The link is down", timeout=20_000)
    facts = page.locator(".banner-facts")
    expect(page.locator(".banner-words")).to_contain_text("nothing was listening at the master's address")
    expect(facts).to_contain_text("Next probe")
    expect(facts).to_contain_text("60")
    expect(page.locator(".shape")).to_contain_text("outage")
    expect(page.locator("#outages-title ~ div")).to_contain_text("going on")
    shoot(page, "admin-outage")

    quiet.master.settings(delay=0.5, slots=4)
    quiet.link.restore()
    expect(headline(page)).to_have_text("Catching up", timeout=20_000)
    expect(page.locator("progress.drain")).to_be_visible()
    wait_until(lambda: int(page.locator("progress.drain").get_attribute("value") or 0) > 8, 20)
    shoot(page, "admin-drain")

    quiet.master.settings(delay=0)
    expect(headline(page)).to_have_text("Recovered", timeout=30_000)
    expect(page.locator(".banner-words")).to_contain_text(re.compile(r"6\d that waited were sent within \d+ s"))
    assert set(ids) <= quiet.master.receipts().keys()
    shoot(page, "admin-recovered")


def test_it_says_stale_when_the_node_answers_no_more(
    quiet: RunningNode,
    people: dict[Role, str],
    new_page: NewPage,
    log_in: LogIn,
    shoot: Shoot,
    find_nothing: FindNothing,
) -> None:
    send(quiet, "stale", FEW)
    page = log_in(new_page(), people[Role.VIEWER], "/admin")
    mark = page.locator("#stale")
    page.wait_for_timeout(3000)
    expect(mark).to_be_hidden()
    page.context.set_offline(True)
    expect(mark).to_be_visible(timeout=9000)
    expect(mark).to_contain_text(re.compile(r"stale: [5-9] s"))
    for (width, height), scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        find_nothing(page)
        shoot(page, f"admin-stale-{scheme}-{width}")
    page.context.set_offline(False)
    expect(mark).to_be_hidden(timeout=9000)


def test_a_tab_that_is_not_looked_at_asks_for_nothing_and_catches_up(
    quiet: RunningNode, people: dict[Role, str], new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(), people[Role.VIEWER], "/admin")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.wait_for_timeout(500)  # a request that was on its way
    asked.clear()
    page.wait_for_timeout(3_500)
    assert [url for url in asked if "/live" in url] == []
    with page.expect_request("**/admin/live*", timeout=10_000):
        page.evaluate("Object.defineProperty(document, 'hidden', { value: false })")


def test_nothing_else_is_touched_when_a_filter_is_acted_on(
    quiet: RunningNode, people: dict[Role, str], new_page: NewPage, log_in: LogIn, shoot: Shoot
) -> None:
    quiet.link.refuse()
    mine, others = send(quiet, "twice", 7), send(quiet, "innocent", 3)
    page = log_in(new_page(), people[Role.OPERATOR], "/admin/submissions?events=twice&states=queued&states=rejected")
    expect(page.locator("#total")).to_have_text("7 submissions")
    all_that_match(page)
    page.get_by_role("button", name="Withdraw…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Withdraw: 7 submissions")
    shoot(page, "admin-dialog")
    dialog.get_by_label("Why").fill("the files were sent twice")
    dialog.get_by_role("button", name="Withdraw").click()
    expect(page.locator("#outcome")).to_contain_text("7 of 7 done.")
    expect(page.locator("#outcome")).to_contain_text("Finished.")
    assert (states(quiet, mine), states(quiet, others)) == ({"withdrawn"}, {"queued"})

    page.get_by_role("button", name="Undo this withdrawal").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo withdrawal").click()
    expect(page.locator("#outcome")).to_contain_text("7 of 7 done.")
    quiet.link.restore()
    wait_until(lambda: {*mine, *others} <= quiet.master.receipts().keys(), 20)


def test_the_chosen_lines_are_held_when_they_are_ticked_with_shift(
    quiet: RunningNode, people: dict[Role, str], new_page: NewPage, log_in: LogIn
) -> None:
    quiet.link.refuse()
    ids = send(quiet, "ticked", 12)
    page = log_in(new_page(), people[Role.OPERATOR], "/admin/submissions?events=ticked&sort=accepted")
    boxes = page.locator("input[name=ids]")
    expect(page.get_by_role("button", name="Hold…", exact=True)).to_be_disabled()
    boxes.nth(1).click()
    boxes.nth(10).click(modifiers=["Shift"])
    expect(page.locator("[data-chosen]")).to_have_text("10")
    page.get_by_role("button", name="Hold…", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Hold: 10 submissions")
    dialog.get_by_label("Why").fill("to be looked at")
    dialog.get_by_role("button", name="Hold").click()
    expect(page.locator("#outcome")).to_contain_text("10 of 10 done.")
    quiet.link.restore()
    wait_until(lambda: {ids[0], ids[11]} <= quiet.master.receipts().keys(), 20)
    page.goto(f"/admin/submissions/{ids[5]}")
    expect(page.locator("#why")).to_contain_text("holds this submission (to be looked at)")
    assert not set(ids[1:11]) & quiet.master.receipts().keys()

    page.goto("/admin/submissions?events=ticked")
    all_that_match(page)
    page.get_by_role("button", name="Release…").click()
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    wait_until(lambda: set(ids) <= quiet.master.receipts().keys(), 20)


def test_a_conflict_is_resolved_when_both_sheets_were_looked_at(
    quiet: RunningNode,
    people: dict[Role, str],
    new_page: NewPage,
    log_in: LogIn,
    shoot: Shoot,
    find_nothing: FindNothing,
) -> None:
    # another node was faster
    theirs = str(uuid.uuid4())
    put = urllib.request.Request(
        f"{quiet.master.url}/v1/events/disputed/results/1900-12-07",
        nodes.entry(0, "disputed", 2, date="1900-12-07", by="another node").body,
        {"Content-Type": "application/json", "Idempotency-Key": f'"{theirs}"', "If-None-Match": "*",
         "Authorization": "Bearer node-2"},
        method="PUT",
    )  # fmt: skip
    with urllib.request.urlopen(put, timeout=5) as answer:
        assert answer.status == 201
    (one,) = send(quiet, "disputed", 1)
    wait_until(lambda: states(quiet, [one]) == {"conflict"}, 20)
    page = log_in(new_page(), people[Role.OPERATOR], "/admin")
    expect(headline(page)).to_have_text("Attention needed", timeout=10_000)
    page.locator("#group-1").click()
    page.get_by_role("link", name="disputed").first.click()
    expect(page.locator("#why")).to_contain_text("Decide: publish this one over it")
    expect(page.get_by_text("One row differs, 2 are the same.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="no row")).to_have_count(1)
    find_nothing(page)
    shoot(page, "admin-conflict")
    page.get_by_role("button", name="Publish this one over it").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("theirs lacks the last finisher")
    dialog.get_by_role("button", name="Publish over it").click()
    expect(page.get_by_text("It is on its way again")).to_be_visible()
    expect(page.get_by_text("theirs lacks the last finisher")).to_be_visible()
    wait_until(lambda: one in quiet.master.receipts(), 20)
    wait_until(lambda: states(quiet, [one]) == {"published"}, 20)
    page.reload()
    expect(page.locator("#why")).to_contain_text("It is published")


def test_an_operator_is_offered_what_a_viewer_is_not_when_both_look_at_the_same_page(
    quiet: RunningNode, people: dict[Role, str], new_page: NewPage, log_in: LogIn
) -> None:
    send(quiet, "looked-at", 1)
    pages = {role: log_in(new_page(), people[role], "/admin/submissions?events=looked-at") for role in people}
    for page in pages.values():
        expect(page.get_by_role("link", name="looked-at").first).to_be_visible()
    expect(pages[Role.VIEWER].get_by_role("button", name="Retry now")).to_have_count(0)
    expect(pages[Role.OPERATOR].get_by_role("button", name="Retry now")).to_have_count(1)
    expect(pages[Role.OPERATOR].get_by_role("link", name="Accounts")).to_have_count(0)
    pages[Role.ADMIN].get_by_role("link", name="Accounts").click()
    expect(pages[Role.ADMIN].get_by_role("cell", name=people[Role.VIEWER])).to_be_visible()


def test_nothing_is_wrong_with_any_page_when_axe_looks_at_it(
    quiet: RunningNode,
    people: dict[Role, str],
    new_page: NewPage,
    log_in: LogIn,
    shoot: Shoot,
    find_nothing: FindNothing,
) -> None:
    quiet.link.refuse()
    ids = send(quiet, "axe", FEW)
    page = log_in(new_page(dark=True), people[Role.ADMIN], "/admin")

    def see(name: str) -> None:
        for (width, height), scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            find_nothing(page)
            shoot(page, f"admin-{name}-axe-{scheme}-{width}")

    expect(headline(page)).to_have_text("The link is down", timeout=20_000)
    see("overview")
    for name, path in (
        ("one", f"submissions/{ids[0]}"), ("errors", "errors"), ("holds", "holds"),
        ("audit", "audit"), ("people", "people"), ("outage", "outages/1"),
        ("events", "events"), ("event", "events/axe"), ("tokens", "tokens"), ("welcome", "welcome"),
        ("list", "submissions"),
    ):  # fmt: skip
        page.goto(f"/admin/{path}")
        see(name)
    page.goto("/admin/submissions?events=axe")
    all_that_match(page)
    page.get_by_role("button", name="Retry now…").click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(f"Retry now: {FEW} submissions")
    see("ask")


def test_everything_can_be_done_without_scripts_when_there_are_none(
    quiet: RunningNode, people: dict[Role, str], new_page: NewPage, log_in: LogIn
) -> None:
    quiet.link.refuse()
    ids = send(quiet, "plain-admin", 2)
    page = log_in(new_page(scripts=False), people[Role.OPERATOR], "/admin/submissions?events=plain-admin")
    all_that_match(page)
    page.get_by_role("button", name="Withdraw…").click()
    expect(page.get_by_role("heading", name="Withdraw: 2 submissions")).to_be_visible()
    page.get_by_label("Why").fill("by mistake")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator("#outcome")).to_contain_text("2 of 2 done.")
    assert states(quiet, ids) == {"withdrawn"}
