"""The mail server as a destination: what becomes of a mail there, as outcomes.

SMTP knows no receipts. A mail lost before the content's final dot was not sent, and is sent again; one lost after
it may have been sent. Then the mail's own rule decides: one that says `repeat` is sent again under the same Message-ID,
any other is given up as "perhaps sent". The departure is written down before the content leaves, so that the mails
which a worker had in hand when it died, and had not begun to send, are sent by the next.
"""

import re
import smtplib
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from resultsq.clock import Clock
from resultsq.delivery.mail import letter
from resultsq.delivery.mail.letter import Sender
from resultsq.delivery.mail.session import Answered, Session, SmtpAddress, failed
from resultsq.delivery.masters.dial import Lookup, Resolver, system_lookup
from resultsq.delivery.masters.watch import Call, Failed, Watch
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Deferred,
    Exchange,
    Outcome,
    Receipt,
    Rejected,
    Scope,
    Unauthorised,
    plain,
)
from resultsq.domain.ports import Parcel, ProbeAnswer
from resultsq.kinds.mails.kind import SUBJECT_MOST, Mail
from resultsq.kinds.registry import KINDS

PROBE_S = 5.0
SEND_S = 20.0
"""How long a call may take as a whole: less than a lease."""

REST_S = 20.0
"""How long a connection may rest and be used again; servers keep one for minutes."""

_SHOWN = 500
_HARD_BOUNCE = re.compile(r"\b5\.1\.[0-9]{1,3}\b")
"""RFC 3463: there is no such address."""

EXPIRED = "expired"
PERHAPS_SENT = "perhaps-sent"
NO_ADDRESS = "no-address"
SUPPRESSED = "suppressed"
NO_OFFICE = "no-office"
_GIVEN_UP = {
    EXPIRED: "Expired, not sent.",
    PERHAPS_SENT: "The connection was lost after the mail was handed over: it may have arrived. It is not sent again.",
    NO_ADDRESS: "The account has no mail address, so nothing was sent.",
    NO_OFFICE: "OFFICE_MAIL is no longer set, so nothing was sent.",
    SUPPRESSED: "Nothing is sent to this address: its server said that there is none, or its owner unsubscribed.",
}


class Addresses(Protocol):
    """What the node knows of addresses. Each call is a short transaction of its own."""

    def of_account(self, account: str) -> str | None:
        """Where mails to this account go."""

    def unsubscribe_secret(self, account: str) -> str | None:
        """By which the account's owner unsubscribes from notices."""

    def is_suppressed(self, address: str, notice: bool) -> bool:
        """Whether nothing, or no notice, is to be sent there."""

    def suppress(self, address: str) -> None:
        """There is no such address: nothing is sent there any more."""


class _Way(NamedTuple):
    mail: Mail
    to: str


class _TakenOver(Exception):
    """Another worker sends this mail by now."""


