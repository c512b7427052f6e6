"""The form that outlives the network: entries survive, are sent by themselves, and each is there once."""

import json
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.outbox.conftest import (
    BAD,
    KillableBrowser,
    OpenDevice,
    StoppableNode,
    fill_in_login,
    log_in,
    place,
    save,
    stopwatch,
    until,
)
from tests.support.days import DAY

pytestmark = pytest.mark.long

AWAY = "This node cannot be reached. Go on"
SENT_S = 60.0
"""It is 2 s on a machine that has nothing else to do; one that backs off would take longer than this."""


def test_an_entry_waits_for_the_node_and_is_sent_within_two_seconds_of_its_return(
    stoppable: StoppableNode, device: OpenDevice
) -> None:
    team = stoppable.team("park")
    page = device(team)
    stoppable.stop()
    save(page)
    expect(page.get_by_text(AWAY)).to_be_visible()
    assert place(page) == "on this device only"
    assert page.locator(".text-bg-success, .place-published").count() == 0
    stoppable.start()
    until(lambda: stoppable.entries(team) == 1, SENT_S)
    expect(page.locator("#list [data-place]")).to_have_text("published")
    assert stoppable.submissions(team) == 1


def test_the_page_and_the_entry_are_there_when_the_browser_was_killed_while_the_node_is_stopped(
    stoppable: StoppableNode, chromium: Browser, chromium_program: str, tmp_path: Path
) -> None:
    team = stoppable.team("killed")
    browser = KillableBrowser(chromium.browser_type, chromium_program, tmp_path / "profile")
    try:
        page = browser.open(f"{stoppable.address}/login")
        fill_in_login(page, team)
        page.goto(f"{stoppable.address}/offline")
        expect(page.get_by_text("This device is ready")).to_be_visible()
        stoppable.kill()
        save(page, stopwatch(1), BAD)
        browser.kill()
        browser.start()
        page = browser.open(f"{stoppable.address}/submit/{team}")
        expect(page.get_by_text(AWAY)).to_be_visible()
        assert place(page) == "on this device only"
        assert page.locator("[data-files]").inner_text() == "watch1.csv, watch.csv"
        with page.expect_download() as carried:
            page.get_by_role("button", name="Download as a file").click()
        entry = json.loads(Path(carried.value.path()).read_bytes())
        assert [file["length"] for file in entry["files"]] == [len(stopwatch(1)["buffer"]), len(BAD["buffer"])]
        page.context.clear_cookies()  # a killed browser may have lost them, or not
        stoppable.start()
        page.get_by_role("link", name="Log in").click()
        fill_in_login(page, team)
        page.get_by_role("button", name="Send one saved result now").click()
        until(lambda: stoppable.entries(team) == 1, SENT_S)
    finally:
        browser.kill()


def test_a_hundred_entries_are_sent_once_each_by_two_pages(stoppable: StoppableNode, device: OpenDevice) -> None:
    team = stoppable.team("many")
    page = device(team)
    stoppable.stop()
    days = [(date.fromisoformat(DAY) - timedelta(days=at)).isoformat() for at in range(100)]
    save(page, stopwatch())
    page.evaluate(
        """async ([days, module]) => {
            const store = await import(module);
            const [first] = await store.all();
            await store.remove(first.id);
            for (const [at, date] of days.entries()) {
                const id = crypto.randomUUID();
                await store.put({...first, id, date, publish: at % 2 === 0, madeAt: new Date(at).toISOString()});
            }
        }""",
        [days, page.evaluate("document.querySelector('script[type=module]').src.replace('page.js', 'store.js')")],
    )
    page.reload()
    expect(page.locator("#list > li")).to_have_count(100)
    other = page.context.new_page()
    other.goto("/offline")
    posts: list[str] = []
    page.context.on("request", lambda sent: posts.append(sent.url) if sent.method == "POST" else None)
    stoppable.start()
    until(lambda: stoppable.entries(team) == 100, 180)
    expect(page.get_by_text("on this device only")).to_have_count(0)
    assert len([url for url in posts if url.endswith("/device/entries")]) == 100


