"""A node whose web process is stopped, killed and started again, a link to it with a switch, and browsers on a disk."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, FilePayload, Page, expect
from sqlalchemy import func, select

from resultsq.backup import backup, restore
from resultsq.clock import SystemClock
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, events
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import DeviceEntryRow, Submission
from tests.browser.conftest import LONG_MS, PASSWORD, PHONE, QUIET, begin_session
from tests.support.days import DAY, IN_FILES
from tests.support.passwords import hashed
from tests.support.processes import OtherMaster, Process
from tests.support.proxy import Proxy
from tests.support.services import free_port
from tests.support.waiting import wait_until

HASHED = hashed(PASSWORD)


def stopwatch(first_second: int = 0, marker: str = "") -> FilePayload:
    """Twelve times; another first second is other results."""
    lines = [
        f"{n},{IN_FILES} 09:20:00,00:{18 + first_second // 13 + n // 4:02}:{(n % 4) * 13 + first_second % 13:02}"
        for n in range(12)
    ]
    text = "\n".join([f"STARTOFEVENT,{IN_FILES} 09:00:00,junsd{marker}", *lines, f"ENDOFEVENT,{IN_FILES} 10:00:00", ""])
    return FilePayload(name=f"watch{first_second}.csv", mimeType="text/csv", buffer=text.encode())


BAD = FilePayload(name="watch.csv", mimeType="text/csv", buffer=stopwatch()["buffer"].replace(b"00:19:13", b"00:99:13"))


class StoppableNode:
    """A web process and a worker on one store, with a master beside them; browsers reach the web process by `link`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.database = Database(f"sqlite:///{folder / 'resultsq.db'}")
        stack.callback(self.database.close)
        migrate.upgrade(self.database)
        self.master = stack.enter_context(OtherMaster())
        self.port = free_port()
        self.link = stack.enter_context(Proxy(self.port))
        self.env = {
            "RESULTSQ_DATA_DIR": str(folder),
            "RESULTSQ_MASTER_URL": self.master.url,
            "RESULTSQ_MASTER_TOKEN": "node-1",
        }
        self.worker = stack.enter_context(Process("worker", env=self.env))
        self.web: Process
        self.start()
        stack.callback(self.end)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.link.port}"

    def start(self, **env: str) -> None:
        """Start the web process, and wait until it answers."""
        if hasattr(self, "web"):
            self.web.close()
        self.web = Process("web", "--port", str(self.port), env={**self.env, **env})
        self.web.wait_for("web.ready", 30)

    def back_up(self) -> Path:
        """A backup of the node as it is."""
        file = self.folder.parent / "copy.db"
        backup(self.database, file)
        return file

    def put_back(self, copy: Path) -> None:
        """Stop the node, restore the backup, and start it again."""
        self.stop()
        self.worker.terminate()
        self.database.close()
        for file in self.folder.glob("resultsq.db*"):
            file.unlink()
        self.database = Database(f"sqlite:///{self.folder / 'resultsq.db'}")
        self.stack.callback(self.database.close)
        migrate.upgrade(self.database)
        restore(self.database, copy, SystemClock())
        self.worker = self.stack.enter_context(Process("worker", env=self.env))
        self.start()

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self.web.terminate()

    def kill(self) -> None:
        """kill -9."""
        self.web.kill()

    def end(self) -> None:
        """End whichever web process was started last."""
        self.web.close()

    def team(self, slug: str) -> str:
        """An event and its team's account, both called `slug`."""
        now = SystemClock().now()

        def make(conn: Any) -> None:
            events.add(conn, now, slug, f"{slug.title()} parkrun", "Europe/London")
            accounts.add(conn, now, slug, HASHED, Role.TEAM, [slug])

        self.database.write(make)
        return slug

    def count(self, table: type[Submission] | type[DeviceEntryRow], slug: str) -> int:
        """Rows of that event."""
        with self.database.read() as conn:
            event = events.find(conn, slug)
            assert event is not None
            query = select(func.count()).select_from(table).where(table.event_id == event.id)
            return int(conn.execute(query).scalar_one())

    def entries(self, slug: str) -> int:
        """Entries of that event that came from devices."""
        return self.count(DeviceEntryRow, slug)

    def submissions(self, slug: str) -> int:
        """Submissions of that event."""
        return self.count(Submission, slug)


