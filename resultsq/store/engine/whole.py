"""Whether what is read is what was stored. A disk may spoil a page and say nothing, and a database without checksums
of its own then hands out other bytes. So each sheet and file is compared with the digest that it was accepted with."""

import hashlib

from resultsq.domain import sheet
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.i18n import gettext, gettext_noop

CAUSE = gettext_noop("The database file is damaged.")


def is_whole(body: bytes, digest: str) -> bool:
    """Whether a submission's bytes, as they travel, are those of its digest."""
    return sheet.digest(body) == digest


def demand_whole(body: bytes, digest: str) -> bytes:
    """The bytes, to be shown.

    :raises StoreUnavailable: they are not what was accepted"""
    if not is_whole(body, digest):
        raise spoiled()
    return body


def demand_whole_file(content: bytes, digest: str) -> bytes:
    """The content of a team's file, whose digest is in hexadecimal.

    :raises StoreUnavailable: it is not what was sent"""
    if hashlib.sha256(content).hexdigest() != digest:
        raise spoiled()
    return content


def spoiled() -> StoreUnavailable:
    message = gettext("What was kept of this is damaged on this node's disk, so it is not shown. Tell its operators.")
    return StoreUnavailable(message, CAUSE)
