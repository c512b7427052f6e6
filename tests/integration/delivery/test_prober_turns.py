"""The prober, one step at a time: how long it waits, what it keeps for its next turn, and whom it tells."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, cast

import pytest
import structlog

from resultsq.delivery import prober as prober_module
from resultsq.delivery.prober import Prober
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.link import PROBES_AT_ONCE, LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.ports import Destination, ProbeAnswer
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links
from resultsq.store.outbox.links import LinkSnapshot
from resultsq.threads import SystemThreads
from tests.support.manual_clock import ManualClock
from tests.support.nodes import CEILING, NOW, StoreNode

GOOD = ProbeAnswer(None, "", 0.01)
REFUSED = ProbeAnswer(Cause.REFUSED, "Nothing listens.", 0.01)


class Started:
    """A thread that runs as it is started, unless it is to wait."""

    def __init__(self, threads: "Threads", work: Callable[[], None]) -> None:
        self._threads, self._work = threads, work

    def start(self) -> None:
        if self._threads.fail:
            raise RuntimeError("can't start new thread")
        self._threads.waiting.append(self._work)

    def is_alive(self) -> bool:
        return False

    def join(self, timeout: float | None = None) -> None:
        """It has ended."""


class Threads(SystemThreads):
    """Probes wait until they are run."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []
        self.fail = False

    def thread(self, work: Callable[[], None], name: str) -> Any:
        return Started(self, work)

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


class Here:
    """A node, and a prober whose thread does not run."""

    def __init__(self, database: Database) -> None:
        self.node = StoreNode(database)
        self.clock = ManualClock(NOW, monotonic=1000.0)
        self.answer = GOOD
        self.told: list[bool] = []
        self.log: list[MutableMapping[str, Any]] = []
        self.threads = Threads()
        self.prober = Prober(
            database, cast(Destination, self), self.clock, "w1", CEILING, self.told.append, "master", self.threads,
            lambda: 0.5,
        )  # fmt: skip

    def probe(self) -> ProbeAnswer:
        return self.answer

    def turn(self, after_s: float = 0.0) -> float:
        """How long it then waits."""
        self.clock.advance(after_s)
        self.node.now = self.clock.now()
        return self.prober._turn()

    def fall(self) -> None:
        """An outage has begun, and is known to the prober."""
        self.answer = REFUSED
        self.turn()
        self.threads.run()
        self.turn(1.0)
        self.threads.run()
        assert self.prober._outage is LinkState.DOWN


@pytest.fixture
def here(sqlite_store: Database) -> Iterator[Here]:
    made = Here(sqlite_store)
    with structlog.testing.capture_logs() as made.log:
        yield made


# how long it waits


def seen(state: LinkState, probe_due: bool = False, probe_in_s: float = 0.0) -> LinkSnapshot:
    return LinkSnapshot(state, False, NOW, 1, 1, probe_due, probe_in_s, mine=True)


@pytest.mark.parametrize(
    ("link", "pause_s"),
    [
        (seen(LinkState.UP, probe_in_s=9.0), 0.25),
        (seen(LinkState.UP, probe_due=True), 0.25),
        (seen(LinkState.DOWN, probe_due=True, probe_in_s=-3.0), 1.0),
        (seen(LinkState.DOWN, probe_in_s=0.4), 0.4),
        (seen(LinkState.DOWN, probe_in_s=0.001), 0.01),
        (seen(LinkState.MASTER_DOWN, probe_in_s=3600.0), 1.0),
    ],
)
def test_a_link_that_is_up_is_looked_at_often_and_another_as_its_row_says(link: LinkSnapshot, pause_s: float) -> None:
    assert prober_module._pause_s(link) == pause_s


@pytest.mark.parametrize("state", LinkState)
def test_a_link_is_probed_each_second_where_nothing_of_the_master_is_heard(state: LinkState) -> None:
    each_second = state in (LinkState.DOWN, LinkState.NOT_OUR_MASTER)
    assert prober_module._outage(seen(state)) == (state if each_second else None)


# its lease


def test_it_keeps_its_lease_by_saying_so_three_times_in_its_length(here: Here) -> None:
    here.turn()
    here.threads.run()
    until = here.node.link().prober_until
    here.turn(links.PROBER_LEASE_S / 3 - 0.1)
    assert here.node.link().prober_until == until
    here.turn(0.2)
    assert here.node.link().prober_until > until
    for _ in range(20):
        here.turn(0.25)
        assert not here.node.database.write(lambda conn: links.take_prober(conn, here.clock.now(), "another")).mine


