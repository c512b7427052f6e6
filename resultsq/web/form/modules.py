"""The modules of the form that outlives the network, under addresses that change with their content."""

import hashlib
from functools import cache
from pathlib import Path

from flask import url_for

FOLDER = Path(__file__).parent.parent / "static" / "outbox"


@cache
def modules() -> tuple[str, tuple[str, ...]]:
    """A mark of the modules' content, and their names. They import one another by name, so the mark
    is in their path."""
    found = sorted(FOLDER.glob("*.js"))
    content = hashlib.sha256(b"\0".join(one.name.encode() + one.read_bytes() for one in found))
    return content.hexdigest()[:12], tuple(one.name for one in found)


def module(name: str) -> str:
    """The address of a module, which may be kept for ever."""
    return url_for("form.module", mark=modules()[0], name=name)
