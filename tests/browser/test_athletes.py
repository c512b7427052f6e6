"""A Saturday with the master away: a team hands in 140 finishers of whom two barcodes were misread, and a runner asks
for the barcode by mail. The node has the list from a master's feed, and everything says as of when that is."""

import base64
import email
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import policy
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, expect

from resultsq import languages
from resultsq.sealed import PersonalKeys
from resultsq.store.athletes import lookup
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.browser.conftest import DESK, PASSWORD, PHONE, NewPage, RunningNode
from tests.browser.test_languages import BEYOND, NARROW, WIDEST
from tests.browser.test_saturday import LogIn, Shoot, add_files, set_day
from tests.support.athletes import FIRST
from tests.support.days import IN_FILES
from tests.support.office import Office, office
from tests.support.passwords import hashed
from tests.support.processes import Process
from tests.support.proxy import Proxy
from tests.support.services import HOST, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

COUNT = 140
NUMBERS = [f"A{FIRST + n * 101}" for n in range(COUNT)]
MISREAD = {17: "A1001917", 88: "A1008878"}
"""Positions, and what the scanner read there: a digit of another number, and two in each other's place."""

HELPER = "A1009230"
"""Number 30, A1002930, with two digits in each other's place."""

KEY = base64.b64encode(bytes(range(32))).decode()
ADDRESS = "jane@example.org"
SECRETS: list[str] = []
"""Those of the links that were mailed."""

Look = Callable[..., None]


def _prepare(folder: Path) -> None:
    lines = [f"{number},Runner NAME{n},Harriers,bushy,{n}," for n, number in enumerate(NUMBERS, 1)]
    lines[0] += "Jane@Example.org"
    (folder / "list.csv").write_text("\n".join(["Athlete,Name,Club,Home,Runs,E-mail", *lines, ""]))
    (folder / "keys").write_text(f"node:{KEY}\n")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningNode, Office]]:
    """A node with the list of a reference master, which is away by now, and its mail server."""
    folder = tmp_path_factory.mktemp("away")
    _prepare(folder)
    master_port, web_port, mail_port = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        mails = stack.enter_context(office(mail_port))
        database = Database(f"sqlite:///{folder / 'resultsq.db'}", lambda: PersonalKeys.of([bytes(32)]))
        stack.callback(database.close)
        migrate.upgrade(database)
        master = Process(
            "master", "--port", str(master_port), "--token", "node:secret", "--athletes", folder / "list.csv",
            "--mail-key-file", folder / "keys", env={"RESULTSQ_DATA_DIR": str(folder / "master")},
        )  # fmt: skip
        stack.enter_context(master)
        link = stack.enter_context(Proxy(master_port))
        address = f"http://{HOST}:{web_port}"
        env = {
            "RESULTSQ_DATA_DIR": str(folder),
            "RESULTSQ_MASTER_URL": f"http://{HOST}:{link.port}",
            "RESULTSQ_MASTER_TOKEN": "secret",
            "RESULTSQ_ATHLETES": "all",
            "RESULTSQ_ATHLETES_MAIL_KEY": KEY,
            "RESULTSQ_PERSONAL_KEYS": base64.b64encode(bytes(32)).decode(),
            "RESULTSQ_REMINDER": "true",
            "RESULTSQ_PUBLIC_URL": address,
            "RESULTSQ_SMTP_URL": f"smtp://{HOST}:{mail_port}",
        }
        web = stack.enter_context(Process("web", "--port", str(web_port), env=env))
        worker = stack.enter_context(Process("worker", env=env))
        web.wait_for("web.ready", 60)

        def has_list() -> bool:
            with database.read() as conn:
                return lookup.as_of(conn) is not None

        wait_until(has_list, 60, "the list of athletes")
        link.refuse()
        node = RunningNode(address, link, master, database, hashed(PASSWORD))  # type: ignore[arg-type]
        node.team("bushy")
        yield node, mails
        for process in (web, worker):
            logged = process.stdout + process.stderr
            assert "ready" in logged or "starting" in logged
            for said in (ADDRESS, "Jane@Example.org", "NAME1", *NUMBERS, *SECRETS):
                assert said not in logged


@pytest.fixture(scope="module")
def running_node(there: tuple[RunningNode, Office]) -> RunningNode:
    return there[0]


@pytest.fixture
def look(shoot: Shoot, find_nothing: Callable[[Page], None]) -> Look:
    """Looks at a page on a dark desk and on a bright phone, or there alone where another test has such a page."""

    def look(page: Page, name: str, phone_alone: bool = False) -> None:
        for (width, height), dark in ((DESK, True), (PHONE, False))[phone_alone:]:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="dark" if dark else "light")
            shoot(page, f"{name}-{width}-{'dark' if dark else 'light'}")
            find_nothing(page)

    return look


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


def _hand_in(page: Page, look: Look) -> None:
    """Both misread barcodes are named, and one of them is mended by a tap."""
    set_day(page)
    add_files(page, *files())
    expect(page.get_by_role("heading", name="2 things are worth a look")).to_be_visible()
    for position, read in MISREAD.items():
        row = page.locator(f"#row-{position}")
        expect(row).to_contain_text(
            re.compile(rf"As of \d\d:\d\d, no athlete has the number {read} \(position {position}\)")
        )
        expect(row).to_contain_text(f"It was Runner NAME{position}, {NUMBERS[position - 1]}")
    expect(page.locator("#row-1")).to_contain_text("Runner NAME1")
    wait_until(
        lambda: "cannot be reached" in page.request.get(page.url).text(), 60, "the node to miss its master", every_s=0.3
    )
    page.reload()
    expect(page.locator("#names-as-of")).to_contain_text(
        re.compile(r"Names are as of \d\d:\d\d\. The master cannot be")
    )
    look(page, "athletes")
    page.get_by_role("button", name="It was Runner NAME17").first.click()
    expect(page.get_by_role("heading", name="one thing is worth a look")).to_be_visible()
    expect(page.locator("#row-17")).to_contain_text(f"{NUMBERS[16]} Runner NAME17")


