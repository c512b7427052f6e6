"""Faults while a team saves results: each entry is on the device meanwhile, and on the node once afterwards.

`WRITE_FAULT_MATRIX=1 python -m pytest tests/browser/outbox/test_faults.py` writes MATRIX.md beside this file anew.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import select

from resultsq.clock import SystemClock
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import DeviceEntryRow, Submission
from tests.browser.conftest import LONG_MS, PHONE
from tests.browser.outbox.conftest import StoppableNode, log_in, stopwatch, until
from tests.conftest import mounted
from tests.support.days import DAY
from tests.support.nginx import RefusingProxy
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

SEND = "**/device/entries"
TEAM, OTHERS = "twenty", "others"
HERE = "on this device only"
PAGE = Path(__file__).parent / "MATRIX.md"
HEAD = "| fault | entries of it on the node | on the node after mending |\n|---|---|---|\n"
AWAY, BUSY, PORTAL = "This node cannot be reached. Go on", "The node is out of order", "Something else answers"

Strikes = Callable[[StoppableNode, Page], Iterator[None]]


@dataclass(frozen=True)
class Fault:
    """`strikes` lasts while its block runs; `says` is what the entry or the page says meanwhile. `place`: where the
    entry is by then; empty: it could not be saved, and is saved again after mending. `publish`: without a look."""

    name: str
    strikes: Strikes
    says: str
    place: str = HERE
    publish: bool = True


def link(switch: str, *more: object) -> Strikes:
    """The way to the node is switched so."""

    def strikes(node: StoppableNode, _page: Page) -> Iterator[None]:
        getattr(node.link, switch)(*more)
        yield
        node.link.restore()

    return strikes


def answered(status: int, detail: str) -> Strikes:
    """The node answers the sending like this."""
    body, headers = json.dumps({"detail": detail}), {"Content-Type": "application/problem+json"}

    def strikes(_node: StoppableNode, page: Page) -> Iterator[None]:
        page.route(SEND, lambda route: route.fulfill(status=status, body=body, headers=headers))
        yield
        page.unroute(SEND)

    return strikes


def spoiled(spoil: Callable[[bytes], bytes]) -> Strikes:
    """The body that reaches the node is another."""

    def on(route: Route) -> None:
        route.continue_(post_data=spoil(route.request.post_data_buffer or b""))

    def strikes(_node: StoppableNode, page: Page) -> Iterator[None]:
        page.route(SEND, on)
        yield
        page.unroute(SEND)

    return strikes


def nameless(_node: StoppableNode, page: Page) -> Iterator[None]:
    page.route("**/*", lambda route: route.abort("namenotresolved"))
    yield
    page.unroute("**/*")


def offline(_node: StoppableNode, page: Page) -> Iterator[None]:
    page.context.set_offline(True)
    yield
    page.context.set_offline(False)


def killed(node: StoppableNode, _page: Page) -> Iterator[None]:
    node.kill()
    yield
    node.start()


def killed_in_mid_answer(node: StoppableNode, _page: Page) -> Iterator[None]:
    node.link.cut_at(300)
    yield
    node.kill()
    node.link.restore()
    node.start()


def disk_is_full(node: StoppableNode, _page: Page) -> Iterator[None]:
    until(lambda: log_is_empty(node.database))  # a write that fits into it would still be taken
    filler = node.folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    yield
    filler.unlink()


def log_is_empty(database: Database) -> bool:
    with database.engine.connect() as conn:
        return bool(conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0] == 0)


def no_room_on_the_device(_node: StoppableNode, page: Page) -> Iterator[None]:
    page.evaluate(
        """() => {
            window.put = IDBObjectStore.prototype.put;
            IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };
        }"""
    )
    yield
    page.evaluate("() => { IDBObjectStore.prototype.put = window.put; }")


def clock(off: timedelta) -> Strikes:
    """The device's clock is wrong by so much, and the node is away."""

    def strikes(node: StoppableNode, page: Page) -> Iterator[None]:
        node.link.refuse()
        page.clock.set_system_time(SystemClock().now() + off)
        yield
        page.clock.set_system_time(SystemClock().now())
        node.link.restore()

    return strikes


def of_the_version_before(node: StoppableNode, page: Page) -> Iterator[None]:
    node.link.refuse()
    yield
    page.evaluate(
        """async (module) => {
            const store = await import(module);
            const entry = (await store.all()).at(-1);
            await store.put({...entry, format: 1});
        }""",
        page.evaluate("document.querySelector('script[type=module]').src.replace('page.js', 'store.js')"),
    )
    node.link.restore()


