"""What the runs of an event take, as people write it: in options, in the columns of a list, in the fields of a page."""

from collections.abc import Mapping
from typing import Final

from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.plausible import FIVE_K, PRESETS, Plausible
from resultsq.readers.marks import UnreadableField, read_time, write_time

RUN: Final = "run"
"""The field that names a usual run; the times beside it change it."""

TIMES: Final = {"first_from": "first_least", "first_to": "first_most", "fastest": "shortest", "slowest": "longest"}
"""Each field's text, by its name."""


def read_plausible(fields: Mapping[str, str | None], before: Plausible = FIVE_K) -> Plausible:
    """The times in the fields; an empty one is as `before`, or as in the usual run that they name.

    :raises InputRefused: there is no such run, a time cannot be read, or the times are not in order."""
    run = (fields.get(RUN) or "").strip().lower()
    if run and run not in PRESETS:
        raise InputRefused(
            gettext("“{run}” is not a known run. The runs are {runs}.", run=run[:40], runs=cldr.listed(PRESETS))
        )
    base = PRESETS[run] if run else before
    said = {to: _seconds(text) for name, to in TIMES.items() if (text := (fields.get(name) or "").strip())}
    found = Plausible(**{to: said.get(to, getattr(base, to)) for to in TIMES.values()})
    if not found.makes_sense:
        raise InputRefused(
            gettext(
                "The times of a run must rise and stay below 24 hours: fastest {fastest}, first finisher from {least} "
                "to {most}, slowest {slowest}.",
                fastest=write_time(found.shortest),
                least=write_time(found.first_least),
                most=write_time(found.first_most),
                slowest=write_time(found.longest),
            )
        )
    return found


def write_plausible(plausible: Plausible) -> dict[str, str]:
    """The fields that say it."""
    return {name: write_time(getattr(plausible, to)) for name, to in TIMES.items()}


def _seconds(text: str) -> int:
    try:
        return read_time(text)
    except UnreadableField as error:
        raise InputRefused(gettext("What a run takes: {reason}.", reason=error)) from None
