"""What the URLs of the settings have to look like. None of the errors repeats a URL: it may hold a password."""

import difflib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext, gettext_noop

MASTER = "master"
MAIL = "mail"
"""The names of the destinations: the keys of their rows in `links`."""

MASTER_SCHEMES = ("http", "https", "sqlite", "postgresql")
SHOWN_TO_ALL = gettext_noop(
    "The master's URL is plain http: everyone on the way could read the token. Use https, or a master on this machine."
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a master answers over HTTP."""

    scheme: str
    host: str
    port: int
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """:raises SettingsError: the URL is not that of a master"""
        parts = _split(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(
                gettext("The master's URL is http://host or https://host, with a port and a path if need be.")
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise SettingsError(gettext("The master's URL is an address alone; its token has a setting of its own."))
        default = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, parts.hostname, parts.port or default, parts.path.rstrip("/"))

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"


def master_urls(text: str) -> list[str]:
    """The addresses of one master, each with a scheme that there is a make for.

    :raises SettingsError: one has none, or there is no address"""
    parts = text.split(",") if text.startswith("http") else [text]  # a database's URL may list hosts of its own
    urls = [one.strip() for one in parts if one.strip()]
    if not urls:
        raise SettingsError(gettext("The master's URL is empty."))
    for url in urls:
        scheme = _backend(url)
        if scheme not in MASTER_SCHEMES:
            schemes = ", ".join(f"{one}://" for one in MASTER_SCHEMES)
            said = gettext("The master's URL begins with one of {schemes}.", schemes=schemes)
            raise SettingsError(said + _hint(scheme, MASTER_SCHEMES))
        if scheme in ("http", "https"):
            Address.parse(url)
    return urls


def uses_tls(urls: str) -> bool:
    """Whether one of these addresses of a master is https, so that there is a certificate to check."""
    return any(_backend(url) == "https" for url in (master_urls(urls) if urls else ()))


def webhook_parts(url: str) -> tuple[SplitResult, int]:
    """The parts of a webhook's or a heartbeat's URL, and its port.

    :raises SettingsError: it is not one"""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(gettext("It is http://… or https://….") + _hint(parts.scheme, ("http", "https")))
    return parts, parts.port or (443 if parts.scheme == "https" else 80)


def mail_parts(url: str) -> SplitResult:
    """The parts of a mail server's URL.

    :raises SettingsError: it is not one"""
    parts, schemes = _split(url), ("smtp", "smtps")
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise SettingsError(
            gettext("SMTP_URL is smtp://user:password@host:port, or smtps://… for TLS from the start.")
            + _hint(parts.scheme, schemes)
        )
    return parts


MAIL_ADDRESS = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,187}[A-Za-z0-9])?$"  # 254 in all, RFC 5321
)


def is_mail_address(text: str) -> bool:
    """Whether this is the address of one mailbox, and nothing else."""
    return re.fullmatch(MAIL_ADDRESS, text) is not None


def mail_addresses(text: str) -> list[str]:
    """Mail addresses, separated by commas.

    :raises SettingsError: one of them is not an address"""
    found = [one.strip() for one in text.split(",") if one.strip()]
    if not all(map(is_mail_address, found)):
        raise SettingsError(
            gettext("ALERT_MAIL_TO is one mail address, or several separated by commas: ops@example.org.")
        )
    return found


def check_mail_address(text: str) -> None:
    """:raises SettingsError: it is not one mail address"""
    if not is_mail_address(text):
        raise SettingsError(gettext("It is one mail address: office@example.org."))


def check_broker(url: str) -> None:
    """:raises SettingsError: it is no URL of Redis or Valkey"""
    parts, schemes = _split(url), ("redis", "rediss", "redis+socket")
    if parts.scheme not in schemes or not (parts.hostname or parts.path):
        raise SettingsError(
            gettext("It is written like redis://host:6379/0, rediss://… for TLS, or redis+socket:///path.")
            + _hint(parts.scheme, schemes)
        )


def check_public(url: str) -> None:
    """:raises SettingsError: it is no address that a browser opens"""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(gettext("It is http://host or https://host.") + _hint(parts.scheme, ("http", "https")))


def check_database(url: str) -> None:
    """:raises SettingsError: it begins as no URL of SQLite or PostgreSQL does"""
    scheme, schemes = _backend(url), ("sqlite", "postgresql")
    if scheme not in schemes:
        raise SettingsError(
            gettext(
                "It is no SQLAlchemy URL of SQLite or PostgreSQL. It is written like postgresql+psycopg://user@host/name."
            )
            + _hint(scheme, schemes)
        )


def is_private(address: Address, proxy_host: str | None) -> bool:
    """Whether the way is safe from listeners: TLS, or this very machine."""
    if address.scheme == "https":
        return True
    return is_loopback(address.host) and (proxy_host is None or is_loopback(proxy_host))


def check_token_is_private(urls: str, proxy_host: str | None) -> None:
    """:raises SettingsError: a token could be read on the way to one of these addresses of a master"""
    addresses = [Address.parse(url) for url in master_urls(urls) if _backend(url) in ("http", "https")]
    if not all(is_private(address, proxy_host) for address in addresses):
        raise SettingsError(gettext(SHOWN_TO_ALL))


def is_loopback(host: str) -> bool:
    """Whether this name or address can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return urlsplit("")
    return parts


def _backend(url: str) -> str:
    scheme, colon, _ = url.partition("://")
    return scheme.partition("+")[0].lower() if colon else ""


def _hint(scheme: str, schemes: Sequence[str]) -> str:
    close = difflib.get_close_matches(scheme, schemes, n=1)
    return " " + gettext("Did you mean {name}?", name=f"{close[0]}://") if close else ""
