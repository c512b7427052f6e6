"""Bad Wi-Fi, impatient fingers, a keyboard alone, and what a page costs on the wire."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, Response, Route, expect

from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.browser.test_saturday import LogIn, add_files, set_day, submission_of

pytestmark = pytest.mark.long

FIRST_VISIT, LATER = 200_000, 30_000
"""Bytes on the wire."""

TABLE = FilePayload(name="t.csv", mimeType="text/csv", buffer=b"position,time,athlete\n1,18:00,A1000001\n2,18:30,\n")


def ready_to_send(page: Page) -> None:
    set_day(page)
    add_files(page, TABLE)
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


def test_nothing_is_lost_when_the_browser_goes_offline_in_the_middle(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("cafe"))
    set_day(page)
    add_files(page)
    fix = page.get_by_role("button", name="A1000003 was in position 3").first
    expect(fix).to_be_visible()
    page.context.set_offline(True)
    fix.click()
    expect(page.get_by_role("alert").filter(has_text="This device is offline")).to_be_visible()
    expect(page.get_by_role("button", name="Submit 12 finishers")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("alert").filter(has_text="This device is offline")).to_be_hidden()
    expect(page.get_by_role("heading", name="one thing to mend")).to_be_visible()
    later = page.context.new_page()
    later.goto("/submit/cafe")
    expect(later.get_by_role("heading", name="one thing to mend")).to_be_visible()


def test_a_file_that_is_chosen_before_the_script_has_arrived_is_sent(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    team = running_node.team("slow")
    page = log_in(new_page(size=PHONE), team)
    held: list[Route] = []
    page.route("**/form.js*", lambda route: held.append(route))  # a built-in cannot be marked
    page.goto(f"/submit/{team}", wait_until="commit")
    page.locator("#files").set_input_files([TABLE])
    page.wait_for_function("document.getElementById('files').files.length === 1")
    assert held, "the script is still on its way"
    for script in held:
        script.continue_()
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_visible()


def test_a_file_that_is_chosen_while_the_page_is_renewed_is_sent(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("renewed"))
    old = page.locator("#files").element_handle()
    set_day(page)
    page.wait_for_function("field => !field.isConnected", arg=old)
    old.set_input_files([TABLE])
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_double_click_is_one_submission(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, scripts: bool
) -> None:
    team = running_node.team(f"hasty-{scripts}".lower())
    page = log_in(new_page(scripts=scripts), team)
    ready_to_send(page)
    page.get_by_role("button", name="Submit 2 finishers").dblclick()
    expect(page).to_have_url(re.compile("/submissions/"))  # the second click ends the first one's loading
    page.wait_for_load_state()
    submission = submission_of(page)
    page.reload()
    page.go_back()
    page.goto(f"/events/{team}")
    expect(page.get_by_role("link", name="Version 1")).to_have_attribute("href", f"/submissions/{submission}")
    expect(page.get_by_role("link", name="Version 2")).to_have_count(0)


def test_the_keyboard_alone_is_enough_to_mend_and_submit(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(), running_node.team("keys"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    set_day(page)
    add_files(page)
    expect(page.get_by_role("heading", name="2 things to mend")).to_be_visible()

    def tab_to(name: str) -> None:
        for _ in range(60):
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                return
            page.keyboard.press("Tab")
        pytest.fail(f"{name} cannot be reached with Tab")

    tab_to("A1000003 was in position 3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="one thing to mend")).to_be_focused()
    tab_to("Drop the scans with tokens above 12")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ready to submit")).to_be_focused()
    tab_to("Submit 12 finishers")
    page.keyboard.press("Enter")
    page.wait_for_url("**/submissions/*")


def test_a_table_is_typed_row_by_row_with_enter(running_node: RunningNode, new_page: NewPage, log_in: LogIn) -> None:
    team = running_node.team("typists")
    page = log_in(new_page(size=PHONE), team)
    page.get_by_role("link", name="Type a table instead").click()
    page.get_by_label("Time of position 1", exact=True).focus()
    for text in ("18:00", "a1000001", "18:30", "", "19:00", "a1000003"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    page.get_by_label("Time of position 20").fill("40:00")
    expect(page.get_by_label("Time of position 21")).to_be_visible()
    page.get_by_label("Time of position 20").fill("")
    page.get_by_role("button", name="Check this table").click()
    expect(page.get_by_role("heading", name="The sheet: 3 finishers")).to_be_visible()
    expect(page.locator("#row-2")).to_contain_text("Unknown")


def test_a_page_is_light_on_the_wire(running_node: RunningNode, new_page: NewPage, log_in: LogIn) -> None:
    running_node.team("thrifty")
    page = new_page(size=PHONE)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))

    def weight(go: Callable[[], object]) -> int:
        answers.clear()
        go()
        page.wait_for_load_state("networkidle")
        sizes = [answer.request.sizes() for answer in answers]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)

    first = weight(lambda: page.goto("/login"))
    log_in(page, "thrifty")
    add_files(page)
    expect(page.get_by_role("heading", name="2 things to mend")).to_be_visible()
    later = weight(lambda: page.goto("/submit/thrifty"))
    print(f"first visit {first} bytes, later {later}")
    assert 20_000 < first < FIRST_VISIT
    assert 1_000 < later < LATER
