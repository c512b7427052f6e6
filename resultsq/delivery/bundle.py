"""Bundles: submissions that travel on a USB stick or in a mail.

A bundle is JSON, packed and sealed with Fernet (encrypted and authenticated): it carries minors' data. Both
sides hold the keys; the first one seals, any one opens, so that keys can be changed without a gap.
"""

import base64
import gzip
import io
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from sqlalchemy import Connection

from resultsq.app import people
from resultsq.app.context import Transaction
from resultsq.app.people import EventDetails
from resultsq.delivery import envelopes
from resultsq.domain.errors import InputRefused, KnownOtherwise, SettingsError
from resultsq.domain.i18n import gettext
from resultsq.domain.outcome import Accepted, Conflict, Deferred, Outcome, Redirected, Rejected, Unauthorised
from resultsq.domain.ports import Master, Parcel
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.readers import MAX_ROWS
from resultsq.store import outbox
from resultsq.store.admin import events
from resultsq.store.engine.session import Database
from resultsq.store.outbox import BundledVersion, no_event

SCHEMA = "resultsq.bundle/1"
LARGEST = 256 * 1024 * 1024
"""A bundle that unpacks to more bytes is refused."""

MOST_SHEETS = 50_000
"""A bundle of more sheets is neither written nor taken."""

_AT_ONCE = 500


class _Sent(BaseModel):
    """A submission as it is written. Numbers are bounded, for a database is not asked with longer ones."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    kind: str
    event: str
    date: str
    base: str | None
    digest: str
    rows_digest: str
    finishers: int = Field(ge=0, le=MAX_ROWS)
    submitted_by: str
    accepted_at: datetime
    body: str


class _Bundle(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_: str
    made_at: datetime
    submissions: Annotated[list[_Sent], FailFast()]


def keys(text: str) -> MultiFernet:
    """The keys of the setting BUNDLE_KEYS, separated by commas.

    :raises SettingsError: there is none, or one is none of Fernet's"""
    given = [key.strip() for key in text.split(",") if key.strip()]
    if not given:
        raise SettingsError(gettext("A bundle needs a key that both sides hold: set RESULTSQ_BUNDLE_KEYS."))
    try:
        return MultiFernet([Fernet(key) for key in given])
    except ValueError:
        raise SettingsError(
            gettext("A key in RESULTSQ_BUNDLE_KEYS is not one of Fernet's (32 bytes in base64).")
        ) from None


def new_key() -> str:
    """A key for BUNDLE_KEYS."""
    return Fernet.generate_key().decode()


def seal(parted: list[BundledVersion], now: datetime, locks: MultiFernet) -> bytes:
    """A bundle's bytes."""
    inside = {
        "schema_": SCHEMA,
        "made_at": now.isoformat(),
        "submissions": [
            {
                "id": one.id,
                "kind": one.kind,
                "event": one.event,
                "date": one.date,
                "base": one.base,
                "digest": one.digest,
                "rows_digest": one.rows_digest,
                "finishers": one.finishers,
                "submitted_by": one.submitted_by,
                "accepted_at": one.accepted_at.isoformat(),
                "body": base64.b64encode(one.body).decode(),
            }
            for one in parted
        ],
    }
    return locks.encrypt(gzip.compress(json.dumps(inside).encode(), mtime=0))


