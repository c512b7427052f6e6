"""Tables of registrations: what stays of them, and the athlete numbers to give."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.store.engine.columns import Base
from resultsq.store.engine.columns import Id as _Id


class SlipRow(Base):
    """What stays of a personal submission when the master has it: whose it is, and the number that was given."""

    __tablename__ = "slips"
    __table_args__ = (
        Index("ix_slips_mail_owed", "seq", sqlite_where=text("mail_owed = 1"), postgresql_where=text("mail_owed")),
    )

    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(255))
    number: Mapped[str | None] = mapped_column(String(16), index=True)  # None: the master gives it
    mail_owed: Mapped[bool] = mapped_column(default=False, server_default=false())  # with the number, once it is here
    language: Mapped[str | None] = mapped_column(String(20))  # that of the mail; None: the home event's


class NumberBlock(Base):
    """A block of athlete numbers that this node leased, or asked for: then it has no name so far, and a repeat with its
    `key` gets the same block. `next` is the lowest number that was not given."""

    __tablename__ = "number_blocks"

    key: Mapped[str] = mapped_column(_Id, primary_key=True)
    size: Mapped[int]
    name: Mapped[str | None] = mapped_column(String(100))
    first: Mapped[int | None] = mapped_column(BigInteger)
    last: Mapped[int | None] = mapped_column(BigInteger)
    next: Mapped[int | None] = mapped_column(BigInteger, index=True)
    expires_at: Mapped[datetime | None]
    ask_at: Mapped[datetime | None]  # when the master is asked again
    wait_s: Mapped[float]  # the length of that wait, to know a stepped clock by
    error: Mapped[str | None] = mapped_column(Text)  # why the last question got no block
