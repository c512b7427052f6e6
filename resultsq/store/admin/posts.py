"""Posts about outages: what an operator lets the public read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from resultsq.store.engine.tables import Post


@dataclass(frozen=True, slots=True)
class PostView:
    """One post. `text` is plain, its paragraphs parted by empty lines."""

    outage_id: int
    text: str
    posted_at: datetime
    posted_by: str


def of(conn: Connection, outages: Iterable[int]) -> dict[int, PostView]:
    """The posts about these outages, by the outage's number."""
    query = select(Post.outage_id, Post.text, Post.posted_at, Post.posted_by).where(Post.outage_id.in_(list(outages)))
    return {row.outage_id: PostView(*row) for row in conn.execute(query)}


def put(conn: Connection, now: datetime, who: str, outage: int, text: str) -> None:
    """Show this text about the outage, in the place of an older one."""
    values = {"text": text, "posted_at": now, "posted_by": who[:100]}
    if not conn.execute(update(Post).where(Post.outage_id == outage).values(values)).rowcount:
        conn.execute(insert(Post), {"outage_id": outage, **values})


def remove(conn: Connection, outage: int) -> bool:
    """Show none any more; False: there was none."""
    return bool(conn.execute(delete(Post).where(Post.outage_id == outage)).rowcount)
