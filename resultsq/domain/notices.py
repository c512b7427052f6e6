"""The office's notices to teams, as the master lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

TITLE_MAX, TEXT_MAX = 120, 2000
MOST = 200
"""Notices that are in force at once; a list of more is not the master's."""


@dataclass(frozen=True, slots=True)
class OfficeNotice:
    """One notice. `id` is the master's; `event` None: for all; it is shown from `at` until `until`."""

    id: str
    event: str | None
    title: str
    text: str
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class NoticeList:
    """All notices that the master has now. `notices` None: as they were under that `etag`."""

    notices: Sequence[OfficeNotice] | None
    etag: str = ""


class NoNotices:
    """This master has no notices: one of version 1 of the contract."""


def is_plain(text: str) -> bool:
    """Whether the text can be shown: no control characters but line ends."""
    return text.replace("\n", " ").isprintable()
