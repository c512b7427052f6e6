"""Hands waiting submissions to a relay while the master cannot be reached, and asks there what became of them.

It runs beside the lane to the master and never in its way: a submission that is handed on still waits for the master,
and goes there by itself when the link is back."""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import assert_never

from sqlalchemy import Connection

from resultsq import logs
from resultsq.clock import Clock
from resultsq.delivery.masters.relay import HttpRelay
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.link import LinkState
from resultsq.domain.relay import (
    MOST_UNANSWERED,
    InCustody,
    Known,
    NoAnswer,
    NotKnown,
    RefusedThere,
    RelayAnswer,
    ask_again_s,
    relay_addresses,
)
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.store.outbox import handovers, links
from resultsq.store.outbox.handovers import CALL_S, RelayCall

LOOK_S = 1.0
AT_ONCE = 10
FAREWELL_S = 2.0
"""How long a worker that stops waits for the call under way."""

REST_S = 15.0
"""How long a relay that did not answer, or took nothing, is left alone."""

_log = logs.get("relay")


def open_relays(settings: Settings, clock: Clock) -> dict[str, HttpRelay]:
    """The relays of the settings by name, in their order.

    :raises SettingsError: one makes no sense"""
    return {
        one.name: HttpRelay(
            one.url,
            _token(Path(one.token_file)),
            clock=clock,
            allow_plain_http=settings.send_my_token_over_plain_http_where_anyone_can_read_it,
            reread_token=partial(_token, Path(one.token_file)),
        )
        for one in relay_addresses(settings.relays)
    }


def _token(file: Path) -> str:
    """What the file holds now; a file that cannot be read is as good as a wrong token: the relay refuses it."""
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        _log.warning("relay.no_token", error=error.strerror)
        return ""


