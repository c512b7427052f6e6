"""The tables of athletes: the copy of the master's list."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Seq as _Seq


class AthleteCopy(Base):
    """A copy of the list of athletes, whole or being loaded. `athletes_state` says which is which; one that is neither
    is old, and is deleted in small pieces."""

    __tablename__ = "athlete_copies"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy reads it from the class

    generation: Mapped[int] = mapped_column(_Seq, primary_key=True)
    source: Mapped[str] = mapped_column(String(16))  # feed | import
    events: Mapped[str] = mapped_column(Text, default="")  # the events that it was asked for; empty: all
    handle: Mapped[str] = mapped_column(Text, default="")
    after: Mapped[str] = mapped_column(Text, default="")
    etag: Mapped[str] = mapped_column(Text, default="")
    begun_at: Mapped[datetime]
    as_of: Mapped[datetime | None]  # the list was so at the master then


class AthletesState(Base):
    """One row: which copy is looked up, which is being loaded, and which process loads."""

    __tablename__ = "athletes_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    current: Mapped[int | None] = mapped_column(_Seq)
    loading: Mapped[int | None] = mapped_column(_Seq)
    leased_by: Mapped[str | None] = mapped_column(String(100))
    leased_until: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    wait_s: Mapped[float] = mapped_column(default=0.0)  # the length of that wait
    error: Mapped[str | None] = mapped_column(Text)  # why the last try got nothing


class AthleteHome(Base):
    """A home event's name, once; the empty one is that of athletes who have none."""

    __tablename__ = "athlete_homes"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)


_Sought = Text(collation="C").with_variant(Text(), "sqlite")  # ordered by bytes, so that a prefix is a range


class AthleteRow(Base):
    """An athlete of one copy. `number` is the barcode without its letter. `name` None: the number is retired. No
    address is kept: `mail` is a keyed hash."""

    __tablename__ = "athletes"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    generation: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(Text)
    club: Mapped[str | None] = mapped_column(Text)
    home: Mapped[int]
    runs: Mapped[int] = mapped_column(default=0)
    mail: Mapped[bytes | None]


class AthleteName(Base):
    """A name under which an athlete of one copy is found. A table and not an index, so that it is written apart from
    the athletes, in its own order."""

    __tablename__ = "athlete_names"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    generation: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
    home: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sought: Mapped[str] = mapped_column(_Sought, primary_key=True)
    number: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)


class AthleteMail(Base):
    """The keyed hash of an address by which an athlete of one copy is found. Hashes come in no order at all, so this is
    a table for the same reason."""

    __tablename__ = "athlete_mails"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class

    generation: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
    mail: Mapped[bytes] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(_Seq, primary_key=True, autoincrement=False)