def another_account(node: StoppableNode, page: Page) -> Iterator[None]:
    node.link.refuse()
    yield
    before = on_the_node(node)
    page.context.clear_cookies()
    node.link.restore()
    tab = page.context.new_page()
    log_in(tab, OTHERS)
    tab.goto("/offline")
    expect(tab.get_by_text("It belongs to another account").first).to_be_visible()
    expect(page.get_by_text("It belongs to another account").first).to_be_visible()
    assert on_the_node(node) == before
    tab.context.clear_cookies()
    log_in(tab, TEAM)
    tab.close()
    expect(page.get_by_text("It belongs to another account")).to_have_count(0)  # by now it is asked about, or sent


def two_tabs(node: StoppableNode, page: Page) -> Iterator[None]:
    tab = page.context.new_page()
    tab.goto("/offline")
    expect(tab.locator("#new")).to_be_visible()
    node.link.refuse()
    yield
    expect(tab.get_by_text(HERE)).to_be_visible()
    node.link.restore()
    expect(tab.get_by_text(HERE)).to_have_count(0, timeout=20_000)
    tab.close()


def restored_from_yesterday(node: StoppableNode, _page: Page) -> Iterator[None]:
    copy = node.back_up()
    yield
    node.put_back(copy)


def storage_cleared(node: StoppableNode, page: Page) -> Iterator[None]:
    yield
    session = page.context.new_cdp_session(page)
    what = {"origin": node.address, "storageTypes": "indexeddb,cache_storage,local_storage,service_workers"}
    session.send("Storage.clearDataForOrigin", what)
    page.reload()
    expect(page.locator("#new")).to_be_visible()
    expect(page.locator("#list > li")).to_have_count(0)


FAULTS = (
    Fault("connection refused", link("refuse"), AWAY),
    Fault("connection reset", link("reset"), AWAY),
    Fault("silence", link("hole"), AWAY),
    Fault("1 kB a second", link("rate", 1000), "It is sent now, or in a moment"),
    Fault("answers lost after the commit", link("drop_answer"), AWAY),
    Fault("the browser is offline", offline, AWAY),
    Fault("the node's name is not found (DNS)", nameless, AWAY),
    Fault("captive portal, 200 with HTML", link("portal", 200), PORTAL),
    Fault("captive portal, 302", link("portal", 302), PORTAL),
    Fault("web process killed (kill -9)", killed, AWAY),
    Fault("killed in the middle of an answer", killed_in_mid_answer, AWAY),
    Fault("507, the node's disk is full", disk_is_full, "disk is full"),
    Fault("401, the session has ended for one call", answered(401, "Log in."), "waits"),
    Fault("403 from the node", answered(403, "Not yours."), "The node did not take it: Not yours."),
    Fault("body emptied on its way", spoiled(lambda body: b""), "It did not arrive whole"),
    Fault("body cut on its way", spoiled(lambda body: body[:-100]), "It did not arrive whole"),
    Fault(
        "body changed on its way", spoiled(lambda body: body.replace(b'"length":', b'"length":1')), "not arrive whole"
    ),
    Fault("the device's clock is two years ahead", clock(timedelta(days=730)), AWAY),
    Fault("the device's clock is a year behind", clock(timedelta(days=-365)), "still to come by this device's", ""),
    Fault("no room on the device (quota)", no_room_on_the_device, "There is no room left on this device", ""),
    Fault("an entry of the version before", of_the_version_before, AWAY, publish=False),
    Fault("another account logs in", another_account, AWAY),
    Fault("two tabs", two_tabs, AWAY),
    Fault("storage cleared once it was sent", storage_cleared, "It is published", "published"),
    Fault(
        "the node's database restored from yesterday",
        restored_from_yesterday,
        "Before it is published",
        "saved on the node",
        publish=False,
    ),
)


@pytest.fixture(scope="module")
def stoppable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppableNode]:
    """A node on a disk of its own, which can be filled."""
    with ExitStack() as stack:
        disk = stack.enter_context(mounted("64m", tmp_path_factory.mktemp("disks")))
        node = StoppableNode(disk, stack)
        node.team(TEAM)
        node.team(OTHERS)
        yield node


@pytest.fixture
def page(chromium: Browser, stoppable: StoppableNode) -> Iterator[Page]:
    # what a service worker sends cannot be answered by a test, so this one stays without
    with opened(chromium, stoppable.address) as page:
        yield page


