"""One typed settings class. Each field has a default, a sentence and, where it must stay hidden, a mark.

A new setting is a field here, in the part it belongs to; what its value alone must be is a check here as well. Where
values come from and what must go together: `settings_sources.py`. How they are shown: `settings_page.py`.
"""

import difflib
import zoneinfo
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

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
from resultsq.domain.athletes import LEAST_KEY_BYTES, mail_key
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.domain.proxy import Proxy
from resultsq.domain.relay import node_addresses, one_address, relay_addresses
from resultsq.secret_files import content

PREFIX = "RESULTSQ_"

_HIDDEN: dict[str, JsonValue] = {"hidden": True}
Hidden = Annotated[SecretStr, Field(json_schema_extra=_HIDDEN)]

_URL_CHECKS: dict[str, Callable[[str], object]] = {
    "database_url": destinations.check_database,
    "broker_url": destinations.check_broker,
    "master_url": destinations.master_urls,
    "relays": relay_addresses,
    "people_source": one_address,
    "other_nodes": node_addresses,
    "master_proxy": Proxy.parse,
    "public_url": destinations.check_public,
    "alert_webhook_url": destinations.webhook_parts,
    "heartbeat_url": destinations.webhook_parts,
    "webhook_proxy": Proxy.parse,
    "smtp_url": destinations.mail_parts,
    "alert_mail_to": destinations.mail_addresses,
    "office_mail": destinations.check_mail_address,
}
"""What a field's URL has to be; an empty one is not checked."""


