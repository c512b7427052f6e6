"""Bodies of personal submissions: sealed in the database, and opened only to be sent, exported or handed to a relay.

The keys belong to a `Database`, and are read when they are first needed."""

from sqlalchemy import Connection

from resultsq import sealed
from resultsq.sealed import KeyMissing

KEYS = "resultsq_personal_keys"
"""The execution option of an engine that holds its keys."""


def seal(conn: Connection, body: bytes, owner: str) -> bytes:
    """The body as it is kept; `owner` is its submission's id."""
    return _keys(conn).seal(body, owner)


def opened(conn: Connection, kept: bytes, owner: str) -> bytes:
    """The body as it travels, whether it is kept sealed or in clear.

    :raises KeyMissing, SealBroken: it cannot be opened"""
    kept = bytes(kept)
    return _keys(conn).open(kept, owner) if sealed.is_sealed(kept) else kept


def _keys(conn: Connection) -> sealed.PersonalKeys:
    keys = conn.get_execution_options().get(KEYS)
    if keys is None:
        raise KeyMissing("This process has no key for personal data.")
    found: sealed.PersonalKeys = keys()
    return found
