"""The Saturday in each language on the narrowest screen: all in the language of the browser, and no page too wide.

What is on a page is found by its role, its place and its state, never by a text."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import func, select

from resultsq import languages
from resultsq.domain.isolates import without_isolates
from resultsq.domain.role import Role
from resultsq.store.engine.tables import Outage
from tests.browser.conftest import FAILED_CALLS, NewPage, RunningNode, begin_session, fill_in_login, watched_page
from tests.browser.test_saturday import FILES, Shoot, submission_of
from tests.support.days import DAY
from tests.support.foreign import left_in_english
from tests.support.translate import path_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

CODES = sorted(path.parents[1].name for path in languages.FOLDER.glob("*/LC_MESSAGES/*.po"))
WIDEST = [code for code in ("de", "fi", "ja", "ar") if path_of(code).exists()]
"""Long words, longer words, no spaces, and from right to left: what breaks pages."""

NARROW = (320, 740)
BEYOND = """() => {
    const width = document.documentElement.clientWidth, beyond = document.documentElement.scrollWidth - width;
    const out = (one) => { const box = one.getBoundingClientRect(); return box.right > width + 1 || box.left < -1; };
    return beyond <= 0 ? "" : `${beyond} px too wide: ` + [...document.querySelectorAll("body *")]
        .filter(out).slice(0, 5).map((one) => one.outerHTML.slice(0, 120)).join(" | ");
}"""
"""By how much the page is wider than its window, and what sticks out; nothing where nothing does."""

TORN = """() => {
    const isTorn = (node, from, to) => {
        const text = document.createRange();
        text.setStart(node, from);
        text.setEnd(node, to);
        const lines = [...text.getClientRects()].filter((box) => box.width).map((box) => Math.round(box.top / 4));
        return new Set(lines).size > 1;
    };
    const isShort = (text) => [...text].length <= 6 && !/\\s/.test(text);
    const noSpaces = /[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}]/u;
    const found = [];
    for (const one of document.querySelectorAll("th, h1, h2, h3, h4, summary, button, .btn, .badge")) {
        const isWhole = isShort(one.textContent.trim()), walk = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
        while (!one.querySelector("code") && walk.nextNode())
            for (const { 0: word, index } of walk.currentNode.data.matchAll(isWhole ? /\\S+/g : /[\\p{L}\\p{M}]+/gu))
                if ((isWhole || !noSpaces.test(word)) && isTorn(walk.currentNode, index, index + word.length))
                    found.push(word);
    }
    return found.map((text) => `${text} takes two lines`).join(", ");
}"""
"""Words that are torn apart in headings and on buttons. Where words have no spaces, a line may end between any two
letters: there, only short texts are looked at. Code is none."""

LENGTHEN = """() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const skipped = "script, style, template, noscript, code, .digest, svg, [translate=no]";
    while (walk.nextNode())
        if (!walk.currentNode.parentElement.closest(skipped))
            walk.currentNode.data = walk.currentNode.data.replace(
                /\\p{L}+/gu, (word) => word + "eaioneaioneaion".repeat(3).slice(0, Math.ceil(word.length * 0.6)));
}"""
"""Each word gets 60 % more letters."""

OPEN = "document.querySelectorAll('details').forEach((one) => (one.open = true))"

PICTURES = frozenset({"submit", "receipt", "admin-overview", "offline", "status"})
"""Of these each run keeps a picture; with RESULTSQ_ALL_PICTURES in the environment, of all."""

Look = Callable[..., None]
OPERATOR = "reads all languages"


@pytest.fixture
def link(running_node: RunningNode) -> Iterator[Any]:
    """The way to the master, whole again after the test whatever happens."""
    yield running_node.link
    running_node.link.restore()


@pytest.fixture(scope="module")
def operator(running_node: RunningNode, chromium: Browser) -> Any:
    """The cookies of an operator who is logged in."""
    running_node.person(OPERATOR, Role.ADMIN)
    context = chromium.new_context(base_url=running_node.address)
    begin_session(context, OPERATOR)
    cookies = context.cookies()
    context.close()
    return cookies


@dataclass(frozen=True)
class Browsers:
    """Narrow browsers, and what their pages complained of. The operator's is the same one for all languages: to begin
    one costs as much as three pages."""

    open: Callable[..., Page]
    desk: Page
    complaints: list[str]


@pytest.fixture(scope="module")
def browsers(running_node: RunningNode, chromium: Browser, operator: Any) -> Iterator[Browsers]:
    complaints: list[str] = []
    with ExitStack() as stack:

        def opened(**options: Any) -> Page:
            size: Any = {"width": NARROW[0], "height": NARROW[1]}
            context = chromium.new_context(
                base_url=running_node.address, viewport=size, reduced_motion="reduce", **options
            )
            stack.callback(context.close)
            return watched_page(context, running_node.address, complaints, FAILED_CALLS)

        desk = opened()
        desk.context.add_cookies(operator)
        yield Browsers(opened, desk, complaints)


@pytest.fixture
def phone(browsers: Browsers, code: str) -> Iterator[Page]:
    """A team's, in the locale of the language."""
    page = browsers.open(locale=languages.tag(code))
    yield page
    page.context.close()


