"""Tables of reminders: what runners asked for, and the links that open a profile."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Id as _Id
from resultsq.store.engine.columns import Seq as _Seq

_WAITS = text("sealed IS NOT NULL")


class ReminderRequest(Base):
    """A runner typed an address. `sealed` is that address, until a worker has answered; then None. `mark` is a keyed
    hash of it, by which repeats are counted for a day."""

    __tablename__ = "reminder_requests"
    __table_args__ = (
        Index("ix_reminder_requests_mark", "mark", "asked_at"),
        Index("ix_reminder_requests_waiting", "asked_at", sqlite_where=_WAITS, postgresql_where=_WAITS),
        Index("ix_reminder_requests_asked_at", "asked_at"),
    )

    id: Mapped[str] = mapped_column(_Id, primary_key=True)
    mark: Mapped[bytes] = mapped_column(LargeBinary)
    asked_at: Mapped[datetime]
    language: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[bytes | None]


class ProfileLink(Base):
    """A mailed link that opens an athlete's profile, once. Only the hash of its secret is kept."""

    __tablename__ = "profile_links"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(_Seq)  # the barcode without its letter
    expires_at: Mapped[datetime] = mapped_column(index=True)
