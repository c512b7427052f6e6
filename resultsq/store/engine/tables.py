"""The node's tables. Only shapes and indexes live here; who may write which is in the modules beside it.

`_at` columns are aware UTC datetimes. Ids that leave the node (`submissions.id`) are UUIDs in text; `seq` is
the order of acceptance and never leaves it.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from resultsq.domain.destinations import MASTER as MASTER
from resultsq.domain.entry import NO_EVENT as NO_EVENT
from resultsq.domain.plausible import FIVE_K


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases: SQLite keeps no zone, so it is taken off and put on here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcDateTime(),
        bytes: LargeBinary(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


_Seq = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER only
_Id = String(36)


class Event(Base):
    """An event that may submit; the row `NO_EVENT` stands for none: it is made by the first submission that
    belongs to none, its slug is empty, and no list of events shows it. The version before keeps its refusals here
    (`refused_at`)."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(64))
    country: Mapped[str] = mapped_column(String(64), default="")
    shows_results: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]

    # what a run takes there: see domain/plausible.py
    first_least_s: Mapped[int] = mapped_column(default=FIVE_K.first_least, server_default=str(FIVE_K.first_least))
    first_most_s: Mapped[int] = mapped_column(default=FIVE_K.first_most, server_default=str(FIVE_K.first_most))
    shortest_s: Mapped[int] = mapped_column(default=FIVE_K.shortest, server_default=str(FIVE_K.shortest))
    longest_s: Mapped[int] = mapped_column(default=FIVE_K.longest, server_default=str(FIVE_K.longest))

    refused_at: Mapped[datetime | None]
    refused_next_at: Mapped[datetime | None]


class Refusal(Base):
    """The master refuses our credentials for this kind and event (403) since `refused_at`: one submission is tried
    each minute (`next_at`)."""

    __tablename__ = "refusals"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)
    refused_at: Mapped[datetime]
    next_at: Mapped[datetime]


class EventDay(Base):
    """What an event has handed in on the last day (UTC) on which it did. A row of its own beside the event's, which
    workers lock: acceptance waits for none of them. `refused_at`: its quota was reached."""

    __tablename__ = "event_days"

    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True, autoincrement=False)
    day: Mapped[str] = mapped_column(String(10))
    submissions: Mapped[int] = mapped_column(_Seq)
    bytes: Mapped[int] = mapped_column(_Seq)
    refused_at: Mapped[datetime | None] = mapped_column(index=True)


class Chain(Base):
    """The versions of one kind, event and subject: of results the subject is the date, and what has no versions is
    its own subject. Adding to the chain and settling a member lock its row, so that a correction and the
    answer to its predecessor cannot miss each other."""

    __tablename__ = "chains"
    __table_args__ = (UniqueConstraint("kind", "event_id", "date"),)

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    # under the name that the version before knows; SQLite asks no length, so its column stays as it was made
    subject: Mapped[str] = mapped_column("date", String(64).with_variant(String(10), "sqlite"))
    head: Mapped[str | None] = mapped_column(_Id)
    versions: Mapped[int] = mapped_column(default=0)