class MailServer:
    """`Destination` over SMTP, for any number of senders at once. `departs` writes down that a mail's content is about
    to leave; False: it must not. `office` is where a submission goes that is no mail by itself."""

    def __init__(
        self,
        address: SmtpAddress,
        sender: Sender,
        addresses: Addresses,
        clock: Clock,
        departs: Callable[[Parcel], bool],
        lookup: Lookup = system_lookup,
        office: str = "",
    ) -> None:
        self.on_stalled: Callable[[], None] = lambda: None
        self._address, self._sender, self._addresses, self._clock = address, sender, addresses, clock
        self._departs, self._office = departs, office
        self._resolver = Resolver(address.host, address.port, lookup)
        self._context = ssl.create_default_context()
        self._watch = Watch(clock, lambda: None)
        self._resting: list[Session] = []
        self._lock = threading.Lock()

    def probe(self) -> ProbeAnswer:
        """EHLO, TLS and NOOP, on a fresh connection."""
        began = self._clock.monotonic()
        cause, detail = None, ""
        with self._watch.call(PROBE_S) as call:
            try:
                session = self._open(call)
                try:
                    session.noop()
                finally:
                    session.quit()
            except Answered as answered:
                cause, detail = Cause.MASTER_DOWN, f"The mail server answered {answered.code}."
            except (OSError, smtplib.SMTPException, Failed) as error:
                wrong = failed(error, call)
                cause, detail = wrong.cause, wrong.detail
        return ProbeAnswer(cause, detail, self._clock.monotonic() - began)

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        """Send one mail, or say why it is not sent."""
        try:
            return self._send(parcel)
        except StoreUnavailable:
            return Deferred(Cause.SURPRISE, "This node's own database did not answer; nothing was sent.", False)
        except _TakenOver:
            return Deferred(Cause.SURPRISE, "Another worker sends this mail by now.", False)

    def _send(self, parcel: Parcel) -> Outcome:
        mail = self._mail(parcel)
        if mail is None:
            return _given_up(NO_OFFICE)
        way = self._way(mail, parcel, self._clock.now())
        if isinstance(way, Rejected):
            return way
        secret = self._addresses.unsubscribe_secret(mail.account) if mail.account is not None and mail.notice else None
        content = letter.write(mail, parcel.submission, way.to, self._sender, secret)
        with self._watch.call(SEND_S) as call:
            attempt = _Attempt(way, parcel, self._clock)
            try:
                self._converse(attempt, content, call)
            except Answered as answered:
                return self._refused(answered, attempt)
            except (OSError, smtplib.SMTPException, Failed) as error:
                return attempt.lost(failed(error, call))
        return attempt.taken()

    def _mail(self, parcel: Parcel) -> Mail | None:
        """What is sent; None: it is for the office, whose address is not set. The office had better read a message
        twice than never, so such a mail is repeated."""
        said = KINDS[parcel.kind].office_letter(parcel.body)
        if said is None:
            return Mail.model_validate_json(parcel.body)
        if not self._office:
            return None
        return Mail(
            address=self._office,
            subject=said.subject[:SUBJECT_MOST],
            text=said.text,
            repeat=True,
            submitted_by=said.written_by,
            submitted_at=said.written_at,
        )

    def _way(self, mail: Mail, parcel: Parcel, now: datetime) -> "_Way | Rejected":
        if mail.expires_at is not None and now >= mail.expires_at:
            return _given_up(EXPIRED)
        if parcel.in_doubt and not mail.repeat:
            return _given_up(PERHAPS_SENT)
        to = mail.address or self._addresses.of_account(mail.account or "")
        if to is None:
            return _given_up(NO_ADDRESS)
        if not mail.repeat and self._addresses.is_suppressed(to, mail.notice):
            return _given_up(SUPPRESSED)
        return _Way(mail, to)

    def _converse(self, attempt: "_Attempt", content: bytes, call: Call) -> None:
        session = self._ready(attempt, call)
        try:
            attempt.stage = "recipient"
            session.command(f"RCPT TO:<{attempt.way.to}>", 250, 251)
            attempt.stage = "content"
            self._note_departure(attempt.parcel)
            session.command("DATA", 354)
            session.content(content)
            attempt.handed_over = True
            attempt.reply = session.verdict()
        except Answered as answered:
            if answered.code == 421:
                session.close()
            else:
                self._rest(session)
            raise
        except BaseException:
            session.close()
            raise
        self._rest(session)

    def _note_departure(self, parcel: Parcel) -> None:
        if not self._departs(parcel):
            raise _TakenOver

    def _ready(self, attempt: "_Attempt", call: Call) -> Session:
        """A connection that has taken the sender: one that rested, or a fresh one where that is cut."""
        start = f"MAIL FROM:<{self._sender.bare}>"
        while (session := self._rested()) is not None:
            try:
                session.use(call)
                session.command(start, 250)
            except (OSError, smtplib.SMTPException, Answered):
                session.close()
                call.left()
            else:
                return session
        session = self._open(call)
        try:
            if self._address.user:
                attempt.stage = "credentials"
                session.log_in()
            attempt.stage = "sender"
            session.command(start, 250)
        except BaseException:
            session.close()
            raise
        return session

    def _open(self, call: Call) -> Session:
        return Session(self._address, self._resolver, self._context, call)

    def _rested(self) -> Session | None:
        with self._lock:
            while self._resting:
                session = self._resting.pop()
                if self._clock.monotonic() - session.rested_since < REST_S:
                    return session
                session.close()
        return None

    def _rest(self, session: Session) -> None:
        session.rested_since = self._clock.monotonic()
        with self._lock:
            self._resting.append(session)

    def _refused(self, answered: Answered, attempt: "_Attempt") -> Outcome:
        outcome = attempt.refused(answered)
        if isinstance(outcome, Rejected) and _HARD_BOUNCE.search(answered.text):
            self._addresses.suppress(attempt.way.to)
        return outcome

    def abort_stalled(self, began_before: float) -> int:
        """Each call ends by its deadline; none has another patience."""
        return 0

    def refresh(self) -> None:
        with self._lock:
            resting, self._resting = self._resting, []
        for session in resting:
            session.close()

    def close(self) -> None:
        self.refresh()
        self._watch.close()


class _Attempt:
    """One attempt: how far it came, and what its end means."""

    def __init__(self, way: _Way, parcel: Parcel, clock: Clock) -> None:
        self.way, self.parcel, self._clock = way, parcel, clock
        self.stage = "greeting"
        self.handed_over = False
        self.reply: tuple[int, bytes] = (0, b"")

    def taken(self) -> Accepted:
        parcel = self.parcel
        receipt = Receipt(
            submission=parcel.submission, digest=parcel.digest, received_at=self._clock.now(), kind=parcel.kind
        )
        return Accepted(receipt, self._exchange(self.reply[0], self.reply[1].decode(errors="replace")))

    def lost(self, wrong: Failed) -> Outcome:
        """The connection is gone."""
        if self.handed_over and not self.way.mail.repeat:
            return _given_up(PERHAPS_SENT)
        return Deferred(wrong.cause, wrong.detail, in_doubt=self.handed_over)

    def refused(self, answered: Answered) -> Outcome:
        """The server has answered, and not taken it."""
        exchange = self._exchange(answered.code, answered.text)
        said = f"The mail server answered {answered.code}: {exchange.answer_body}"
        if self.stage == "credentials" and answered.code >= 500:
            return Unauthorised(Scope.DESTINATION, said, exchange)
        if answered.code == 421 or self.stage in ("greeting", "credentials"):
            return Deferred(Cause.MASTER_DOWN, said, in_doubt=False, exchange=exchange)
        if answered.code >= 500 and not self.way.mail.repeat:
            return Rejected("mail-refused", said, (), exchange)
        return Deferred(Cause.LATER, said, in_doubt=False, exchange=exchange)

    def _exchange(self, code: int, text: str) -> Exchange:
        """What the server said, without the address."""
        said = plain(re.sub(re.escape(self.way.to), "the recipient", text, flags=re.IGNORECASE))
        return Exchange(status=code or None, answer_body=said[:_SHOWN])


def _given_up(code: str) -> Rejected:
    return Rejected(code, _GIVEN_UP[code])