def unseal(content: bytes, locks: MultiFernet) -> list[BundledVersion]:
    """The submissions in a bundle, each sheet checked against its envelope.

    :raises InputRefused: it was sealed with another key, changed on the way, is no bundle, or does not agree with
    itself"""
    try:
        packed = locks.decrypt(content.strip())
    except InvalidToken:
        raise InputRefused(
            gettext(
                "This bundle cannot be opened: it was sealed with another key, or changed on the "
                "way. Nothing was taken "
                "from it; check RESULTSQ_BUNDLE_KEYS on both sides, or copy the file again."
            )
        ) from None
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as unpacking:
            inside = unpacking.read(LARGEST + 1)
        # each sheet is an object; bodies are in base64, which has no brackets
        if len(inside) > LARGEST or inside.count(b"{") > MOST_SHEETS + 1:
            raise InputRefused(
                gettext("This bundle is larger than any that resultsq writes. Nothing was taken from it.")
            )
        bundle = _Bundle.model_validate_json(inside)
        if bundle.schema_ != SCHEMA:
            raise InputRefused(
                gettext("This bundle is written as {schema}, which this version cannot read.", schema=bundle.schema_)
            )
        parted = [_parted(one) for one in bundle.submissions]
    except (OSError, EOFError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise InputRefused(
            gettext("This file is no bundle of resultsq ({reason}).", reason=type(error).__name__)
        ) from None
    envelopes.check(parted)
    return [_as_its_kind_reads_it(one) for one in parted]


def _as_its_kind_reads_it(one: BundledVersion) -> BundledVersion:
    kind = KINDS[one.kind]
    return replace(one, subject=kind.subject(one.id, one.date), slip=kind.slip(one.body))


def _parted(one: _Sent) -> BundledVersion:
    return BundledVersion(**{**one.model_dump(), "body": base64.b64decode(one.body, validate=True)})


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle's bytes and how many sheets are in it. `is_full`: more wait than it takes."""

    content: bytes
    count: int
    is_full: bool


def export(
    database: Database, now: datetime, locks: MultiFernet, states: list[State], kinds: Collection[str] = ()
) -> Exported:
    """A bundle of the submissions that wait, the oldest first; `kinds`: of these alone, none: of all. They go on
    waiting here as well."""
    parted: list[BundledVersion] = []
    last, room = 0, LARGEST
    while True:
        most = min(_AT_ONCE, MOST_SHEETS - len(parted))
        piece, last = _export_some(database, now, states, last, most, room, kinds)
        if not piece:
            with database.read() as conn:
                more = outbox.waits_behind(conn, states, last, kinds)
            return Exported(seal(parted, now, locks), len(parted), is_full=more)
        room -= sum(outbox.bundled_size(len(one.body)) for one in piece)
        parted += piece


def _export_some(
    database: Database,
    now: datetime,
    states: list[State],
    after: int,
    most: int,
    room: int,
    kinds: Collection[str],
) -> tuple[list[BundledVersion], int]:
    """One piece, in a transaction of its own: no acceptance waits for a long one."""
    return database.write(lambda conn: outbox.export(conn, now, states, "bundle", after, most, room, kinds))


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: how many sheets were queued, how many were here already, and for each of the others a
    sentence that says why it was not taken."""

    new: int
    known: int
    refused: tuple[str, ...]


def take_in(database: Database, now: datetime, parted: list[BundledVersion], time_zone: str) -> Imported:
    """Queue a bundle's submissions on this node. One that is refused keeps no other from being taken."""

    def take(one: BundledVersion) -> bool:
        def work(conn: Any) -> bool:
            return outbox.adopt(conn, now, one, _event_id(conn, now, one.event, time_zone))

        return database.write(work)

    new, refused = 0, []
    for one in parted:
        try:
            new += take(one)
        except KnownOtherwise as other:
            refused.append(str(other))
    return Imported(new, len(parted) - new - len(refused), tuple(refused))


def _event_id(conn: Connection, now: datetime, slug: str, time_zone: str) -> int:
    """The event of that slug here, made where it is missing."""
    if not slug:
        return no_event.ensure_no_event(conn, now)
    if (known := events.find(conn, slug)) is not None:
        return known.id
    return people.add_event(Transaction(conn, now, "import"), EventDetails(slug, slug, time_zone))


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the master said to one submission of a bundle, for people."""

    submission: str
    event: str
    date: str
    word: str
    detail: str


def give_to_master(master: Master, parted: list[BundledVersion]) -> list[Delivered]:
    """Publish a bundle's submissions in their order, straight at the master. A submission that it does not take stays
    where it was exported, and in the bundle."""

    def send(one: BundledVersion) -> Delivered:
        parcel = Parcel(one.kind, one.id, one.event, one.date, one.body, one.digest, one.base, in_doubt=True)
        word, detail = _said(master.send(parcel))
        return Delivered(one.id, one.event, one.date, word, detail)

    return [send(one) for one in parted]


def _said(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Accepted():
            return "published", f"revision {outcome.receipt.revision}" if outcome.receipt.revision else ""
        case Deferred():
            return "deferred", outcome.detail
        case Rejected() | Redirected():
            return "rejected", outcome.detail
        case Conflict():
            return "conflict", "another sheet is published there"
        case Unauthorised():
            return "refused", outcome.detail
