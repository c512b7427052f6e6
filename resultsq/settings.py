"""One typed settings class. Each field has a default, a sentence and, where it must stay hidden, a mark.

Values come from the defaults, then a TOML file (`RESULTSQ_CONFIG`, else config/resultsq.toml where it
exists), then `RESULTSQ_<NAME>` in the environment, then `RESULTSQ_<NAME>_FILE`, whose content is the value (for
secrets that are mounted as files). A key that is not below is an error that names it and its likeliest neighbour.
"""

import difflib
import os
import tomllib
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from resultsq.domain import destinations
from resultsq.domain.errors import SettingsError
from resultsq.domain.invalid import listed
from resultsq.domain.proxy import Proxy

PREFIX = "RESULTSQ_"
CONFIG_KEY = f"{PREFIX}CONFIG"
DEFAULT_CONFIG = Path("config/resultsq.toml")

_HIDDEN: dict[str, JsonValue] = {"hidden": True}
Hidden = Annotated[SecretStr, Field(json_schema_extra=_HIDDEN)]

_URL_CHECKS: dict[str, Callable[[str], object]] = {
    "database_url": destinations.check_database,
    "broker_url": destinations.check_broker,
    "master_url": destinations.master_urls,
    "master_proxy": lambda url: Proxy.parse(url, "It"),
    "public_url": destinations.check_public,
    "alert_webhook_url": destinations.webhook_parts,
    "webhook_proxy": lambda url: Proxy.parse(url, "It"),
    "smtp_url": destinations.mail_parts,
}
"""What a field's URL has to be; an empty one is not checked."""


