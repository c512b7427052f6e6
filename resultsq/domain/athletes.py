"""Athletes as the master lists them: values, and the numbers and names that a reading or a typed text may mean."""

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Iterator, Sequence
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


def likely_misread(number: str) -> Iterator[str]:
    """The barcodes that one misread digit, or two digits in each other's place, make into this one."""
    digits = number[1:]
    for at, digit in enumerate(digits):
        for other in "0123456789":
            if other != digit and not (at == 0 and other == "0"):
                yield f"A{digits[:at]}{other}{digits[at + 1 :]}"
    for at in range(len(digits) - 1):
        first, second = digits[at], digits[at + 1]
        if first != second and not (at == 0 and second == "0"):
            yield f"A{digits[:at]}{second}{first}{digits[at + 2 :]}"
