"""What the database's own triggers write (migrations 0037 and 0039), so that no writer of a submission can forget to:
how many are in each state, and who submitted. All others only read it."""

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


class Submitter(Base):
    """A name that stands in `submissions.submitted_by`."""

    __tablename__ = "submitters"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    name: Mapped[str] = mapped_column(String(100), primary_key=True)


WRITTEN_BY_TRIGGERS = (StateChange, StateCount, Submitter)
