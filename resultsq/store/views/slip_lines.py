"""Personal submissions as operators read them: what is on the slip, and the state. Read only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, String, select

from resultsq.domain.submission import State
from resultsq.store.athletes.asked import is_one_of
from resultsq.store.engine.tables import SlipRow, Submission


@dataclass(frozen=True, slots=True)
class SlipLine:
    """A slip in a list. `number` None: the master gives it."""

    id: str
    name: str
    number: str | None
    state: State
    accepted_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class SlipPage:
    """Some lines, and the key of the page behind them; None: there is none."""

    lines: Sequence[SlipLine]
    next: int | None


_LINE = select(
    Submission.id,
    SlipRow.name,
    SlipRow.number,
    Submission.state,
    Submission.accepted_at,
    Submission.published_at,
    SlipRow.seq,
).join(SlipRow, SlipRow.seq == Submission.seq)


def one(conn: Connection, kind: str, submission: str) -> SlipLine | None:
    """The slip of a submission of this kind; None: there is none."""
    row = conn.execute(_LINE.where(Submission.id == submission, Submission.kind == kind)).first()
    return None if row is None else SlipLine(*row[:3], State(row.state), *row[4:6])


def names(conn: Connection, numbers: Collection[str]) -> dict[str, str]:
    """Whose those of these numbers are that slips have: this node gave them, or receipts brought them. That of a
    withdrawn registration is nobody's."""
    asked = is_one_of(conn, SlipRow.number, numbers, String)
    given = select(SlipRow.number, SlipRow.name).join(Submission, Submission.seq == SlipRow.seq)
    rows = conn.execute(given.where(asked, Submission.state != State.WITHDRAWN))
    return {row.number: row.name for row in rows if row.number is not None}


def page(conn: Connection, kind: str, size: int, after: int | None = None, state: State | None = None) -> SlipPage:
    """The newest first. `after`: the key of a page; `state` None: in any."""
    # in the order of the slips, which are few, and not of all submissions
    query = _LINE.where(Submission.kind == kind).order_by(SlipRow.seq.desc()).limit(size + 1)
    if after is not None:
        query = query.where(SlipRow.seq < after)
    if state is not None:
        query = query.where(Submission.state == state)
    rows = conn.execute(query).all()
    lines = [SlipLine(*row[:3], State(row.state), *row[4:6]) for row in rows[:size]]
    return SlipPage(lines, rows[size - 1].seq if len(rows) > size else None)
