"""A sheet's envelope in a bundle, held against the sheet itself.

A bundle's sealer holds the key. It may still be wrong: by a fault, by another product or by intent.
The envelope decides where the sheet is queued, which version it corrects and what a team reads: so none of it
is believed. Nothing of a bundle in which one thing does not agree is taken.
"""

import re
from collections.abc import Sequence

from resultsq.domain import cldr, sheet
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext, gettext_noop
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
            raise _refused(gettext("Sheet number {number} in this bundle has an id that is none.", number=number))
        if one.id in seen:
            raise _refused(gettext("The sheet {id} is in this bundle twice.", id=one.id))
        seen.add(one.id)
        if (wrong := _wrong(one)) is not None:
            raise _refused(wrong)


def _wrong(one: BundledVersion) -> str | None:
    if one.kind not in KINDS:
        said = gettext_noop(
            "The sheet {id} in this bundle is of a kind that this version of resultsq does not know; update it here."
        )
    elif KINDS[one.kind].destination != MASTER:
        said = gettext_noop("The sheet {id} in this bundle is not for the master.")
    elif one.base is not None and not _NAME.fullmatch(one.base):
        said = gettext_noop("The sheet {id} in this bundle corrects something that is no submission.")
    elif one.accepted_at.tzinfo is None:
        said = gettext_noop("The sheet {id} in this bundle was accepted at a time without a zone.")
    elif sheet.digest(one.body) != one.digest:
        said = gettext_noop("The sheet {id} in this bundle does not have its digest.")
    else:
        return _differs(one)
    return gettext(said, id=one.id)


def _differs(one: BundledVersion) -> str | None:
    try:
        own = KINDS[one.kind].envelope(one.body)
    except ValueError:
        return gettext("The sheet {id} in this bundle is none that can be read.", id=one.id)
    beside = {
        gettext("event"): (one.event, own.event),
        gettext("date"): (one.date, own.date),
        gettext("digest of rows"): (one.rows_digest, own.rows_digest),
        gettext("number of finishers"): (one.finishers, own.finishers),
        gettext("sender"): (one.submitted_by, own.submitted_by),
    }
    differ = [name for name, (said, is_) in beside.items() if said != is_]
    if not differ:
        return None
    return gettext(
        "The sheet {id} in this bundle differs from what is written beside it: {fields}.",
        id=one.id,
        fields=cldr.listed(differ),
    )


def _refused(what: str) -> InputRefused:
    then = gettext("Nothing was taken from it; write the bundle anew where the sheets are.")
    return InputRefused(f"{what} {then}")