def test_it_asks_again_whether_the_lease_is_free_after_a_while(here: Here) -> None:
    now = here.clock.now()
    here.node.database.write(lambda conn: links.take_prober(conn, now, "another"))
    assert here.prober._look() is None
    here.node.database.write(lambda conn: links.drop_prober(conn, "another"))
    here.clock.advance(links.PROBER_LEASE_S / 3 - 0.1)
    assert here.prober._look() is None, "it has not asked"
    here.clock.advance(0.2)
    assert here.prober._look() is not None
    assert here.node.link().prober == "w1"


def test_it_stops_probing_when_another_has_taken_its_lease(here: Here) -> None:
    here.fall()
    here.clock.advance(links.PROBER_LEASE_S + 60.0)
    now = here.clock.now()
    assert here.node.database.write(lambda conn: links.take_prober(conn, now, "another")).mine
    assert here.turn() == prober_module.LOOK_S
    assert here.threads.waiting == []
    assert here.prober._outage is None
    here.turn(0.25)
    assert here.threads.waiting == []


# in an outage


def test_an_answer_that_changes_nothing_is_written_down_with_the_next_turn(here: Here) -> None:
    here.fall()
    before = here.node.link().probed_at
    here.turn(1.0)
    here.threads.run()
    assert here.prober._heard is not None
    after = here.node.link().probed_at
    here.turn(1.0)
    assert here.node.link().probed_at > after >= before
    assert here.told == []


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        ProbeAnswer(Cause.NOT_OUR_MASTER, "A portal.", 0.01),
        ProbeAnswer(Cause.REFUSED, "Nothing listens.", 0.01, retry_after_s=9.0),
    ],
)
def test_an_answer_that_changes_anything_is_written_down_at_once(here: Here, answer: ProbeAnswer) -> None:
    here.fall()
    here.turn(1.0)
    here.answer = answer
    here.threads.run()
    assert here.prober._heard is None
    assert here.node.link().cause == answer.cause


def test_the_links_return_is_told_as_one_and_a_good_probe_after_it_is_not(here: Here) -> None:
    here.fall()
    here.turn(1.0)
    here.answer = GOOD
    here.threads.run()
    assert here.told == [True]
    assert here.node.link().state == LinkState.UP
    here.turn(1.0)
    assert here.prober._outage is None
    here.turn(60.0)
    here.threads.run()
    assert here.told == [True, False]
    said = [line["event"] for line in here.log if line["event"].startswith("link.")]
    assert said == ["link.down", "link.up"], "once each"


def test_an_answer_that_came_as_the_outage_ended_is_written_down(here: Here) -> None:
    here.fall()
    here.turn(1.0)
    here.threads.run()
    before = here.node.link().probed_at
    here.prober._outage = None
    here.turn(0.5)
    assert here.prober._heard is None
    assert here.node.link().probed_at > before


# places


def places(prober: Prober) -> int:
    """How many more probes may be under way."""
    return prober._running._value


def test_a_turn_without_a_probe_takes_no_place(here: Here) -> None:
    here.fall()
    here.turn(0.1)
    assert here.threads.waiting == []
    assert places(here.prober) == PROBES_AT_ONCE


def test_probes_that_hang_take_all_places_and_no_turn_waits_for_one(here: Here) -> None:
    here.fall()
    for left in range(PROBES_AT_ONCE - 1, -1, -1):
        here.turn(1.0)
        assert places(here.prober) == left
    before = here.node.link().probes
    here.turn(1.0)
    assert here.node.link().probes == before
    here.prober._start_probe()
    assert here.node.link().probes == before
    here.threads.run()
    assert places(here.prober) == PROBES_AT_ONCE


def test_a_turn_that_meets_a_fault_gives_its_place_back(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.fall()
    here.threads.fail = True
    with pytest.raises(RuntimeError):
        here.turn(1.0)
    assert places(here.prober) == PROBES_AT_ONCE
    here.threads.fail = False

    def away(*_: object) -> None:
        raise StoreUnavailable("It does not answer.")

    monkeypatch.setattr(here.node.database, "write", away)
    with pytest.raises(StoreUnavailable):
        here.turn(1.0)
    assert places(here.prober) == PROBES_AT_ONCE


def test_an_answer_that_cannot_be_written_down_gives_its_place_back(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.turn()
    assert places(here.prober) == PROBES_AT_ONCE - 1

    def away(*_: object) -> None:
        raise StoreUnavailable("It does not answer.")

    monkeypatch.setattr(here.node.database, "write", away)
    here.threads.run()
    assert places(here.prober) == PROBES_AT_ONCE
    assert here.told == []


def test_a_fault_of_ours_is_an_answer_with_the_time_that_it_took(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> ProbeAnswer:
        here.clock.advance(2.0)
        raise KeyError("a fault of ours")

    monkeypatch.setattr(here, "probe", fail)
    found = here.prober._ask()
    assert found == ProbeAnswer(Cause.SURPRISE, "A fault of resultsq itself: KeyError.", 2.0)
