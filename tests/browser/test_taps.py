"""No tap and no file is lost: while a request runs, while the device is offline, and after the session ended."""

import re

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser.conftest import PASSWORD, PHONE, NewPage, RunningNode
from tests.browser.test_network import TABLE
from tests.browser.test_pages import SCHEMES, FindNothing
from tests.browser.test_saturday import LogIn, Shoot, add_files, set_day
from tests.support.days import weeks_before

pytestmark = pytest.mark.long

FIRST, SECOND = "A1000003 was in position 3", "Drop the scans with tokens above 12"


def stopped(page: Page, what: str) -> list[Route]:
    """The next request to `what` waits in this list until the test lets it go on."""
    routes: list[Route] = []
    page.route(what, lambda route: routes.append(route), times=1)
    return routes


def test_a_tap_is_done_after_the_running_one_when_it_comes_meanwhile(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, shoot: Shoot, find_nothing: FindNothing
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("quick"))
    set_day(page)
    add_files(page)
    expect(page.get_by_role("heading", name="2 things to mend")).to_be_visible()
    routes = stopped(page, "**/change")
    page.get_by_role("button", name=FIRST).first.click()
    page.get_by_role("button", name=SECOND).first.click()
    expect(page.get_by_text("Working…")).to_be_visible()
    assert len(routes) == 1, "one request at a time"
    expect(page.locator(".waits")).to_have_count(2)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        find_nothing(page)
        shoot(page, f"taps-wait-{scheme}")
    routes[0].continue_()
    expect(page.get_by_role("heading", name=re.compile("thing.*worth a look|nothing is wrong", re.I))).to_be_visible()
    expect(page.get_by_text("Changed by hand")).to_be_visible()
    expect(page.locator("[aria-labelledby=changes] li")).to_have_count(2)
    expect(page.get_by_text("Working…")).to_have_count(0)


def test_a_tap_is_left_out_and_told_when_its_row_is_another_after_the_running_one(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(), running_node.team("moved"))
    set_day(page)
    add_files(page)
    choices = page.get_by_role("listitem").filter(has_text="A1000003 is in positions 3 and 9")
    expect(choices).to_be_visible()
    routes = stopped(page, "**/change")
    choices.get_by_role("button", name="A1000003 was in position 3").click()
    choices.get_by_role("button", name="A1000003 was in position 9").click()
    routes[0].continue_()
    expect(page.get_by_role("alert").filter(has_text="The page changed before your last tap")).to_be_visible()
    expect(page.locator("[aria-labelledby=changes] li")).to_have_count(1)


def test_a_file_is_sent_by_itself_when_it_was_chosen_while_offline(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("tunnel"))
    set_day(page)
    page.context.set_offline(True)
    page.locator("#files").set_input_files([TABLE])
    expect(page.get_by_role("alert").filter(has_text="This device is offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


def test_a_file_is_sent_by_itself_when_the_node_was_away(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("away"))
    set_day(page)
    page.route("**/files", lambda route: route.abort())
    page.locator("#files").set_input_files([TABLE])
    expect(page.get_by_role("alert").filter(has_text="This device is offline")).to_be_visible()
    page.unroute("**/files")
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


def test_a_file_is_sent_after_the_login_when_the_session_had_ended(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, expected_complaints: list[str]
) -> None:
    expected_complaints.append("Response Status Error Code 401")
    page = log_in(new_page(size=PHONE), running_node.team("expired"))
    set_day(page)
    dialog = _login_after_a_file(page)
    dialog.get_by_label("Name").fill("expired")
    dialog.get_by_label("Password").fill("dry hands")
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    _log_in_again(page, "expired")
    expect(page).to_have_url(re.compile("/submit/expired(#state)?$"))
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


def test_the_name_and_password_stay_when_the_page_is_tapped_before_the_login_comes(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, expected_complaints: list[str]
) -> None:
    expected_complaints.append("Response Status Error Code 401")
    page = log_in(new_page(size=PHONE), running_node.team("tapped"))
    set_day(page)
    page.context.clear_cookies()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url.rsplit("/", 1)[-1]) if one.method == "POST" else None)
    routes = stopped(page, "**/login?next=**")
    with page.expect_request("**/login?next=**"):
        page.locator("#files").set_input_files([TABLE])
    page.get_by_label("Day of the event").fill(weeks_before(1))
    page.wait_for_timeout(300)
    assert len(sent) == len(routes) == 1, "the tap waits for the login"
    routes[0].continue_()
    _log_in_again(page, "tapped")
    expect(page.get_by_label("Day of the event")).to_have_value(weeks_before(1))
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


