"""Whatever lets something go rings the workers: without the bell it would wait for their next sweep."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.conftest import Rings
from tests.integration.web.site import Sheet, Site
from tests.support.nodes import rejected


@pytest.fixture
def heard(site: Site, heard_bell: Bell) -> Site:
    """A site whose bell is heard."""
    return replace(site, app=create_app(site.settings, site.database, clock=site.clock, bell=heard_bell))


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