def speak(page: Page, code: str) -> None:
    """From now on the browser asks for this language."""
    page.set_extra_http_headers({"Accept-Language": languages.tag(code)})


def demand(page: Page, code: str) -> None:
    """The page speaks the language and no English, is written in its direction, is not too wide, and tears no word."""
    html = page.locator("html")
    assert html.get_attribute("lang") == languages.tag(code), page.url
    assert html.get_attribute("dir") == languages.direction(code), page.url
    assert page.evaluate(BEYOND) == "", page.url
    assert page.evaluate(TORN) == "", page.url
    assert left_in_english(page, code) == [], page.url


def gettext_in(code: str, english: str) -> str:
    return languages.language(code).says.gettext(english)


def fix(page: Page, action: str) -> None:
    """Take the first fix of a kind that the check offers, and wait until the page has taken it."""
    state = page.locator("#state").inner_text()
    page.locator(f"form:has(input[name=action][value={action}]) button").first.click()
    expect(page.locator("#state")).not_to_have_text(state)


def add_files_with_mistakes(page: Page) -> None:
    """On the form of an event: the day, and the files of three mistakes."""
    page.locator("#date").fill(DAY)
    expect(page.locator(f"#date[value='{DAY}']")).to_be_visible()
    page.locator("#files").set_input_files(list(FILES))
    expect(page.locator("#send")).to_be_disabled()


def submitted(page: Page) -> str:
    """Submit what is on the form; the submission's id."""
    page.locator("#send").click()
    page.wait_for_url("**/submissions/*")
    return submission_of(page)


@pytest.mark.parametrize("code", CODES)
def test_a_saturday_is_the_readers_own_from_the_login_to_the_receipt(
    running_node: RunningNode, link: Any, browsers: Browsers, phone: Page, code: str
) -> None:
    page, desk = phone, browsers.desk
    browsers.complaints.clear()
    speak(desk, code)
    link.refuse()
    slug = running_node.team(f"park-{code.lower().replace('_', '-')}")
    page.goto("/login")
    demand(page, code)
    fill_in_login(page, slug)
    add_files_with_mistakes(page)
    demand(page, code)
    fix(page, "choose-token")
    fix(page, "drop-tokens-beyond")
    expect(page.locator("#send")).to_be_enabled()
    demand(page, code)
    submission = submitted(page)
    expect(page.locator("#live[data-state=queued]")).to_be_visible()
    demand(page, code)
    desk.goto("/admin?span=30d")
    expect(desk.locator(".banner.border-warning, .banner.border-danger")).to_be_visible()
    desk.evaluate(OPEN)
    demand(desk, code)
    counted = desk.locator(".banner time[data-since]").first
    unit = without_isolates(gettext_in(code, "{seconds} s")).format(seconds="")
    expect(counted).to_contain_text(unit.strip())
    desk.goto("about:blank")  # or it would ask for its figures to the end of the module
    link.restore()
    expect(page.locator("#live[data-state=published]")).to_be_visible()
    demand(page, code)
    assert submission in running_node.master.receipts()
    assert browsers.complaints == []


@pytest.fixture(scope="module")
def outage(running_node: RunningNode) -> int:
    """One that there was, by its number."""

    def latest() -> int | None:
        with running_node.database.read() as conn:
            return conn.execute(select(func.max(Outage.id))).scalar_one()

    if latest() is None:
        running_node.link.refuse()
        wait_until(lambda: latest() is not None, what="an outage")
        running_node.link.restore()
    return latest() or 0