class Settings(BaseModel):
    """What a node runs with. See `load` for where the values come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    # where things are
    data_dir: Path = Field(
        Path("resultsq-data"), description="Folder of the SQLite database, the bundled broker and locks."
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy URL of the node's own database. Empty: SQLite in the data folder.",
        json_schema_extra=_HIDDEN,
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="Redis or Valkey URL of the doorbell. Empty: `up` starts one; a lone `worker` sweeps.",
        json_schema_extra=_HIDDEN,
    )

    # the master
    master_url: SecretStr = Field(
        SecretStr(""),
        description="The master: http(s)://… by the upload contract (resultsq/master/CONTRACT.md), or a SQLAlchemy URL "
        "of its database. Several addresses of one master: separated by commas, the preferred one first.",
        json_schema_extra=_HIDDEN,
    )
    master_token: Hidden = Field(SecretStr(""), description="Bearer token of this node at the master.")
    master_ca_file: Path | None = Field(
        None, description="CA bundle that the master's certificate is checked against. Empty: the usual ones."
    )
    master_proxy: SecretStr = Field(
        SecretStr(""),
        description="Proxy on the way to the master: http://user:password@host:port. It is asked to CONNECT. "
        "Proxies that the environment names are ignored.",
        json_schema_extra=_HIDDEN,
    )
    send_my_token_over_plain_http_where_anyone_can_read_it: bool = Field(
        False, description="Allow a token over http:// to an address that is not loopback."
    )

    # serving
    host: str = Field("127.0.0.1", description="Address that the web process listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port that the web process listens on; 0 takes a free one.")
    public_url: str = Field("", description="Address that people use to reach this node, for links in messages.")
    web_threads: int = Field(8, ge=1, le=64, description="Requests that are worked on at once in one web process.")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="Reverse proxies in front whose X-Forwarded headers are believed."
    )
    secure_cookies: bool = Field(
        False, description="Send the session cookie over https only. Set it wherever TLS is in front."
    )
    secret_key: Hidden = Field(
        SecretStr(""), description="Signs sessions. Empty: made once and kept in the data folder."
    )
    read_only: bool = Field(
        False,
        description="The dashboard and the operators' API show everything and change nothing. "
        "Teams go on submitting, and the command line acts.",
    )

    # limits
    max_body_bytes: int = Field(8 * 1024 * 1024, ge=1024, description="Largest request body, all files together.")
    max_rows: int = Field(20_000, ge=1, le=20_000, description="Most rows in one sheet or file.")
    event_submissions_per_day: int = Field(
        1000, ge=0, description="Most submissions of one event in a day, which is UTC's; 0: no limit."
    )
    event_bytes_per_day: int = Field(
        512 * 1024 * 1024, ge=0, description="Most bytes of one event's sheets and files in a day; 0: no limit."
    )
    connections_per_address: int = Field(
        300,
        ge=0,
        le=900,
        description="Most open connections of one client address; 0 or a trusted proxy in front: no limit.",
    )
    disk_low_bytes: int = Field(
        200 * 1024 * 1024, ge=0, description="Less room than this on the data folder's disk raises an alert."
    )

    # delivery
    worker_name: str = Field(
        "", description="Name of this worker, for its leases. Empty: one of the host and the data folder."
    )
    concurrency_ceiling: int = Field(
        8, ge=1, le=64, description="Most sheets on their way to the master at once, all workers together."
    )
    sweep_s: float = Field(
        1.0, gt=0, le=10, description="How often a worker looks into the database when nothing rings, in seconds."
    )
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port on which a worker shows its own figures to Prometheus; 0 shows none."
    )

    # telling people
    log_format: Literal["console", "json"] = Field("console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important line that is logged."
    )
    log_requests: bool = Field(
        True, description="Log a line for each request. Requests that fail are logged all the same."
    )
    time_zone: str = Field("Europe/London", description="Time zone of events that name none.")
    alert_oldest_waiting_min: int = Field(
        30, ge=1, description="Alert when a submission has waited longer, in minutes."
    )
    alert_link_down_min: int = Field(5, ge=1, description="Alert when the link has been down longer, in minutes.")
    alert_webhook_url: SecretStr = Field(
        SecretStr(""), description="Where alerts are POSTed as JSON.", json_schema_extra=_HIDDEN
    )
    webhook_proxy: SecretStr = Field(
        SecretStr(""),
        description="Proxy on the way to the webhook, written as the master's.",
        json_schema_extra=_HIDDEN,
    )
    alert_mail_to: str = Field("", description="Where alerts are mailed to.")
    alert_mail_from: str = Field("resultsq@localhost", description="Sender of those mails.")
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:port of the mail server, which is made secure by STARTTLS, or smtps://… "
        "for TLS from the start. A password is sent over TLS or to this machine only.",
        json_schema_extra=_HIDDEN,
    )

    # bundles
    bundle_keys: Hidden = Field(
        SecretStr(""),
        description="Fernet keys that both sides of a bundle hold, separated by commas; the first one seals.",
    )

    _files: dict[str, Path] = PrivateAttr(default_factory=dict)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("master_ca_file", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return None if value == "" else value  # an empty path is the working folder

    @field_validator(*_URL_CHECKS)
    @classmethod
    def _url(cls, value: SecretStr | str, info: ValidationInfo) -> SecretStr | str:
        url = value.get_secret_value() if isinstance(value, SecretStr) else value
        try:
            if url:
                _URL_CHECKS[str(info.field_name)](url)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            close = difflib.get_close_matches(value, sorted(zoneinfo.available_timezones()), n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ValueError(f"It is not a time zone. A time zone is written like Europe/London.{hint}") from None
        return value

    @property
    def store_url(self) -> str:
        """The URL of the node's own database."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir / 'resultsq.db'}"

    def renewed(self) -> "Settings":
        """With what the files behind `RESULTSQ_<NAME>_FILE` hold now; this very object where that is the same. A file
        that cannot be read, is empty or makes no sense leaves its setting as it was: it may be half written."""
        renewed = self
        for name, path in self._files.items():
            before = getattr(self, name)
            try:
                text = _content(path, name)
                if text in ("", before.get_secret_value() if isinstance(before, SecretStr) else str(before)):
                    continue
                values = {field: getattr(renewed, field) for field in type(self).model_fields}
                renewed = type(self).model_validate({**values, name: text})
            except (SettingsError, ValidationError):
                continue
            renewed._files = self._files
        return renewed

    @property
    def alert_channels(self) -> tuple[str, ...]:
        """The names of the ways by which alerts reach people, as far as they are set up."""
        mail = self.smtp_url.get_secret_value() and self.alert_mail_to
        there = {"webhook": self.alert_webhook_url.get_secret_value(), "mail": mail}
        return tuple(name for name, is_set in there.items() if is_set)


class Loaded(BaseModel):
    """Settings and, for each field, where its value came from."""

    settings: Settings
    origin: dict[str, str]


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Loaded:
    """The settings in force. `overrides` are the command line's; None means "not given".

    :raises SettingsError: for unknown keys, values that make no sense, and files that cannot be read; all at once"""
    found = _Found()
    found.read(os.environ if environ is None else environ)
    found.take({name: value for name, value in overrides.items() if value is not None}, "command line")
    settings = found.settings()
    settings._files = {name: path for name, path in found.files.items() if name not in overrides}
    return Loaded(settings=settings, origin=found.origin)