def test_the_login_comes_again_when_the_network_failed_at_it(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, expected_complaints: list[str]
) -> None:
    expected_complaints.append("Response Status Error Code 401")
    page = log_in(new_page(size=PHONE), running_node.team("failed"))
    set_day(page)
    page.context.clear_cookies()
    page.route("**/login?next=**", lambda route: route.abort(), times=1)
    page.locator("#files").set_input_files([TABLE])
    expect(page.get_by_role("alert").filter(has_text="The login did not work just now")).to_be_visible()
    dialog = page.get_by_role("dialog", name="You were logged out")
    expect(dialog).to_be_visible()
    page.route("**/login", lambda route: route.abort(), times=1)
    dialog.get_by_label("Name").fill("failed")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog.get_by_role("alert")).to_have_text("The login did not work just now. Try again in a moment.")
    expect(dialog.get_by_label("Name")).to_have_value("failed")
    _log_in_again(page, "failed")
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


@pytest.mark.parametrize("fails", ["network", "node"])
def test_the_page_is_renewed_before_a_file_is_sent_when_that_failed_after_the_login(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, expected_complaints: list[str], fails: str
) -> None:
    expected_complaints.append("Response Status Error Code")
    team = f"renewed-{fails}"
    page = log_in(new_page(size=PHONE), running_node.team(team))
    set_day(page)
    _login_after_a_file(page)
    failed: list[Route] = []

    def fail(route: Route) -> None:
        failed.append(route)
        if fails == "network":
            route.abort()
        else:
            route.fulfill(status=503, body="")

    page.route(f"**/submit/{team}", fail, times=1)
    _log_in_again(page, team)
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()
    assert len(failed) == 1, "that one request failed"


def test_a_tap_asks_for_the_login_again_when_its_dialog_was_closed(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, expected_complaints: list[str]
) -> None:
    expected_complaints.append("Response Status Error Code 401")
    page = log_in(new_page(size=PHONE), running_node.team("closed"))
    set_day(page)
    dialog = _login_after_a_file(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_label("Day of the event").fill(weeks_before(1))
    _log_in_again(page, "closed")
    expect(page.get_by_label("Day of the event")).to_have_value(weeks_before(1))
    expect(page.get_by_role("button", name="Submit 2 finishers")).to_be_enabled()


def test_what_waits_stays_when_a_tapped_link_leads_to_the_login(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, expected_complaints: list[str]
) -> None:
    page = log_in(new_page(), running_node.team("linked"))
    set_day(page)
    add_files(page)
    expect(page.get_by_role("heading", name="2 things to mend")).to_be_visible()
    page.context.clear_cookies()
    routes = stopped(page, "**/submit/linked?edit=*")
    page.get_by_role("link", name="Edit position 5").click()
    page.get_by_label("Day of the event").fill(weeks_before(1))
    routes[0].continue_()
    with page.expect_response(lambda answer: "?edit=" in answer.url and answer.status == 200):  # the link, once more
        _log_in_again(page, "linked")
    expect(page.get_by_label("Day of the event")).to_have_value(weeks_before(1))
    expect(page.get_by_role("alert").filter(has_text="The page changed before your last tap")).to_have_count(0)


def _login_after_a_file(page: Page) -> Locator:
    """The dialog that asks for the login when a file is chosen after the session has ended."""
    page.context.clear_cookies()
    page.locator("#files").set_input_files([TABLE])
    dialog = page.get_by_role("dialog", name="You were logged out")
    expect(dialog).to_be_visible()
    return dialog


def _log_in_again(page: Page, name: str) -> None:
    dialog = page.get_by_role("dialog", name="You were logged out")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog).to_be_hidden()


def test_the_large_file_is_named_when_files_are_too_large_together(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("large"))
    film = FilePayload(name="film.mp4", mimeType="video/mp4", buffer=b"0" * 9 * 2**20)
    page.locator("#files").set_input_files([TABLE, film])
    expect(page.get_by_role("alert").filter(has_text="film.mp4 has 9.4 MB")).to_be_visible()


def test_the_sheet_is_folded_on_a_phone_and_opened_by_a_link_to_a_row(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("folded"))
    expect(page.get_by_label("Day of the event")).to_have_attribute("autocomplete", "off")
    expect(page.locator(".text-danger-emphasis")).to_have_count(0)
    add_files(page)
    expect(page.get_by_role("heading", name="2 things to mend")).to_be_visible()
    expect(page.locator("#row-3")).to_be_hidden()
    send = page.get_by_role("button", name="Submit 12 finishers")
    assert send.evaluate("one => getComputedStyle(one).backgroundColor") != "rgb(25, 135, 84)", "it looks enabled"
    page.get_by_role("link", name="Position 3").first.click()
    expect(page.locator("#row-3")).to_be_visible()