class HandingOn:
    """One worker's part of it. `changed` is called when a submission was settled."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        worker: str,
        relays: Mapping[str, HttpRelay],
        after_s: float,
        changed: Callable[[], None],
    ) -> None:
        self._database, self._clock, self._worker, self._relays = database, clock, worker, relays
        self._after_s, self._changed = after_s, changed
        self._rests: dict[str, float] = {}  # until when, monotonic
        self._down_since: float | None = None
        self._front = self._again = 0  # the seqs behind which the next look begins
        self._asked_all = False
        self._works: set[str] = set()  # the relays that took the last thing they were handed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="handing-on", daemon=True)

    def start(self) -> None:
        if self._relays:
            self._thread.start()

    def stop(self) -> None:
        """A call under way ends by itself: it is repeated after a restart."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(FAREWELL_S)
        for relay in self._relays.values():
            relay.close()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except StoreUnavailable:
                continue  # the store has logged why
            except Exception:  # noqa: BLE001 - logged; the next look begins anew
                _log.exception("handing_on.surprised")

    def look(self) -> None:
        """Make the calls that are due, and hand over what waits if the master has been away for long enough."""
        away = self._master_is_away()
        now = self._clock.now()
        if not self._asked_all:
            self._database.write(lambda conn: handovers.ask_all(conn, now))
            self._asked_all = True
        began = self._clock.monotonic()
        self._make(self._database.write(lambda conn: handovers.due(conn, now, AT_ONCE, away)), began)
        if away and (relay := self._usable()) is not None:
            began = self._clock.monotonic()
            self._make(self._begin(relay), began, relay)

    def _make(self, calls: Sequence[RelayCall], began: float, relay: str = "") -> None:
        """Make calls that were taken at `began`, one after the other. Of those to a new `relay` the rest is taken back
        when it is to be left alone. A call that could outlast its lease is renewed first, with those behind it."""
        until = began + CALL_S
        for at, call in enumerate(calls):
            if relay and (self._stopping.is_set() or self._rest_of(relay) > 0):
                self._take_back(call)
                continue
            ends = self._clock.monotonic() + self._longest_s(call)
            if ends > until:
                seqs, length_s, now = [one.seq for one in calls[at:]], self._longest_s(call) + CALL_S, self._clock.now()
                self._database.write(partial(handovers.renew, now=now, seqs=seqs, length_s=length_s))
                until = ends + CALL_S
            self._carry_out(call)

    def _longest_s(self, call: RelayCall) -> float:
        relay = self._relays.get(call.relay)
        return 0.0 if relay is None else relay.longest_s(call.parcel, call.kept)

    def _master_is_away(self) -> bool:
        """Whether the link is down, and has been for so long: by the monotonic clock, from when this worker saw it."""
        with self._database.read() as conn:
            seen = links.look(conn, self._clock.now(), self._worker)
        if seen.state is LinkState.UP:
            self._down_since = None
            return False
        if self._down_since is None:
            self._down_since = self._clock.monotonic()
        return self._clock.monotonic() - self._down_since >= self._after_s

    def _begin(self, relay: str) -> Sequence[RelayCall]:
        """One while the relay takes nothing, else several. New submissions first, and then those behind which the look
        has gone: released, or no longer in another's way."""
        now, most = self._clock.now(), AT_ONCE if relay in self._works else 1
        found, last = self._database.write(lambda conn: handovers.begin(conn, now, relay, self._front, most))
        self._front = last or self._front
        if found:
            return found
        found, self._again = self._database.write(lambda conn: handovers.begin(conn, now, relay, self._again, most))
        return found

    def _usable(self, besides: str = "") -> str | None:
        """The first relay that is not left alone at present."""
        return next((name for name in self._relays if name != besides and self._rest_of(name) <= 0), None)

    def _rest_of(self, relay: str) -> float:
        return self._rests.get(relay, 0.0) - self._clock.monotonic()

    def _leave_alone(self, relay: str) -> None:
        self._works.discard(relay)
        self._rests[relay] = self._clock.monotonic() + REST_S

    def _carry_out(self, call: RelayCall) -> None:
        relay = self._relays.get(call.relay)
        if relay is None:  # no relay of the settings any more
            self._no_answer(call, NoAnswer("It is none of this node's relays now.", sent=True), MOST_UNANSWERED)
            return
        answer = relay.look(call.parcel) if call.kept else relay.hand_over(call.parcel, call.via)
        self._write(call, answer)

    def _write(self, call: RelayCall, answer: RelayAnswer) -> None:
        now, seq = self._clock.now(), call.seq
        match answer:
            case InCustody():
                self._works.add(call.relay)
                self._database.write(lambda conn: handovers.kept(conn, now, seq, ask_again_s(call.asked)))
                if not call.kept:
                    _log.info("submission.handed_on", submission=call.parcel.submission, relay=call.relay)
            case Known() as known:
                self._settle(call, known)
            case NotKnown():
                _log.warning("submission.lost_by_relay", submission=call.parcel.submission, relay=call.relay)
                self._database.write(lambda conn: handovers.lost(conn, now, seq, call.relay))
            case RefusedThere() as refused:
                self._refused(call, refused)
            case NoAnswer() as none:
                self._no_answer(call, none, call.asked)
            case _ as never:
                assert_never(never)

    def _settle(self, call: RelayCall, known: Known) -> None:
        now = self._clock.now()

        def work(conn: Connection) -> State | None:
            state = handovers.settle_as(conn, now, call, known.outcome, known.same_rows)
            if state is None:
                handovers.kept(conn, now, call.seq, LOOK_S)
            return state

        state = self._database.write(work)
        if state is not None:
            _log.info("submission.settled_by_relay", submission=call.parcel.submission, state=state)
            self._changed()

    def _refused(self, call: RelayCall, refused: RefusedThere) -> None:
        _log.warning("relay.refused", relay=call.relay, answer=refused.detail[:3])
        self._leave_alone(call.relay)
        now = self._clock.now()
        if call.kept and refused.gone:
            self._database.write(lambda conn: handovers.give_up(conn, call.seq))
        elif call.kept:
            self._database.write(lambda conn: handovers.kept(conn, now, call.seq, ask_again_s(call.asked)))
        else:
            self._take_back(call)

    def _take_back(self, call: RelayCall) -> None:
        now = self._clock.now()
        self._database.write(lambda conn: handovers.take_back(conn, now, call.seq))
        self._front = min(self._front, call.seq - 1)

    def _no_answer(self, call: RelayCall, none: NoAnswer, asked: int) -> None:
        self._leave_alone(call.relay)
        if not none.sent and not call.kept and call.asked == 0:
            self._take_back(call)
            return
        now, other = self._clock.now(), self._usable(call.relay)
        if asked >= MOST_UNANSWERED and other is not None:
            self._database.write(lambda conn: handovers.lost(conn, now, call.seq, other))
        else:
            wait_s = ask_again_s(call.asked) if call.kept else REST_S
            self._database.write(lambda conn: handovers.put_off(conn, now, call.seq, call.relay, wait_s))
