"""The tables of events, of the links to the destinations, and of holds."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.domain.plausible import FIVE_K
from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Seq as _Seq


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
    language: Mapped[str | None] = mapped_column(String(16))  # of its pages, for a reader who asks for none
    created_at: Mapped[datetime]
    is_copy: Mapped[bool] = mapped_column(default=False, server_default=false())  # of another node's: see PeopleCopy

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


class Link(Base):
    """The state of the way to one destination, shared by all workers. See domain/link.py."""

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
    newest_at: Mapped[datetime | None]  # the newest known time: written here, or sent by the master

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
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    cause: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str | None] = mapped_column(Text)
    probes: Mapped[int] = mapped_column(default=0)
    delayed: Mapped[int] = mapped_column(default=0)  # waiting when it ended
    last_seq: Mapped[int | None] = mapped_column(_Seq)  # accepted up to here when it ended


class Post(Base):
    """An operator's word about an outage, as the public page shows it."""

    __tablename__ = "posts"

    outage_id: Mapped[int] = mapped_column(_Seq, ForeignKey("outages.id"), primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    posted_at: Mapped[datetime]
    posted_by: Mapped[str] = mapped_column(String(100))


class Comparison(Base):
    """The master's own list, as last seen: its newest receipt, and the result of the last comparison."""

    __tablename__ = "comparisons"

    link: Mapped[str] = mapped_column(String(32), primary_key=True)
    latest_at: Mapped[datetime | None]
    latest_count: Mapped[int | None] = mapped_column(_Seq)
    rewound_at: Mapped[datetime | None]  # since then it has less than it had: it was restored from a backup
    compared_at: Mapped[datetime | None]
    found: Mapped[dict[str, Any] | None]
    lost_at: Mapped[datetime | None]  # the last comparison that found something lost, and how many
    lost: Mapped[int] = mapped_column(default=0)
    asked_since: Mapped[datetime | None]  # one that goes back to then is asked for, and was not made yet
    reached_since: Mapped[datetime | None]  # one that left nothing open has gone back to then


class Hold(Base):
    """A person's decision that something waits: the destination, an event, or the submissions that name it in
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
