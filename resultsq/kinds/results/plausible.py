"""What a run of this kind takes, and what times that it cannot take may have been before a spreadsheet, or a person,
wrote them in another way. A matter of the whole sheet, never of one line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from resultsq.domain.i18n import gettext
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.readers.marks import write_time

DAY_S: Final = 86_400
_HALF_HOUR_S = 1_800

STUCK: Final = 5
"""So many equal times in a row are no sprint finish."""

_FAR_BELOW_S = 600
_FAR_ABOVE_S = 3_600


@dataclass(frozen=True, slots=True)
class Occasion:
    """The facts of the event beside its files: the chosen day (ISO 8601, empty while none is chosen), what a run
    takes there, and its time zone."""

    day: str = ""
    plausible: Plausible = FIVE_K
    zone: str = "UTC"


class TimeReading(NamedTuple):
    """Another way to read times that are not plausible."""

    way: Literal["minutes", "hundredths", "since"]
    start: int = 0

    def of(self, times: Iterable[int], plausible: Plausible) -> list[int]:
        """The times as they are read like this."""
        if self.way == "since":
            return [seconds - self.start for seconds in times]
        return [seconds // 60 if seconds > plausible.longest else seconds for seconds in times]

    def words(self) -> str:
        match self.way:
            case "minutes":
                return gettext("minutes and seconds")
            case "hundredths":
                return gettext("minutes, seconds and hundredths")
            case _:
                return gettext("times of day, with the start at {start}", start=write_time(self.start)[:5])


def readings(times: Sequence[int], plausible: Plausible) -> list[TimeReading]:
    """The ways in which times that are not plausible as they stand would be, the likeliest first; none where they
    are, or where no other way helps."""
    outside = [seconds for seconds in times if not plausible.takes(seconds)]
    if not outside or not (2 * len(outside) >= len(times) or max(times) >= DAY_S):
        return []
    found = [*_shorter(times, plausible), *_since(times, plausible)]
    found.sort(key=lambda way: not _first_fits(way.of(times, plausible), plausible))
    return found


def _first_fits(times: Sequence[int], plausible: Plausible) -> bool:
    return plausible.first_least <= min(times) <= plausible.first_most


def _shorter(times: Sequence[int], plausible: Plausible) -> Iterator[TimeReading]:
    long = [seconds for seconds in times if seconds > plausible.longest]
    if long and all(plausible.takes(seconds // 60) for seconds in long):
        yield TimeReading("hundredths" if any(seconds % 60 for seconds in long) else "minutes")


def _since(times: Sequence[int], plausible: Plausible) -> Iterator[TimeReading]:
    first, last = min(times), max(times)
    start = first // _HALF_HOUR_S * _HALF_HOUR_S
    while first > plausible.longest and start > 0 and first - start <= plausible.first_most:
        if first - start >= plausible.first_least and last - start <= plausible.longest and last < DAY_S:
            yield TimeReading("since", start)
        start -= _HALF_HOUR_S


def outliers(times: Sequence[int], plausible: Plausible) -> list[int]:
    """The indexes of single times that are far from what a run takes and from their neighbours. A time that falls
    is reported as such."""
    found = []
    for index, seconds in enumerate(times):
        before = times[index - 1] if index else None
        if plausible.takes(seconds) or (before is not None and seconds < before):
            continue
        far = _FAR_BELOW_S if seconds < plausible.shortest else _FAR_ABOVE_S
        beside = [abs(other - seconds) for other in (before, *times[index + 1 : index + 2]) if other is not None]
        if beside and min(beside) > far:
            found.append(index)
    return found


def stuck(times: Sequence[object]) -> list[tuple[int, int]]:
    """Runs of equal times that are too long, each as its first and last index."""
    found, first = [], 0
    for index in range(1, len(times) + 1):
        if index == len(times) or times[index] != times[first]:
            if index - first >= STUCK:
                found.append((first, index - 1))
            first = index
    return found
