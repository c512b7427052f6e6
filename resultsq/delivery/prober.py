"""Watches the link: one prober per destination, whatever the number of workers or of waiting submissions.

The worker that holds the prober's lease starts a probe when one is due, each in a thread of its own and bounded
by 5 s, up to five at once while the link is down; the first good answer opens the link for everybody.

An outage may last for days. Once it has begun the prober wakes once a second, for one transaction: an answer that
changes nothing is written down with the start of the next probe.
"""

import random
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.link import PROBE_DOWN_S, PROBES_AT_ONCE, LinkState, state_for
from resultsq.domain.outcome import Cause
from resultsq.domain.ports import Destination, ProbeAnswer
from resultsq.store.admin import comparisons
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links, prober_turns
from resultsq.store.outbox.prober_turns import HeardAgain
from resultsq.threads import SystemThreads, Threads

LOOK_S = 0.25
"""How often a worker looks whether a link that is up is suspected."""

RENEW_S = links.PROBER_LEASE_S / 3
STORE_REST_S = 1.0
_log = logs.get("prober")


class Prober:
    """Keeps the link's row true. `on_change` is called, from any thread, after each good probe, with whether
    it brought the link back: the link has returned, or a suspicion was cleared.

    :param threads: what its own threads are made with
    :param draw: draws from [0, 1) for jitter"""

    def __init__(
        self,
        database: Database,
        master: Destination,
        clock: Clock,
        worker: str,
        ceiling: int,
        on_change: Callable[[bool], None],
        destination: str = MASTER,
        threads: Threads | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._threads = threads or SystemThreads()
        self._draw = draw
        self._database = database
        self._master = master
        self._clock = clock
        self._worker = worker
        self._ceiling = ceiling
        self._on_change = on_change
        self._destination = destination
        self._running = threading.BoundedSemaphore(PROBES_AT_ONCE)
        self._renew_due = 0.0
        self._mine = False
        self._outage: LinkState | None = None  # the link's state, once this prober starts a probe each second
        self._heard: HeardAgain | None = None  # the last answer, if it is not written down yet
        self._stopping = self._threads.event()
        self._answered = self._threads.event()  # well
        self._thread = self._threads.thread(self._run, f"prober-{destination}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Hand the lease back; probes under way end by themselves."""
        self._stopping.set()
        self._answered.set()
        self._thread.join(STORE_REST_S * 2)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._turn()
            except StoreUnavailable:  # the store has logged why
                self._outage, pause = None, STORE_REST_S
            except Exception:  # noqa: BLE001 - see the next line
                # without its prober a link never returns: log the fault and go on
                _log.exception("prober.surprised")
                self._outage, pause = None, STORE_REST_S
            self._answered.wait(pause)
            self._answered.clear()
        if self._mine:
            try:
                self._database.write(lambda conn: links.drop_prober(conn, self._worker, self._destination))
            except StoreUnavailable:
                _log.info("prober.lease_left", ends_in_s=links.PROBER_LEASE_S)

    def _turn(self) -> float:
        """Take a turn. Returns the seconds until the next one."""
        if self._outage is not None:
            return self._go_on()
        if (seen := self._look()) is None:
            return LOOK_S
        if seen.probe_due:
            self._start_probe()
            self._outage = _outage(seen)
        return _pause_s(seen)

    def _go_on(self) -> float:
        """Take a turn in an outage. Returns the seconds until the next one."""
        heard, self._heard = self._heard, None
        may_start, number = self._running.acquire(blocking=False), None
        try:
            turn = self._database.write(partial(self._take_turn, heard=heard, may_start=may_start))
            if (number := turn.number) is not None:
                self._begin(number)
        finally:
            if may_start and number is None:
                self._running.release()
        self._renew_due = self._clock.monotonic() + RENEW_S
        self._mine = turn.seen.mine
        self._outage = _outage(turn.seen) if self._mine else None
        if heard is not None and turn.change is not None:
            self._tell(heard.number, heard.answer, turn.change)
        return _pause_s(turn.seen) if self._mine else LOOK_S

    def _take_turn(self, conn: Connection, heard: HeardAgain | None, may_start: bool) -> prober_turns.ProberTurn:
        now, draw = self._clock.now(), self._draw()
        return prober_turns.take_turn(conn, now, self._worker, heard, may_start, self._ceiling, draw, self._destination)

    def _look(self) -> links.LinkSnapshot | None:
        """The link as it is; None where another worker probes it."""
        now = self._clock.now()
        if self._heard is not None:  # it came as the outage ended
            heard, self._heard = self._heard, None
            self._write_down(heard.number, heard.answer)
        if self._clock.monotonic() >= self._renew_due:
            if not self._mine and not self._may_take(now):
                self._renew_due = self._clock.monotonic() + RENEW_S
                self._mine = False
                return None
            seen = self._database.write(lambda conn: links.take_prober(conn, now, self._worker, self._destination))
            self._renew_due = self._clock.monotonic() + RENEW_S
            self._mine = seen.mine
        elif not self._mine:
            return None
        else:
            with self._database.read() as conn:
                seen = links.look(conn, now, self._worker, self._destination)
            self._mine = seen.mine
        return seen if seen.mine else None

    def _may_take(self, now: datetime) -> bool:
        """Asked before it is written: else each worker would write every second or two to learn that another probes."""
        with self._database.read() as conn:
            return links.prober_is_free(conn, now, self._worker, self._destination)

    def _start_probe(self) -> None:
        if not self._running.acquire(blocking=False):
            return
        try:
            number = self._database.write(self._number_probe)
        except BaseException:
            self._running.release()
            raise
        self._begin(number)

    def _begin(self, number: int) -> None:
        try:
            self._threads.thread(partial(self._probe, number), f"probe-{number}").start()
        except BaseException:
            self._running.release()
            raise

    def _number_probe(self, conn: Connection) -> int:
        return links.start_probe(conn, self._clock.now(), self._draw(), self._destination)

    def _probe(self, number: int) -> None:
        try:
            answer = self._ask()
            if answer.cause is not None and answer.retry_after_s is None and state_for(answer.cause) is self._outage:
                self._heard = HeardAgain(number, answer)
            else:
                self._write_down(number, answer)
        except StoreUnavailable:
            _log.warning("probe.unrecorded", number=number)
        except Exception:  # noqa: BLE001 - logged; the next probe is already due
            _log.exception("probe.unrecorded", number=number)
        finally:
            self._running.release()

    def _write_down(self, number: int, answer: ProbeAnswer) -> None:
        now = self._clock.now()

        def note(conn: Connection) -> links.LinkChange:
            comparisons.note_latest(conn, now, answer.latest)
            return links.probe_answered(conn, now, number, answer, self._ceiling, self._draw(), self._destination)

        self._tell(number, answer, self._database.write(note))

    def _tell(self, number: int, answer: ProbeAnswer, change: links.LinkChange) -> None:
        if change.returned or change.lost:
            _log.warning(f"link.{change.state}", link=self._destination, cause=answer.cause, probe=number)
        if answer.cause is None:
            self._answered.set()  # the link is up now, and may be suspected at any time
            self._on_change(change.returned)

    def _ask(self) -> ProbeAnswer:
        began = self._clock.monotonic()
        try:
            return self._master.probe()
        except Exception as surprise:  # noqa: BLE001 - logged; a probe without an answer would leave the link as it is
            _log.exception("probe.surprised")
            detail = f"A fault of resultsq itself: {type(surprise).__name__}."
            return ProbeAnswer(Cause.SURPRISE, detail, self._clock.monotonic() - began)


def _outage(seen: links.LinkSnapshot) -> LinkState | None:
    """The state of a link that is probed each second until it is back."""
    return seen.state if seen.state in (LinkState.DOWN, LinkState.NOT_OUR_MASTER) else None


def _pause_s(seen: links.LinkSnapshot) -> float:
    """Until the next look. A link that is not up is probed as its row says, and by no suspicion any sooner."""
    if seen.state is LinkState.UP:
        return LOOK_S
    return PROBE_DOWN_S if seen.probe_due else min(max(seen.probe_in_s, 0.01), PROBE_DOWN_S)
