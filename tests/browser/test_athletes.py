"""The master is away, and a team hands in 140 finishers of whom two barcodes were misread."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import FilePayload, Page, expect

from resultsq.clock import SystemClock
from resultsq.domain.athletes import Athlete
from resultsq.store.athletes import copies
from tests.browser.conftest import DESK, PHONE, NewPage, RunningNode
from tests.browser.test_saturday import LogIn, Shoot, add_files, set_day
from tests.support.athletes import FIRST, load
from tests.support.days import IN_FILES
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

COUNT = 140
NUMBERS = [f"A{FIRST + n * 101}" for n in range(COUNT)]
MISREAD = {17: "A1001917", 88: "A1008878"}
"""Positions, and what the scanner read there: a digit of another number, and two in each other's place."""

HELPER = "A1009230"
"""Number 30, A1002930, with two digits in each other's place."""


@pytest.fixture
def away(running_node: RunningNode) -> Iterator[RunningNode]:
    """The node without its master; the list that a test loads is forgotten afterwards."""
    running_node.link.refuse()
    try:
        yield running_node
    finally:
        running_node.link.restore()
        tomorrow = SystemClock().now() + timedelta(days=1)
        running_node.database.write(lambda conn: copies.forget(conn, tomorrow))


def files() -> list[FilePayload]:
    times = [f"00:{18 + n // 12:02}:{n % 12 * 5:02}" for n in range(COUNT)]
    watch = [f"STARTOFEVENT,{IN_FILES} 09:00:00,virtual_volunteer"]
    watch += [f"{n},{IN_FILES} 09:20:00,{time}" for n, time in enumerate(times)]
    watch += [f"ENDOFEVENT,{IN_FILES} 10:00:00", ""]
    scans = [f"{MISREAD.get(n, number)},P{n:04},{IN_FILES} 09:30:00" for n, number in enumerate(NUMBERS, 1)]
    return [
        FilePayload(name="stopwatch.csv", mimeType="text/csv", buffer="\n".join(watch).encode()),
        FilePayload(name="scanner.csv", mimeType="text/csv", buffer="\n".join([*scans, ""]).encode()),
    ]


def _help(page: Page) -> None:
    """Add a volunteer whose number was read from a card with two digits in each other's place."""
    page.get_by_text("Volunteers: none yet").click()
    page.locator("#v-athlete").fill(HELPER)
    page.locator("#v-role").fill("Timekeeper")
    page.get_by_role("button", name="Add", exact=True).click()
    told = f"no athlete has the number {HELPER} of a volunteer (Timekeeper)"
    expect(page.get_by_text(told)).to_be_visible()


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (DESK, True)])
def test_two_misread_barcodes_are_named_and_one_is_mended_by_a_tap_while_the_master_is_away(
    away: RunningNode,
    new_page: NewPage,
    log_in: LogIn,
    shoot: Shoot,
    find_nothing: Callable[[Page], None],
    size: tuple[int, int],
    dark: bool,
) -> None:
    look = f"{size[0]}-{'dark' if dark else 'light'}"
    team = away.team(f"misread-{look}")
    people = [Athlete(number, f"Runner NAME{n}", None, team, n) for n, number in enumerate(NUMBERS, 1)]
    load(away.database, people, SystemClock().now() - timedelta(hours=1))
    page = log_in(new_page(size=size, dark=dark), team)
    set_day(page)
    add_files(page, *files())
    expect(page.get_by_role("heading", name="2 things are worth a look")).to_be_visible()
    for position, read in MISREAD.items():
        meant = NUMBERS[position - 1]
        row = page.locator(f"#row-{position}")
        expect(row).to_contain_text(
            re.compile(rf"As of \d\d:\d\d, no athlete has the number {read} \(position {position}\)")
        )
        expect(row).to_contain_text(f"It was Runner NAME{position}, {meant}")
    expect(page.locator("#row-1")).to_contain_text("Runner NAME1")
    wait_until(lambda: page.reload() and "cannot be reached" in page.content(), 30, "the node to miss its master")
    expect(page.locator("#names-as-of")).to_contain_text("The master cannot be reached now")
    shoot(page, f"athletes-{look}")
    find_nothing(page)
    page.get_by_role("button", name="It was Runner NAME17").first.click()
    expect(page.get_by_role("heading", name="one thing is worth a look")).to_be_visible()
    expect(page.locator("#row-17")).to_contain_text(f"{NUMBERS[16]} Runner NAME17")
    _help(page)
    shoot(page, f"athletes-volunteer-{look}")
    find_nothing(page)
    page.get_by_role("button", name="It was Runner NAME30").click()
    expect(page.get_by_role("row", name=f"{NUMBERS[29]} Runner NAME30 Timekeeper")).to_be_visible()
    page.get_by_role("button", name="Submit 140 finishers").click()
    page.get_by_text("The sheet: 140 finishers").click()
    page.get_by_role("link", name=NUMBERS[0], exact=True).click()
    expect(page.get_by_role("heading", name="Runner NAME1")).to_be_visible()
    expect(page.locator("svg.barcode")).to_be_visible()
    expect(page.get_by_text("The master cannot be reached now")).to_be_visible()
    shoot(page, f"athlete-{look}")
    find_nothing(page)
