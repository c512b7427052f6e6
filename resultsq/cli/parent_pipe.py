"""The thread by which a child of `up` ends with its parent, however that one ends."""

import os
import signal
import threading
import time

GRACE_S = 4.0


def follow(descriptor: int) -> None:
    """End this process when the other end of the pipe is closed: in good order, and at once if it takes long.

    `descriptor` is the end of a pipe that nothing is ever written to; the parent alone holds the other."""
    threading.Thread(target=_watch, args=(descriptor,), name="parent-pipe", daemon=True).start()


def _watch(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)
