"""Which tests go to one process together, where several run them: those that share something dear.

pytest-xdist has a mark for this, which pytest 9.2 does not let it see.
"""

from typing import Any

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/browser/test_languages": "a browser and a node, for readers of other languages",
    "tests/browser/test_admin": "a browser and a node, for operators",
    "tests/browser/": "a browser and a node, for teams",
    "tests/faults/test_arrivals": "two web processes with few threads",
    "tests/faults/test_floods": "a web process that is flooded",
    "tests/faults/test_hostile_clients": "a web process",
    "tests/faults/test_matrix.py::test_nothing_is_lost_or_doubled_when_the_link_fails_like_this": "a relay",
    "tests/faults/test_matrix.py::test_nothing_is_lost_or_doubled_when_a_node_on_sqlite_fails_like_this": "a node",
    "tests/faults/test_mornings.py::test_every_promise_is_kept": "twenty mornings",
    "tests/faults/test_mornings.py::test_every_fault_is_left_out": "twenty mornings",
    "tests/faults/test_mornings.py::test_parts_of": "twenty mornings",
    "tests/faults/test_mornings.py::test_the_page_tells": "twenty mornings",
    "tests/integration/deploy/test_compose": "all that compose starts",
    "tests/integration/deploy/test_wheel": "a wheel",
    "tests/integration/master/test_master_http": "a master on each database",
    "tests/integration/store/test_pooler": "a pooler of each mode",
    "tests/integration/store/test_plans.py::test_what_the_dashboard_shows": "a month's work",
    "tests/integration/test_up": "a node that is up",
    "tests/integration/watch/test_alerts_told": "a node that is watched",
    "tests/unit/test_translations": "the places of all sentences",
}
"""How a test's address begins → what it shares. The first that fits."""


def shared(address: str) -> str:
    """What names the tests that go together: all others go alone."""
    return next((what for begin, what in TOGETHER.items() if address.startswith(begin)), address)


class Schedule(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives each process the next test, or the next that go together, when it has nearly nothing left."""

    def _split_scope(self, nodeid: str) -> Any:
        return shared(nodeid)
