"""Gives memory that large requests took back to the system.

glibc keeps freed memory, and uses little of it for the next large request. The same 8 MB body, sent 24 times, made a
web process grow to more than a gigabyte. It used a fifth of that."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

SPARE = 64 * 1024 * 1024
"""So much above the least that the process has held is worth a look."""
WORTH = 8 * 1024 * 1024
REST_S = 30.0
"""How long nothing is tried after a try that gave back less than `WORTH`: the memory is in use."""


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


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
