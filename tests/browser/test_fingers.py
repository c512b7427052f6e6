"""Wet hands and a small screen: what is tapped is large enough, and what matters is in sight."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.browser.test_saturday import LogIn, add_files, set_day

pytestmark = pytest.mark.long

SMALLEST = 40
"""Pixels that a fingertip hits."""

TOO_SMALL = """smallest => [...document.querySelectorAll("main button, main a.btn, main summary, main input")]
    .filter((one) => one.offsetParent && one.type !== "hidden")
    .map((one) => [one.getBoundingClientRect(), one])
    .filter(([box]) => box.height < smallest || box.width < smallest)
    .map(([box, one]) => `${one.textContent.trim() || one.name}: ${box.width} x ${box.height}`)"""


def is_in_sight(page: Page, what: Locator) -> bool:
    """Whether a finger could touch the middle of it now."""
    return bool(
        what.evaluate(
            """one => {
            const box = one.getBoundingClientRect();
            return one.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
        }"""
        )
    )


def test_what_matters_is_in_sight_and_large_enough_when_a_sheet_is_mended_on_a_phone(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("fingers"))
    set_day(page)
    add_files(page)
    check = page.get_by_role("heading", name="2 things to mend")
    expect(check).to_be_in_viewport(ratio=1)
    assert is_in_sight(page, check), "the check comes into view by itself"
    page.get_by_text("Rows and corrections").click()
    page.get_by_role("link", name="Edit position 5").click()
    expect(page.get_by_role("button", name="Change the time")).to_be_visible()
    assert page.evaluate(TOO_SMALL, SMALLEST) == []

    lone = page.get_by_role("listitem").filter(has_text="A1000077 was scanned without a finish token")
    lone.get_by_label("Type the token of A1000077").fill("P0004")
    lone.get_by_role("button", name="Type the token of A1000077").click()
    refusal = page.get_by_role("alert").filter(has_text="Token 4 belongs to A1000004")
    expect(refusal).to_be_in_viewport(ratio=1)
    assert is_in_sight(page, refusal), "a refusal is in sight wherever the page was scrolled to"

    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("link", name="Show them").click()
    expect(check).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="A1000003 was in position 3").first.click()
    expect(page.get_by_role("heading", name="One thing to mend")).to_be_visible()
    page.get_by_role("button", name="Drop the scans with tokens above 12").first.click()
    page.get_by_role("button", name="Submit 12 finishers").click()
    expect(page.get_by_role("status").filter(has_text="The master has had them since")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="Correct these results")).to_be_visible()
    expect(page.get_by_text("Take these results back")).to_have_count(0)
    assert page.evaluate(TOO_SMALL, SMALLEST) == []