class KillableBrowser:
    """A Chromium with a profile on the disk, to be killed and started again."""

    def __init__(self, driver: BrowserType, program: str, profile: Path, *arguments: str) -> None:
        self._driver, self._program, self._profile, self._arguments = driver, program, profile, arguments
        self.process: Process
        self.browser: Browser
        self.start()

    def start(self) -> None:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        profile = [f"--user-data-dir={self._profile}", "--remote-debugging-port=0", "--headless"]
        command = [self._program, *QUIET, *root, *profile, *self._arguments]
        self.process = Process("about:blank", program=command)
        self.process.wait_for("DevTools listening on", 30)
        end = self.process.stderr.partition("DevTools listening on ")[2].split()[0]
        self.browser = self._driver.connect_over_cdp(end)

    @property
    def context(self) -> BrowserContext:
        found = self.browser.contexts[0]
        found.set_default_timeout(LONG_MS)
        return found

    def open(self, url: str) -> Page:
        page = self.context.new_page()
        page.goto(url)
        return page

    def kill(self) -> None:
        """kill -9 of all its processes at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.popen.wait(10)
        with suppress(Exception):
            self.browser.close()
        self.process.close()


@pytest.fixture(scope="module")
def stoppable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppableNode]:
    """One for the module: each test brings an event of its own, and leaves it running."""
    with ExitStack() as stack:
        yield StoppableNode(tmp_path_factory.mktemp("stoppable"), stack)


OpenDevice = Callable[..., Page]


@pytest.fixture
def device(chromium: Browser, stoppable: StoppableNode) -> Iterator[OpenDevice]:
    """A team's phone that is ready: it was logged in once, and keeps the page. Without a `worker` it does not keep it:
    for a test that opens none while the node is away, at half the work."""
    contexts: list[BrowserContext] = []

    def open_device(team: str, base: str | None = None, *, worker: bool = True) -> Page:
        context = chromium.new_context(
            base_url=base or stoppable.address,
            viewport={"width": PHONE[0], "height": PHONE[1]},
            locale="en-GB",
            reduced_motion="reduce",
            service_workers="allow" if worker else "block",
        )
        context.set_default_timeout(LONG_MS)
        contexts.append(context)
        page = context.new_page()
        log_in(page, team)
        page.goto("/offline")
        if base is None and worker:
            expect(page.get_by_text("This device is ready")).to_be_visible()
        elif not worker:
            expect(page.locator("#new")).to_be_visible()
        return page

    yield open_device
    for context in contexts:
        context.close()


def log_in(page: Page, name: str) -> None:
    """Log in for all pages of this browser, whatever this one shows."""
    begin_session(page.context, name)


def fill_in_login(page: Page, name: str) -> None:
    """Log in on the login page that is shown."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def save(page: Page, *files: FilePayload, day: str = DAY, publish: bool = True) -> None:
    """Fill in the form and save it on the device."""
    before = page.locator("#list > li").count()
    page.locator("#date").fill(day)
    page.locator("#files").set_input_files(list(files or [stopwatch()]))
    page.locator("#publish").set_checked(publish)
    page.get_by_role("button", name="Save on this device").click()
    expect(page.locator("#list > li")).to_have_count(before + 1)


def place(page: Page, at: int = 0) -> str:
    """Where an entry is, by its badge; 0 is the newest."""
    return page.locator("#list > li [data-place]").nth(at).inner_text()


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for what the node's database says."""
    wait_until(condition, timeout_s)