class Settings(BaseModel):
    """What a node runs with."""

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

    # relays
    relays: str = Field(
        "",
        description="Relays to which waiting submissions are handed while the master cannot be reached, in their order "
        "and separated by commas: each an address and, after a space, the file of the token that `resultsq node add` "
        "printed there.",
    )
    relay_after_s: float = Field(
        30.0, ge=0, description="How long the link is down before submissions are handed to a relay, in seconds."
    )

    # accounts and events of another node
    people_source: str = Field(
        "",
        description="The node whose accounts, events and tokens are copied here each minute: its address and, after a "
        "space, the file of the token that `resultsq people allow` printed there.",
    )
    people_key: Hidden = Field(
        SecretStr(""),
        description="Fernet key that both nodes have, for `resultsq people export` and `people import`.",
    )
    other_nodes: str = Field(
        "",
        description="Addresses of the other nodes at which teams can submit, separated by commas. The pages name them "
        "for the time when this node is away.",
    )

    # serving
    host: str = Field("127.0.0.1", description="Address that the web process listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port that the web process listens on; 0 takes a free one.")
    public_url: str = Field("", description="Address that people use to reach this node, for links in messages.")
    web_threads: int = Field(8, ge=1, le=64, description="Requests that are worked on at once in one web process.")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="Reverse proxies in front whose X-Forwarded headers are believed."
    )
    public_status: bool = Field(
        False, description="Show runners and teams at /status whether results are delayed, without a log-in."
    )
    secure_cookies: bool = Field(
        False, description="Send the session cookie over https only. Set it wherever TLS is in front."
    )
    secret_key: Hidden = Field(
        SecretStr(""), description="Signs sessions. Empty: made once and kept in the data folder."
    )
    personal_keys: Hidden = Field(
        SecretStr(""),
        description="Keys that seal registrations in the database, separated by commas; the first one seals. Empty: "
        "one is made in the data folder. Nodes that share a database need the same keys.",
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

    # the list of athletes
    athletes: Literal["off", "events", "all"] = Field(
        "off",
        description="Keep a copy of the master's list of athletes, so that the form names barcodes while the master is "
        "away: of those who belong to the events here or ran there, or of all. See resultsq/PRIVACY.md.",
    )
    athletes_mail_key: Hidden = Field(
        SecretStr(""),
        description="Key, in base64, that the master gave this node for its athletes' addresses: the list then carries "
        "a keyed hash of each. Empty: none is known here.",
    )
    athletes_keep_weeks: int = Field(
        8, ge=1, le=52, description="After so many weeks without a confirmation by the master the list is deleted."
    )

    # registrations
    registration: bool = Field(
        False, description="Let runners register at /register without a log-in, also while the master is away."
    )
    registration_form: Path | None = Field(
        None, description="TOML file with the fields and consents of the registration page. Empty: the usual ones."
    )
    number_block_size: int = Field(200, ge=1, le=10_000, description="Athlete numbers that are leased at once.")
    number_block_low: int = Field(
        50, ge=0, le=10_000, description="Lease more athlete numbers when fewer than this are left."
    )
    number_block_days: int = Field(
        21,
        ge=1,
        le=365,
        description="Give no athlete number that was leased so many days ago, however long its lease.",
    )

    # reminders
    reminder: bool = Field(
        False,
        description="Let runners ask at /reminder for their barcode by mail, without a log-in, also while the master "
        "is away.",
    )
    public_profiles: bool = Field(
        False,
        description="Show to everybody, at /athletes/NUMBER, an athlete's initials, barcode and published runs. "
        "Without it a profile opens to the athlete and to teams. See resultsq/PRIVACY.md.",
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
    alert_command: str = Field(
        "",
        description="A command that is given each alert as JSON on its standard input, such as one that sends an SMS "
        "when this line is dead. No shell is asked.",
    )
    heartbeat_url: SecretStr = Field(
        SecretStr(""),
        description="Address of a dead-man service, which is asked each minute in which this node works, with /start "
        "when a worker starts and /fail when none works.",
        json_schema_extra=_HIDDEN,
    )
    webhook_proxy: SecretStr = Field(
        SecretStr(""),
        description="Proxy on the way to the webhook, written as the master's.",
        json_schema_extra=_HIDDEN,
    )
    alert_mail_to: str = Field(
        "", description="Where alerts are mailed to: one address, or several separated by commas."
    )
    alert_mail_from: str = Field("resultsq@localhost", description="Sender of this node's mails.")
    dkim_key_file: Path | None = Field(
        None,
        description="Private RSA key (PEM) that signs this node's mails (DKIM). "
        "It takes `pip install 'resultsq[dkim]'`.",
    )
    dkim_selector: str = Field(
        "", description="The name under which the public key stands in the DNS of the sender's domain."
    )
    office_mail: str = Field(
        "",
        description="The office's address: a message goes there by mail if the master has no call for messages. "
        "Empty: it is refused then.",
    )
    team_mail_waiting_min: int = Field(
        30, ge=1, description="Mail a team when what it handed in has waited so long, in minutes."
    )
    mail_ceiling: int = Field(
        4, ge=1, le=64, description="Most mails on their way to the mail server at once, all workers together."
    )
    send_mail_unencrypted_where_anyone_can_read_it: bool = Field(
        False, description="Also send mails to a mail server that offers no encryption and is not this machine."
    )
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

    @field_validator("master_ca_file", "dkim_key_file", "registration_form", mode="before")
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
            hint = " " + gettext("Did you mean {name}?", name=close[0]) if close else ""
            raise ValueError(
                gettext("It is not a time zone. A time zone is written like Europe/London.") + hint
            ) from None
        return value

    @property
    def store_url(self) -> str:
        """The URL of the node's own database."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir / 'resultsq.db'}"

    def follow(self, files: Mapping[str, Path]) -> None:
        """Let `renewed` look into these files, each by the setting that it holds."""
        self._files = dict(files)

    def renewed(self) -> "Settings":
        """With what the files behind `RESULTSQ_<NAME>_FILE` hold now; this very object where that is the same. A file
        that cannot be read, is empty or makes no sense leaves its setting as it was: it may be half written."""
        renewed = self
        for name, path in self._files.items():
            before = getattr(self, name)
            try:
                text = content(path, name)
                if text in ("", before.get_secret_value() if isinstance(before, SecretStr) else str(before)):
                    continue
                values = {field: getattr(renewed, field) for field in type(self).model_fields}
                renewed = type(self).model_validate({**values, name: text})
            except (SettingsError, ValidationError):
                continue
            renewed.follow(self._files)
        return renewed

    @field_validator("athletes_mail_key")
    @classmethod
    def _mail_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and mail_key(value.get_secret_value()) is None:
            raise ValueError(gettext("It is not a key of {number} bytes or more in base64.", number=LEAST_KEY_BYTES))
        return value

    @property
    def mail_hash_key(self) -> bytes | None:
        """The key by which addresses are hashed; None: there is none."""
        return mail_key(self.athletes_mail_key.get_secret_value())

    @property
    def alert_channels(self) -> tuple[str, ...]:
        """The names of the channels by which alerts reach people, as far as they are set up."""
        mail = self.smtp_url.get_secret_value() and self.alert_mail_to
        hook, command = self.alert_webhook_url.get_secret_value(), self.alert_command
        there = {"webhook": hook, "command": command, "mail": mail}
        return tuple(name for name, is_set in there.items() if is_set)


class Loaded(BaseModel):
    """Settings and, for each field, where its value came from."""

    settings: Settings
    origin: dict[str, str]
