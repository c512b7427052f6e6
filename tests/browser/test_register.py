"""A runner registers on a phone while the master is away, and a scanner reads the slip from a picture of the screen."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from resultsq import languages
from resultsq.clock import SystemClock
from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.store.admin import events, number_blocks
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.browser.conftest import DESK, PHONE, NewPage
from tests.browser.test_languages import BEYOND, NARROW, WIDEST
from tests.conftest import give_up
from tests.support.processes import Process
from tests.support.services import Missing

pytestmark = pytest.mark.long

FIRST = 90_000_000
FIELDS = {
    "given_name": "Zoë", "family_name": "O'Brien", "born": "1990-01-31", "email": "zoe@example.org",
    "emergency_name": "Max", "emergency_phone": "+44 20 7946 0000",
}  # fmt: skip


def make_numbers(database: Database) -> None:
    """The event, and a block that the worker leased before the link went down."""
    now = SystemClock().now()
    block = LeasedBlock("b-1", FIRST, FIRST + 99, now + timedelta(days=7))
    key = database.write(lambda conn: number_blocks.ask(conn, 100)).key
    database.write(lambda conn: number_blocks.leased(conn, key, block, block.expires_at))
    database.write(lambda conn: events.add(conn, now, "bushy", "Bushy parkrun", "Europe/London"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that registers runners and whose master was never there; its address."""
    folder = tmp_path_factory.mktemp("registering")
    database = Database(f"sqlite:///{folder / 'resultsq.db'}")
    migrate.upgrade(database)
    make_numbers(database)
    database.close()
    env = {"RESULTSQ_DATA_DIR": str(folder), "RESULTSQ_REGISTRATION": "true"}
    with ExitStack() as stack:
        web = stack.enter_context(Process("web", "--port", "0", env=env))
        web.wait_for("web.ready", 30)
        found = "http://127.0.0.1:" + (web.stdout + web.stderr).partition("http://127.0.0.1:")[2].split()[0]
        yield found.strip("\"',")


@pytest.fixture
def complaints() -> list[str]:
    """The page lies on another node than the run's: what it asks for is not looked at."""

    class Deaf(list[str]):
        def append(self, one: str) -> None:
            if "left the host" not in one:
                super().append(one)

    return Deaf()


def read_back(picture: Path) -> set[str]:
    """What a scanner finds in the picture: the make of each code and its text."""
    if shutil.which("zbarimg") is None:
        give_up(Missing("There is no zbarimg on the PATH, so no barcode can be read: apt-get install zbar-tools."))
    done = subprocess.run(["zbarimg", "--quiet", str(picture)], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def fill_in(page: Page, given: str) -> None:
    page.get_by_label("First name").fill(given)
    page.get_by_label("Family name").fill(FIELDS["family_name"])
    page.get_by_label("Date of birth").fill(FIELDS["born"])
    page.get_by_label("E-mail", exact=True).fill(FIELDS["email"])
    page.get_by_label("Name", exact=True).fill(FIELDS["emergency_name"])
    page.get_by_label("Telephone").fill(FIELDS["emergency_phone"])
    for box in page.get_by_role("checkbox").all():
        box.check()


@pytest.mark.parametrize(("size", "dark", "scripts"), [(PHONE, False, True), (PHONE, True, False), (DESK, True, True)])
def test_a_scanner_reads_the_slip_from_the_screen(
    address: str,
    new_page: NewPage,
    shoot: Callable[..., Path],
    find_nothing: Callable[[Page], None],
    size: tuple[int, int],
    dark: bool,
    scripts: bool,
) -> None:
    page = new_page(size=size, dark=dark, scripts=scripts)
    look = f"{size[0]}-{'dark' if dark else 'light'}"
    page.goto(f"{address}/register")
    shoot(page, f"register-{look}")
    if scripts:
        find_nothing(page)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Some fields need another look")).to_be_visible()
    shoot(page, f"register-wrong-{look}")
    if scripts:
        find_nothing(page)
    fill_in(page, f"Zoë {look}")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("this number is yours for ever")).to_be_visible()
    number = page.locator("#number").inner_text()
    assert number.startswith("A900000")
    picture = shoot(page, f"slip-{look}", needed=True)
    if scripts:
        find_nothing(page)
    assert read_back(picture) == {f"CODE-128:{number}", f"QR-Code:{number}"}


@pytest.mark.parametrize("code", WIDEST)
def test_the_registration_fits_a_narrow_phone_and_its_barcode_is_read_in_each_direction(
    address: str, new_page: NewPage, shoot: Callable[..., Path], code: str
) -> None:
    page = new_page(size=NARROW, locale=languages.tag(code))
    wide = {}

    def look(name: str) -> Path:
        wide[name] = page.evaluate(BEYOND)
        assert page.locator("html").get_attribute("dir") == languages.direction(code)
        return shoot(page, f"narrow-{code}-{name}", needed=name == "slip")

    page.goto(f"{address}/register")
    look("register")
    page.locator("main form .btn-primary").click()
    expect(page.locator("#wrong-born")).to_be_visible()
    look("register-wrong")
    for name, value in FIELDS.items():
        page.locator(f"#{name}").fill(value)
    for box in page.locator("[name=consent]").all():
        box.check()
    page.locator("main form .btn-primary").click()
    number = page.locator("#number").inner_text()
    assert read_back(look("slip")) == {f"CODE-128:{number}", f"QR-Code:{number}"}
    assert {name: text for name, text in wide.items() if text} == {}


def test_a_printed_card_has_the_barcode(address: str, new_page: NewPage, tmp_path: Path) -> None:
    page = new_page(size=DESK, dark=True)
    page.goto(f"{address}/register")
    fill_in(page, "Printed")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("this number is yours for ever")).to_be_visible()
    number = page.locator("#number").inner_text()
    page.emulate_media(media="print")
    page.screenshot(path=tmp_path / "card.png", full_page=True, caret="initial")
    assert f"CODE-128:{number}" in read_back(tmp_path / "card.png")
    expect(page.get_by_text("Keep this page: print it")).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
