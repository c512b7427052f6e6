"""Athletes as the master lists them: values, and the numbers and names that a reading or a typed text may mean."""

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST_NUMBER = 18
"""Digits of the longest number that a copy holds: what a database's integer takes."""

LONGEST_TEXT = 200

LEAST_KEY_BYTES = 16
MAIL_BYTES = 16
"""How much of the keyed hash of an address is kept."""


@dataclass(frozen=True, slots=True)
class Athlete:
    """One line of the list. `name` None: the master has retired the number. `mail` is a keyed hash, never an
    address."""

    number: str
    name: str | None
    club: str | None = None
    home_event: str | None = None
    runs: int = 0
    mail: bytes | None = None


@dataclass(frozen=True, slots=True)
class ListQuestion:
    """Where to go on in the master's list: `handle` and `after` are empty at the beginning. `events` empty: all.
    `etag` is that of the same question's last answer, or empty."""

    handle: str = ""
    after: str = ""
    events: tuple[str, ...] = ()
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of the list. `skipped` lines have a number that no copy holds."""

    handle: str
    athletes: Sequence[Athlete]
    after: str
    up_to_date: bool
    etag: str = ""
    skipped: int = 0


class MustRefetch:
    """The handle is void: begin again beside the old copy."""


class NoList:
    """This master has no list of athletes: one of version 1 of the contract."""


def can_hold(number: str) -> bool:
    """Whether a copy can hold this barcode: `A` and digits without a leading zero, and not too many."""
    digits = number[1:]
    return number[:1] == "A" and digits.isascii() and digits.isdigit() and digits[0] != "0" and (
        len(digits) <= LONGEST_NUMBER
    )  # fmt: skip


def mail_key(text: str) -> bytes | None:
    """The key for `address_hash` that this base64 is; None: it is none, or too short."""
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        return None
    return key if len(key) >= LEAST_KEY_BYTES else None


def address_hash(address: str, key: bytes) -> bytes:
    """The keyed hash of an address as the list has it (master/CONTRACT.md). The address cannot be read back from it."""
    return hmac.digest(key, address.strip().lower().encode(), hashlib.sha256)[:MAIL_BYTES]


def folded(name: str) -> str:
    """A name without accents and capitals."""
    if name.isascii():  # most are, and a list has a million
        return name.casefold()
    return "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one)).casefold()


def search_key(name: str) -> str:
    """A name as it is kept to be searched: folded, the family name first."""
    words = folded(name).split()
    return " ".join([*words[-1:], *words[:-1]])


def initials(name: str) -> str:
    """All that is public of a name: the list has no ages, so anybody on it may be a child."""
    return " ".join(f"{word[0].upper()}." for word in name.split())


def digits_of(numbers: Iterable[str]) -> set[int]:
    """Barcodes without their letter, but for those that no copy can hold."""
    return {int(number[1:]) for number in numbers if can_hold(number)}


def likely_misread(digits: int) -> set[int]:
    """The numbers that one misread digit, or two digits in each other's place, make into this one. Barcodes without
    their letter: a whole sheet has tens of thousands, and sums are made in a fraction of the time of texts."""
    found: list[int] = []
    place, left, right = 1, digits, None
    while left:
        left, digit = divmod(left, 10)
        with_0 = digits - digit * place
        found += range(with_0 if left else with_0 + place, with_0 + 10 * place, place)  # the first digit is never 0
        if right is not None and (left or right):
            found.append(digits + (right - digit) * (place - place // 10))
        right, place = digit, 10 * place
    return set(found) - {digits}
