"""Arabic pages with Latin names of files, events and people: each sentence keeps the order of its words."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from resultsq.domain.role import Role
from tests.browser.conftest import NewPage, RunningNode
from tests.browser.test_languages import NARROW, OPEN, fix, submitted
from tests.browser.test_saturday import SCANNER, STOPWATCH, LogIn, Shoot
from tests.support.days import DAY
from tests.support.isolation import look

pytestmark = pytest.mark.long

FILES = (
    FilePayload(name="results (1).csv", mimeType="text/csv", buffer=STOPWATCH),
    FilePayload(name="Scanner no. 2.txt", mimeType="text/csv", buffer=SCANNER),
    FilePayload(name="letter (2).txt", mimeType="text/plain", buffer=b"Dear all,\nsee you on Saturday\n"),
)


def test_foreign_words_leave_arabic_sentences_in_order(
    running_node: RunningNode, new_page: NewPage, log_in: LogIn, shoot: Shoot
) -> None:
    slug = running_node.team("right-to-left")
    page = log_in(new_page(size=NARROW, locale="ar"), slug)
    found: dict[str, list[str]] = {}
    apart: dict[str, int] = {}

    def see(page: Page, name: str) -> None:
        page.evaluate(OPEN)
        seen = look(page)
        found[name] = seen.mixed + seen.turned
        apart[name] = seen.apart

    page.goto(f"/submit/{slug}")
    page.locator("#date").fill(DAY)
    expect(page.locator(f"#date[value='{DAY}']")).to_be_visible()
    page.locator("#files").set_input_files(list(FILES))
    expect(page.locator("#send")).to_be_disabled()
    page.evaluate(OPEN)
    page.locator("#edit-5").click()
    expect(page.locator("[data-editing]")).to_be_visible()
    see(page, "form")
    shoot(page, "isolated-form")
    page.goto(f"/submit/{slug}")
    page.locator("form[action$='/unneeded'] button").first.click()
    expect(page.locator("form[action$='/unneeded']")).to_have_count(0)
    fix(page, "choose-token")
    fix(page, "drop-tokens-beyond")
    submission = submitted(page)
    expect(page.locator("#live[data-state=published]")).to_be_visible()
    see(page, "receipt")
    shoot(page, "isolated-receipt")
    for path in (f"events/{slug}", "events", "account", f"write/{slug}/messages", "submit"):
        page.goto(f"/{path}")
        see(page, path)
    chief = log_in(new_page(size=NARROW, locale="ar"), running_node.person("Jo (office)", Role.ADMIN))
    for path in (f"submissions/{submission}", "submissions", "audit", "holds"):
        chief.goto(f"/admin/{path}")
        see(chief, f"admin/{path}")
        shoot(chief, f"isolated-admin-{path.partition('/')[0]}")
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert apart["form"] >= 3
    assert apart["receipt"] >= 2
