"""After an outage, lost answers, and a crash: resultsq and its peers at the same link to the same master.

Times count from the link's return. Peers that spend most of their time waiting share an outage, each with a worker, a
broker, a link and a master of its own; resultsq is measured alone. A link that is away resets every connection, or
takes it and is silent: so each try can be counted.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench import peers, work
from tests.bench.contest import awaited, faulty_link, tally
from tests.bench.machine import cpu_s
from tests.bench.players import Player, kill, made
from tests.bench.report import OURS, Result
from tests.bench.work import Job
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy

DELAY_S = 0.02
FIRST_WITHIN_S = 2.0
_WARM_S, _SHORT_WARM_S = 6.0, 3.0  # for every worker to have started; RQ's eight take the longest
_SHORT_WAIT_S = 5.0
"""How long a peer is given that tries again after minutes, as the long run shows; ours need a second or two."""


@dataclass
class _Seat:
    """One player at its table."""

    player: Player
    master: OtherMaster
    link: Proxy


class _Table:
    """Players that go through the same things at the same time; what is not installed is said."""

    def __init__(self, names: Sequence[str], jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.seats: list[_Seat] = []
        self.missing: dict[str, str] = {}
        self._names = names
        self._stack = ExitStack()

    def __enter__(self) -> "_Table":
        with ExitStack() as stack:
            for name in self._names:
                master = stack.enter_context(OtherMaster("--delay", str(DELAY_S)))
                link = stack.enter_context(faulty_link(master))
                try:
                    player = stack.enter_context(made(name, link.port))
                except ImportError as error:
                    self.missing[name] = f"not installed ({error.name} is missing): pip install '.[bench]'"
                    continue
                self.seats.append(_Seat(player, master, link))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def all(self, do: Callable[[_Seat], object]) -> None:
        """The same to each, at once."""
        with ThreadPoolExecutor(len(peers.NAMES)) as pool:
            list(pool.map(do, self.seats))

    def awaited(self, limit_s: float) -> None:
        self.all(lambda seat: awaited(seat.master, len(self.jobs), limit_s))

    def results(self, scenario: str, case: str, since_s: float, more: dict[str, dict[str, float]]) -> Iterator[Result]:
        for name, why in self.missing.items():
            yield Result(scenario, case, name, {}, note=why)
        for seat in self.seats:
            seen = tally(seat.master, self.jobs, since_s)
            before = not seen.ends and not seen.missing  # a flapping link let all through before it was back for good
            first_s = 0.0 if before else seen.ends[0] - since_s if seen.ends else None
            figures: dict[str, float | None] = {
                "first_s": first_s,
                "last_s": 0.0 if before else None if seen.missing else seen.last_s - since_s,
                **more.get(seat.player.name, {}),
                "sent_twice": seen.repeated,
                "undelivered": len(seen.missing),
                "doubled": seen.doubled,
            }
            lost = seat.player.unaccounted(seen.missing)
            if lost is not None:
                figures["lost"] = lost
            target, met = "", None
            if seat.player.name == OURS and scenario == "after-outage":
                target, met = "first ≤ 2 s", first_s is not None and first_s <= FIRST_WITHIN_S
            note = "all were there before the return" if before else ""
            yield Result(scenario, case, seat.player.name, figures, target, met, note)


SHORT_PEERS = ("celery",)
FLAP_S, UP_S = 30.0, 3.0


def _outage_passes(seats: Sequence[_Seat], mode: str, outage_s: float) -> float:
    """Cut every link for so long and bring it back; the moment of the return."""
    until = time.monotonic() + outage_s
    while (left := until - time.monotonic()) > 0:
        for seat in seats:
            seat.link.hole() if mode == "silent" else seat.link.reset()
        time.sleep(min(left, outage_s if mode != "flapping" else FLAP_S - UP_S))
        if mode == "flapping" and (left := until - time.monotonic()) > UP_S:
            for seat in seats:
                seat.link.restore()
            time.sleep(UP_S)
    returned = time.monotonic()
    for seat in seats:
        seat.link.restore()
    return returned


def after_outage(short: bool) -> Iterator[Result]:
    """500 wait while the link is away; then it comes back."""
    if short:
        yield from _outage([OURS, *SHORT_PEERS], "reset", 60, 4.0, _SHORT_WAIT_S, _SHORT_WARM_S)
        return
    for mode in ("reset", "silent"):
        yield from _outage([OURS], mode, 500, 60.0, 600.0)
        yield from _outage(peers.NAMES, mode, 500, 60.0, 600.0)
    yield from _outage([OURS], "reset", 5_000, 60.0, 600.0)
    yield from _outage([OURS], "flapping", 500, 60.0, 600.0)


def _outage(
    names: Sequence[str], mode: str, count: int, outage_s: float, wait_s: float, warm_s: float = _WARM_S
) -> Iterator[Result]:
    jobs = work.jobs(count)
    case = f"{count:,} waiting, {mode} for {outage_s:.0f} s"
    with _Table(names, jobs) as table:
        table.all(lambda seat: seat.player.start())
        time.sleep(warm_s)
        for seat in table.seats:
            seat.link.reset()
        before = {seat.player.name: (cpu_s(seat.player.pids), seat.link.connections) for seat in table.seats}
        table.all(lambda seat: seat.player.submit(jobs))
        returned = _outage_passes(table.seats, mode, outage_s)
        spent = {
            seat.player.name: {
                "connections": seat.link.connections - before[seat.player.name][1],
                "cpu_s": cpu_s(seat.player.pids) - before[seat.player.name][0],
            }
            for seat in table.seats
        }
        table.awaited(wait_s)
        yield from table.results("after-outage", case, returned, spent)


def lost_answers(short: bool) -> Iterator[Result]:
    """Each tenth answer is cut after the master's commit."""
    jobs = work.jobs(60 if short else 500)
    every_tenth = [{"submission": job.id, "commit": True, "cut": True} for job in jobs[::10]]
    for names in ([OURS],) if short else ([OURS], peers.NAMES):
        with _Table(names, jobs) as table:
            for seat in table.seats:
                seat.master.script(*every_tenth)
            table.all(lambda seat: seat.player.start())
            time.sleep(_SHORT_WARM_S if short else _WARM_S)
            began = time.monotonic()
            table.all(lambda seat: seat.player.submit(jobs))
            table.awaited(10.0 if short else 300.0)
            time.sleep(
                1.5 if short else 3.0
            )  # whoever sends again what is there already does so now, or is not seen doing it
            yield from table.results("lost-answers", f"{len(jobs)}, each tenth answer cut", began, {})


def crash(short: bool) -> Iterator[Result]:
    """kill -9 of the worker and all its processes in mid-drain; another is started at once."""
    jobs = work.jobs(100 if short else 1_000)
    for names in ([OURS],) if short else ([OURS], peers.NAMES):
        with _Table(names, jobs) as table:
            table.all(lambda seat: _half_done_then_killed(seat, jobs))
            restarted = time.monotonic()
            table.all(lambda seat: seat.player.start())
            table.awaited(_SHORT_WAIT_S if short else 300.0)
            yield from table.results("crash", f"{len(jobs):,}, kill -9 in mid-drain", restarted, {})


def _half_done_then_killed(seat: _Seat, jobs: Sequence[Job]) -> None:
    seat.player.submit(jobs)
    seat.player.start()
    awaited(seat.master, len(jobs) // 3, 60.0)
    kill(seat.player)
