"""Notices to teams, written by an operator on a page, by the API or by a command: the same checks, the same words."""

from datetime import datetime, timedelta

from resultsq.app.context import Transaction
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.notices import TEXT_MAX, TITLE_MAX, is_plain
from resultsq.store.admin import events, notices

LONGEST = timedelta(days=60)


def post(tx: Transaction, slug: str | None, title: str, text: str, until: datetime | None) -> int:
    """Show this on top of the form of an event's team, or of all (`slug` None), until that time; its number.

    :raises NotThere: there is no such event.
    :raises InputRefused: title, text or time cannot be taken."""
    title, text = title.strip(), "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))
    if not title or not text:
        raise InputRefused(gettext("A notice has a title and a text. Nothing was changed."))
    if len(title) > TITLE_MAX or not title.isprintable():
        raise InputRefused(
            gettext("A title is one line of at most {most} characters. Nothing was changed.", most=TITLE_MAX)
        )
    if len(text) > TEXT_MAX or not is_plain(text):
        raise InputRefused(
            gettext("A notice is plain text of at most {most} characters. Nothing was changed.", most=TEXT_MAX)
        )
    if until is None or not tx.now < until <= tx.now + LONGEST:
        raise InputRefused(
            gettext(
                "A notice is shown until a time within the next {days} days. Nothing was changed.", days=LONGEST.days
            )
        )
    event = None if slug is None else events.find(tx.conn, slug)
    if slug is not None and event is None:
        raise NotThere(gettext("There is no event called {slug} here. Nothing was changed.", slug=slug))
    number = notices.add(tx.conn, tx.now, tx.who, None if event is None else event.id, title, text, until)
    tx.note("notice", {"event": slug or "", "title": title})
    return number


def end(tx: Transaction, number: int) -> None:
    """Show a notice no more.

    :raises NotThere: no notice of this node with that number is in force."""
    if not notices.end(tx.conn, tx.now, number):
        raise NotThere(gettext("There is no such notice of this node in force. The office ends its own at the master."))
    tx.note("end notice", {"notice": number})
