"""Mails an alert, over TLS wherever the server offers it, with a certificate that is checked."""

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote

from resultsq.domain.destinations import is_loopback, mail_parts
from resultsq.watch.unsent import Unsent


def send(url: str, message: EmailMessage, timeout_s: float) -> None:
    """Hand a mail to the server at smtp://… (STARTTLS) or smtps://….

    :raises Unsent: a password would have travelled in clear
    :raises OSError: the server was not reached, or did not take it
    :raises SettingsError: the URL makes no sense"""
    parts = mail_parts(url)
    with _connected(parts, timeout_s) as server:
        server.ehlo_or_helo_if_needed()  # before it nobody knows what the server can do
        encrypted = parts.scheme == "smtps"
        if not encrypted and _is_wanted(server, parts):
            server.starttls(context=ssl.create_default_context())
            encrypted = True
        if parts.username:
            if not encrypted and not _is_loopback(parts):
                raise Unsent("The mail server offers no encryption, so the password was not sent.")
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _connected(parts: SplitResult, timeout_s: float) -> smtplib.SMTP:
    host, port = parts.hostname or "", parts.port or 0
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=timeout_s)


def _is_wanted(server: smtplib.SMTP, parts: SplitResult) -> bool:
    """On this machine nobody listens, and a local server's certificate is mostly one of its own making: there only
    where a password is wanted that the server takes over TLS alone."""
    if not server.has_extn("starttls"):
        return False
    return not _is_loopback(parts) or (bool(parts.username) and not server.has_extn("auth"))


def _is_loopback(parts: SplitResult) -> bool:
    return is_loopback(parts.hostname or "")
