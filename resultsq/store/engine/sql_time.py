"""Times as whole seconds, in both databases."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, extract, func, literal_column, select

from resultsq.domain.delays import Delays
from resultsq.store.engine.tables import Submission


def since_1970(conn: Connection, column: Any) -> ColumnElement[int]:
    """A time as seconds since 1970, rounded down."""
    if conn.dialect.name == "sqlite":
        return func.unixepoch(column, type_=BigInteger)
    return cast(func.floor(extract("epoch", column)), BigInteger)


def moment(conn: Connection, since_1970: ColumnElement[int]) -> ColumnElement[datetime]:
    """The time at so many seconds since 1970, to be compared with a column's."""
    if conn.dialect.name == "sqlite":
        kept = "%Y-%m-%d %H:%M:%S.000000"  # as SQLAlchemy writes a whole second
        return func.strftime(kept, since_1970, "unixepoch", type_=Submission.accepted_at.type)
    return func.to_timestamp(since_1970, type_=Submission.accepted_at.type)


def delays(conn: Connection, *where: ColumnElement[bool]) -> Delays:
    """From acceptance to publication, of the published submissions that fit. Its columns are those of one index."""
    delay = since_1970(conn, Submission.published_at) - since_1970(conn, Submission.accepted_at)
    query = select(delay.label("delay"), func.count()).where(Submission.published_at.is_not(None), *where)
    return Delays.of({int(took): number for took, number in conn.execute(query.group_by(literal_column("delay")))})
