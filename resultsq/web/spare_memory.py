"""Gives memory that large requests took back to the system.

glibc keeps what is freed for the thread that had asked for it, and finds little of it fit for the next large request:
one body of 8 MB after the other made a web process grow to more than a gigabyte, of which it used a fifth."""

import ctypes
import os
from collections.abc import Callable

SPARE = 64 * 1024 * 1024
"""So much above the least that the process has held is worth a look."""
WORTH = 8 * 1024 * 1024
REST_S = 30.0
"""How long nothing is tried after a try that gave back less than `WORTH`: the memory is in use."""


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as told:
            return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _trim() -> Callable[[int], int] | None:
    """What gives it back; None where the C library is not glibc."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim


class SpareMemory:
    """`look` is for one thread, every second or so. Another that asks for memory meanwhile waits until its heap is
    trimmed."""

    def __init__(self) -> None:
        self._trim = _trim()
        self._least = resident()
        self._next_s = 0.0

    def look(self, now_s: float) -> None:
        if self._trim is None or now_s < self._next_s:
            return
        held = resident()
        self._least = min(self._least, held)
        if held - self._least > SPARE:
            self._trim(0)
            if held - resident() < WORTH:
                self._next_s = now_s + REST_S
