"""Secrets in files: those that the product makes itself, each for its owner alone, and those that settings name."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in this file. At the first call it is made; processes that start together agree on one.

    It is on the disk before it is returned: whatever is sealed with it can be opened after a power cut.

    :raises OSError: the file can be neither read nor written"""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _put(path, make())
    return path.read_text("ascii").strip()


def _put(path: Path, secret: str) -> None:
    """Write a whole draft, private from its first byte, and link it: no process reads half a secret."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content(path: Path, key: str) -> str:
    """What a file holds that `key` names.

    :raises SettingsError: it cannot be read"""
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            gettext(
                "{key} names the file {path}, which cannot be read: {reason}.",
                key=key,
                path=path,
                reason=error.strerror,
            )
        ) from None
