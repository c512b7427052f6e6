"""A runner who registered while no number was at hand gets it by mail, when the master's receipt has brought it.

Only the node where the runner registered writes, and not a relay or a node that took the registration in from a
bundle. The body stays sealed until the mail is queued, for the address is in it."""

import json
from functools import partial

from sqlalchemy import Connection

from resultsq import languages, logs
from resultsq.address import is_elsewhere, public_address
from resultsq.app import mails
from resultsq.clock import Clock
from resultsq.domain.current_language import in_language
from resultsq.domain.destinations import MAIL
from resultsq.domain.i18n import gettext
from resultsq.sealed import KeyMissing, SealBroken
from resultsq.settings import Settings
from resultsq.store.admin import events
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links, slips

_AT_ONCE = 50
_log = logs.get("numbers")


def is_due(database: Database) -> bool:
    """Whether a number is to be mailed."""
    with database.read() as conn:
        return slips.owes_any(conn)


def tell(settings: Settings, database: Database, clock: Clock) -> None:
    """Queue a mail for each number that came, in a transaction of its own. Where no mail server is set, the page of the
    slip alone shows the number."""
    with database.read() as conn:
        owed = slips.owed_mails(conn, _AT_ONCE)
    for one in owed:
        try:
            database.write(partial(_tell, settings=settings, clock=clock, submission=one))
        except (KeyMissing, SealBroken) as error:
            _log.warning("registration.number_not_mailed", submission=one, why=str(error))
            database.write(partial(slips.drop_owed, submission=one))


def _tell(conn: Connection, settings: Settings, clock: Clock, submission: str) -> None:
    slip = slips.of(conn, submission)
    owed = slips.take_owed(conn, submission)
    if slip is None or slip.number is None or owed is None or not settings.smtp_url.get_secret_value():
        return
    body, asked = owed
    now, registered = clock.now(), json.loads(body)
    links.ensure(conn, now, settings.mail_ceiling, MAIL)
    with in_language(languages.language(_language(conn, asked, registered["home_event"]))):
        lines = [
            gettext("{name}, your athlete number is {number}.", name=slip.name, number=slip.number),
            gettext("It is yours for ever. Show the barcode at the finish, printed or on your phone."),
        ]
        if settings.public_url or is_elsewhere(public_address(settings)):
            lines.append(f"{public_address(settings)}/register/{submission}")
        subject = gettext("Your athlete number")
        said = {"address": registered["email"], "subject": subject, "text": "\n\n".join(lines)}
        mails.queue(conn, now, **said, barcodes=[slip.number])


def _language(conn: Connection, asked: str | None, home_event: str | None) -> str:
    """The reader's own, or that of the home event's mails."""
    event = events.find(conn, home_event) if home_event and asked is None else None
    return languages.known(asked or (event and event.language) or "") or languages.ENGLISH
