"""A proxy on the way out, as a setting names it; it is asked to connect (HTTP CONNECT, RFC 9110, section 9.3.6)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens, and the header that it gets beside the target."""

    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy | None":
        """The proxy of `http://user:password@host:port`; None where the URL is empty.

        :raises SettingsError: it is no such URL; the sentence is for the end of one that names the setting. It never
        holds the URL, which may have a password"""
        if not url:
            return None
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
            raise SettingsError(gettext("It is http://host:port, or http://user:password@host:port."))
        headers = {}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(host, port or 80, headers)
