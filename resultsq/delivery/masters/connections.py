"""The connections to one master: which are kept between calls, and how a dead one is replaced.

A far side may close a connection at any moment after an answer and need not say so. A request that meets this
is repeated at once on a new connection; its id makes that safe.
"""

import threading
from typing import Protocol

import requests

from resultsq.clock import Clock
from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.connection import MasterConnection, tls_context
from resultsq.delivery.masters.dial import Lookup, Resolver, system_lookup
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.destinations import Address
from resultsq.domain.outcome import Cause
from resultsq.domain.proxy import Proxy

_IDLE_S = 15.0  # a connection that rested longer may be half-open by now; a new one costs a round trip
_IDLE_LINES = 16
_MOST_DEATHS = 2
_TRIAL_S = 15.0
_REQUEST_TIMEOUT = 408  # a server that tires of waiting may say so on a connection that it closes


class KeepAlive:
    """Whether connections are kept. After two kept ones in a row that were dead when the next call used them,
    while new ones worked, none is; but for a trial every 15 s, until a call on a kept one has worked again.
    Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deaths = 0
        self._trial_at = 0.0
        self._lock = threading.Lock()

    def worked(self) -> None:
        """A kept connection carried another call."""
        self._deaths = 0

    def died(self) -> None:
        """A kept connection was dead, and a new one worked."""
        with self._lock:
            self._deaths += 1
            self._trial_at = self._clock.monotonic() + _TRIAL_S

    def may_keep(self) -> bool:
        """Whether this one connection may be kept."""
        with self._lock:
            if self._deaths < _MOST_DEATHS:
                return True
            now = self._clock.monotonic()
            if now < self._trial_at:
                return False
            self._trial_at = now + _TRIAL_S
            return True


class Lines(Protocol):
    """The way to one address: fetches answers, each within its call's time."""

    @property
    def address(self) -> Address: ...

    def fetch(
        self, call: Call, request: requests.PreparedRequest, limit: int, *, fresh: bool = False, keep: bool = True
    ) -> Answer:
        """The whole answer, of at most `limit` bytes when unpacked. `fresh`: on a new connection.

        :raises Failed: there is none"""

    def refresh(self) -> None:
        """Keep no connection that was made before now."""


class MasterConnections:
    """The connections to one address. Thread-safe."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        ca_file: str | None = None,
        proxy: Proxy | None = None,
        lookup: Lookup = system_lookup,
    ) -> None:
        self.address = Address.parse(url)
        self._clock = clock
        self._tls = tls_context(ca_file) if self.address.scheme == "https" else None
        self._proxy = proxy
        first = proxy or self.address  # behind a proxy it is the proxy that resolves the master's name
        self._resolver = Resolver(first.host, first.port, lookup)
        self._resting: list[MasterConnection] = []
        self._generation = 0
        self._keep_alive = KeepAlive(clock)
        self._lock = threading.Lock()

    def fetch(
        self, call: Call, request: requests.PreparedRequest, limit: int, *, fresh: bool = False, keep: bool = True
    ) -> Answer:
        """The whole answer, of at most `limit` bytes when unpacked. `fresh`: on a new connection.

        :raises Failed: there is none"""
        line = (None if fresh else self._rested()) or self._new()
        try:
            answer = self._once(line, call, request, limit, keep)
            if not line.reused:
                return answer
            if answer.status != _REQUEST_TIMEOUT:
                self._keep_alive.worked()
                return answer
        except Failed as failed:
            if not line.reused or failed.cause is not Cause.RESET:
                raise
        try:
            return self._once(self._new(), call, request, limit, keep, again=True)
        except Failed:
            call.sent = True  # the first time it may have got there
            raise

    def refresh(self) -> None:
        """Keep no connection that was made before now."""
        with self._lock:
            self._generation += 1
            old, self._resting = self._resting, []
        for line in old:
            line.close()

    def _new(self) -> MasterConnection:
        return MasterConnection(self.address, self._tls, self._resolver, self._generation, self._proxy)

    def _once(
        self,
        line: MasterConnection,
        call: Call,
        request: requests.PreparedRequest,
        limit: int,
        keep: bool,
        *,
        again: bool = False,
    ) -> Answer:
        try:
            answer = line.fetch(call, request, limit)
            if again:
                self._keep_alive.died()
            return answer
        finally:
            if not keep or not self._keep(line):
                line.close()

    def _rested(self) -> MasterConnection | None:
        while True:
            with self._lock:
                if not self._resting:
                    return None
                line = self._resting.pop()
            if self._clock.monotonic() - line.rested_since < _IDLE_S:
                return line  # urllib3 sees for itself whether the far side has closed it
            line.close()

    def _keep(self, line: MasterConnection) -> bool:
        if not line.connected or not self._keep_alive.may_keep():
            return False
        line.rested_since = self._clock.monotonic()
        with self._lock:
            if line.generation != self._generation or len(self._resting) >= _IDLE_LINES:
                return False
            self._resting.append(line)
            return True
