"""How many submissions are in each state. The database's own triggers write these tables (migration 0037), so no caller
can forget to; all others only read them."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Seq as _Seq


class StateCount(Base):
    """So many of an event, destination and kind are in a state. One that is being sent counts as queued."""

    __tablename__ = "state_counts"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    destination: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(12), primary_key=True)
    number: Mapped[int]


class StateChange(Base):
    """What is still to be added to a figure of `state_counts`: on PostgreSQL, where writers would wait for each other
    at the figure itself. On SQLite there are none."""

    __tablename__ = "state_changes"

    id: Mapped[int] = mapped_column(_Seq, primary_key=True)
    event_id: Mapped[int]
    destination: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(12))
    number: Mapped[int]