class Submission(Base):
    """One accepted version on its way to the master: the queue itself."""

    __tablename__ = "submissions"
    __table_args__ = (
        # what a claim reads: equal on the first four where nothing waits for a time, then in order
        Index("ix_submissions_due", "state", "blocked", "hold_id", "next_attempt_at", "epoch", "round", "seq"),
        Index(
            "ix_submissions_held",
            "hold_id",
            "seq",
            sqlite_where=text("hold_id IS NOT NULL"),
            postgresql_where=text("hold_id IS NOT NULL"),
        ),
        Index("ix_submissions_chain", "chain_id", "version"),
        Index("ix_submissions_event_seq", "event_id", "seq"),
        Index("ix_submissions_lane", "lane", "seq"),
        Index("ix_submissions_state_seq", "state", "seq"),
        Index("ix_submissions_accepted_at", "accepted_at"),
        Index("ix_submissions_published_at", "published_at", "accepted_at"),
        # who waits how long, read from the index alone; a published row is not in it
        Index(
            "ix_submissions_open",
            "event_id",
            "accepted_at",
            "state",
            "kind",
            sqlite_where=text("published_at IS NULL"),
            postgresql_where=text("published_at IS NULL"),
        ),
        Index("ix_submissions_fingerprint_seq", "fingerprint", "seq"),
        # how many failed in which way, counted from the index alone; what has not failed is not in it
        Index(
            "ix_submissions_failed",
            "fingerprint",
            "cause",
            "status",
            "state",
            sqlite_where=text("fingerprint IS NOT NULL"),
            postgresql_where=text("fingerprint IS NOT NULL"),
        ),
        # the same finishers for another date or event
        Index(
            "ix_submissions_finishers",
            "finishers_digest",
            "event_id",
            "date",
            sqlite_where=text("finishers_digest IS NOT NULL"),
            postgresql_where=text("finishers_digest IS NOT NULL"),
        ),
        Index("ix_submissions_attempts_seq", "attempts", "seq"),
        {"sqlite_autoincrement": True},  # a seq is never given twice
    )

    seq: Mapped[int] = mapped_column(_Seq, primary_key=True)
    id: Mapped[str] = mapped_column(_Id, unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    chain_id: Mapped[int] = mapped_column(ForeignKey("chains.id"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    date: Mapped[str] = mapped_column(String(10))
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    state_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(64))
    rows_digest: Mapped[str] = mapped_column(String(64))
    finishers_digest: Mapped[str | None] = mapped_column(String(64))  # None: too few to be known by them
    size: Mapped[int]
    finishers: Mapped[int]
    submitted_by: Mapped[str] = mapped_column(String(100))
    accepted_at: Mapped[datetime]
    request_id: Mapped[str] = mapped_column(String(64), default="")

    # its place in the chain
    base: Mapped[str | None] = mapped_column(_Id)  # the id that its If-Match names; None: If-None-Match: *
    blocked: Mapped[bool] = mapped_column(default=False)  # another version of its chain is on its way
    corrects: Mapped[str | None] = mapped_column(_Id)  # the version that stood when it came: it is known to be newer

    # only what waits is held, so that a claim passes over thousands of held ones without reading them
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("holds.id"))
    withdrawn_in: Mapped[str | None] = mapped_column(_Id)  # the action that withdrew it, for its undo
    before_withdrawal: Mapped[dict[str, Any] | None]  # what an undo puts back: see outbox/decisions.py

    # its place in the order of claims: see outbox/rounds.py
    epoch: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # the link's returns before it came
    round: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # one of each lane goes in a round
    lane: Mapped[str | None] = mapped_column(String(48))  # its event and kind; None: from the version before

    # when it is tried
    next_attempt_at: Mapped[datetime | None]  # None: now, in order of seq
    wait_s: Mapped[float] = mapped_column(default=0.0)  # the length of that wait, to know a stepped clock by
    wait_for: Mapped[str | None] = mapped_column(String(8))  # "link" | "backoff" | "master" (its Retry-After)
    attempts: Mapped[int] = mapped_column(default=0)  # counted for people; no number of them ends anything
    failures: Mapped[int] = mapped_column(default=0)  # in a row, for the back-off
    silences: Mapped[int] = mapped_column(default=0)  # attempts given up for silence, for the patience
    in_doubt: Mapped[bool] = mapped_column(default=False)  # an attempt's end is unknown

    lease: Mapped[str | None] = mapped_column(_Id)
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[datetime | None]
    lease_s: Mapped[float] = mapped_column(default=0.0)

    # what came of the last attempt
    cause: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[int | None]
    detail: Mapped[str | None] = mapped_column(Text)
    reasons: Mapped[list[Any] | None]
    fingerprint: Mapped[str | None] = mapped_column(String(120))

    # the receipt
    published_as: Mapped[str | None] = mapped_column(_Id)  # another node's id where its rows were equal
    revision: Mapped[int | None]
    received_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]

    # the sheet that stands in the way of a conflict
    conflict_head: Mapped[str | None] = mapped_column(_Id)
    conflict_revision: Mapped[int | None]


class Payload(Base):
    """The bytes of a submission, apart from its row so that the queue stays slim. `other_body` is the
    master's sheet in a conflict."""

    __tablename__ = "payloads"

    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), primary_key=True, autoincrement=False)
    body: Mapped[bytes]
    other_body: Mapped[bytes | None]


