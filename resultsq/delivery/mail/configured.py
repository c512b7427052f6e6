"""The mail server of the settings, and what this node's database knows of addresses."""

import hashlib
from dataclasses import replace

from resultsq.address import is_elsewhere, public_address
from resultsq.clock import Clock
from resultsq.delivery.mail.letter import Sender
from resultsq.delivery.mail.server import MailServer
from resultsq.delivery.mail.session import SmtpAddress
from resultsq.dkim_key import signer
from resultsq.domain.ports import Parcel
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import addresses
from resultsq.store.engine.session import Database


class StoredAddresses:
    """`Addresses` from the node's database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def of_account(self, account: str) -> str | None:
        with self._database.read() as conn:
            return addresses.of_account(conn, account)

    def unsubscribe_secret(self, account: str) -> str | None:
        with self._database.read() as conn:
            return addresses.unsubscribe_secret(conn, account)

    def is_suppressed(self, address: str, notice: bool) -> bool:
        with self._database.read() as conn:
            return addresses.is_suppressed(conn, address, notice)

    def suppress(self, address: str) -> None:
        now = self._clock.now()
        self._database.write(lambda conn: addresses.suppress(conn, now, address, addresses.BOUNCED))


def mail_server(settings: Settings, database: Database, clock: Clock) -> MailServer | None:
    """Where mails go; None: nowhere, for no mail server is set.

    :raises SettingsError: the settings make no sense"""
    url = settings.smtp_url.get_secret_value()
    if not url:
        return None
    address = SmtpAddress.parse(url, settings.send_mail_unencrypted_where_anyone_can_read_it)

    def departs(parcel: Parcel) -> bool:
        return database.write(lambda conn: outbox.note_departure(conn, parcel.submission, parcel.lease))

    return MailServer(
        address, _sender(settings), StoredAddresses(database, clock), clock, departs, office=settings.office_mail
    )


def _sender(settings: Settings) -> Sender:
    node = public_address(settings)
    sender = Sender(settings.alert_mail_from, node if is_elsewhere(node) else None)
    if settings.dkim_key_file is None:
        return sender
    return replace(sender, sign=signer(settings.dkim_key_file, settings.dkim_selector, sender.domain))


def credentials(settings: Settings) -> str:
    """What tells one set of credentials at the mail server from another."""
    return hashlib.sha256(settings.smtp_url.get_secret_value().encode()).hexdigest()
