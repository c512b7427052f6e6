"""Mails to teams: their submission was published or refused, it differs from the published version, or it still
waits; or results that their device sent need a look."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from resultsq import languages
from resultsq.address import is_elsewhere, public_address
from resultsq.app import mails
from resultsq.clock import Clock
from resultsq.domain import cldr
from resultsq.domain.current_language import in_language
from resultsq.domain.destinations import MAIL
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.settings import Settings
from resultsq.store.admin import addresses, team_mails
from resultsq.store.admin.events import EventRow
from resultsq.store.admin.team_mails import Untold
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links

OF_USE = timedelta(hours=12)
"""A mail that could not be sent for so long says nothing that its reader does not know."""

_SUBJECTS = {
    team_mails.PUBLISHED: gettext_noop("{event}, {day}: published"),
    State.REJECTED: gettext_noop("{event}, {day}: refused, and needs a correction"),
    State.CONFLICT: gettext_noop("{event}, {day}: an operator decides"),
    team_mails.WAITS: gettext_noop("{event}, {day}: still waiting"),
}
_TEXTS = {
    team_mails.PUBLISHED: gettext_noop("Published at {time}, revision {revision}. There is nothing left to do."),
    State.REJECTED: gettext_noop(
        "The central results system refused this at {time}. Open the page below: it says why, and how to correct it."
    ),
    State.CONFLICT: gettext_noop(
        "Something else is published there for this date. An operator decides which one stands; you don't need to do "
        "anything yet."
    ),
    team_mails.WAITS: gettext_noop(
        "Handed in at {time}, and safe. It waits for the connection to the central results system and will be "
        "published automatically. You don't need to do anything."
    ),
}


_NO_REVISION = gettext_noop("Delivered at {time}. There is nothing left to do.")


def is_due(settings: Settings, database: Database) -> bool:
    """Whether there is a mail server and a team with an address."""
    if not settings.smtp_url.get_secret_value():
        return False
    with database.read() as conn:
        return addresses.any_of_teams(conn)


def tell_teams(settings: Settings, database: Database, clock: Clock) -> None:
    """Queue a mail for each event that a team has not been mailed about, and note it."""
    address = public_address(settings)
    node = address if is_elsewhere(address) else None
    now, waits = clock.now(), timedelta(minutes=settings.team_mail_waiting_min)

    def work(conn: Connection) -> None:
        links.ensure(conn, now, settings.mail_ceiling, MAIL)
        found = team_mails.untold(conn, now, waits)
        for one in found:
            _queue(conn, now, one, node)
        team_mails.note_told(conn, now, found)

    if is_due(settings, database):  # another worker may have done it meanwhile
        database.write(work)


def tell_of_entry(
    conn: Connection, now: datetime, settings: Settings, account: str, event: EventRow, day: str, reasons: Sequence[str]
) -> None:
    """Queue a mail to the account whose device sent results that cannot be published as they are, if it has an address.
    `day` and `reasons` are in the language of the request, and so is the mail."""
    if not settings.smtp_url.get_secret_value() or addresses.of_account(conn, account) is None:
        return
    links.ensure(conn, now, settings.mail_ceiling, MAIL)
    node = public_address(settings)
    lines = [
        gettext("Results that a device had kept arrived, and are safe. They are not published before you mend this:"),
        "\n".join(reasons),
        f"{node}/submit/{event.slug}" if is_elsewhere(node) else "",
    ]
    mails.queue(
        conn,
        now,
        account=account,
        subject=gettext("{event}, {day}: results from a device need a look", event=event.name, day=day),
        text="\n\n".join(line for line in lines if line),
        notice=True,
        expires_at=(now + OF_USE).replace(microsecond=0),
    )


def _queue(conn: Connection, now: datetime, one: Untold, node: str | None) -> None:
    expires_at = (now + OF_USE).replace(microsecond=0)
    for account, language in one.accounts.items():
        spoken = languages.known(language or "") or languages.ENGLISH
        with in_language(languages.language(spoken)):
            subject, text = _words(one, node)
            mails.queue(conn, now, account=account, subject=subject, text=text, notice=True, expires_at=expires_at)


def _words(one: Untold, node: str | None) -> tuple[str, str]:
    """Subject and text of a mail, in the language of the moment."""
    said = {
        "event": one.event_name,
        "day": cldr.long_day(date.fromisoformat(one.date)),
        "time": f"{one.at.astimezone(ZoneInfo(one.time_zone)):%H:%M} ({one.time_zone})",
        "revision": one.revision or 0,
    }
    kind = KINDS.get(one.kind)
    text = _TEXTS[one.about] if one.revision or one.about != team_mails.PUBLISHED else _NO_REVISION
    lines = [gettext(text, **said), "" if kind is None else kind.summary(one.count)]
    if node is not None:
        lines.append(f"{node}/submissions/{one.submission}")
    return gettext(_SUBJECTS[one.about], **said), "\n\n".join(line for line in lines if line)
