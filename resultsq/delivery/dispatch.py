"""The worker's loop: run a dispatch cycle, hand the leases to senders, run the next with the attempts that ended.

It reads the database and runs the senders in its own pool, on the monotonic clock: delivery needs no broker,
no scheduler and no wall clock that behaves. A ring of the bell, a sender that is done and a link that returns
only shorten the wait for the next cycle.
"""

import random
from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import Connection

from resultsq import logs
from resultsq.clock import Clock
from resultsq.delivery import sender
from resultsq.delivery.sender_pool import SenderPool
from resultsq.domain import clock_steps
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.outcome import Accepted
from resultsq.domain.ports import Destination
from resultsq.domain.settlement import Settlement
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.outbox import Lease, cycle, faulty_rows, links, workers
from resultsq.threads import Empty, SystemThreads, Threads

HOUSEKEEPING_S = 5.0
"""How often the worker says that it is alive and looks whether its clock was set back."""

REST_S = 5.0
"""While the link is not up nothing can be claimed. A cycle is run this often, for leases that run out, and between them
a look whether the link is back."""

MEND_S = 60.0
"""How often it looks, all the same, for waits that another machine's stepped clock made too long: it reads all
that were put off."""

SILENCE_LOOK_S = 0.2
"""How often it looks for the probe that tells a silent call from a silent link."""

GATHER_S = 0.05
"""How long an end may wait for others while senders have prefetched sheets, so that one cycle settles them together."""

STORE_REST_S = 1.0
FAREWELL_S = 3.0
"""How long a worker that stops waits for the answers to its calls."""

_log = logs.get("dispatch")


