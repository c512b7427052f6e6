"""Submissions by filter: how many, and their pages by key."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, get_type_hints

from pydantic import Field, WithJsonSchema
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.filter import Filter
from resultsq.domain.i18n import gettext
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Event, Submission
from resultsq.store.views import state_counts
from resultsq.store.views.conditions import Named, named_by, states_of, where

COUNTED = 10_000
"""A page says "more than" beyond this; what an action is about is counted whole."""


class Sort(Enum):
    """What a list is ordered by; ties by the order of acceptance."""

    ACCEPTED = "accepted"
    PUBLISHED = "published"
    ATTEMPTS = "attempts"

    @property
    def column(self) -> Any:
        return _COLUMNS[self]


_COLUMNS = {
    Sort.ACCEPTED: Submission.seq,
    Sort.PUBLISHED: Submission.published_at,
    Sort.ATTEMPTS: Submission.attempts,
}


@dataclass(frozen=True, slots=True)
class Order:
    """`sort=-attempts` in a URL: most attempts first."""

    sort: Sort = Sort.ACCEPTED
    descending: bool = True

    @classmethod
    def parse(cls, text: str) -> "Order":
        """:raises InputRefused: nothing is sorted by that."""
        try:
            return cls(Sort(text.removeprefix("-")), text.startswith("-")) if text else cls()
        except ValueError:
            known = cldr.listed(sort.value for sort in Sort)
            raise InputRefused(
                gettext("A list can be sorted by {known}. Put a - before one to reverse the order.", known=known)
            ) from None

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.sort.value}"


_INTERNAL = Field(exclude=True)


@dataclass(frozen=True, slots=True)
class ListedSubmission:
    """A submission in a list."""

    # The one definition of a line: the query, the API's schema and the CSV's columns are made of these fields, in this
    # order. Internal columns never leave the node, but for `seq` in a page's key.
    event: str
    date: Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
    version: int
    state: State
    finishers: int
    submitted_by: str
    accepted_at: datetime
    published_at: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    cause: str | None
    status: int | None
    detail: str | None
    id: str
    state_at: datetime
    blocked: bool
    kind: str
    seq: Annotated[int, _INTERNAL]
    event_id: Annotated[int, _INTERNAL]
    hold_id: Annotated[int | None, _INTERNAL]


SHOWN = tuple(
    name
    for name, hint in get_type_hints(ListedSubmission, include_extras=True).items()
    if _INTERNAL not in getattr(hint, "__metadata__", ())
)
"""The fields of a line that leave the node."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, and the keys that lead to those before and after; None: there are none."""

    lines: Sequence[ListedSubmission]
    before: str | None
    after: str | None


def page(
    conn: Connection, filter_: Filter, order: Order, size: int, after: str | None = None, before: str | None = None
) -> Page:
    """`size` lines behind the key `after`, or those in front of `before`.

    :raises InputRefused: a key does not belong to this order."""
    backwards = before is not None
    key = before if backwards else after
    descending = order.descending != backwards
    beyond = [] if key is None else [_beyond(order, filter_, key, descending)]
    named = named_by(conn, filter_.text)
    seqs = list(conn.execute(_seqs(filter_, order, descending, size + 1, beyond, named)).scalars())
    by_seq = {row.seq: _line(row) for row in conn.execute(_LINES, {"seqs": seqs})}
    rows = [by_seq[seq] for seq in seqs if seq in by_seq]
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    return Page(
        rows,
        before=_key(order, rows[0]) if rows and (more if backwards else key is not None) else None,
        after=_key(order, rows[-1]) if rows and (backwards or more) else None,
    )


def every(
    conn: Connection, filter_: Filter, order: Order, pieces_of: int = 1000
) -> Iterator[Sequence[ListedSubmission]]:
    """All lines in order, piece by piece; each piece is a query of its own."""
    after: str | None = None
    while True:
        piece = page(conn, filter_, order, pieces_of, after)
        if piece.lines:
            yield piece.lines
        conn.rollback()  # a reader that stays keeps a checkpoint waiting
        if piece.after is None:
            return
        after = piece.after


def count(conn: Connection, filter_: Filter) -> tuple[int, bool]:
    """How many there are, and whether there are more than the COUNTED that are counted."""
    if filter_.model_copy(update=_NOTHING_ELSE).is_everything:
        return _from_figures(conn, filter_)
    some = select(Submission.seq).where(*where(filter_, named_by(conn, filter_.text))).limit(COUNTED + 1).subquery()
    found = conn.execute(select(func.count()).select_from(some)).scalar_one()
    return min(found, COUNTED), found > COUNTED


_NOTHING_ELSE: dict[str, Any] = {"events": (), "kinds": (), "states": (), "waiting_only": False}


