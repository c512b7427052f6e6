"""The tables of the queue: chains, submissions with their bytes and files, and attempts."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.domain.destinations import MASTER
from resultsq.domain.submission import GONE, NEEDS_A_PERSON
from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Id as _Id
from resultsq.store.engine.columns import Seq as _Seq

_CEASED = "state IN ('conflict', 'rejected', 'superseded', 'withdrawn')"
_FAILED_STATUS = "status NOT BETWEEN 200 AND 299"


class Chain(Base):
    """The versions of one kind, event and subject: of results the subject is the date, and a submission without
    versions is its own subject. Adding to the chain and settling a member lock its row, so that a correction and the
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
        # what a claim reads: equal on the first five where nothing waits for a time, then in order
        Index(
            "ix_submissions_due",
            "state",
            "blocked",
            "hold_id",
            "destination",
            "next_attempt_at",
            "epoch",
            "round",
            "seq",
        ),
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
        # those that wait for one destination, apart from the thousands that wait for another
        Index(
            "ix_submissions_destination",
            "destination",
            "state",
            "seq",
            sqlite_where=text("published_at IS NULL"),
            postgresql_where=text("published_at IS NULL"),
        ),
        Index("ix_submissions_fingerprint_seq", "fingerprint", "seq"),
        # few of all that there ever was are in these three
        Index("ix_submissions_ceased", "state", "state_at", sqlite_where=text(_CEASED), postgresql_where=text(_CEASED)),
        Index(
            "ix_submissions_cause",
            "cause",
            "seq",
            sqlite_where=text("cause IS NOT NULL"),
            postgresql_where=text("cause IS NOT NULL"),
        ),
        Index(
            "ix_submissions_failed_status",
            "status",
            "seq",
            sqlite_where=text(_FAILED_STATUS),
            postgresql_where=text(_FAILED_STATUS),
        ),
        # how many failed in which way, counted from the index alone; only failed ones are in it
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
    destination: Mapped[str] = mapped_column(String(32), default=MASTER, server_default=MASTER)  # the key of its link
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
    personal: Mapped[bool] = mapped_column(default=False, server_default=false())  # sealed here, and has a slip
    accepted_at: Mapped[datetime]
    request_id: Mapped[str] = mapped_column(String(64), default="")

    # its place in the chain
    base: Mapped[str | None] = mapped_column(_Id)  # the id that its If-Match names; None: If-None-Match: *
    blocked: Mapped[bool] = mapped_column(default=False)  # another version of its chain is on its way
    corrects: Mapped[str | None] = mapped_column(_Id)  # the version that stood when it came: it is known to be newer

    # only waiting submissions are held, so that a claim passes over thousands of held ones without reading them
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

    # the last attempt
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


CEASED = Submission.state.in_([literal_column(f"'{state}'") for state in sorted(GONE | NEEDS_A_PERSON)])
"""It waits no more, and was not published. Without parameters, for a partial index is found by its own words alone."""

FAILED_STATUS = ~Submission.status.between(literal_column("200"), literal_column("299"))
"""The last answer was no success. Likewise."""


class Payload(Base):
    """The bytes of a submission, apart from its row so that the queue stays slim; sealed where it is personal (see
    personal.py). `other_body` is the master's sheet in a conflict."""

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
