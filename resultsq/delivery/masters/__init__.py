"""The masters by URL scheme. A new make is one module, one line here and one in the conformance suite."""

from collections.abc import Callable
from dataclasses import dataclass

from resultsq.clock import Clock
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.several import SeveralAddresses
from resultsq.domain.errors import SettingsError
from resultsq.domain.ports import Master


@dataclass(frozen=True, slots=True)
class Options:
    """What a make may need beside the URL."""

    token: str
    clock: Clock
    ca_file: str | None = None
    allow_plain_http: bool = False


def _http(url: str, options: Options) -> Master:
    return HttpMaster(
        url,
        options.token,
        clock=options.clock,
        ca_file=options.ca_file,
        allow_plain_http=options.allow_plain_http,
    )


def _database(url: str, options: Options) -> Master:
    return DatabaseMaster(url, options.token, clock=options.clock)


MAKES: dict[str, Callable[[str, Options], Master]] = {
    "http": _http,
    "https": _http,
    "sqlite": _database,
    "postgresql": _database,
}


def open_master(
    url: str, token: str, *, clock: Clock, ca_file: str | None = None, allow_plain_http: bool = False
) -> Master:
    """The master at `url`: http(s)://…, or a SQLAlchemy URL of its database; several addresses of one master
    are separated by commas. Nothing is connected yet.

    :raises SettingsError: there is no make for a URL, or it makes no sense"""
    options = Options(token, clock, ca_file, allow_plain_http)
    parts = url.split(",") if url.startswith("http") else [url]  # a database's URL may list hosts of its own
    addresses = [_open(one.strip(), options) for one in parts if one.strip()]
    if not addresses:
        raise SettingsError("The master's URL is empty.")
    return addresses[0] if len(addresses) == 1 else SeveralAddresses(addresses)


def _open(url: str, options: Options) -> Master:
    scheme = url.partition(":")[0].partition("+")[0].lower()
    make = MAKES.get(scheme)
    if make is None:
        raise SettingsError(f"A master's URL begins with one of {', '.join(MAKES)}; {scheme or 'nothing'} is not.")
    return make(url, options)