@contextmanager
def opened(chromium: Browser, address: str) -> Iterator[Page]:
    """The page of a team that has logged in there."""
    context = chromium.new_context(
        base_url=address,
        viewport={"width": PHONE[0], "height": PHONE[1]},
        service_workers="block",
        reduced_motion="reduce",
    )
    context.set_default_timeout(LONG_MS)
    page = context.new_page()
    log_in(page, TEAM)
    page.goto("/offline")
    expect(page.locator("#new")).to_be_visible()
    yield page
    context.close()


def on_the_node(node: StoppableNode) -> Counter[str]:
    """Submissions, and entries that wait for their team, by day."""
    with node.database.read() as conn:
        sent = conn.execute(select(Submission.date)).scalars().all()
        kept = conn.execute(select(DeviceEntryRow.date).where(DeviceEntryRow.submission.is_(None))).scalars().all()
    return Counter([*sent, *kept])


def fill_in(page: Page, number: int, day: str, publish: bool) -> None:
    page.locator("#date").fill(day)
    page.locator("#files").set_input_files([stopwatch(number)])
    page.locator("#publish").set_checked(publish)
    page.get_by_role("button", name="Save on this device").click()


def ask_again(page: Page) -> None:
    """What a person does where the node, or the device, had said no."""
    for name in ("Try again", "Send one saved result now"):
        button = page.get_by_role("button", name=name)
        if button.count():
            button.first.click()


def suffer(node: StoppableNode, page: Page, fault: Fault, number: int, day: str) -> float:
    """One fault, from an entry's saving to its being on the node; how long that took after mending, in seconds."""
    before = page.locator("#list > li").count()
    entry = page.locator("#list > li").filter(has_text=f"watch{number}.csv").locator("[data-place]")
    with contextmanager(fault.strikes)(node, page):
        fill_in(page, number, day, fault.publish)
        expect(page.locator("#list > li")).to_have_count(before + bool(fault.place))
        expect(page.locator("body")).to_contain_text(fault.says, timeout=15_000)
        if fault.place:
            expect(entry).to_have_text(fault.place, timeout=15_000)
    mended = time.monotonic()
    if not fault.place:
        page.get_by_role("button", name="Save on this device").click()
    ask_again(page)

    def arrived() -> bool:
        if on_the_node(node)[day] > 0:
            return True
        ask_again(page)  # the page of a busy machine may show its button only now
        return False

    wait_until(arrived, 120, f"the entry of the fault “{fault.name}”", 1.0)
    took = time.monotonic() - mended
    if entry.count():
        expect(entry).not_to_have_text(HERE, timeout=20_000)
    return took


def days_of(names: list[str]) -> dict[str, str]:
    return {name: (date.fromisoformat(DAY) - timedelta(days=7 * at)).isoformat() for at, name in enumerate(names)}


def test_each_entry_is_there_once_after_each_fault(
    stoppable: StoppableNode, page: Page, chromium: Browser, tmp_path: Path
) -> None:
    behind = {502: BUSY, 429: BUSY, 413: "it is too large"}
    days = days_of([*(fault.name for fault in FAULTS), *(f"{status} from nginx" for status in behind)])
    took = {fault.name: suffer(stoppable, page, fault, at, days[fault.name]) for at, fault in enumerate(FAULTS)}
    with RefusingProxy(tmp_path, stoppable.link.port) as nginx, opened(chromium, nginx.address) as page:
        for at, (status, says) in enumerate(behind.items(), len(FAULTS)):
            fault = Fault(f"{status} from nginx", nginx.refusing(SEND.removeprefix("**"), status), says)
            took[fault.name] = suffer(stoppable, page, fault, at, days[fault.name])
    here = on_the_node(stoppable)
    counts = {name: here[day] for name, day in days.items()}
    _write(HEAD + "".join(f"| {name} | {count} | {took[name]:.1f} s |\n" for name, count in counts.items()))
    assert set(counts.values()) == {1}, counts


def _write(table: str) -> None:
    folder = ROOT / ".artefacts"
    folder.mkdir(exist_ok=True)
    (folder / "outbox-matrix.md").write_text(table)
    if "WRITE_FAULT_MATRIX" in os.environ:
        title = "# Faults while a team saves results in its browser\n\n"
        how = (
            "Each strikes while an entry is saved and sent, and the page says where the entry is; then it is mended.\n"
            "test_faults.py wrote this table.\n\n"
        )
        PAGE.write_text(title + how + table)
