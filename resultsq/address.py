"""The address at which people reach this node, for links: the setting, else the one that `up` noted at its start."""

import ipaddress
import socket
from pathlib import Path
from urllib.parse import urlsplit

from resultsq.settings import Settings

NOTE = "address"
"""File of the data folder that holds the address of the last `up`."""

_ELSEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}
"""Addresses that are reserved for documentation: nothing is sent to them."""


def public_address(settings: Settings) -> str:
    """The node's address without a slash at its end, as `http://192.168.1.20:8080`."""
    return settings.public_url.rstrip("/") or _noted(settings.data_dir) or url(settings.host, settings.port)


def url(host: str, port: int) -> str:
    """The address of what listens on `host`, as this machine reaches it."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def phone_url(host: str, port: int) -> str | None:
    """The address at which a phone on the same network reaches what listens on `host`; None where it cannot."""
    match host:
        case "0.0.0.0" | "":  # noqa: S104 - compared, not listened on
            found = _own_address(socket.AF_INET)
        case "::":
            found = _own_address(socket.AF_INET) or _own_address(socket.AF_INET6)
        case _:
            found = host
    return None if found is None or _is_loopback(found) else url(found, port)


def is_elsewhere(address: str) -> bool:
    """Whether another device can open the address."""
    host = urlsplit(address).hostname
    return host is not None and not _is_loopback(host)


def note(data_dir: Path, address: str) -> None:
    """Keep the address for the links that commands and pages make."""
    (data_dir / NOTE).write_text(f"{address}\n", "utf-8")


def _noted(data_dir: Path) -> str | None:
    try:
        return (data_dir / NOTE).read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):  # no `up` has run here, or the note cannot be read: there is a default
        return None


def _own_address(family: socket.AddressFamily) -> str | None:
    """This machine's address on the network that leads elsewhere; None where it has no network."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE[family])  # chooses the interface; a datagram socket sends nothing here
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
