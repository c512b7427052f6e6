"""The node's tables. Only shapes and indexes live here; who may write which is in the modules beside it.

`_at` columns are aware UTC datetimes. Ids that leave the node (`submissions.id`) are UUIDs in text; `seq` is
the order of acceptance and never leaves it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.domain.destinations import MAIL as MAIL
from resultsq.domain.destinations import MASTER as MASTER
from resultsq.domain.entry import NO_EVENT as NO_EVENT
from resultsq.store.engine.athlete_tables import AthleteCopy as AthleteCopy
from resultsq.store.engine.athlete_tables import AthleteHome as AthleteHome
from resultsq.store.engine.athlete_tables import AthleteMail as AthleteMail
from resultsq.store.engine.athlete_tables import AthleteName as AthleteName
from resultsq.store.engine.athlete_tables import AthleteRow as AthleteRow
from resultsq.store.engine.athlete_tables import AthletesState as AthletesState
from resultsq.store.engine.columns import Base as Base
from resultsq.store.engine.columns import Id as _Id
from resultsq.store.engine.columns import Seq as _Seq
from resultsq.store.engine.columns import UtcDateTime as UtcDateTime
from resultsq.store.engine.link_tables import Comparison as Comparison
from resultsq.store.engine.link_tables import Event as Event
from resultsq.store.engine.link_tables import EventDay as EventDay
from resultsq.store.engine.link_tables import Hold as Hold
from resultsq.store.engine.link_tables import Link as Link
from resultsq.store.engine.link_tables import Outage as Outage
from resultsq.store.engine.link_tables import Post as Post
from resultsq.store.engine.link_tables import Refusal as Refusal
from resultsq.store.engine.notice_tables import Notice as Notice
from resultsq.store.engine.notice_tables import NoticeFeed as NoticeFeed
from resultsq.store.engine.queue_tables import Attempt as Attempt
from resultsq.store.engine.queue_tables import Chain as Chain
from resultsq.store.engine.queue_tables import ClientKey as ClientKey
from resultsq.store.engine.queue_tables import Original as Original
from resultsq.store.engine.queue_tables import Payload as Payload
from resultsq.store.engine.queue_tables import Submission as Submission
from resultsq.store.engine.registration_tables import NumberBlock as NumberBlock
from resultsq.store.engine.registration_tables import SlipRow as SlipRow
from resultsq.store.engine.relay_tables import Custody as Custody
from resultsq.store.engine.relay_tables import Handover as Handover
from resultsq.store.engine.relay_tables import NodeIdentity as NodeIdentity
from resultsq.store.engine.relay_tables import PeopleCopy as PeopleCopy
from resultsq.store.engine.reminder_tables import ProfileLink as ProfileLink
from resultsq.store.engine.reminder_tables import ReminderRequest as ReminderRequest
from resultsq.store.engine.trigger_tables import StateChange as StateChange
from resultsq.store.engine.trigger_tables import StateCount as StateCount
from resultsq.store.engine.trigger_tables import Submitter as Submitter


class Account(Base):
    """A person who logs in here. Accounts live on the node, so that logging in needs no master."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    session_salt: Mapped[str] = mapped_column(String(32))  # changed with the password: ends older sessions
    mail: Mapped[str | None] = mapped_column(String(254))  # its owner's address: shown to admins alone
    mail_secret: Mapped[str | None] = mapped_column(String(43), index=True)  # in its mails, to unsubscribe by
    language: Mapped[str | None] = mapped_column(String(16))  # its owner's choice
    is_copy: Mapped[bool] = mapped_column(default=False, server_default=false())  # of another node's: see PeopleCopy
    copied_sessions: Mapped[str | None] = mapped_column(String(64))  # changes where its sessions end at that node


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


class TeamMail(Base):
    """A team was mailed about a submission, and is not mailed about the same again. Forgotten after some days."""

    __tablename__ = "team_mails"

    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), primary_key=True, autoincrement=False)
    about: Mapped[str] = mapped_column(String(16), primary_key=True)  # published | rejected | conflict | waiting
    told_at: Mapped[datetime] = mapped_column(index=True)


class SuppressedAddress(Base):
    """A mail address to which nothing is sent: its hash alone."""

    __tablename__ = "suppressed_addresses"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(16))  # bounced: nothing at all; unsubscribed: no notices
    since: Mapped[datetime]


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
    events: Mapped[list[Any] | None]  # of a node's token: the slugs that it may hand on results of; None: all
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    is_copy: Mapped[bool] = mapped_column(default=False, server_default=false())  # of another node's: see PeopleCopy


class DraftRow(Base):
    """A team's work in progress on an event's sheet, kept here so that a closed tab loses nothing."""

    __tablename__ = "drafts"
    __table_args__ = (
        UniqueConstraint("event_id", "account_id"),
        Index("ix_drafts_account_updated", "account_id", "updated_at"),
    )

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


class DeviceEntryRow(Base):
    """Results that a team's device kept and sent. Its files stay until the team opens it, or go with the submission
    that it became at once."""

    __tablename__ = "device_entries"
    __table_args__ = (
        Index(
            "ix_device_entries_open",
            "event_id",
            "account_id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(_Id, primary_key=True)  # made by the device at the first tap
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    date: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    received_at: Mapped[datetime] = mapped_column(index=True)
    reasons: Mapped[list[Any]]  # why it was not submitted at once
    submission: Mapped[str | None] = mapped_column(_Id)
    done_at: Mapped[datetime | None]  # opened by its team, or submitted


class DeviceEntryFile(Base):
    """A file of such an entry, as it was chosen."""

    __tablename__ = "device_entry_files"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("device_entries.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    content: Mapped[bytes]


class Device(Base):
    """A browser that keeps results where the node cannot be reached, and how many it held when it was last heard."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(_Id, primary_key=True)  # made by the device at random
    holds: Mapped[int] = mapped_column(index=True)
    day: Mapped[str] = mapped_column(String(10))  # the newest day that it holds results of
    heard_at: Mapped[datetime]


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
        # ended rows stay in the table, but not in this index
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


class WebProcess(Base):
    """A web process that is, or was, alive: what workers watch."""

    __tablename__ = "web_processes"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime]


class Alert(Base):
    """One alert from its raising to its end."""

    __tablename__ = "alerts"
    __table_args__ = (
        # ended rows stay in the table, but not in this index
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
        # ended rows stay in the table, but not in this index
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