class _Found:
    """What the sources say, and each fault in it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origin: dict[str, str] = {}
        self.files: dict[str, Path] = {}
        self._faults: list[str] = []

    def read(self, environ: Mapping[str, str]) -> None:
        path = Path(environ[CONFIG_KEY]) if environ.get(CONFIG_KEY) else DEFAULT_CONFIG
        if environ.get(CONFIG_KEY) or path.exists():
            try:
                self.take(_toml(path), str(path))
            except SettingsError as error:
                self._faults.append(str(error))
        for key, value in environ.items():
            if key.startswith(PREFIX) and key != CONFIG_KEY:
                self._take_variable(key, value)

    def take(self, found: Mapping[str, Any], where: str) -> None:
        for name, value in found.items():
            if name not in Settings.model_fields:
                self._faults.append(_unknown(name, where))
                continue
            self.values[name] = value
            self.origin[name] = where

    def settings(self) -> Settings:
        """:raises SettingsError: something is wrong; every fault is named"""
        faults, settings = list(self._faults), None
        try:
            settings = Settings.model_validate(self.values)
        except ValidationError as error:
            wrong = {str(one.place[0]): one.message for one in listed(error)}
            faults += [self._no_sense(name, why) for name, why in wrong.items()]
            if wrong.keys() <= self.values.keys():  # what is right by itself may not go together
                settings = Settings.model_validate({name: self.values[name] for name in self.values.keys() - wrong})
        if settings is not None:
            faults += [self._no_sense(name, why) for name, why in _faults_at_start(settings)]
            if not faults:
                return settings
        heading = [f"{len(faults)} settings are wrong:"] if len(faults) > 1 else []
        raise SettingsError("\n  ".join([*heading, *faults])) from None

    def _take_variable(self, key: str, value: str) -> None:
        name = key.removeprefix(PREFIX).lower()
        if not name.endswith("_file") or name in Settings.model_fields:
            self.take({name: value}, key)
            return
        name = name.removesuffix("_file")
        try:
            self.take({name: _content(Path(value), key)}, key)
        except SettingsError as error:
            self._faults.append(str(error))
        self.files[name] = Path(value)

    def _no_sense(self, name: str, why: str) -> str:
        where = self.origin.get(name, "its default")
        sentence = why.removeprefix("Value error, ").removesuffix(".")
        return f"The setting {name} (from {where}) makes no sense: {sentence}{'' if sentence.endswith('?') else '.'}"


def shown(loaded: Loaded) -> list[tuple[str, str, str, str]]:
    """Name, value, origin and sentence of each setting, in order; what must stay hidden is masked."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(loaded.settings, name)
        extra = field.json_schema_extra
        if isinstance(value, SecretStr) or (isinstance(extra, dict) and extra.get("hidden")):
            secret = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            value = "(hidden)" if secret else ""
        origin = loaded.origin.get(name, "default")
        rows.append((name, "" if value is None else str(value), origin, field.description or ""))
    return rows


def page() -> str:
    """Every setting as a page of Markdown: config/settings.md."""
    lines = [
        "# Settings",
        "",
        "Each is read from the environment, or in lower case and without the prefix from a TOML file",
        "([an example](resultsq.example.toml)) that `RESULTSQ_CONFIG` names. `RESULTSQ_<NAME>_FILE` names a file whose",
        "content is the value. A worker uses a changed token or alert address within seconds; other settings need a",
        "restart. `resultsq settings` shows each value and where",
        "it came from; this page is made by",
        "`resultsq settings --page`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "" if default in ("", None) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def _faults_at_start(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong on this machine or together, by the setting to change. Not looked at when a secret is renewed."""
    proxy = Proxy.parse(settings.master_proxy.get_secret_value(), "It")
    allowed = settings.send_my_token_over_plain_http_where_anyone_can_read_it
    try:
        if settings.master_token.get_secret_value() and settings.master_url.get_secret_value() and not allowed:
            destinations.check_token_is_private(settings.master_url.get_secret_value(), proxy.host if proxy else None)
    except SettingsError as error:
        yield "master_url", str(error)
    try:
        if settings.master_ca_file is not None:
            settings.master_ca_file.open("rb").close()
    except OSError as error:
        yield "master_ca_file", f"The file {settings.master_ca_file} cannot be read: {error.strerror}."


def _unknown(name: str, where: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no setting called {name} ({where}).{hint} `resultsq settings` lists them all."


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is no TOML: {error}.") from None


def _content(path: Path, key: str) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{key} names the file {path}, which cannot be read: {error.strerror}.") from None
