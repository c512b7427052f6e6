"""An event team's Saturday in a real browser, from a login during an outage to the master's receipt."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import PHONE, NewPage, RunningNode
from tests.support.days import DAY, IN_FILES, SPOKEN
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

LogIn = Callable[..., Page]
Shoot = Callable[[Page, str], Path]

TIMES = [f"00:{18 + n // 4:02}:{n % 4 * 13:02}" for n in range(12)]
STOPWATCH = "\n".join(
    [f"STARTOFEVENT,{IN_FILES} 09:00:00,virtual_volunteer"]
    + [f"{n},{IN_FILES} 09:20:00,{time}" for n, time in enumerate(TIMES)]
    + [f"ENDOFEVENT,{IN_FILES} 10:00:00", ""]
).encode()
# three typical mistakes: an athlete with two tokens, one scanned without a token, a token beyond the times
SCANNER = "\n".join(
    [f"A100000{n},P{n:04},{IN_FILES} 09:30:00" for n in range(1, 9)]
    + [
        f"A1000003,P0009,{IN_FILES} 09:31:00",
        f"A1000077,,{IN_FILES} 09:31:30",
        f"A1000088,P0013,{IN_FILES} 09:32:00",
        "",
    ]
).encode()
FILES = (
    FilePayload(name="vv_stopwatch.csv", mimeType="text/csv", buffer=STOPWATCH),
    FilePayload(name="scanner-1.csv", mimeType="text/csv", buffer=SCANNER),
)


def set_day(page: Page, day: str = DAY) -> None:
    page.get_by_label("Day of the event").fill(day)
    if page.evaluate("!document.documentElement.classList.contains('js')"):
        page.get_by_role("button", name="Set the day").click()
    expect(page.get_by_text(SPOKEN).first).to_be_visible()


def add_files(page: Page, *files: FilePayload) -> None:
    """Choose files, those of the three mistakes where none are given."""
    page.locator("#files").set_input_files(list(files or FILES))
    button = page.get_by_role("button", name="Add and check").first
    if button.is_visible():
        button.click()


def submission_of(page: Page) -> str:
    return re.sub(r".*/submissions/([0-9a-f-]{36}).*", r"\1", page.url)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_three_mistakes_are_mended_and_published_by_themselves_when_the_link_returns(
    running_node: RunningNode, new_page: NewPage, log_in_by_page: LogIn, shoot: Shoot, scripts: bool
) -> None:
    running_node.link.refuse()
    try:
        team = running_node.team("bushy" if scripts else "plain")
        page = log_in_by_page(new_page(size=PHONE, scripts=scripts), team)
        expect(page).to_have_url(re.compile(rf"/submit/{team}$"))
        set_day(page)
        add_files(page)
        expect(page.get_by_role("heading", name="things to mend")).to_be_visible()
        expect(page.get_by_role("button", name="Submit 12 finishers")).to_be_disabled()
        expect(page.locator("#row-3")).to_contain_text("A1000003 is in positions 3 and 9")
        shoot(page, f"check-{team}")

        page.get_by_role("button", name="A1000003 was in position 3").first.click()
        expect(page.get_by_role("heading", name="One thing to mend")).to_be_visible()
        page.get_by_role("button", name="Drop the scans with tokens above 12").first.click()
        expect(page.get_by_role("heading", name="Ready to submit")).to_be_visible()
        lone = page.get_by_role("listitem").filter(has_text="A1000077 was scanned without a finish token")
        lone.get_by_label("Type the token of A1000077").fill("P0009")
        lone.get_by_role("button", name="Type the token of A1000077").click()
        expect(page.locator("#row-9")).to_contain_text("A1000077")
        page.get_by_role("button", name="Submit 12 finishers").click()

        expect(page.get_by_role("status")).to_contain_text("Saved here at")
        expect(page.get_by_role("status")).to_contain_text("published automatically")
        expect(page.get_by_text("You do not need to do anything.")).to_be_visible()
        submission = submission_of(page)
        expect(page.get_by_text(submission, exact=True)).to_be_visible()
        assert submission not in running_node.master.receipts()
        shoot(page, f"receipt-waiting-{team}")
    finally:
        running_node.link.restore()
    if not scripts:
        wait_until(lambda: submission in running_node.master.receipts(), 15)
        wait_until(lambda: page.reload() and page.get_by_text("The master has had them since").is_visible(), 60)
    expect(page.get_by_role("status")).to_contain_text("The master has had them since", timeout=20_000)
    assert running_node.master.receipts()[submission]["date"] == DAY
    shoot(page, f"receipt-published-{team}")
