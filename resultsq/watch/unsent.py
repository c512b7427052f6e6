"""Why a message was not sent, and the time within which it has to be."""

import threading
from collections.abc import Callable

_AT_ONCE = 4
_places = threading.BoundedSemaphore(_AT_ONCE)


class Unsent(OSError):
    """It was not. The text is for people and tells no secret."""


def within(limit_s: float, send: Callable[[], None]) -> None:
    """Send in a thread of its own, and wait no longer: a library's timeout bounds neither the resolution of a name nor
    an answer that drips. At most four threads hang.

    :raises OSError: it was not sent in time, or `send` raised it"""
    if not _places.acquire(blocking=False):
        raise Unsent("Earlier messages still hang.")
    ended: list[Exception | None] = []

    def run() -> None:
        try:
            send()
            ended.append(None)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            ended.append(error)
        finally:
            _places.release()

    thread = threading.Thread(target=run, name="message", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not ended:
        raise Unsent(f"It was not sent within {limit_s:g} s.")
    if ended[0] is not None:
        raise ended[0]
