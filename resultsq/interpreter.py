"""What our processes ask of Python: to load their modules soon, and to keep no thread waiting for long."""

import gc
import sys

SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from one that asks for it. Each question to the database gives it away, a
dozen times in a post or a turn, and gets it back from threads that count and write: with Python's own 5 ms that wait
is most of what a post or a turn takes beside them."""


def begin_loading() -> None:
    """Collect no garbage for now: modules leave hardly any, and looking for it is a sixth of the time they take."""
    gc.disable()


def loaded() -> None:
    """Objects loaded since `begin_loading` stay, and garbage is collected from now on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def ready() -> None:
    """Call it when all that a process needs is loaded. That stays, and garbage collections need not go through it: a
    full one would stop everybody for a tenth of a second, every hundred requests or so."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
