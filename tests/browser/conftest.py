"""A real Chromium, and a node of real processes whose link to its master can be cut."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from sqlalchemy import update

from resultsq.clock import SystemClock
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, events
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from tests.conftest import give_up
from tests.support import axe
from tests.support.passwords import hashed
from tests.support.processes import ROOT, OtherMaster, Process
from tests.support.proxy import Proxy
from tests.support.services import Missing

ARTEFACTS = ROOT / ".artefacts"
PHONE, DESK = (360, 740), (1280, 900)
PASSWORD = "wet hands"
AXE = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

# nothing that Chromium does by itself may reach for the network
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-lcd-text",
    "--disable-site-isolation-trials",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--renderer-process-limit=2",
)
"""No traffic of its own, no process that imitates a graphics card, and few that draw: a third of its processor time."""

FAILED_CALLS = (
    "Failed to load resource",
    "htmx:sendError",
    "htmx:afterRequest",
)
"""Chromium and htmx log every call that could not be made."""

LONG_MS = 20_000
"""How long a busy machine may take to show what a test expects; a test that means a bound names it."""

BREACHES = """addEventListener("securitypolicyviolation", (event) =>
    breach(`The policy on ${event.effectiveDirective} was broken: ${event.sample || event.blockedURI}`))"""
"""Tells each breach of the policy, also of a kind that the console keeps to itself."""

NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """Chromium's path. The headless shell is the same engine without a window's parts: less than half of the work."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        give_up(Missing("There is no Chromium on the PATH, so the pages cannot be tried: apt-get install chromium."))
    return found


@pytest.fixture(scope="session")
def chromium(chromium_program: str) -> Iterator[Browser]:
    """One Chromium for the run."""
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    expect.set_options(timeout=LONG_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program, args=arguments)
        yield browser
        browser.close()


@dataclass
class RunningNode:
    """Web process and worker at `address`; `link` is their way to the master."""

    address: str
    link: Proxy
    master: OtherMaster
    database: Database
    password_hash: str

    def team(self, slug: str) -> str:
        """An event and its team's account, both called `slug`. Earlier tests sent the same files for other events,
        and that would be a question to this one."""
        now = SystemClock().now()

        def make(conn: Any) -> None:
            conn.execute(update(Submission).values(finishers_digest=None))
            events.add(conn, now, slug, f"{slug.title()} parkrun", "Europe/London")
            accounts.add(conn, now, slug, self.password_hash, Role.TEAM, [slug])

        self.database.write(make)
        return slug

    def person(self, name: str, role: Role) -> str:
        """An account that sees all events."""
        now = SystemClock().now()
        self.database.write(lambda conn: accounts.add(conn, now, name, self.password_hash, role))
        return name


@pytest.fixture(scope="session")
def running_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """One node for the run: each test brings an event of its own."""
    folder = tmp_path_factory.mktemp("node")
    with ExitStack() as stack:
        master = stack.enter_context(OtherMaster())
        link = stack.enter_context(Proxy(int(master.url.rpartition(":")[2])))
        database = Database(f"sqlite:///{folder / 'resultsq.db'}")
        stack.callback(database.close)
        migrate.upgrade(database)
        env = {
            "RESULTSQ_DATA_DIR": str(folder),
            "RESULTSQ_MASTER_URL": f"http://127.0.0.1:{link.port}",
            "RESULTSQ_MASTER_TOKEN": "node-1",
            "RESULTSQ_PUBLIC_STATUS": "true",
        }
        web = stack.enter_context(Process("web", "--port", "0", env=env))
        stack.enter_context(Process("worker", env=env))
        web.wait_for("web.ready", 30)
        address = "http://127.0.0.1:" + (web.stdout + web.stderr).partition("http://127.0.0.1:")[2].split()[0]
        yield RunningNode(address.strip("\"',"), link, master, database, hashed(PASSWORD))


@pytest.fixture
def expected_complaints() -> list[str]:
    """Beginnings of lines that a test may find in the console: it adds those that it causes."""
    return list(FAILED_CALLS)


@pytest.fixture
def complaints() -> list[str]:
    """What the pages of a test complained of: a line is a failure."""
    return []


def watched_page(context: BrowserContext, address: str, complaints: list[str], expected: Sequence[str]) -> Page:
    """A page that adds to the complaints what the policy and the console complain of, and each request to elsewhere.

    `expected`: beginnings of lines of the console that are none."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(tuple(expected)):
            complaints.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((address, "data:")):
            complaints.append(f"A request left the host: {request.url}")

    context.set_default_timeout(LONG_MS)
    context.expose_binding("breach", lambda _source, text: complaints.append(text))
    context.add_init_script(BREACHES)
    page = context.new_page()
    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", asked)
    return page


@pytest.fixture
def new_page(
    chromium: Browser, running_node: RunningNode, complaints: list[str], expected_complaints: list[str]
) -> Iterator[NewPage]:
    """Opens pages, each with its own cookies. A request to elsewhere, or anything that the policy or the console
    complains of, fails the test."""
    contexts = []

    def open_page(
        *, size: tuple[int, int] = DESK, dark: bool = False, scripts: bool = True, locale: str | None = "en-GB"
    ) -> Page:
        context = chromium.new_context(
            base_url=running_node.address,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",  # or a colour is measured on its way to another
            java_script_enabled=scripts,
            locale=locale,
        )
        contexts.append(context)
        return watched_page(context, running_node.address, complaints, expected_complaints)

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def begin_session(context: BrowserContext, name: str) -> None:
    """Log a person in by two calls, with no page drawn: for a test whose subject is not the login."""
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', context.request.get("/login").text())
    assert token is not None
    form = {"name": name, "password": PASSWORD, "csrf_token": token[1]}
    answer = context.request.post("/login", form=form, max_redirects=0)
    assert answer.status == 303, answer.text()


@pytest.fixture
def log_in() -> Callable[..., Page]:
    """Opens a page as a person who is logged in; the page to which a login leads where none is named."""

    def log_in(page: Page, name: str, address: str = "/") -> Page:
        begin_session(page.context, name)
        page.goto(address)
        return page

    return log_in


def fill_in_login(page: Page, name: str) -> None:
    """Log in on the login page that is shown."""
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("form:has(#password) button:not([type])").click()
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture
def log_in_by_page() -> Callable[..., Page]:
    """Logs a person in by the login page."""

    def log_in(page: Page, name: str) -> Page:
        page.goto("/login")
        fill_in_login(page, name)
        return page

    return log_in


@pytest.fixture
def shoot() -> Callable[..., Path]:
    """Keeps a picture of the whole page among the run's artefacts, where WRITE_PICTURES says that somebody looks at
    them, or where the test itself reads it: `needed`."""

    def shoot(page: Page, name: str, needed: bool = False) -> Path:
        path = ARTEFACTS / f"{name}.png"
        if not needed and "WRITE_PICTURES" not in os.environ:
            return path
        ARTEFACTS.mkdir(exist_ok=True)
        page.screenshot(path=path, full_page=True, caret="initial")  # hiding it takes a style that the policy refuses
        return path

    return shoot


@pytest.fixture
def find_nothing() -> Callable[[Page], None]:
    """Fails with what axe finds on a page, and where the page is wider than its window."""

    def find_nothing(page: Page) -> None:
        found = axe.violations(page, *AXE)
        assert found.violations_count == 0, found.generate_report()
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{page.url} is {wider} px wider than its window"

    return find_nothing
