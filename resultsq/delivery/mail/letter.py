"""The message that a mail becomes (RFC 5322): headers, a text, and the same as HTML."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr

from resultsq import languages
from resultsq.delivery.mail.picture import png
from resultsq.domain.current_language import current, in_language
from resultsq.domain.i18n import gettext
from resultsq.kinds.mails.kind import Mail

Sign = Callable[[bytes], bytes]
"""Gives the DKIM signature's header for a message, with its line end."""

# no colour of its own: the reader's program chooses, in light and in dark
_PAGE = (
    '<!doctype html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">'
    '<meta name="color-scheme" content="light dark">'
    '<meta name="supported-color-schemes" content="light dark"><title>{title}</title></head>'
    '<body style="font-family: sans-serif; max-width: 40em; line-height: 1.5">{body}</body></html>'
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes. `node`: the address at which people reach this node, for links; None: it has none."""

    address: str
    node: str | None = None
    sign: Sign | None = None

    @property
    def bare(self) -> str:
        """The address alone, for the envelope."""
        return parseaddr(self.address)[1]

    @property
    def domain(self) -> str:
        return self.bare.rpartition("@")[2] or "localhost"


def message_id(submission: str, sender: Sender) -> str:
    """The same for every attempt: by it a reader's program may know a second copy."""
    return f"<{submission}@{sender.domain}>"


def write(mail: Mail, submission: str, to: str, sender: Sender, unsubscribe: str | None = None) -> bytes:
    """The bytes that travel, with CRLF. They are the same for every attempt, but for a signature's time.

    :param unsubscribe: the secret by which a notice's reader unsubscribes"""
    letter = EmailMessage(policy.SMTP)
    letter["From"] = sender.address
    letter["To"] = Address(addr_spec=to)
    letter["Subject"] = mail.subject
    letter["Date"] = mail.submitted_at
    letter["Message-ID"] = message_id(submission, sender)
    letter["Auto-Submitted"] = "auto-generated"
    link = f"{sender.node}/unsubscribe/{unsubscribe}" if unsubscribe and sender.node and mail.notice else None
    if link is not None:
        letter["List-Unsubscribe"] = f"<{link}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    with in_language(languages.language(languages.known(mail.language) or languages.ENGLISH)):
        end = "" if link is None else f"\n\n-- \n{_unsubscribe()}\n{link}"
        letter.set_content(f"{mail.text}{end}\n", cte="quoted-printable")
        letter.add_alternative(_as_html(mail, submission, link), subtype="html", cte="quoted-printable")
    _add_barcodes(letter, mail, submission)
    letter.set_boundary(f"=_{submission}")
    made = letter.as_bytes()
    return made if sender.sign is None else sender.sign(made) + made


def _unsubscribe() -> str:
    return gettext("No more of these mails")


def _add_barcodes(letter: EmailMessage, mail: Mail, submission: str) -> None:
    page = letter.get_payload()[1]  # type: ignore[index]  # the text, and the same as HTML
    for place, number in enumerate(mail.barcodes):
        name = f"{number}.png"
        page.add_related(  # type: ignore[union-attr]
            png(number), "image", "png", cid=f"<{_cid(place, submission)}>", filename=name, disposition="inline"
        )
    if mail.barcodes:
        page.set_boundary(f"=_barcodes_{submission}")  # type: ignore[union-attr]


def _cid(place: int, submission: str) -> str:
    return f"{place}.{submission}@barcode"


def _as_html(mail: Mail, submission: str, link: str | None) -> str:
    paragraphs = [one for one in mail.text.split("\n\n") if one.strip()]
    body = "".join(f"<p>{html.escape(one).replace(chr(10), '<br>')}</p>" for one in paragraphs)
    for place, number in enumerate(mail.barcodes):
        # white around it, in a dark program as well: scanners need it
        picture = f'<img src="cid:{_cid(place, submission)}" alt="{number}" style="background: #fff; max-width: 100%">'
        body += f"<p>{number}<br>{picture}</p>"
    if link is not None:
        body += f'<hr><p><a href="{html.escape(link)}">{html.escape(_unsubscribe())}</a></p>'
    code = current().code
    head = {"lang": languages.tag(code), "dir": languages.direction(code), "title": html.escape(mail.subject)}
    return _PAGE.format(**head, body=body) + "\n"
