"""The data folder of a node: made for its owner alone, and claimed by one supervisor at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from resultsq import disk
from resultsq.domain.errors import ResultsqError, SettingsError
from resultsq.domain.i18n import gettext, retold
from resultsq.settings import Settings

TICK_S = 0.1
MASTER_DATABASE = "master.db"
"""File of the data folder: the ledger of the reference master that `up` brings."""
LEAVING_S = 10.0
"""How long to wait for the children of a predecessor that was killed."""


def make_data_dir(settings: Settings) -> None:
    """The data folder, for its owner alone: results are about people.

    :raises SettingsError: it cannot be made, or nothing can be written in it"""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = disk.reason(error, disk.nearest(settings.data_dir))
        raise SettingsError(
            gettext("The data folder {folder} cannot be made: {reason}.", folder=settings.data_dir, reason=retold(why))
        ) from None
    if (trouble := disk.write_trouble(settings.data_dir)) is not None:
        raise SettingsError(
            gettext(
                "Nothing can be written in the data folder {folder}: {reason}.",
                folder=settings.data_dir,
                reason=retold(trouble),
            )
        )


@contextmanager
def claimed(data_dir: Path) -> Iterator[int]:
    """The data folder, ours alone. Gives the descriptor of a lock for the children to inherit: while one of
    them is still ending, the folder is not free.

    :raises ResultsqError: it is another's"""
    with (data_dir / "up.lock").open("a") as ours, (data_dir / "up-children.lock").open("a") as theirs:
        if not _locked(ours, 0):
            raise ResultsqError(
                gettext(
                    "`resultsq up` is running on the data folder {folder} already, and nothing more was started. "
                    "Use the one that runs, or name another folder with --data-dir.",
                    folder=data_dir,
                )
            )
        if not _locked(theirs, LEAVING_S):
            raise ResultsqError(
                gettext(
                    "Processes of an earlier `resultsq up` still run on the data folder {folder}. "
                    "Nothing was started; end them first.",
                    folder=data_dir,
                )
            )
        yield theirs.fileno()


def _locked(file: IO[str], wait_s: float) -> bool:
    for _ in range(int(wait_s / TICK_S) + 1):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(TICK_S)
    return False


def write_secret(path: Path, secret: str) -> None:
    """Write a file that its owner alone may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")
