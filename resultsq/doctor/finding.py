"""What the doctor finds, of which node."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resultsq.clock import Clock
from resultsq.domain.i18n import gettext, ngettext
from resultsq.settings import Settings
from resultsq.store.engine.session import Database


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # results are published; an operator should look
    BAD = "bad"  # results are not taken, or not published


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one part of the node, and the remedy."""

    part: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """The node that is looked at."""

    settings: Settings
    database: Database
    clock: Clock


Findings = Iterator[tuple[Level, str]]


def in_words(span: timedelta) -> str:
    """A length of time as people say it."""
    seconds = max(0, round(span.total_seconds()))
    if seconds >= 2 * 86_400:
        return ngettext("{number} day", "{number} days", seconds // 86_400)
    if seconds >= 2 * 3_600:
        return ngettext("{number} hour", "{number} hours", seconds // 3_600)
    if seconds >= 2 * 60:
        return ngettext("{number} minute", "{number} minutes", seconds // 60)
    return gettext("{number} s", number=seconds)


def at(moment: datetime) -> str:
    """A moment, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