class Dispatcher:
    """Delivers the submissions that wait for one destination. `wake` starts the next cycle at once; call it from any
    thread.

    :param threads: what its own threads are made with
    :param draw: draws from [0, 1) for jitter"""

    def __init__(
        self,
        database: Database,
        master: Destination,
        clock: Clock,
        worker: str,
        ceiling: int,
        sweep_s: float,
        destination: str = MASTER,
        threads: Threads | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        threads = threads or SystemThreads()
        self._draw = draw
        self._database = database
        self._master = master
        self._clock = clock
        self._worker = worker
        self._destination = destination
        self._ceiling = ceiling
        self._sweep_s = sweep_s
        self._senders = SenderPool(
            ceiling, clock, self._deliver, lambda lease, end: self._news.put((lease, end)), threads
        )
        self._news = threads.queue()  # of a lease with its settlement, or None
        self._unsettled: list[tuple[Lease, Settlement]] = []
        self._cancelled: list[Lease] = []  # prefetched, and to be released by the next cycle
        self._known: set[str] = set()  # this worker's leases, until they are settled or released
        self._unsure = False  # whether the last cycle was committed is not known
        self._at_ease = True
        self._returned_at: datetime | None = None
        self._housekeeping_due = 0.0
        self._cycle_due = 0.0
        self._mend_due = 0.0
        self._wall_lead_s = 0.0
        self._silent_calls = threads.queue()
        self._silences: list[tuple[int, float]] = []  # the last probe before it, and when it was heard
        self._stopping = threads.event()
        self._thread = threads.thread(self._run, f"dispatch-{destination}")
        master.on_stalled = self._heard_silence

    def start(self) -> None:
        """Void what this worker's name still holds from before, and begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something may go now."""
        self._news.put(None)

    def stop(self) -> None:
        """Claim no more, wait a little for the calls under way, settle them. A call without an answer stays in
        doubt."""
        self._stopping.set()
        self.wake()
        self._thread.join(FAREWELL_S + 2 * STORE_REST_S)
        self._senders.close()

    # the loop

    def _run(self) -> None:
        voided = False
        while not self._stopping.is_set():
            try:
                if not voided:
                    count = self._database.write(self._void)
                    voided = True
                    if count:
                        _log.warning("leases.voided", count=count)
                if not self._may_rest():
                    self._run_cycle(self._ceiling - self._senders.out)
                    self._try_housekeeping()  # after a cycle that was committed: only then is the worker of any use
                    self._notice_silences()
            except StoreUnavailable:  # the store has logged why
                self._stopping.wait(STORE_REST_S)
            except Exception as surprise:  # noqa: BLE001 - see the next line
                # delivery depends on this loop: it logs the fault and goes on
                _log.exception("dispatch.surprised")
                self._sift(surprise)
                self._stopping.wait(STORE_REST_S)
            self._listen(SILENCE_LOOK_S if self._silences else self._sweep_s)
        self._say_goodbye()

    def _may_rest(self) -> bool:
        """Whether a cycle would find nothing to do: nothing is on its way from here, and the link is not up."""
        if self._senders.out or self._unsettled or self._cancelled or self._unsure or self._silences:
            return False
        if self._clock.monotonic() >= self._cycle_due:
            return False
        with self._database.read() as conn:
            return not links.is_up(conn, self._destination)

    def _void(self, conn: Connection) -> int:
        links.lock(conn, self._destination)  # as every cycle does: another worker may be taking the same leases back
        return outbox.void_leases(conn, self._clock.now(), self._worker, self._destination)

    def _listen(self, limit_s: float) -> None:
        """Wait for news; take all there is, so that one cycle settles the attempts together."""
        if not self._hear(limit_s):
            return
        give_up = self._clock.monotonic() + GATHER_S
        while self._hear(0.0):
            continue
        while self._senders.has_spares and not self._troubled and self._hear(give_up - self._clock.monotonic()):
            continue

    def _hear(self, limit_s: float) -> bool:
        try:
            news = self._news.get(timeout=limit_s) if limit_s > 0 else self._news.get_nowait()
        except Empty:
            return False
        if news is not None:
            self._unsettled.append(news)
        return True

    @property
    def _troubled(self) -> bool:
        return not all(isinstance(settlement.outcome, Accepted) for _, settlement in self._unsettled)

    def _run_cycle(self, free: int) -> None:
        stopping = self._stopping.is_set()
        if stopping or self._troubled or not self._at_ease or self._senders.is_stale:
            self._cancelled += self._senders.cancel_prefetch()
        ending, cancelled = self._unsettled, [lease.lease for lease in self._cancelled]
        prefetched = None if stopping else self._senders.prefetched
        settlements = [settlement for _, settlement in ending]

        def take(conn: Connection) -> cycle.Cycle:
            # the time is read where the transaction has begun: a lease is not to run while others are waited for
            now = self._clock.now()
            back = [*cancelled, *(self._unknown_leases(conn) if unsure else [])]
            return cycle.run_cycle(
                conn,
                now,
                self._worker,
                settlements,
                free,
                self._ceiling,
                prefetched,
                back,
                kinds=KINDS,
                destination=self._destination,
            )

        unsure, self._unsure = self._unsure, True
        taken = self._database.write(take, "claim")
        self._unsure = False
        self._cycle_due = self._clock.monotonic() + REST_S
        self._known -= {*cancelled, *(settlement.lease for settlement in settlements)}
        self._known |= {lease.lease for lease in taken.leases}
        self._unsettled, self._cancelled, self._at_ease = [], [], taken.at_ease
        if taken.returned_at != self._returned_at:
            self._master.refresh()
            self._returned_at = taken.returned_at
        self._senders.send(taken.leases, taken.free_slots)
        if self._senders.prefetched and not self._at_ease:
            self.wake()  # the next cycle releases them
        states = {done.settlement.lease: done.state for done in taken.settled}
        for lease, settlement in ending:
            sender.log_line(lease, settlement, states.get(settlement.lease))

    def _unknown_leases(self, conn: Connection) -> list[str]:
        return outbox.unknown_leases(conn, self._worker, self._known, self._destination)

    def _sift(self, surprise: Exception) -> None:
        """No single submission keeps the others from going: what fails is put aside, and an end that cannot be written
        down is unknown. Where none is found to be at fault, all ends are forgotten."""
        self._cancelled = []  # their leases run out
        try:
            now = self._clock.now()
            aside = faulty_rows.put_aside_faulty(
                self._database, now, self._worker, 2 * self._ceiling, self._destination
            )
            unknown = faulty_rows.faulty_ends(self._database, now, [ending for _, ending in self._unsettled])
            self._forget_endings(surprise, {one.seq for one in unknown} if aside or unknown else None)
            lost = faulty_rows.faulty_ends(self._database, now, [ending for _, ending in self._unsettled])
            faulty_rows.put_aside(self._database, now, lost)
        except StoreUnavailable as error:
            _log.warning("store.unavailable", error=type(error.__cause__).__name__)
            return
        except Exception:  # noqa: BLE001 - as above; the next cycle sifts again
            _log.exception("dispatch.sift_surprised")
            return
        gone = {one.seq for one in lost}
        self._unsettled = [(lease, ending) for lease, ending in self._unsettled if lease.seq not in gone]
        for one in (*aside, *lost):
            _log.error("submission.put_aside", seq=one.seq, error=one.error)

    def _forget_endings(self, surprise: Exception, seqs: Collection[int] | None) -> None:
        """The ends of these, or of all, cannot be written down: they are asked about again."""
        self._unsettled = [
            (lease, ending)
            if seqs is not None and lease.seq not in seqs
            else (lease, sender.settlement(lease, sender.at_fault(surprise), ending.duration_s, self._draw()))
            for lease, ending in self._unsettled
        ]

    def _deliver(self, lease: Lease) -> Settlement:
        return sender.deliver(self._master, lease, self._clock, self._draw())

    def _try_housekeeping(self) -> None:
        """Say that this worker lives, and look at the clock. A failure here must not stop delivery."""
        if self._clock.monotonic() < self._housekeeping_due:
            return
        self._housekeeping_due = self._clock.monotonic() + HOUSEKEEPING_S
        try:
            self._housekeeping()
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - logged, and tried again when it is due
            _log.exception("dispatch.housekeeping_failed")

    def _housekeeping(self) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        lead_s = now.timestamp() - monotonic
        mend = lead_s < self._wall_lead_s - clock_steps.SLACK_S or monotonic >= self._mend_due

        def work(conn: Connection) -> int:
            workers.alive(conn, now, self._worker)
            return outbox.mend_stepped_clock(conn, now, self._destination) if mend else 0

        mended = self._database.write(work)
        if mend:
            self._mend_due = monotonic + MEND_S
        self._wall_lead_s = lead_s
        if mended:
            _log.warning("clock.stepped", waits_ended=mended)

    def _say_goodbye(self) -> None:
        self._cancelled += self._senders.cancel_prefetch()
        give_up = self._clock.monotonic() + FAREWELL_S
        while (self._senders.out or not self._news.empty()) and self._clock.monotonic() < give_up:
            self._listen(0.1)
        try:
            self._run_cycle(0)
            self._database.write(lambda conn: workers.gone(conn, self._worker))
        except StoreUnavailable:
            _log.warning("dispatch.left_unsettled", count=len(self._unsettled))

    # silence: a call that hears nothing asks the prober, and is given up once a newer probe gets through

    def _heard_silence(self) -> None:
        self._silent_calls.put(self._clock.monotonic())
        self.wake()

    def _notice_silences(self) -> None:
        while not self._silent_calls.empty():
            probes = self._database.write(lambda conn: links.suspect(conn, self._clock.now(), self._destination))
            self._silences.append((probes, self._silent_calls.get()))
        if not self._senders.out:
            self._silences = []  # whatever was silent has ended by itself
        if not self._silences:
            return
        with self._database.read() as conn:
            seen = links.look(conn, self._clock.now(), self._worker, self._destination)
        for probes, heard in self._silences:
            if seen.ok_probe > probes and self._master.abort_stalled(heard):
                self._master.refresh()  # those that rest are as old
        self._silences = [one for one in self._silences if seen.ok_probe <= one[0]]
