"""What a browser cannot keep is said before anybody types; and a new version of the page waits for what waits."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.outbox.conftest import (
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
from tests.support import axe
from tests.support.days import DAY
from tests.support.processes import ROOT

pytestmark = pytest.mark.long

NAME = "node.example"
NO_DATABASE = {
    "there is none": "Object.defineProperty(window, 'indexedDB', {value: undefined})",
    "it is refused": "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }",
    "it fails": """IDBFactory.prototype.open = () => {
        const request = new EventTarget();
        setTimeout(() => { const event = new Event('error'); request.onerror?.(event); request.dispatchEvent(event); });
        return request;
    }""",
}


@pytest.fixture(autouse=True)
def _link_is_mended(stoppable: StoppableNode) -> Iterator[None]:
    yield
    stoppable.link.restore()


@pytest.mark.parametrize("how", NO_DATABASE)
def test_a_browser_that_keeps_nothing_is_named_before_anybody_types(
    stoppable: StoppableNode, chromium: Browser, how: str
) -> None:
    context = chromium.new_context(base_url=stoppable.address)
    context.add_init_script(NO_DATABASE[how])
    page = context.new_page()
    page.goto("/offline")
    expect(page.get_by_text("This browser keeps nothing, so results cannot be saved here.")).to_be_visible()
    expect(page.get_by_role("button", name="Save on this device")).to_be_hidden()
    context.close()


NO_ROOM = "() => { IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"


def test_little_room_is_named_before_anybody_types_and_no_room_when_it_is_met(
    stoppable: StoppableNode, device: OpenDevice
) -> None:
    page = device(stoppable.team("roomless"))
    # Chromium itself says ten gigabytes whatever there is, so that nobody is told by it who they are
    page.add_init_script("navigator.storage.estimate = async () => ({quota: 8e6, usage: 1e6})")
    page.goto("/offline?again")
    expect(
        page.get_by_text("This browser has only 7.0 MB left for this page. Large files may not fit.")
    ).to_be_visible()
    page.evaluate(NO_ROOM)
    page.locator("#date").fill(DAY)
    page.locator("#files").set_input_files([stopwatch(30)])
    page.get_by_role("button", name="Save on this device").click()
    expect(page.get_by_text("There is no room left on this device, so nothing was saved.")).to_be_visible()
    assert page.locator("#list > li").count() == 0


def test_plain_http_is_named_and_an_open_page_sends_all_the_same(
    stoppable: StoppableNode, chromium: Browser, chromium_program: str, tmp_path: Path
) -> None:
    team = stoppable.team("plain")
    mapped = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
    browser = KillableBrowser(chromium.browser_type, chromium_program, tmp_path / "profile", mapped)
    try:
        page = browser.open(f"http://{NAME}:{stoppable.link.port}/login")
        fill_in_login(page, team)
        page.goto(f"http://{NAME}:{stoppable.link.port}/offline")
        assert page.evaluate("isSecureContext") is False
        expect(page.get_by_text("This page came over plain http")).to_be_visible()
        expect(page.locator("#new")).to_be_visible()
        stoppable.link.refuse()
        save(page, stopwatch(34))
        assert place(page) == "on this device only"
        stoppable.link.restore()
        until(lambda: stoppable.entries(team) == 1)
        expect(page.locator("#list [data-place]")).to_have_text("published")
    finally:
        browser.kill()


def another_version(folder: Path) -> Path:
    """This product with another stylesheet: a version whose page is another."""
    shutil.copytree(ROOT / "resultsq", folder / "resultsq", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "resultsq/web/static/app.css").open("a") as sheet:
        sheet.write("/* another version */\n")
    return folder


def kept(page: Page) -> Any:
    """The names of the versions of the page that the browser keeps."""
    return page.evaluate("caches.keys()")


def test_a_new_version_of_the_page_waits_until_nothing_waits_on_the_device(
    stoppable: StoppableNode, device: OpenDevice, tmp_path: Path
) -> None:
    team = stoppable.team("renewed")
    page = device(team)
    before = kept(page)
    stoppable.stop()
    save(page, stopwatch(31))
    page.context.clear_cookies()  # the login has ended: what waits is not sent without a word
    stoppable.start(PYTHONPATH=str(another_version(tmp_path)))
    expect(page.get_by_text("Log in to send one result")).to_be_visible()
    page.goto("/offline?again")
    page.wait_for_function("navigator.serviceWorker.getRegistration().then((one) => one.waiting !== null)")
    assert before[0] in kept(page), "the old version is in charge"
    log_in(page, team)
    page.goto("/offline")
    page.get_by_role("button", name="Send one saved result now").click()
    until(lambda: stoppable.entries(team) == 1)
    expect(page.locator("#list [data-place]")).to_have_text("published")
    page.goto("/offline?again")
    page.wait_for_function(
        "(old) => caches.keys().then((names) => names.length === 1 && names[0] !== old)", arg=before[0]
    )
    stoppable.start()


def test_axe_finds_nothing_on_the_page_in_any_state(stoppable: StoppableNode, device: OpenDevice) -> None:
    page = device(stoppable.team("axe"))
    faults = {"ready": found(page)}
    stoppable.link.refuse()
    save(page, stopwatch(32))
    expect(page.get_by_text("This node cannot be reached. Go on")).to_be_visible()
    faults["waits"] = found(page)
    stoppable.link.restore()
    expect(page.locator("#list [data-place]")).to_have_text("published")
    faults["published"] = found(page)
    assert faults == {state: [] for state in faults}


def found(page: Page) -> list[str]:
    """What axe has to say in light and in dark, as its rules' names."""
    faults = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        faults += [one["id"] for one in axe.violations(page).response["violations"]]
    return faults


def test_the_first_visit_weighs_little_and_later_ones_nearly_nothing(
    stoppable: StoppableNode, chromium: Browser
) -> None:
    team = stoppable.team("weighed")
    context = chromium.new_context(base_url=stoppable.address)
    page = context.new_page()
    weighed = page.context.new_cdp_session(page)
    received = [0.0]
    weighed.send("Network.enable")
    weighed.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto("/login")
    fill_in_login(page, team)
    page.goto("/offline")
    expect(page.get_by_text("This device is ready")).to_be_visible()
    first = sum(received)
    assert 20_000 < first < 200_000, first
    received.clear()
    page.goto("/offline")
    expect(page.get_by_text("This device is ready")).to_be_visible()
    assert sum(received) < 30_000
    context.close()
