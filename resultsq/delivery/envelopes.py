"""A sheet's envelope in a bundle, held against the sheet itself.

A bundle's sealer holds the key. It may still be wrong: by a fault, by another product or by intent.
The envelope decides where the sheet is queued, which version it corrects and what a team reads: so none of it
is believed. Nothing of a bundle in which one thing does not agree is taken.
"""

import re
from collections.abc import Sequence

from resultsq.domain import sheet
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import InputRefused
from resultsq.kinds.registry import KINDS
from resultsq.store.outbox import BundledVersion

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(r"[\x21-\x7e]{1,36}")
"""What a master may call a version."""


def check(parted: Sequence[BundledVersion]) -> None:
    """Each sheet agrees with its envelope.

    :raises InputRefused: one does not; the sentence names the sheet and the field"""
    seen: set[str] = set()
    for number, one in enumerate(parted, 1):
        if not _ID.fullmatch(one.id):
            raise _refused(f"Sheet number {number} in this bundle has an id that is none")
        if one.id in seen:
            raise _refused(f"The sheet {one.id} is in this bundle twice")
        seen.add(one.id)
        if (wrong := _wrong(one)) is not None:
            raise _refused(f"The sheet {one.id} in this bundle {wrong}")


def _wrong(one: BundledVersion) -> str | None:
    if one.kind not in KINDS:
        return "is of a kind that this version of resultsq does not know; update it here"
    if KINDS[one.kind].destination != MASTER:
        return "is not for the master"
    if one.base is not None and not _NAME.fullmatch(one.base):
        return "corrects something that is no submission"
    if one.accepted_at.tzinfo is None:
        return "was accepted at a time without a zone"
    if sheet.digest(one.body) != one.digest:
        return "does not have its digest"
    try:
        own = KINDS[one.kind].envelope(one.body)
    except ValueError:
        return "is none that can be read"
    beside = {
        "event": (one.event, own.event),
        "date": (one.date, own.date),
        "digest of rows": (one.rows_digest, own.rows_digest),
        "number of finishers": (one.finishers, own.finishers),
        "sender": (one.submitted_by, own.submitted_by),
    }
    differ = [name for name, (said, is_) in beside.items() if said != is_]
    return f"has another {' and another '.join(differ)} than is written beside it" if differ else None


def _refused(what: str) -> InputRefused:
    return InputRefused(f"{what}. Nothing was taken from it; write the bundle anew where the sheets are.")