def _from_figures(conn: Connection, filter_: Filter) -> tuple[int, bool]:
    """As `count`, of a filter that asks only for what the figures of the states are kept by."""
    events = None
    if filter_.events:
        events = conn.execute(select(Event.id).where(Event.slug.in_(filter_.events))).scalars().all()
    states = states_of(filter_) if filter_.states or filter_.waiting_only else set(State)
    numbers = state_counts.look(conn, events).numbers.items()
    found = sum(n for (_, kind, state), n in numbers if state in states and kind in (filter_.kinds or (kind,)))
    return min(found, COUNTED), found > COUNTED


def _seqs(
    filter_: Filter,
    order: Order,
    descending: bool,
    most: int,
    beyond: Sequence[ColumnElement[bool]],
    named: Named | None,
) -> Select[int]:
    """Which, in order. What else a line shows is looked up for the few that are shown."""
    states = states_of(filter_)
    only_states = filter_.model_copy(update={"states": (), "waiting_only": False}).is_everything
    if order.sort is Sort.ACCEPTED and states and only_states and State.PUBLISHED not in states:
        return _seqs_of_states(states, descending, most, beyond)
    keys = [Submission.seq] if order.sort is Sort.ACCEPTED else [_ordered_by(order, filter_), Submission.seq]
    query = select(Submission.seq).where(*where(filter_, named))
    query = query.order_by(*(key.desc() if descending else key.asc() for key in keys))
    if _is_of_published(order, filter_):  # by the state SQLite would find them all, and sort them
        query = query.with_hint(Submission, "INDEXED BY ix_submissions_published_at", "sqlite")
    if order.sort is Sort.PUBLISHED:
        query = query.where(Submission.published_at.is_not(None))
    return query.where(*beyond).limit(most)


def _seqs_of_states(
    states: Iterable[State], descending: bool, most: int, beyond: Sequence[ColumnElement[bool]]
) -> Select[int]:
    """The first of each state, and of them the first: in the order of acceptance alone PostgreSQL would pass over all
    that were published before."""
    each = []
    for state in sorted(states):
        here = Submission.state.between(state, state)  # as it is not equal, its index is the one in this order
        keys = [key.desc() if descending else key.asc() for key in (Submission.state, Submission.seq)]
        first = select(Submission.seq).where(here, *beyond).order_by(*keys).limit(most)
        each.append(select(first.subquery().c.seq))
    found = union_all(*each).subquery()
    return select(found.c.seq).order_by(found.c.seq.desc() if descending else found.c.seq).limit(most)


_LINES = (
    select(
        *(getattr(Submission, name) for name in ListedSubmission.__slots__ if name != "event"),
        Event.slug.label("event"),
    )
    .join(Event, Event.id == Submission.event_id)
    .where(Submission.seq.in_(bindparam("seqs", expanding=True)))
)


def _ordered_by(order: Order, filter_: Filter) -> Any:
    """The order. With a filter not by its index: to look up a hundred thousand rows one by one, for the few
    that fit, takes longer than to read them all and to sort those few. But of what is published most are in no other
    state: to sort them all would take the longer the more there are."""
    column = order.sort.column
    return column if filter_.is_everything or _is_of_published(order, filter_) else func.coalesce(column, column)


def _is_of_published(order: Order, filter_: Filter) -> bool:
    of_states = order.sort is Sort.PUBLISHED and State.PUBLISHED in filter_.states
    return of_states and filter_.model_copy(update={"states": ()}).is_everything


def _line(row: Any) -> ListedSubmission:
    values = row._asdict()
    return ListedSubmission(**{**values, "state": State(values["state"])})


def _key(order: Order, line: ListedSubmission) -> str:
    match order.sort:
        case Sort.ACCEPTED:
            return str(line.seq)
        case Sort.ATTEMPTS:
            return f"{line.attempts}~{line.seq}"
        case Sort.PUBLISHED:
            return f"{_published(line).isoformat()}~{line.seq}"


def _published(line: ListedSubmission) -> datetime:
    assert line.published_at is not None  # noqa: S101 - only published rows are in this order
    return line.published_at


def _beyond(order: Order, filter_: Filter, key: str, descending: bool) -> ColumnElement[bool]:
    value, _, seq = key.rpartition("~")
    here: tuple[Any, ...]
    try:
        match order.sort:
            case Sort.ACCEPTED:
                return Submission.seq < int(seq) if descending else Submission.seq > int(seq)
            case Sort.ATTEMPTS:
                here = int(value), int(seq)
            case Sort.PUBLISHED:
                here = datetime.fromisoformat(value).astimezone(UTC), int(seq)
    except ValueError:
        raise InputRefused(
            gettext("This address points to a place that is not in the list. Go back to the list's first page.")
        ) from None
    mine = tuple_(_ordered_by(order, filter_), Submission.seq)
    there = tuple_(
        *(literal(one, kind) for one, kind in zip(here, (order.sort.column.type, Submission.seq.type), strict=True))
    )
    return mine < there if descending else mine > there
