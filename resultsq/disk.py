"""The disk below a folder: how much room there is, and why nothing can be written there, in words."""

import errno
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from resultsq.domain.i18n import gettext_noop

_WHY = {
    errno.EROFS: gettext_noop("its file system is read-only"),
    errno.ENOSPC: gettext_noop("its disk is full"),
    errno.EACCES: gettext_noop("this user may not write there"),
    errno.EPERM: gettext_noop("this user may not write there"),
    errno.EDQUOT: gettext_noop("this user's disk quota is used up"),
    errno.EIO: gettext_noop("the disk does not work (input/output error)"),
    errno.ENOENT: gettext_noop("it is not there"),
    errno.ENOTDIR: gettext_noop("part of its path is a file"),
}
_FULL_OF_FILES = gettext_noop("its disk has no inodes left: there are too many files on it")

KNOWN = frozenset(_WHY)
"""Numbers of the errors that a disk or its rights are the cause of."""


@dataclass(frozen=True, slots=True)
class Space:
    """Free space for a user who is not root. `inodes` None: this file system does not count them."""

    bytes: int
    inodes: int | None
    read_only: bool


def space(folder: Path) -> Space:
    """What the disk says of itself; nothing is written.

    :raises OSError: the folder cannot be looked at"""
    found = os.statvfs(folder)
    inodes = found.f_favail if found.f_files else None
    return Space(found.f_bavail * found.f_frsize, inodes, bool(found.f_flag & os.ST_RDONLY))


def nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def reason(error: OSError, folder: Path) -> str:
    """Why something could not be written below `folder`, as the end of a sentence, in English, for
    `retold`."""
    if error.errno == errno.ENOSPC:
        return _why_full(folder)
    return _WHY.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()


def _why_full(folder: Path) -> str:
    try:
        left = space(folder)
    except OSError:
        return _WHY[errno.ENOSPC]
    return _FULL_OF_FILES if left.inodes == 0 else _WHY[errno.ENOSPC]


def write_trouble(folder: Path) -> str | None:
    """Why no file can be made in `folder`, as the end of a sentence; None: one was made, and removed again."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".resultsq-check-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return reason(error, folder)
    return None
