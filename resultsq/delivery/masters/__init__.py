"""The masters by URL scheme. A new make is one module, one line here and one in the conformance suite."""

from collections.abc import Callable
from dataclasses import dataclass, field

from resultsq.clock import Clock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.several import SeveralAddresses
from resultsq.domain.destinations import master_urls
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext_noop
from resultsq.domain.ports import Master
from resultsq.domain.proxy import Proxy
from resultsq.settings import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """What a make may need beside the URL."""

    token: str
    clock: Clock
    ca_file: str | None = None
    allow_plain_http: bool = False
    proxy: str = ""
    reread_token: Callable[[], str] | None = None
    by_mail: bool = False
    mail_key: bytes | None = field(default=None, repr=False)


def _http(url: str, options: Options) -> Master:
    return HttpMaster(
        url,
        options.token,
        clock=options.clock,
        ca_file=options.ca_file,
        allow_plain_http=options.allow_plain_http,
        proxy=Proxy.parse(options.proxy),
        reread_token=options.reread_token,
        by_mail=options.by_mail,
    )


def _database(url: str, options: Options) -> Master:
    if options.proxy:
        raise SettingsError(
            gettext_noop("RESULTSQ_MASTER_PROXY is for a master over http or https, and not for its database.")
        )
    from resultsq.delivery.masters.database import DatabaseMaster  # drivers and tables that few workers need

    return DatabaseMaster(url, options.token, clock=options.clock, mail_key=options.mail_key)


MAKES: dict[str, Callable[[str, Options], Master]] = {
    "http": _http,
    "https": _http,
    "sqlite": _database,
    "postgresql": _database,
}


def open_configured(
    settings: Settings, clock: Clock, reread_token: Callable[[], str] | None = None, by_mail: bool = False
) -> Master:
    """The master of the settings. `reread_token`: its token as it is now, asked for when the master refuses it.
    `by_mail`: what it has no call for goes to the office by mail.

    :raises SettingsError: none is set, or it makes no sense"""
    url = settings.master_url.get_secret_value()
    if not url:
        raise SettingsError(gettext_noop("This needs to know where the master is: set RESULTSQ_MASTER_URL."))
    return open_master(
        url,
        settings.master_token.get_secret_value(),
        clock=clock,
        ca_file=None if settings.master_ca_file is None else str(settings.master_ca_file),
        allow_plain_http=settings.send_my_token_over_plain_http_where_anyone_can_read_it,
        proxy=settings.master_proxy.get_secret_value(),
        reread_token=reread_token,
        by_mail=by_mail,
        mail_key=settings.mail_hash_key,
    )


def open_master(
    url: str,
    token: str,
    *,
    clock: Clock,
    ca_file: str | None = None,
    allow_plain_http: bool = False,
    proxy: str = "",
    reread_token: Callable[[], str] | None = None,
    by_mail: bool = False,
    mail_key: bytes | None = None,
) -> Master:
    """The master at `url`: http(s)://…, or a SQLAlchemy URL of its database; several addresses of one master
    are separated by commas. Nothing is connected yet.

    :raises SettingsError: there is no make for a URL, or it makes no sense"""
    options = Options(token, clock, ca_file, allow_plain_http, proxy, reread_token, by_mail, mail_key)
    addresses = [_open(one, options) for one in master_urls(url)]
    return addresses[0] if len(addresses) == 1 else SeveralAddresses(addresses)


def _open(url: str, options: Options) -> Master:
    return MAKES[url.partition(":")[0].partition("+")[0].lower()](url, options)
