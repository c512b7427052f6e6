"""The mistakes that teams make, on a phone: each is told with its buttons, and two taps later the sheet is right."""

from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import FilePayload, Page, expect

from resultsq.domain import sheet
from resultsq.kinds.results.texts import day_text
from resultsq.readers.marks import write_time
from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.browser.test_pages import see  # noqa: F401 - a fixture
from tests.browser.test_saturday import LogIn, add_files, submission_of
from tests.support.days import BEFORE, DAY, IN_FILES, SATURDAY, SPOKEN
from tests.unit.kinds.builders import watch

pytestmark = pytest.mark.long

LAST_WEEK = day_text(BEFORE.isoformat())
TIMES = [1051 + 9 * at + at % 7 for at in range(140)]
SCANS = "".join(
    f"A{first + at},P{at:04},{day:%d/%m/%Y} 09:30:00\n"
    for first, day in ((5000, BEFORE), (6000, SATURDAY))
    for at in range(1, 141)
)
TABLE = b"Position;Gun time;Chip time;Barcode;Club\n1;17:31:00;17:29:00;A11;Harriers\n2;25:02:00;25:00:00;A12;\n"


def payload(name: str, content: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType="text/csv", buffer=content)


def choose_day(page: Page) -> None:
    page.get_by_label("Day of the event").fill(DAY)
    expect(page.get_by_text(SPOKEN).first).to_be_visible()


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
    page.get_by_role("button", name=f"Leave out the 140 scans of {LAST_WEEK}").first.click()

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


MOST_TAPS = 12
LAST_SCANS = "".join(f"A{7000 + at},P{at:04},{BEFORE:%d/%m/%Y} 09:30:00\n" for at in range(1, 113))
# three typical mistakes: A8003 with two tokens, A8050 scanned without one, a token beyond the times
TODAYS_SCANS = "".join(
    f"A{8003 if at == 9 else 8000 + at},{'' if at == 50 else f'P{at:04}'},{IN_FILES} 09:30:00\n" for at in range(1, 141)
)
BEYOND = f"A8999,P0141,{IN_FILES} 09:59:00\n"


class Thumb:
    """Counts what a person taps: each button, each field that is typed into, each chooser."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.taps = 0

    def press(self, name: str) -> None:
        """And wait for the answer. The page leaves out a tap on a row that the tap before it changes, and says so."""
        self.taps += 1
        button = self.page.get_by_role("button", name=name)
        button.first.click()
        expect(button).to_have_count(0)

    def type(self, label: str, text: str) -> None:
        self.taps += 1
        self.page.get_by_label(label).first.fill(text)

    def choose(self, *files: FilePayload) -> None:
        self.taps += 2  # the button, and what the device asks
        add_files(self.page, *files)


def test_an_outage_and_every_usual_mistake_cost_at_most_twelve_taps(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn
) -> None:
    running_node.link.refuse()
    try:
        page = log_in(new_page(size=PHONE), running_node.team("twelve"))
        thumb = Thumb(page)
        thumb.type("Day of the event", DAY)
        expect(page.get_by_text(SPOKEN).first).to_be_visible()
        thumb.choose(
            payload("watch A.csv", watch(TIMES)),
            payload("watch B.csv", watch([time + 7 for time in TIMES])),
            payload("scanner.csv", (LAST_SCANS + TODAYS_SCANS + BEYOND).encode()),
        )
        expect(page.locator("#send")).to_be_disabled()
        thumb.press("Take 7 s from watch B.csv")
        thumb.press(f"Leave out the 112 scans of {LAST_WEEK}")
        thumb.press("A8003 was in position 3")
        thumb.press("Drop the scans with tokens above 140")
        expect(page.locator("#send")).to_be_enabled()
        thumb.type("Type the token of A8050", "P0050")
        thumb.press("Type the token of A8050")
        expect(page.locator("#row-50")).to_contain_text("A8050")
        thumb.press("Submit 140 finishers")
        expect(page.get_by_role("status")).to_contain_text("published automatically when the connection is back")
        submission = submission_of(page)
        assert submission not in running_node.master.receipts()
    finally:
        running_node.link.restore()
    expect(page.get_by_role("status")).to_contain_text("The master has had them since", timeout=20_000)
    assert thumb.taps <= MOST_TAPS, thumb.taps

    answer = requests.get(
        f"{running_node.master.url}/v1/events/twelve/results/{DAY}",
        headers={"Authorization": "Bearer node-1"},
        timeout=10,
    )
    published = sheet.parse(answer.content).finishers
    right = [(at, write_time(TIMES[at - 1]), None if at == 9 else f"A{8000 + at}") for at in range(1, 141)]
    assert [(row.position, row.time, row.athlete) for row in published] == right
