"""Tables of notices to teams."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Seq as _Seq


class Notice(Base):
    """What the office or an operator tells teams, on top of their form. `event_id` None: for all events."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))
    title: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    written_by: Mapped[str] = mapped_column(String(100))  # an account or a command; empty: the office
    shown_from: Mapped[datetime]
    shown_until: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    office_id: Mapped[str | None] = mapped_column(String(100), unique=True)  # the master's name for it


class NoticeFeed(Base):
    """One row: when the master is next asked for its notices."""

    __tablename__ = "notice_feeds"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    etag: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    wait_s: Mapped[float]
    error: Mapped[str | None] = mapped_column(Text)  # why the last question got no list
