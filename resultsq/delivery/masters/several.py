"""One master at several addresses: two providers' routes to the same database.

Each address is probed by itself; what answers as our master is used, and stays in use while it answers. A sheet
may go by one address and be asked about at another: the master's unique id keeps it there once."""

import queue
import threading
from collections.abc import Callable, Sequence

from resultsq import logs
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.notices import NoNotices, NoticeList
from resultsq.domain.outcome import LINK_CAUSES, Deferred, Outcome, Receipt
from resultsq.domain.ports import Master, Parcel, ProbeAnswer, ReceiptPage

GRACE_S = 0.3
"""How long the address in use may answer later than another one and still be kept."""

_LONGEST_PROBE_S = 6.0  # each address bounds its own probe by less
_log = logs.get("masters")


class SeveralAddresses:
    """`Master` over the addresses of one master, the preferred one first."""

    def __init__(self, addresses: Sequence[Master]) -> None:
        self._addresses = addresses
        self._in_use = 0

    @property
    def on_stalled(self) -> Callable[[], None]:
        return self._addresses[0].on_stalled

    @on_stalled.setter
    def on_stalled(self, callback: Callable[[], None]) -> None:
        for address in self._addresses:
            address.on_stalled = callback

    def probe(self) -> ProbeAnswer:
        """Ask every address at once; the first good answer counts."""
        answers: queue.SimpleQueue[tuple[int, ProbeAnswer]] = queue.SimpleQueue()

        def ask(number: int) -> None:
            answers.put((number, self._addresses[number].probe()))

        for number in range(len(self._addresses)):
            threading.Thread(target=ask, args=(number,), daemon=True, name=f"probe-address-{number + 1}").start()
        seen: dict[int, ProbeAnswer] = {}
        wait_s = _LONGEST_PROBE_S
        while len(seen) < len(self._addresses):
            try:
                number, answer = answers.get(timeout=wait_s)
            except queue.Empty:
                break
            seen[number] = answer
            if answer.cause is None:
                wait_s = GRACE_S
                if number == self._in_use:
                    break
        good = [number for number, answer in sorted(seen.items()) if answer.cause is None]
        if not good:
            return seen.get(self._in_use) or next(iter(seen.values()))
        if self._in_use not in good:
            self._use(good[0])
        return seen[self._in_use]

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        number = self._in_use
        outcome = self._addresses[number].send(parcel, patience_s)
        if isinstance(outcome, Deferred) and outcome.cause in LINK_CAUSES and self._in_use == number:
            self._use((number + 1) % len(self._addresses))
        return outcome

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        return self._addresses[self._in_use].receipt(submission)

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        return self._addresses[self._in_use].receipts(since, until, cursor)

    def athletes(self, question: ListQuestion) -> ListPage | MustRefetch | NoList | Outcome:
        return self._addresses[self._in_use].athletes(question)

    def notices(self, etag: str) -> NoticeList | NoNotices | Outcome:
        return self._addresses[self._in_use].notices(etag)

    def lease_block(self, key: str, size: int) -> LeasedBlock | NoBlocks | Outcome:
        return self._addresses[self._in_use].lease_block(key, size)

    def abort_stalled(self, began_before: float) -> int:
        return sum(address.abort_stalled(began_before) for address in self._addresses)

    def use_token(self, token: str) -> None:
        for address in self._addresses:
            address.use_token(token)

    def refresh(self) -> None:
        for address in self._addresses:
            address.refresh()

    def close(self) -> None:
        for address in self._addresses:
            address.close()

    def _use(self, number: int) -> None:
        self._in_use = number
        _log.warning("master.address", number=number + 1, of=len(self._addresses))
