"""How alerts reach people: each is queued for the channels that are set up, in the transaction that raises it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from resultsq.app import mails
from resultsq.domain.destinations import mail_addresses
from resultsq.settings import Settings
from resultsq.store.admin import alerts
from resultsq.store.admin.alerts import Tell

_MAIL = "mail"
KEPT = timedelta(days=7)
"""An alert that could not be mailed for so long is not mailed any more."""


def teller(settings: Settings) -> Tell:
    """Queues a message for each other channel, and a mail to each operator."""
    channels = set(settings.alert_channels)
    addresses = mail_addresses(settings.alert_mail_to) if _MAIL in channels else []
    others = sorted(channels - {_MAIL})

    def tell(conn: Connection, now: datetime, subject: str, text: str) -> None:
        for channel in others:
            alerts.add_message(conn, now, channel, subject, text)
        for address in addresses:
            mail_alert(conn, now, address, subject, text)

    return tell


def mail_alert(conn: Connection, now: datetime, address: str, subject: str, text: str) -> None:
    """Queue an alert for one operator. It is sent until the mail server has taken it: better twice than not."""
    words = f"{text}\n\n{now:%d %B %Y %H:%M UTC}"
    expires_at = (now + KEPT).replace(microsecond=0)
    mails.queue(conn, now, address=address, subject=subject, text=words, repeat=True, expires_at=expires_at)
