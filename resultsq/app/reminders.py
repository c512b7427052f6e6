"""Reminders: a runner types an address, and a worker answers by mail.

The page keeps each request in the same way, and looks nothing up. So neither its words nor its time say whether the
address is known. A worker finds the athletes by the keyed hash of the address and queues a mail to it; where this node
knows none, it queues the request for the master."""

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from resultsq import languages, logs
from resultsq.address import is_elsewhere, public_address
from resultsq.app import mails
from resultsq.app.context import AppContext
from resultsq.clock import Clock
from resultsq.domain import cldr
from resultsq.domain.athletes import Athlete, address_hash
from resultsq.domain.current_language import in_language
from resultsq.domain.destinations import MAIL
from resultsq.domain.errors import NotAllowed
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.isolates import isolated
from resultsq.kinds.registry import KINDS
from resultsq.sealed import KeyMissing, SealBroken
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import reminders
from resultsq.store.admin.reminders import Asked, TooManyWait
from resultsq.store.athletes import lookup
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links, no_event

KIND = "reminders"
OF_USE = timedelta(hours=12)
"""Friday's reminder is not sent on Saturday at noon."""

_AT_ONCE = 50
_BY = "resultsq"
_log = logs.get("reminders")


def ask(ctx: AppContext, address: str, mark: bytes, language: str) -> None:
    """Keep the request for the workers; one for an address that was asked for too often is left out. `mark`: a keyed
    hash of the address, by which that is counted.

    :raises NotAllowed: too many requests wait"""
    now = ctx.clock.now()
    request = Asked(str(uuid.uuid4()), now, language)
    try:
        ctx.database.write(lambda conn: reminders.ask(conn, now, request, address, mark))
    except TooManyWait:
        raise NotAllowed(gettext("Very many reminders are asked for now. Try again in an hour.")) from None


def is_due(database: Database, clock: Clock) -> bool:
    """Whether a request waits, or there is anything to forget."""
    with database.read() as conn:
        return reminders.is_due(conn, clock.now())


def answer(settings: Settings, database: Database, clock: Clock) -> None:
    """Answer the requests that wait, each in a transaction of its own, and forget old ones."""
    with database.read() as conn:
        waiting = reminders.waiting(conn, _AT_ONCE)
    for one in waiting:
        try:
            database.write(partial(_answer, settings=settings, now=clock.now(), asked=one))
        except (KeyMissing, SealBroken) as error:  # no later try could open it either; the runner can ask again
            _log.warning("reminder.not_opened", why=str(error))
            database.write(partial(reminders.drop, request=one.id))
    database.write(lambda conn: reminders.forget_some(conn, clock.now()))


def _answer(conn: Connection, settings: Settings, now: datetime, asked: Asked) -> None:
    address = reminders.take(conn, asked.id)
    if address is None or now >= asked.asked_at + OF_USE:
        return
    found = _athletes(conn, settings, address)
    if found:
        _mail(conn, settings, now, asked, address, found)
    elif settings.master_url.get_secret_value():
        _pass_on(conn, now, asked, address)


def _athletes(conn: Connection, settings: Settings, address: str) -> Sequence[Athlete]:
    """Whose address it is, as far as this node can know and can send mails."""
    key = settings.mail_hash_key
    if key is None or not settings.smtp_url.get_secret_value():
        return ()
    return lookup.by_mail(conn, address_hash(address, key))


def _pass_on(conn: Connection, now: datetime, asked: Asked, address: str) -> None:
    expires_at = (asked.asked_at + OF_USE).replace(microsecond=0).isoformat()
    said = {"email": address, "expires_at": expires_at, "salt": secrets.token_urlsafe(24)}
    entry = KINDS[KIND].prepare(said, submission=asked.id, submitted_by=_BY, submitted_at=asked.asked_at)
    no_event.ensure_no_event(conn, now)
    outbox.accept(conn, now, entry)


def _mail(
    conn: Connection, settings: Settings, now: datetime, asked: Asked, address: str, found: Sequence[Athlete]
) -> None:
    links.ensure(conn, now, settings.mail_ceiling, MAIL)
    node = public_address(settings) if settings.public_url or is_elsewhere(public_address(settings)) else None
    links_to = [None if node is None else reminders.add_link(conn, now, one.number) for one in found]
    spoken = languages.known(asked.language) or languages.ENGLISH
    with in_language(languages.language(spoken)):
        lines = [
            gettext("This is the reminder of the barcode that you asked for. Show it to the scanner at the finish.")
        ]
        for one, secret in zip(found, links_to, strict=True):
            link = [] if secret is None else [f"{node}/card/{secret}"]
            lines.append("\n".join([f"{isolated(one.name or '')}: {isolated(one.number)}", *link]))
        if (as_of := lookup.as_of(conn)) is not None:
            lines.append(
                gettext("Names are as of {time} UTC on {day}.", time=f"{as_of:%H:%M}", day=cldr.long_day(as_of))
            )
        if node is not None:
            until = now + reminders.LINK_LIFE
            lines.append(
                gettext(
                    "A link opens the profile once, until {time} UTC on {day}. You can ask for another.",
                    time=f"{until:%H:%M}",
                    day=cldr.long_day(until),
                )
            )
        lines.append(gettext("You did not ask for this mail? Then you can ignore it. Nobody else gets it."))
        subject = ngettext("Your barcode", "Your barcodes", len(found))
        mails.queue(
            conn,
            now,
            address=address,
            subject=subject,
            text="\n\n".join(lines),
            barcodes=[one.number for one in found],
            expires_at=(asked.asked_at + OF_USE).replace(microsecond=0),
        )
