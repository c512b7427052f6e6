"""All damage that `doctor` tells of, and its mending: in rows, in holds, and what only the master can settle."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from resultsq.clock import Clock
from resultsq.domain.i18n import gettext, gettext_noop, ngettext
from resultsq.store.admin import comparisons, holding
from resultsq.store.engine.session import Database
from resultsq.store.outbox import repairs

_ASKED = gettext_noop("A comparison with the master is asked for: a worker makes it when the link is up.")


@dataclass(frozen=True, slots=True)
class Damage:
    """A fault, as a sentence. `stops`: something is not published, or not seen, because of it. `mendable`: it is
    worth a `doctor --mend`; else it is asked for already."""

    sentence: str
    stops: bool = True
    mendable: bool = True


def damage(conn: Connection, now: datetime) -> Iterator[Damage]:
    """Everything that there is."""
    for repair, count in repairs.damaged(conn):
        yield Damage(repair.sentence(count), repair.stops)
    if hidden := holding.hidden_holds(conn, now):
        yield Damage(_hidden(len(hidden)))
    if (unanswered := comparisons.unanswered(conn)) is not None:
        asked = comparisons.asked_since(conn)
        waits = asked is not None and asked <= unanswered.since
        sentence = _unanswered(unanswered.count) + (" " + gettext(_ASKED) if waits else "")
        yield Damage(sentence, stops=False, mendable=not waits)


def mend(database: Database, clock: Clock, who: str) -> Iterator[str]:
    """Mend the faults, and ask for the comparison that settles the rest; returns sentences on each step."""
    for repair, count in repairs.mend(database, clock, who):
        yield gettext("Mended: {fault}", fault=repair.sentence(count))
    if ended := database.write(lambda conn: holding.end_hidden_holds(conn, clock.now(), who)):
        yield gettext("Mended: {fault}", fault=_hidden(ended))
    if count := database.write(_ask):
        yield " ".join((_unanswered(count), gettext(_ASKED)))


def _ask(conn: Connection) -> int:
    unanswered = comparisons.unanswered(conn)
    if unanswered is None:
        return 0
    comparisons.ask(conn, unanswered.since)
    return unanswered.count


def _hidden(count: int) -> str:
    return ngettext(
        "{number} hold is in force beside a newer one of the same: releasing the newer one would release nothing.",
        "{number} holds are in force beside newer ones of the same: releasing the newer ones would release nothing.",
        count,
    )


def _unanswered(count: int) -> str:
    return ngettext(
        "Only the master can say whether it has {number} version that was given up, or published under another id.",
        "Only the master can say whether it has {number} versions that were given up, or published under other ids.",
        count,
    )
