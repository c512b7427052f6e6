"""Mails that this node writes. They are queued as results are, in the transaction of the change that they report."""

import uuid
from datetime import datetime

from sqlalchemy import Connection

from resultsq.domain.current_language import current
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.outbox import no_event

KIND = "mails"
_BY = "resultsq"


def queue(conn: Connection, now: datetime, **said: object) -> str:
    """Queue one mail, as its kind's payload says it, in the language of the moment; its id.

    :raises SheetRefused: the mail is not valid"""
    entry = KINDS[KIND].prepare(
        {"language": current().code, **said}, submission=str(uuid.uuid4()), submitted_by=_BY, submitted_at=now
    )
    no_event.ensure_no_event(conn, now)
    return outbox.accept(conn, now, entry).id