class Original(Base):
    """A file as the team gave it, for later questions. `name` holds people's names: shown to that team and
    to operators, never a path, never logged."""

    __tablename__ = "originals"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes]


class ClientKey(Base):
    """An Idempotency-Key that a client used, and the submission that it stands for."""

    __tablename__ = "client_keys"

    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    content: Mapped[str] = mapped_column(String(80))
    submission: Mapped[str] = mapped_column(_Id)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Attempt(Base):
    """One try at the master. The row is committed before the call; `outcome` None: still under way."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_seq_number", "seq", "number"),
        Index("ix_attempts_ended_at", "ended_at"),
        # failures in groups; most attempts succeed and are not in it
        Index(
            "ix_attempts_failures",
            "fingerprint",
            "ended_at",
            sqlite_where=text("fingerprint IS NOT NULL"),
            postgresql_where=text("fingerprint IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"))
    number: Mapped[int]
    lease: Mapped[str] = mapped_column(_Id, unique=True)
    worker: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    duration_s: Mapped[float | None]
    outcome: Mapped[str | None] = mapped_column(String(16))  # accepted, deferred, rejected, conflict, … unknown
    cause: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[int | None]
    detail: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(String(120))
    request_head: Mapped[str | None] = mapped_column(Text)
    answer_head: Mapped[str | None] = mapped_column(Text)
    answer_body: Mapped[str | None] = mapped_column(Text)


class Link(Base):
    """What is known of the way to one destination, shared by all workers. See domain/link.py."""

    __tablename__ = "links"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    since: Mapped[datetime]
    cause: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str | None] = mapped_column(Text)
    suspect: Mapped[bool] = mapped_column(default=False)  # a call met trouble; the next probe decides
    suspect_at: Mapped[datetime | None]

    # the prober's lease and its work
    prober: Mapped[str | None] = mapped_column(String(100))
    prober_until: Mapped[datetime | None]
    next_probe_at: Mapped[datetime | None]
    probe_wait_s: Mapped[float] = mapped_column(default=0.0)  # the length of that wait, as with a submission's
    probes: Mapped[int] = mapped_column(_Seq, default=0)  # started ever; a probe's number
    ok_probe: Mapped[int] = mapped_column(_Seq, default=0)  # the number of the last that was answered well
    probed_at: Mapped[datetime | None]
    probe_s: Mapped[float | None]
    clock_offset_s: Mapped[float | None]
    newest_at: Mapped[datetime | None]  # known to have been: written here, or told by the master

    # the slow start
    window: Mapped[int]
    answered: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[datetime | None]  # the first good answer after a return
    returned_at: Mapped[datetime | None]
    return_seq: Mapped[int] = mapped_column(_Seq, default=0)  # accepted up to here before the return
    turns: Mapped[int] = mapped_column(_Seq, default=0)
    epoch: Mapped[int] = mapped_column(BigInteger, default=1, server_default="1")  # counts the returns
    round: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # the last that was claimed from

    # a master that answers probes and takes nothing
    failures: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # since the last good answer
    failed_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # the last of these
    failing_since: Mapped[datetime | None]
    trial_at: Mapped[datetime | None]  # when the next one is tried, put off or not

    # credentials
    credentials: Mapped[str | None] = mapped_column(String(64))  # a fingerprint, to know when they changed
    refused_at: Mapped[datetime | None]  # 401 since
    refused_next_at: Mapped[datetime | None]

    outage_id: Mapped[int | None] = mapped_column(_Seq)


class Outage(Base):
    """One absence of the link or of the master."""

    __tablename__ = "outages"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    link: Mapped[str] = mapped_column(String(32))
    began_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    cause: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str | None] = mapped_column(Text)
    probes: Mapped[int] = mapped_column(default=0)
    delayed: Mapped[int] = mapped_column(default=0)  # waiting when it ended
    last_seq: Mapped[int | None] = mapped_column(_Seq)  # accepted up to here when it ended


class Comparison(Base):
    """What is known of the master's own list: the newest that it said it has, and what the last comparison found."""

    __tablename__ = "comparisons"

    link: Mapped[str] = mapped_column(String(32), primary_key=True)
    latest_at: Mapped[datetime | None]
    latest_count: Mapped[int | None] = mapped_column(_Seq)
    rewound_at: Mapped[datetime | None]  # since then it has less than it had: it was restored from a backup
    compared_at: Mapped[datetime | None]
    found: Mapped[dict[str, Any] | None]
    lost_at: Mapped[datetime | None]  # the last comparison that found something lost, and how many
    lost: Mapped[int] = mapped_column(default=0)


