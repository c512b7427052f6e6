"""One accent, and a policy that no page breaks, whatever is put into it."""

import pytest
from playwright.sync_api import Locator, Page, expect

from resultsq.domain.role import Role
from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.browser.test_saturday import LogIn, add_files, set_day, submission_of

pytestmark = pytest.mark.long

BREAKS_THE_POLICY = "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')"


def test_the_policy_holds_when_parts_of_the_form_are_swapped(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, complaints: list[str]
) -> None:
    running_node.link.refuse()
    try:
        page = log_in(new_page(size=PHONE), running_node.team("swaps"))
        set_day(page)
        add_files(page)
        page.get_by_text("Rows and corrections").click()
        page.get_by_role("link", name="Edit position 5").click()
        page.get_by_role("button", name="Change the time").click()
        page.get_by_role("button", name="A1000003 was in position 3").first.click()
        page.get_by_role("button", name="Drop the scans with tokens above 12").first.click()
        expect(page.get_by_role("heading", name="Ready to submit")).to_be_visible()
        page.get_by_role("button", name="Undo the last one").click()
        expect(page.get_by_role("heading", name="One thing to mend")).to_be_visible()
        page.get_by_role("button", name="Drop the scans with tokens above 12").first.click()
        page.get_by_role("button", name="Submit 12 finishers").click()
        expect(page.get_by_role("status")).to_contain_text("Saved here at")
        assert submission_of(page)
    finally:
        running_node.link.restore()
    expect(page.get_by_role("status")).to_contain_text("The master has had them since", timeout=20_000)
    assert complaints == []


def test_the_policy_holds_when_parts_of_the_admin_pages_are_swapped(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, complaints: list[str]
) -> None:
    page = log_in(new_page(), running_node.person("looks after it", Role.ADMIN), "/admin")
    page.wait_for_timeout(2_500)  # its figures are fetched anew each second or two
    for path in ("submissions", "errors", "holds", "audit", "events", "people", "tokens", "welcome"):
        page.goto(f"/admin/{path}")
        expect(page.locator("main")).to_be_visible()
    page.goto("/admin/submissions")
    page.locator("input[name=on][value=filtered]").check()
    page.get_by_role("button", name="Hold…", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_be_visible()
    assert complaints == []


def test_a_breach_of_the_policy_is_noticed(running_node: RunningNode, new_page: NewPage, complaints: list[str]) -> None:
    page = new_page()
    page.goto("/login")
    page.evaluate(BREAKS_THE_POLICY)
    page.wait_for_timeout(200)
    assert any("style-src-attr was broken" in line for line in complaints), complaints
    complaints.clear()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_links_primary_buttons_and_the_mark_have_the_accent(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, dark: bool
) -> None:
    page = new_page(dark=dark)
    page.goto("/login")
    accent = colour_of_accent(page)
    assert colour(page.get_by_role("button", name="Log in"), "backgroundColor") == accent
    assert colour(page.locator(".brand-mark rect"), "fill") == accent
    page = log_in(page, running_node.team(f"accent-{dark}".lower()))
    assert colour(page.get_by_role("link", name="Type a table instead"), "color") == accent
    assert page.evaluate("getComputedStyle(document.body).fontVariantNumeric") == "tabular-nums"


def colour(what: Locator, of: str) -> str:
    return str(what.evaluate("(one, of) => getComputedStyle(one)[of]", of))


def colour_of_accent(page: Page) -> str:
    return str(
        page.evaluate(
            """() => {
            const one = document.body.appendChild(document.createElement("i"));
            one.style.color = "var(--accent)"; // the object model is free of the policy
            return getComputedStyle(one).color;
        }"""
        )
    )
