"""Which tables a statement reads, and which it writes to or locks."""

import re
from dataclasses import dataclass
from functools import cache

from tests.races.stage import TABLES

_WORD = re.compile(r"\w+")
_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|LOCK TABLE) (\w+)")
_LOCKS = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)(?: OF (\w+))?")


@dataclass(frozen=True, slots=True)
class Footprint:
    """`written` holds the rows of other tables that a new row refers to: they are locked with it."""

    mentioned: frozenset[str]
    written: frozenset[str]

    def __or__(self, other: "Footprint") -> "Footprint":
        return Footprint(self.mentioned | other.mentioned, self.written | other.written)

    def is_free_of(self, other: "Footprint") -> bool:
        """Whether it makes no difference which of the two comes first. What is written is seen by nobody before its
        commit, so that only locks and what is read afterwards count."""
        return not self.mentioned & other.written and not self.written & other.written


NONE = Footprint(frozenset(), frozenset())


@cache
def footprint(statement: str) -> Footprint:
    """As far as its text says; too much rather than too little."""
    mentioned = frozenset(_WORD.findall(statement)) & TABLES.keys()
    written = set(_WRITES.findall(statement)) & TABLES.keys()
    for name in list(written):
        written |= {key.column.table.name for key in TABLES[name].foreign_keys}
        if f"DELETE FROM {name}" in statement:
            written |= {
                one for one, table in TABLES.items() for key in table.foreign_keys if key.column.table.name == name
            }
    if (lock := _LOCKS.search(statement)) is not None:
        written |= {lock[1]} if lock[1] else mentioned
    return Footprint(mentioned | frozenset(written), frozenset(written))


def footprint_of(statements: list[str]) -> Footprint:
    """All of them."""
    whole = NONE
    for one in statements:
        whole |= footprint(one)
    return whole
