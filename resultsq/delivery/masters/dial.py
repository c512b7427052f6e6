"""Opens a connection within a call's time: the name is resolved and the addresses are tried by its deadline."""

import ipaddress
import os
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause

Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""Family and socket address."""

Lookup = Callable[[str, int], Sequence[Address]]
"""Resolves a name; may block for as long as it likes, raises OSError."""

_LOOKUPS_AT_ONCE = 32  # a dead nameserver holds each for up to 20 s, and a probe begins one each second
_SLICE_S = 0.2  # how soon a wait notices that its call was ended; one without patience ends at its deadline only
_HEAD_START_S = 0.3  # what an address gets before the next one is tried beside it
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def system_lookup(host: str, port: int) -> Sequence[Address]:
    """The system's resolver. It blocks for 10 s a dead nameserver, outside every timeout."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(int(family), address) for family, _, _, _, address in found]  # type: ignore[misc]


class _Pending:
    """A lookup that runs in a thread."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.found: Sequence[Address] = ()
        self.error: OSError | None = None


class Resolver:
    """One name to its addresses, in threads that may hang without holding anybody up."""

    def __init__(self, host: str, port: int, lookup: Lookup = system_lookup) -> None:
        self._host = host
        self._port = port
        self._lookup = lookup
        self._pending: list[_Pending] = []
        self._lock = threading.Lock()

    def addresses(self, call: Call) -> Sequence[Address]:
        """Where to connect to.

        :raises OSError: there are none
        :raises Failed: the call is over"""
        with suppress(ValueError):
            family = socket.AF_INET6 if ipaddress.ip_address(self._host).version == 6 else socket.AF_INET
            return [(family, (self._host, self._port))]
        pending = self._newest()
        try:
            while not pending.done.wait(_slice_s(call)):
                pass
        except Failed as failed:
            if failed.cause in (Cause.TIMEOUT, Cause.NO_ANSWER):
                raise Failed(Cause.DNS, "The nameserver did not answer in time.") from None
            raise
        if pending.error is not None:
            raise pending.error
        return pending.found

    def _newest(self) -> _Pending:
        with self._lock:
            if len(self._pending) >= _LOOKUPS_AT_ONCE:
                return self._pending[-1]
            pending = _Pending()
            self._pending.append(pending)
        threading.Thread(target=self._run, args=(pending,), name="master-name", daemon=True).start()
        return pending

    def _run(self, pending: _Pending) -> None:
        try:
            pending.found = self._lookup(self._host, self._port)
        except OSError as error:
            pending.error = error
        except UnicodeError:  # what the idna codec says of a label that no name can have
            pending.error = socket.gaierror(socket.EAI_NONAME, "No name can look like this")
        finally:
            with self._lock:
                self._pending.remove(pending)
            pending.done.set()


def connect(addresses: Sequence[Address], call: Call) -> socket.socket:
    """The first of the addresses that takes a connection. A dead one costs the others a moment only.

    :raises OSError: none did; the error is the first one's
    :raises Failed: the call is over"""
    waiting = list(addresses)
    first_error: OSError | None = None
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                if waiting:
                    family, address = waiting.pop(0)
                    try:
                        begun = _begin(family, address)
                    except OSError as error:
                        first_error = first_error or error
                        continue
                    selector.register(begun, selectors.EVENT_WRITE, data=begun)
                for key, _ in selector.select(min(_HEAD_START_S, call.left()) if waiting else _slice_s(call)):
                    sock: socket.socket = key.data
                    selector.unregister(sock)
                    if not (code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                        return sock
                    sock.close()
                    first_error = first_error or OSError(code, os.strerror(code))
        finally:
            for key in list(selector.get_map().values()):
                key.data.close()
    raise first_error or socket.gaierror(socket.EAI_NONAME, "The name has no address")


def _slice_s(call: Call) -> float:
    return call.left() if call.patience_s is None else min(_SLICE_S, call.left())


def _begin(family: int, address: tuple[str, int] | tuple[str, int, int, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(*_NO_DELAY)
        with suppress(BlockingIOError):
            sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock
