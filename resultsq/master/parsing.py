"""Reads a request of the upload contract; a header, body or parameter that is not as it says is refused."""

import re
import zlib
from datetime import UTC, date, datetime
from uuid import UUID

from flask import request

from resultsq.master.answers import TOO_LONG, refused

MAX_RECEIPTS = 1000
MAX_ATHLETES = 5000

_QUOTED = re.compile(r'"([\x21\x23-\x7e]+)"')


def is_date(text: str) -> bool:
    """Whether `text` is a date in its one spelling, YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def idempotency_key() -> str:
    """The submission's id."""
    quoted = _QUOTED.fullmatch(request.headers.get("Idempotency-Key", ""))
    # One UUID has one spelling here: two spellings would be two ids and could publish a sheet twice.
    if quoted is None or not _is_canonical_uuid(quoted[1]):
        raise refused(400, 'The header Idempotency-Key must be the submission\'s UUID, lower case, in quotes ("…").')
    return quoted[1]


def _is_canonical_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def precondition() -> str | None:
    """The submission id that must be published there now, or None where nothing may be."""
    nothing, named = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    if nothing == "*" and named is None:
        return None
    if nothing is None and (quoted := _QUOTED.fullmatch(named or "")):
        return quoted[1]
    raise refused(400, 'One header is needed: If-None-Match: *, or If-Match: "<submission id>". Never both.')


def body(max_bytes: int) -> bytes:
    """The body, unpacked: at most `max_bytes`."""
    if request.mimetype != "application/json":
        raise refused(415, "A sheet is application/json.")
    coding = request.headers.get("Content-Encoding", "identity").lower()
    if coding not in ("identity", "gzip"):
        raise refused(415, "A sheet comes as it is or as gzip.", headers={"Accept-Encoding": "gzip, identity"})
    received = request.get_data(cache=False)  # over the limit it is a 413
    return received if coding == "identity" else _gunzip(received, max_bytes)


def _gunzip(packed: bytes, max_bytes: int) -> bytes:
    """The body, unpacked no further than the limit: a small bomb must not fill the memory."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise refused(400, "The body is not gzip, though Content-Encoding says so.") from error
    if len(unpacked) > max_bytes:
        raise refused(413, TOO_LONG)
    if not unpacker.eof or unpacker.unused_data:
        raise refused(400, "The gzip body is cut off, or goes on after its end.")
    return unpacked


def moment(name: str) -> datetime | None:
    """The query parameter `name` in UTC; None where it is not given."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # reported below, like a moment without its zone
    raise refused(400, f"The parameter {name} is a moment with its zone: 2013-12-07T10:42:11Z.")


def limit(most: int = MAX_RECEIPTS) -> int:
    """How many lines the caller wants at most."""
    text = request.args.get("limit", "500")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise refused(400, f"The parameter limit is a number from 1 to {most}.")
    return int(text)
