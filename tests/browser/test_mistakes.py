"""The mistakes that teams make, on a phone: each is told with its buttons, and two taps later the sheet is right."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.browser.test_pages import see  # noqa: F401 - a fixture
from tests.browser.test_saturday import LogIn, add_files
from tests.unit.kinds.builders import watch

pytestmark = pytest.mark.long

TIMES = [1051 + 9 * at + at % 7 for at in range(140)]
SCANS = "".join(
    f"A{first + at},P{at:04},{day}/03/2026 09:30:00\n"
    for first, day in ((5000, "07"), (6000, "14"))
    for at in range(1, 141)
)
TABLE = b"Position;Gun time;Chip time;Barcode;Club\n1;17:31:00;17:29:00;A11;Harriers\n2;25:02:00;25:00:00;A12;\n"


def payload(name: str, content: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType="text/csv", buffer=content)


def choose_day(page: Page) -> None:
    page.get_by_label("Day of the event").fill("2026-03-14")
    expect(page.get_by_text("14 March 2026").first).to_be_visible()


def test_two_watches_and_last_weeks_scans_are_right_after_two_taps(
    running_node: RunningNode,
    new_page: NewPage,
    log_in: LogIn,
    see: Callable[[Page, str], None],  # noqa: F811
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("apart"))
    choose_day(page)
    late = [time + 7 for time in TIMES[:-1]]
    add_files(
        page,
        payload("watch A.csv", watch(TIMES)),
        payload("watch B.csv", watch(late)),
        payload("scanner.csv", SCANS.encode()),
    )
    expect(page.locator("#send")).to_be_disabled()
    see(page, "mistakes-watches")

    page.get_by_role("button", name="Take 7 s from watch B.csv").first.click()
    expect(page.get_by_text("shows 7 s more")).to_have_count(0)
    page.get_by_role("button", name="Leave out the 140 scans of 7 March 2026").first.click()

    expect(page.locator("#send")).to_be_enabled()
    expect(page.locator("#send")).to_have_text("Submit 140 finishers")
    expect(page.locator("#row-1")).to_contain_text("A6001")


def test_a_table_that_a_spreadsheet_changed_is_right_after_two_taps(
    running_node: RunningNode,
    new_page: NewPage,
    log_in: LogIn,
    see: Callable[[Page, str], None],  # noqa: F811
) -> None:
    page = log_in(new_page(size=PHONE), running_node.team("changed"))
    choose_day(page)
    add_files(page, payload("table.csv", TABLE))
    see(page, "mistakes-table")

    page.get_by_role("button", name="Chip time is the time").first.click()
    page.get_by_role("button", name="They are minutes and seconds").first.click()

    expect(page.locator("#row-2")).to_contain_text("00:25:00")
    expect(page.locator("#send")).to_be_enabled()