def test_the_login_ends_meanwhile_and_nothing_is_sent_without_a_word(
    stoppable: StoppableNode, device: OpenDevice
) -> None:
    team, other = stoppable.team("tired"), stoppable.team("others")
    page = device(team, worker=False)
    stoppable.stop()
    save(page, stopwatch(2))
    save(page, stopwatch(3), day=(date.fromisoformat(DAY) - timedelta(days=7)).isoformat())
    page.context.clear_cookies()
    stoppable.start()
    expect(page.get_by_role("heading", name="Log in to send 2 results")).to_be_visible()
    tab = page.context.new_page()
    log_in(tab, other)
    tab.goto("/offline")
    expect(tab.get_by_text("It belongs to another account")).to_have_count(2)
    expect(tab.get_by_role("heading", name="Results of another account")).to_have_count(2)
    assert (stoppable.entries(team), tab.get_by_role("button", name="Remove").count()) == (0, 0)
    tab.get_by_role("link", name="Submit").click()
    tab.get_by_role("button", name="Log out").click()
    expect(tab.get_by_role("heading", name="Log in")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="Log in").click()
    fill_in_login(page, team)
    page.goto("/offline")
    page.get_by_role("button", name="Send 2 saved results now").click()
    until(lambda: stoppable.entries(team) == 2)
    assert stoppable.submissions(team) == 2


def test_a_logout_sends_first_and_says_so(stoppable: StoppableNode, device: OpenDevice) -> None:
    team = stoppable.team("leaving")
    page = device(team)
    page.goto(f"/submit/{team}")
    keeper = page.context.new_page()
    stoppable.link.refuse()
    keeper.goto("/offline")
    save(keeper)
    keeper.close()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/offline#log-out")
    expect(page.get_by_text("It waits").or_(page.get_by_text("Keep this device"))).to_be_visible()
    logouts: list[Route] = []
    page.route("**/logout", lambda route: logouts.append(route))
    other = page.context.new_page()
    other.goto("/offline")
    with page.expect_request("**/logout"):
        stoppable.link.restore()
    other.evaluate("new BroadcastChannel('resultsq').postMessage('changed')")  # a logout is slow, and meanwhile another
    other.wait_for_timeout(500)  # tab says that something has changed
    assert len(logouts) == 1
    logouts[0].continue_()
    page.wait_for_url("**/login")
    assert stoppable.entries(team) == 1


def test_one_refused_entry_stays_and_does_not_stop_the_others(stoppable: StoppableNode, device: OpenDevice) -> None:
    team = stoppable.team("mixed")
    page = device(team, worker=False)
    stoppable.link.refuse()
    save(page, stopwatch(4))
    page.evaluate(
        """async (module) => {
            const store = await import(module);
            const [first] = await store.all();
            await store.put({...first, event: "gone"});
        }""",
        page.evaluate("document.querySelector('script[type=module]').src.replace('page.js', 'store.js')"),
    )
    save(page, stopwatch(5), day=(date.fromisoformat(DAY) - timedelta(days=14)).isoformat())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {urlsplit(request.url).path}"))
    stoppable.link.restore()
    until(lambda: stoppable.entries(team) == 1)
    expect(page.get_by_text("The node did not take it: There is no such event here.")).to_be_visible()
    first = asked.index("POST /device/entries")
    assert asked[first + 1] == "POST /device/entries", "the refused one did not end the round"
    assert place(page, 1) == "on this device only"
    page.get_by_role("button", name="Correct it").click()
    page.get_by_role("button", name="Save on this device").click()
    until(lambda: stoppable.entries(team) == 2)
    expect(page.locator("#list > li")).to_have_count(2)


def test_an_entry_with_problems_is_safe_on_the_node_and_asks_for_its_team(
    stoppable: StoppableNode, device: OpenDevice
) -> None:
    team = stoppable.team("faulty")
    page = device(team, worker=False)
    save(page, BAD)
    expect(page.locator("#list [data-place]")).to_have_text("saved on the node")
    expect(page.get_by_text("problem blocks publication")).to_be_visible()
    page.get_by_role("link", name="Look at it").click()
    page.get_by_role("button", name="Open them").click()
    expect(page.get_by_text("watch.csv").first).to_be_visible()
    page.goto("/offline")
    expect(page.get_by_text("It is safe on the node. Go on there.")).to_be_visible()


def test_the_page_names_the_other_node_while_this_one_is_away(stoppable: StoppableNode, device: OpenDevice) -> None:
    team = stoppable.team("two")
    stoppable.start(RESULTSQ_OTHER_NODES="https://second.example.org, https://third.example.org/")
    try:
        page = device(team, worker=False)
        other = page.get_by_role("link", name="https://second.example.org")
        expect(other).to_be_hidden()
        stoppable.stop()
        save(page, stopwatch(7))
        expect(page.get_by_text(AWAY)).to_be_visible()
        expect(page.get_by_role("heading", name="In a hurry? Submit at another node")).to_be_visible()
        expect(other).to_have_attribute("href", "https://second.example.org/submit")
        expect(page.get_by_role("link", name="https://third.example.org")).to_be_visible()
    finally:
        stoppable.start()
    expect(other).to_be_hidden()
    until(lambda: stoppable.submissions(team) == 1, SENT_S)
