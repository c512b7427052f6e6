"""The three marks that every file is made of: an elapsed time, an athlete's barcode, a finish token."""

import re
from functools import lru_cache

from resultsq.domain.i18n import gettext


class UnreadableField(ValueError):
    """A mark cannot be read; its text is the reason, as a clause of a sentence."""


# ASCII digits on purpose, here and below: \d would take other scripts' digits.
TIME = r"(?:[0-9]{1,2}:)?[0-5]?[0-9]:[0-5]?[0-9](?:[.,][0-9]+)?"
"""What `read_time` takes, for lines that have a time in them."""

_TIME = re.compile(TIME)
_NEARLY_A_TIME = re.compile(r"(?:[0-9]{1,2}:)?([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?")
_ATHLETE = re.compile(r"A[1-9][0-9]{0,30}")
_TOKEN = re.compile(r"P([0-9]{1,5})")

LONGEST_NORMAL = len("A12345678")
"""A barcode longer than this is most likely two that were read as one."""


def quoted(text: str) -> str:
    """A piece of a file for a sentence, cut to forty characters."""
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


POSITION_SHAPE = r"0{0,4}[1-9][0-9]{0,4}(?:st|nd|rd|th|\.)?"
"""A position of a table, as in 1, 01, 1st and 1."""


def place_of(text: str) -> int:
    """The number of a text in the shape of a position."""
    return int(text.lower().rstrip("stndrh."))


# A thousand people finish within one hour: most times are there more than once.
@lru_cache(16_384)
def read_time(text: str) -> int:
    """`MM:SS` or `HH:MM:SS`, one or two digits a group, as seconds; a fraction is cut off.

    :raises Unreadable: for any other shape, and for 60 minutes or seconds and more."""
    text = text.strip()
    if _TIME.fullmatch(text):
        seconds = 0
        for group in text.replace(",", ".").partition(".")[0].split(":"):
            seconds = seconds * 60 + int(group)
        return seconds
    if not text:
        raise UnreadableField(gettext("the time is missing"))
    if nearly := _NEARLY_A_TIME.fullmatch(text):
        if int(nearly[1]) > 59:
            raise UnreadableField(
                gettext(
                    "{text} has {minutes} minutes; from one hour on it is written H:MM:SS, as in 1:02:10",
                    text=quoted(text),
                    minutes=nearly[1],
                )
            )
        raise UnreadableField(
            gettext("{text} has {seconds} seconds, and they go up to 59", text=quoted(text), seconds=nearly[2])
        )
    raise UnreadableField(gettext("{text} is not a time, which is written MM:SS or HH:MM:SS", text=quoted(text)))


_CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9]))?(?:[.,][0-9]+)? ?([AP])\.?M\.?", re.IGNORECASE)
_DAY_FRACTION = re.compile(r"0?[.,][0-9]{3,17}")
_DAY_S = 86_400


@lru_cache(16_384)
def read_spreadsheet_time(text: str) -> int | None:
    """The seconds since midnight of a time that a spreadsheet wrote as a clock (`12:17:31 AM`) or as a fraction of
    a day (`0.012164352`); None where it did not."""
    text = text.strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(group or 0) for group in clock.group(1, 2, 3))
        late = clock[4] in "Pp"
        return None if not 1 <= hours <= 12 else (hours % 12 + 12 * late) * 3600 + minutes * 60 + seconds
    if _DAY_FRACTION.fullmatch(text):
        return round(float(text.replace(",", ".")) * _DAY_S)
    return None


@lru_cache(16_384)
def write_time(seconds: int) -> str:
    """Seconds as `HH:MM:SS`."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def read_athlete(text: str) -> str:
    """`A` and digits without a leading zero, kept as text.

    :raises Unreadable: for anything else."""
    if _ATHLETE.fullmatch(text):
        return text
    raise UnreadableField(
        gettext("{text} is not an athlete's barcode, which is A and digits, as in A1234567", text=quoted(text))
    )


def read_token(text: str) -> int:
    """`P` and one to five digits, above zero; `P1` and `P0001` are one token.

    :raises Unreadable: for anything else."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise UnreadableField(
            gettext("{text} is not a finish token, which is P and one to five digits, as in P0047", text=quoted(text))
        )
    if not int(found[1]):
        raise UnreadableField(gettext("{text} is not a finish token: they count from P0001", text=quoted(text)))
    return int(found[1])


def cut_off(last: str, before: list[str]) -> bool:
    """Whether the time of a file's last row looks cut off, beside the times before it: `00:35:1` or `00:3`
    where the others read `00:35:08`. `0:19:8` among its like does not."""
    if before and last.count(":") < before[-1].count(":"):
        return True
    short = re.compile(r"[0-9]{2}(?::[0-9]{2})?:[0-9]")
    single = re.compile(r".*:[0-9](?:\.[0-9]+)?")
    return short.fullmatch(last) is not None and not any(map(single.fullmatch, before))