def edit_position_5(page: Page) -> None:
    page.locator("#edit-5").click()
    expect(page.locator("[data-editing]")).to_be_visible()


def see_link(page: Page) -> None:
    expect(page.locator("#link")).not_to_be_empty()


def ask_to_hold(page: Page) -> None:
    page.locator("[name=ids]").first.check()
    page.locator("[name=verb][value=hold]").first.click()
    expect(page.locator("#dialog form")).to_be_visible()


def publish(page: Page, slug: str) -> str:
    """Mend the problems on the form, submit it, and wait for its publication. Returns the submission's id."""
    page.goto(f"/submit/{slug}")
    fix(page, "choose-token")
    fix(page, "drop-tokens-beyond")
    submission = submitted(page)
    expect(page.locator("#live[data-state=published]")).to_be_visible()
    return submission


def write(page: Page, slug: str) -> str:
    """Send a message of an event; its address."""
    page.goto(f"/write/{slug}/messages")
    for field in ("subject", "text"):
        page.locator(f"#{field}").fill("Bushy")
    page.locator("main form .btn-primary").click()
    page.wait_for_url("**/submissions/*")
    return page.url.partition("//")[2].partition("/")[2]


def walk(page: Page, slug: str, operator: Any, outage: int, look: Look) -> None:
    """Call `look` for every page. It gets a name, an address, and what to do on the page before it is looked at."""
    for path in ("login", "status", "unsubscribe/a-secret", "password/used-up", "nowhere"):
        look(path.partition("/")[0], path)
    page.context.add_cookies(operator)
    page.goto(f"/submit/{slug}")
    add_files_with_mistakes(page)
    look("submit", f"submit/{slug}", edit_position_5)
    look("table", f"submit/{slug}/table")
    submission = publish(page, slug)
    for name, path in {
        "receipt": f"submissions/{submission}", "history": f"events/{slug}", "public": f"results/{slug}/{DAY}",
        "docs": "api/docs", "outage": f"admin/outages/{outage}", "events": "events", "account": "account",
        "write": f"write/{slug}/messages",
        **{f"admin-{one}": f"admin/{one}" for one in ("submissions", "errors", "holds", "audit", "events", "people",
                                                      "tokens", "notices", "welcome")},
        "admin-overview": "admin?span=30d", "admin-submission": f"admin/submissions/{submission}",
        "admin-event": f"admin/events/{slug}",
    }.items():  # fmt: skip
        look(name, path)
    look("offline", "offline", see_link)
    look("message", write(page, slug))
    look("admin-ask", "admin/submissions", ask_to_hold)


LONG = "long"
"""English, of which each word is longer by more than half."""

MISSING = ("nowhere", "unsubscribe", "password")
"""Pages that say that there is no such page, or no more."""


def test_no_page_is_wider_than_a_narrow_phone(
    running_node: RunningNode, operator: Any, outage: int, new_page: NewPage, shoot: Shoot
) -> None:
    """In each of the widest languages, and in English whose words are longer by more than half."""
    page = new_page(size=NARROW, locale=None)  # a context's own would be asked for whatever `speak` says
    wide: dict[str, str] = {}

    def look(name: str, path: str, get_ready: Callable[[Page], None] | None = None) -> None:
        for code in (*WIDEST, LONG):
            speak(page, "en" if code == LONG else code)
            answer = page.goto(f"/{path}")
            assert answer is not None
            assert answer.ok or name in MISSING, f"{path}: {answer.status}"
            page.evaluate(OPEN)
            if get_ready is not None:
                get_ready(page)
                page.evaluate(OPEN)
            if code == LONG:
                page.evaluate(LENGTHEN)
            else:
                assert page.evaluate("document.documentElement.lang") == languages.tag(code), page.url
            if name in PICTURES or "RESULTSQ_ALL_PICTURES" in os.environ:
                shoot(page, f"narrow-{code}-{name}")
            wide[f"{code} {name}"] = page.evaluate(BEYOND) or ("" if code == LONG else page.evaluate(TORN))

    walk(page, running_node.team("narrow"), operator, outage, look)
    assert "\n".join(f"{name} is {text}" for name, text in wide.items() if text) == ""
