"""Blocks of athlete numbers that this node leased from the master, and the numbers that it gives from them.

A number is taken in the transaction that stores its registration: where that is undone, the number was never given."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, select, update

from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.domain.clock_steps import passed
from resultsq.store.engine.tables import NumberBlock, UtcDateTime


@dataclass(frozen=True, slots=True)
class GivenNumber:
    """An athlete's number, as `A90000000`, and the block that it is from."""

    athlete: str
    block: str


@dataclass(frozen=True, slots=True)
class AskedBlock:
    """A block that the master is asked for until it answers, always under the same key. `error`: why it gave none."""

    key: str
    size: int
    ask_at: datetime | None
    wait_s: float
    error: str | None


def take(conn: Connection, now: datetime) -> GivenNumber | None:
    """The next number; None: none is left. The caller commits."""
    for row in conn.execute(_USABLE, {"now": now}).all():
        # of two transactions the second one waits here, and goes on with what the first one has committed
        taken = conn.execute(_TAKE, {"_key": row.key}).first()
        if taken is not None:
            return GivenNumber(f"A{taken.next - 1}", row.name)
    return None


def left(conn: Connection, now: datetime) -> int:
    """How many numbers can be given."""
    return int(conn.execute(_LEFT, {"now": now}).scalar_one() or 0)


def asked(conn: Connection) -> AskedBlock | None:
    """The block that the master is being asked for."""
    columns = (NumberBlock.key, NumberBlock.size, NumberBlock.ask_at, NumberBlock.wait_s, NumberBlock.error)
    row = conn.execute(select(*columns).where(NumberBlock.name.is_(None)).order_by(NumberBlock.key).limit(1)).first()
    return None if row is None else AskedBlock(*row)


def is_due(conn: Connection, now: datetime, low: int) -> bool:
    """Whether the master is asked now: few numbers are left, and the wait after its last answer is over."""
    waiting = asked(conn)
    if waiting is not None:
        return passed(waiting.ask_at, waiting.wait_s, now)
    return left(conn, now) < low


def ask(conn: Connection, size: int) -> AskedBlock:
    """Begin to ask for a block, or go on with the one that is asked for."""
    if (waiting := asked(conn)) is not None:
        return waiting
    key = str(uuid.uuid4())
    conn.execute(insert(NumberBlock), {"key": key, "size": size, "wait_s": 0.0})
    return AskedBlock(key, size, None, 0.0, None)


def leased(conn: Connection, key: str, block: LeasedBlock, until: datetime) -> None:
    """The master leased this block; no number of it is given after `until`."""
    values = {"name": block.name, "first": block.first, "last": block.last, "next": block.first, "error": None}
    open_ = update(NumberBlock).where(NumberBlock.key == key, NumberBlock.name.is_(None))
    conn.execute(open_.values(**values, expires_at=min(block.expires_at, until), ask_at=None, wait_s=0.0))


def put_off(conn: Connection, now: datetime, key: str, wait_s: float, error: str) -> None:
    """The master leased nothing; ask again after so long."""
    values = {"ask_at": now + timedelta(seconds=wait_s), "wait_s": wait_s, "error": error}
    conn.execute(update(NumberBlock).where(NumberBlock.key == key, NumberBlock.name.is_(None)).values(values))


_IS_USABLE = (
    NumberBlock.next <= NumberBlock.last,
    NumberBlock.expires_at > bindparam("now", type_=UtcDateTime()),
)
_USABLE = select(NumberBlock.key, NumberBlock.name).where(*_IS_USABLE).order_by(NumberBlock.next)
_TAKE = (
    update(NumberBlock)
    .where(NumberBlock.key == bindparam("_key"), NumberBlock.next <= NumberBlock.last)
    .values(next=NumberBlock.next + 1)
    .returning(NumberBlock.next)
)
_LEFT = select(func.coalesce(func.sum(NumberBlock.last - NumberBlock.next + 1), 0)).where(*_IS_USABLE)
