"""The form that outlives the network in Firefox, too: Debian's, as it is installed."""

import shutil
from pathlib import Path

import pytest

from tests.browser.conftest import PASSWORD
from tests.browser.outbox.conftest import StoppableNode, stopwatch
from tests.conftest import give_up
from tests.support.days import DAY
from tests.support.firefox import Firefox
from tests.support.services import Missing

pytestmark = pytest.mark.long

AWAY = "This node cannot be reached. Go on"
BYTES = """(async () => {
    const module = document.querySelector("script[type=module]").src.replace("page.js", "store.js");
    const [entry] = await (await import(module)).all();
    return [entry.place, entry.files[0].name, entry.files[0].length, entry.files[0].bytes.length].join(" ");
})()"""


@pytest.fixture
def program() -> str:
    found = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
    if found is None:
        give_up(Missing("There is no Firefox on the PATH, so the page cannot be tried: apt-get install firefox-esr."))
    return found


def log_in(firefox: Firefox, node: StoppableNode, team: str) -> None:
    firefox.open(f"{node.address}/login")
    firefox.fill(name=team, password=PASSWORD)
    firefox.press("Log in")
    firefox.wait_for("Results of")


def test_firefox_opens_the_page_without_the_node_keeps_the_entry_and_sends_it(
    stoppable: StoppableNode, program: str, tmp_path: Path
) -> None:
    team, file = stoppable.team("fox"), tmp_path / "watch.csv"
    file.write_bytes(stopwatch()["buffer"])
    with Firefox(program, tmp_path / "profile") as firefox:
        log_in(firefox, stoppable, team)
        firefox.open(f"{stoppable.address}/offline")
        firefox.wait_for("This device is ready")
        stoppable.kill()
        firefox.fill(date=DAY)
        firefox.run("document.getElementById('publish').checked = true")
        firefox.choose("#files", [file])
        firefox.press("Save on this device")
        firefox.wait_for("on this device only")
        firefox.wait_for(AWAY)
        firefox.kill()
        firefox.start()
        firefox.open(f"{stoppable.address}/submit/{team}")
        firefox.wait_for(AWAY)
        size = file.stat().st_size
        assert firefox.run(BYTES) == f"device watch.csv {size} {size}"
        stoppable.start()
        firefox.wait_for("published")
    assert (stoppable.entries(team), stoppable.submissions(team)) == (1, 1)
