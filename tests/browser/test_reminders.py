"""The master is away, and a runner at the start line asks for the barcode: the node mails it, and the mail's link opens
the profile."""

import base64
import email
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import policy

import pytest
from playwright.sync_api import Page, expect

from resultsq.sealed import PersonalKeys
from resultsq.store.athletes import lookup
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.browser.conftest import DESK, PHONE, NewPage, RunningNode
from tests.browser.test_saturday import Shoot
from tests.support.office import Office, office
from tests.support.processes import Process
from tests.support.proxy import Proxy
from tests.support.services import HOST, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

KEY = base64.b64encode(bytes(range(32))).decode()
LIST = "Athlete,Name,Club,Home,Runs,E-mail\nA1234567,Jane SMITH,Harriers,Bushy,57,Jane@Example.org\n"
ADDRESS = "jane@example.org"
SECRETS: list[str] = []
"""Those of the links that were mailed."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningNode, Office]]:
    """A node with the list of a reference master, which is away by now, and its mail server."""
    folder = tmp_path_factory.mktemp("reminding")
    (folder / "list.csv").write_text(LIST)
    (folder / "keys").write_text(f"node:{KEY}\n")
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
        yield RunningNode(address, link, master, database, ""), mails  # type: ignore[arg-type]
        for process in (web, worker):
            logged = process.stdout + process.stderr
            assert "ready" in logged or "starting" in logged
            for said in (ADDRESS, "Jane@Example.org", "SMITH", "A1234567", *SECRETS):
                assert said not in logged


@pytest.fixture(scope="module")
def running_node(there: tuple[RunningNode, Office]) -> RunningNode:
    return there[0]


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (DESK, True)])
def test_a_reminder_arrives_while_the_master_is_away_and_its_link_opens_the_profile(
    there: tuple[RunningNode, Office],
    new_page: NewPage,
    shoot: Shoot,
    find_nothing: Callable[[Page], None],
    size: tuple[int, int],
    dark: bool,
) -> None:
    look, mails = f"{size[0]}-{'dark' if dark else 'light'}", there[1]
    before = len(mails.mails)
    page = new_page(size=size, dark=dark)
    page.goto("/reminder")
    expect(page.locator("#website")).not_to_be_in_viewport()
    shoot(page, f"reminder-{look}")
    find_nothing(page)
    page.get_by_label("Mail address").fill(ADDRESS)
    page.get_by_role("button", name="Mail me my barcode").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    shoot(page, f"reminder-asked-{look}")
    find_nothing(page)
    wait_until(lambda: len(mails.mails) > before, 60, "the reminder")
    letter = email.message_from_string(mails.mails[-1][0], policy=policy.default)
    assert (letter["To"], letter["Subject"]) == (ADDRESS, "Your barcode")
    assert "image/png" in {part.get_content_type() for part in letter.walk()}
    text = letter.get_body(("plain",))
    assert text is not None
    assert "Jane SMITH: A1234567" in text.get_content()
    found = re.search(r"http://\S+/card/\S+", text.get_content())
    assert found is not None
    SECRETS.append(found[0].rpartition("/")[2])
    page.goto(found[0])
    shoot(page, f"card-{look}")
    find_nothing(page)
    page.get_by_role("button", name="Open my profile").click()
    expect(page.get_by_role("heading", name="Jane SMITH")).to_be_visible()
    expect(page.locator("svg.barcode")).to_be_visible()
    wait_until(lambda: page.reload() and "cannot be reached" in page.content(), 60, "the node to miss its master")
    expect(page.get_by_text("Names are as of")).to_be_visible()
    shoot(page, f"own-profile-{look}")
    find_nothing(page)
    other = new_page(size=size, dark=dark)
    other.goto(found[0])
    other.get_by_role("button", name="Open my profile").click()
    expect(other.get_by_role("heading", name="already used")).to_be_visible()
    shoot(other, f"card-used-{look}")
    find_nothing(other)


def test_the_page_works_without_scripts(new_page: NewPage) -> None:
    page = new_page(size=PHONE, scripts=False)
    page.goto("/reminder")
    page.get_by_label("Mail address").fill("nobody@example.org")
    page.get_by_role("button", name="Mail me my barcode").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
