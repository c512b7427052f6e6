"""Whatever lets something go rings the workers: without the bell it would wait for their next sweep."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from resultsq.wakeup import QUEUE, Bell
from resultsq.web.factory import create_app
from tests.integration.web.site import Sheet, Site
from tests.support.nodes import rejected
from tests.support.services import Valkey
from tests.support.waiting import wait_until


@pytest.fixture
def heard(site: Site, shared_valkey: Valkey) -> Iterator[Site]:
    """A site whose bell is heard: each ring waits at the broker."""
    bell = Bell(shared_valkey.url)
    yield replace(site, app=create_app(site.settings, site.database, clock=site.clock, bell=bell))
    bell.close()


@pytest.fixture
def rings(shared_valkey: Valkey) -> Callable[[Callable[[], object]], None]:
    """Fails unless what is done rings."""

    def check(act: Callable[[], object]) -> None:
        shared_valkey._ask(f"DEL {QUEUE}")
        act()
        wait_until(lambda: int(shared_valkey._ask(f"LLEN {QUEUE}")) > 0, 5, "a ring")

    return check


Rings = Callable[[Callable[[], object]], None]


def test_what_was_accepted_is_rung_for(heard: Site, sheet: Callable[..., Sheet], rings: Rings) -> None:
    rings(lambda: heard.post(sheet()))


def test_what_a_withdrawal_lets_go_is_rung_for(heard: Site, rings: Rings) -> None:
    taken = heard.node.accept()
    rings(lambda: heard.call("DELETE", f"/submissions/{taken.id}"))


def test_what_an_operator_sends_again_is_rung_for(heard: Site, rings: Rings) -> None:
    heard.node.probe()
    heard.node.accept()
    tried = heard.node.try_one(rejected()).submission
    asked = {"verb": "retry", "ids": [tried], "reason": "a test"}
    rings(lambda: heard.call("POST", "/actions", "operator", json=asked))


def test_what_a_released_hold_lets_go_is_rung_for(heard: Site, rings: Rings) -> None:
    hold = heard.node.hold("bushy")
    rings(lambda: heard.call("DELETE", f"/holds/{hold}", "operator"))
