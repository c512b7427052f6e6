"""Whether a reverse proxy seems to be in front that the settings do not name.

Then everybody comes from the proxy's address: people share the limits of log-ins and connections. The web process
cannot tell such a proxy from a caller who writes the header, so it only leaves a note, for `doctor`: an empty file,
whose date is that of the last such request, to the minute.
"""

import math
import os
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from flask import request

from resultsq.clock import Clock

_NOTE = "forwarded.note"
_EVERY_S = 60.0


class ForwardedHeaders:
    """One web process's eye for such requests."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / _NOTE
        self._clock = clock
        self._next = -math.inf

    def look(self) -> None:
        """Leave the note if this request was passed on by a machine nearby; once a minute at most."""
        if "X-Forwarded-For" not in request.headers and "Forwarded" not in request.headers:
            return
        if self._clock.monotonic() < self._next or not _is_near(request.remote_addr or ""):
            return
        self._next = self._clock.monotonic() + _EVERY_S
        at = self._clock.now().timestamp()
        with suppress(OSError):  # a full disk is reported elsewhere, and no request fails for a note
            self._path.touch()
            os.utime(self._path, (at, at))


def last(folder: Path) -> datetime | None:
    """When such a request came last."""
    try:
        return datetime.fromtimestamp((folder / _NOTE).stat().st_mtime, UTC)
    except OSError:
        return None


def _is_near(address: str) -> bool:
    # a proxy is on this machine or in its network; from further away the header is a stranger's
    try:
        return ip_address(address).is_private
    except ValueError:
        return False
