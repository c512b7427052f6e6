"""Tables of nodes that keep submissions, accounts and events for each other."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from resultsq.store.engine.columns import Base


class Custody(Base):
    """A submission that another node handed to this one. `via`: the names of the nodes that it came through, as in the
    header Via, so that it is not handed round in a circle."""

    __tablename__ = "custodies"

    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), primary_key=True, autoincrement=False)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id"))
    via: Mapped[str] = mapped_column(String(1000))
    received_at: Mapped[datetime]


class Handover(Base):
    """A submission that this node handed to a relay while the master could not be reached. `kept_at`: since when the
    relay has it; None: it is being handed over. `due_at`: when the relay is called next; None: never again. `asked`:
    how many calls went before. `attempt` and `was_in_doubt` are what is put back where the relay took nothing."""

    __tablename__ = "handovers"
    __table_args__ = (
        Index(
            "ix_handovers_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    seq: Mapped[int] = mapped_column(ForeignKey("submissions.seq"), primary_key=True, autoincrement=False)
    relay: Mapped[str] = mapped_column(String(255))
    due_at: Mapped[datetime | None]
    kept_at: Mapped[datetime | None]
    asked: Mapped[int]
    attempt: Mapped[int]
    was_in_doubt: Mapped[bool]


class NodeIdentity(Base):
    """This node's own name among nodes: one row, made when it is first needed, and never changed."""

    __tablename__ = "node_identity"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40))


class PeopleCopy(Base):
    """One row: the node whose accounts, events and tokens are copied here. `source`: its own name, empty before the
    first copy; `address`: where people find it; `made_at`: as of when the copy is; `left_names`: of the
    accounts that are not copied, because one of this node has the name; `error`: why the last try got none.
    What is a copy says so in its own row (`is_copy`)."""

    __tablename__ = "people_copies"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(255))
    etag: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    wait_s: Mapped[float]
    left_names: Mapped[list[Any] | None]
    error: Mapped[str | None] = mapped_column(Text)
