"""Two stopwatches of one event into one list of times, and the constant by which they differ.

All times are seconds. The watches have no first and second: the merge is symmetric.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import sub
from typing import NamedTuple

NEAR_S = 1
"""Two presses this close are one finisher, unless a neighbour fits better."""

FAR_S = 25
"""Two neighbouring presses, each on one watch alone, this close are one finisher who was missed by a hand."""

_REACH = 10
"""How many rows apart two watches may be when their difference is looked for."""

_MOST = 4
"""How many of the frequent differences are tried."""

_ENOUGH_ROWS = 2_000

_APART = 1 << 16
"""More than the rows of any file."""


class Press(NamedTuple):
    """One finisher: the indexes of its time in either list, None where that watch missed it."""

    seconds: int
    one: int | None
    other: int | None


def merge(one: Sequence[int], other: Sequence[int]) -> Iterator[Press]:
    """Walk both lists in their own order (a falling time stays where it is) and pair the two times of one finisher;
    the time of a pair is the smaller."""
    return _join_far(_join_near(one, other))


def _join_near(one: Sequence[int], other: Sequence[int]) -> Iterator[Press]:
    i = j = 0
    while i < len(one) and j < len(other):
        a, b = one[i], other[j]
        if a == b or (
            abs(a - b) <= NEAR_S and not (_better_next(one, i, other, j) if a < b else _better_next(other, j, one, i))
        ):
            yield Press(min(a, b), i, j)
            i += 1
            j += 1
        elif a < b:
            yield Press(a, i, None)
            i += 1
        else:
            yield Press(b, None, j)
            j += 1
    yield from (Press(one[at], at, None) for at in range(i, len(one)))
    yield from (Press(other[at], None, at) for at in range(j, len(other)))


def _better_next(earlier: Sequence[int], at: int, later: Sequence[int], beside: int) -> bool:
    """Whether the later time is rather the earlier list's next one: that lies in (earlier, later], and the
    later list has no other time near by that could be the next one's."""
    if at + 1 == len(earlier) or not earlier[at] < earlier[at + 1] <= later[beside]:
        return False
    return beside + 1 == len(later) or abs(later[beside + 1] - later[beside]) > NEAR_S


def _join_far(presses: Iterable[Press]) -> Iterator[Press]:
    held: Press | None = None
    for press in presses:
        if held is not None and _complement(held, press) and abs(held.seconds - press.seconds) <= FAR_S:
            one = held.one if press.one is None else press.one
            other = held.other if press.other is None else press.other
            yield Press(min(held.seconds, press.seconds), one, other)
            held = None
            continue
        if held is not None:
            yield held
        held = press
    if held is not None:
        yield held


def _complement(a: Press, b: Press) -> bool:
    """Whether two neighbours are each of one watch alone, and of different watches."""
    return (a.other is None and b.one is None) or (a.one is None and b.other is None)


def offset(one: Sequence[int], other: Sequence[int]) -> int:
    """The constant by which `one` is ahead of `other`; 0 where there is none.

    A difference of rows at most ten apart is a candidate where it occurs at least half the mean length
    times; of the candidates, and 0, the one with most equal times wins, the smallest of several such."""
    candidates = {0, *_frequent(one, other)}
    if len(one) < len(other):
        candidates.update(_frequent(_stretched(one, len(other)), other))
    elif len(one) > len(other):
        candidates.update(_frequent(one, _stretched(other, len(one))))
    ours, theirs = _distinct(one), _distinct(other)

    def worth(difference: int) -> tuple[int, int]:
        equal = ours.intersection(map((difference * _APART).__add__, theirs))
        return len(equal), -abs(difference)

    return max(sorted(candidates), key=worth)


def _frequent(one: Sequence[int], other: Sequence[int]) -> list[int]:
    # of the longest lists a part is enough to tell
    step = max(len(one), len(other)) // _ENOUGH_ROWS + 1
    enough = (len(one) + len(other)) / 4 / step
    seen: Counter[int] = Counter()
    for shift in range(-_REACH, _REACH + 1):
        seen.update(map(sub, one[max(shift, 0) :: step], other[max(-shift, 0) :: step]))
    # where several finish each second, dozens of differences are frequent by chance, and none as the true one
    most = sorted(seen.items(), key=lambda item: (-item[1], abs(item[0]), item[0]))[:_MOST]
    return [difference for difference, count in most if count >= enough]


def _stretched(times: Sequence[int], length: int) -> list[int]:
    """The times repeated evenly to a length, so that presses missed here and there do not drift out of reach."""
    return [times[index * len(times) // length] for index in range(length)]


def _distinct(times: Sequence[int]) -> set[int]:
    """The times as a set in which equal ones stay apart, so that a shifted intersection counts them all."""
    seen: Counter[int] = Counter()
    apart = set()
    for time in times:
        apart.add(time * _APART + seen[time])
        seen[time] += 1
    return apart