def _help(page: Page, look: Look) -> None:
    """The number of a volunteer was read from a card with two digits in each other's place."""
    page.get_by_text("Volunteers: none yet").click()
    page.locator("#v-athlete").fill(HELPER)
    page.locator("#v-role").fill("Timekeeper")
    page.get_by_role("button", name="Add", exact=True).click()
    told = f"no athlete has the number {HELPER} of a volunteer (Timekeeper)"
    expect(page.get_by_text(told)).to_be_visible()
    look(page, "athletes-volunteer", phone_alone=True)
    page.get_by_role("button", name="It was Runner NAME30").click()
    expect(page.get_by_role("row", name=f"{NUMBERS[29]} Runner NAME30 Timekeeper")).to_be_visible()


def _submit(page: Page, look: Look) -> None:
    """The receipt opens an athlete's profile."""
    page.get_by_role("button", name=f"Submit {COUNT} finishers").click()
    page.get_by_text(f"The sheet: {COUNT} finishers").click()
    expect(page.get_by_text("Names are as of")).to_be_visible()
    page.get_by_role("link", name=NUMBERS[0], exact=True).click()
    expect(page.get_by_role("heading", name="Runner NAME1")).to_be_visible()
    expect(page.locator("svg.barcode")).to_be_visible()
    expect(page.get_by_text("The master cannot be reached now")).to_be_visible()
    look(page, "athlete")


def _ask(page: Page, mails: Office, look: Look) -> str:
    """The reminder arrives; the link in it."""
    page.goto("/reminder")
    expect(page.locator("#website")).not_to_be_in_viewport()
    look(page, "reminder")
    page.get_by_label("Mail address").fill(ADDRESS)
    page.get_by_role("button", name="Mail me my barcode").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    look(page, "reminder-asked", phone_alone=True)
    wait_until(lambda: bool(mails.mails), 60, "the reminder")
    letter = email.message_from_string(mails.mails[-1][0], policy=policy.default)
    assert (letter["To"], letter["Subject"]) == (ADDRESS, "Your barcode")
    assert "image/png" in {part.get_content_type() for part in letter.walk()}
    body = letter.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert f"Runner NAME1: {NUMBERS[0]}" in text
    assert re.search(r"as of \d\d:\d\d UTC", text)
    found = re.search(r"http://\S+/card/\S+", text)
    assert found is not None
    SECRETS.append(found[0].rpartition("/")[2])
    return found[0]


def _open(page: Page, link: str, look: Look) -> None:
    """The link opens the profile, with the run of this morning."""
    page.goto(link)
    look(page, "card")
    page.get_by_role("button", name="Open my profile").click()
    expect(page.get_by_role("heading", name="Runner NAME1")).to_be_visible()
    expect(page.locator("svg.barcode")).to_be_visible()
    expect(page.get_by_role("cell", name="provisional")).to_be_visible()
    expect(page.get_by_text("The master cannot be reached now")).to_be_visible()
    look(page, "own-profile", phone_alone=True)


def _in_other_languages(runner: Page, shoot: Shoot) -> None:
    """The runner's pages on the narrowest screen, in those languages that break pages."""
    wide = {}
    runner.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    profile = urlsplit(runner.url).path
    for code in WIDEST:
        for name, path in (("reminder", "/reminder"), ("reminder-asked", "/reminder/asked"), ("athlete", profile)):
            runner.goto(f"{path}?language={languages.tag(code)}")
            assert runner.locator("html").get_attribute("dir") == languages.direction(code)
            shoot(runner, f"narrow-{code}-{name}")
            wide[f"{code} {name}"] = runner.evaluate(BEYOND)
        expect(runner.locator("svg.barcode")).to_have_css("direction", "ltr")
    assert {name: text for name, text in wide.items() if text} == {}


def test_misread_barcodes_are_named_and_the_runners_reminder_arrives_while_the_master_is_away(
    there: tuple[RunningNode, Office], new_page: NewPage, log_in: LogIn, look: Look, shoot: Shoot
) -> None:
    team = log_in(new_page(size=PHONE), "bushy")
    _hand_in(team, look)
    _help(team, look)
    _submit(team, look)
    runner, other = new_page(size=PHONE), new_page(size=PHONE)
    link = _ask(runner, there[1], look)
    _open(runner, link, look)
    other.goto(link)
    other.get_by_role("button", name="Open my profile").click()
    expect(other.get_by_role("heading", name="already used")).to_be_visible()
    look(other, "card-used", phone_alone=True)
    _in_other_languages(runner, shoot)


def test_a_runner_asks_without_scripts(new_page: NewPage) -> None:
    page = new_page(size=PHONE, scripts=False)
    page.goto("/reminder")
    page.get_by_label("Mail address").fill("nobody@example.org")
    page.get_by_role("button", name="Mail me my barcode").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