class Hold(Base):
    """Somebody's word that something waits: the destination, an event, or the submissions that name it in
    `hold_id`. Held means kept."""

    __tablename__ = "holds"
    __table_args__ = (Index("ix_holds_active", "released_at", "scope", "event_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(String(12))  # destination | event | submission
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(100))
    placed_at: Mapped[datetime]
    release_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None] = mapped_column(String(100))


class Account(Base):
    """Somebody who logs in here. Accounts live on the node, so that logging in needs no master."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    session_salt: Mapped[str] = mapped_column(String(32))  # changed with the password: ends older sessions


class AccountEvent(Base):
    """Which events a team account belongs to."""

    __tablename__ = "account_events"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), primary_key=True)


class PasswordLink(Base):
    """A one-time link for a new password; only its hash is kept."""

    __tablename__ = "password_links"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class EndedSession(Base):
    """A person's session that was ended before its time; only its name's hash is kept, until it would have ended."""

    __tablename__ = "ended_sessions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[datetime] = mapped_column(index=True)


class ApiToken(Base):
    """A bearer token of an event's team, or of an operator where it has no event; only its hash is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class DraftRow(Base):
    """A team's work in progress on an event's sheet, kept here so that a closed tab loses nothing."""

    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("event_id", "account_id"),)

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    date: Mapped[str] = mapped_column(String(10))
    base: Mapped[str | None] = mapped_column(_Id)  # the version that it corrects
    work: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(index=True)


class DraftFile(Base):
    """A file of a draft, as it was given."""

    __tablename__ = "draft_files"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("drafts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes]


class Audit(Base):
    """Who did what, on which filter, how many, why. Rows are only ever added: the database refuses anything else
    (migration 0003)."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(32))
    target: Mapped[dict[str, Any]]
    count: Mapped[int]
    reason: Mapped[str] = mapped_column(Text, default="")


class AuditSubmission(Base):
    """One submission that a line of the audit was done to, written with the deed itself. Only ever added, too."""

    __tablename__ = "audit_submissions"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), primary_key=True, autoincrement=False)
    audit_id: Mapped[int] = mapped_column(ForeignKey("audit.id"), primary_key=True, autoincrement=False)


class Action(Base):
    """A bulk action under way: done in pieces, can be cancelled, survives its process."""

    __tablename__ = "actions"
    __table_args__ = (
        # what has ended stays, and is not in it
        Index(
            "ix_actions_open",
            "started_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(_Id, primary_key=True)
    verb: Mapped[str] = mapped_column(String(16))
    target: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(Text, default="")
    who: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    cancelled: Mapped[bool] = mapped_column(default=False)
    last_seq: Mapped[int] = mapped_column(_Seq, default=0)
    until_seq: Mapped[int] = mapped_column(_Seq, default=0)
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    audit_id: Mapped[int | None] = mapped_column(_Seq)  # its line; None: begun by the version before that column
    error: Mapped[str | None] = mapped_column(String(100))  # why its next piece could not be done; None: it was


class Worker(Base):
    """A worker process that is, or was, alive; for `doctor` and the dashboard."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    version: Mapped[str] = mapped_column(String(32))


class Alert(Base):
    """One alert from its raising to its end."""

    __tablename__ = "alerts"
    __table_args__ = (
        # what has ended stays, and is not in it
        Index(
            "ix_alerts_open",
            "rule",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    rule: Mapped[str] = mapped_column(String(32), index=True)
    about: Mapped[str] = mapped_column(String(40), default="")  # which one, where a rule can speak of several
    text: Mapped[str] = mapped_column(Text)
    raised_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class AlertMessage(Base):
    """An alert on its way to people by one channel; it waits here when the same outage swallows it."""

    __tablename__ = "alert_messages"
    __table_args__ = (
        # what has ended stays, and is not in it
        Index(
            "ix_alert_messages_open",
            "id",
            sqlite_where=text("sent_at IS NULL"),
            postgresql_where=text("sent_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    road: Mapped[str] = mapped_column(String(16))  # its channel: webhook | mail
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(200))
