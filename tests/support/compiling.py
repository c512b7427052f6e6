"""Bytecode of the product and of the tests, made once before several processes load them: in a fresh clone each would
make all of it for itself, at the same moment as the others."""

import compileall
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_REWRITTEN = re.compile(r"/(test_[^/]*|conftest)\.py$")
"""Modules whose assertions pytest rewrites: their bytecode is its own."""


def compile_first() -> None:
    """What is compiled already costs a look."""
    if not sys.dont_write_bytecode:
        for room in ("resultsq", "tests"):
            compileall.compile_dir(ROOT / room, quiet=1, workers=0, rx=_REWRITTEN)
