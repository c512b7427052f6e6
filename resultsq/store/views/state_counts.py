"""How many submissions there are in each state, from the figures that the database keeps: the cost is the same however
many wait, and however many are over."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, literal, select, union_all

from resultsq.domain.destinations import MASTER
from resultsq.domain.submission import WAITING, State
from resultsq.store.engine.tables import StateChange, StateCount, Submission

_PUBLISHED = frozenset({State.PUBLISHED, State.CORRECTED})


@dataclass(frozen=True, slots=True)
class StateCounts:
    """All figures are of one moment. `numbers`: by destination, kind and state."""

    numbers: Mapping[tuple[str, str, State], int]

    def in_each_state(self, of_the_master: bool = False) -> dict[State, int]:
        """Of every state how many there are; `of_the_master`: an unpublished one counts only if the master is to have
        it."""
        found: Counter[State] = Counter()
        for (destination, _, state), number in self.numbers.items():
            if not of_the_master or state in _PUBLISHED or destination == MASTER:
                found[state] += number
        return {state: found[state] for state in State}

    def waiting_by_kind(self) -> dict[str, int]:
        """How many wait of each kind that waits, whatever their destination."""
        found: Counter[str] = Counter()
        for (_, kind, state), number in self.numbers.items():
            if state in WAITING:
                found[kind] += number
        return {kind: number for kind, number in sorted(found.items()) if number}

    def waiting_for(self, destination: str) -> int:
        """How many wait for it."""
        return sum(n for (there, _, state), n in self.numbers.items() if state in WAITING and there == destination)


def look(conn: Connection, events: Collection[int] | None = None) -> StateCounts:
    """The figures of these events (by id); of all where none are named."""
    found: Counter[tuple[str, str, State]] = Counter()
    for destination, kind, state, number in conn.execute(_counted(events)):
        found[destination, kind, State(state)] += int(number)
        if state == State.SENDING:  # the figures have it among the queued
            found[destination, kind, State.QUEUED] -= int(number)
    return StateCounts(found)


def waiting_of_each_event() -> Select[int, int]:
    """A SELECT of `event_id` and `waiting`: of each event of which some wait, how many."""
    each = union_all(*[select(of.event_id, of.number).where(of.state == State.QUEUED) for of in _TABLES]).subquery()
    number = func.sum(each.c.number)
    return select(each.c.event_id, number.label("waiting")).group_by(each.c.event_id).having(number > 0)


def waiting_for_master() -> Select[int]:
    """A SELECT of how many wait for the master."""
    waits = [(of.state == State.QUEUED, of.destination == MASTER) for of in _TABLES]
    each = union_all(*[select(of.number).where(*where) for of, where in zip(_TABLES, waits, strict=True)]).subquery()
    return select(func.coalesce(func.sum(each.c.number), 0))


_TABLES: tuple[type[StateCount] | type[StateChange], ...] = (StateCount, StateChange)


def _counted(events: Collection[int] | None) -> Select[str, str, str, int]:
    """In one statement, so that all figures are of one moment."""
    sending = (
        select(Submission.destination, Submission.kind, literal(State.SENDING.value).label("state"), func.count())
        .where(Submission.state == State.SENDING)
        .group_by(Submission.destination, Submission.kind)
        .with_hint(Submission, "INDEXED BY ix_submissions_state_seq", "sqlite")
    )
    kept = [select(of.destination, of.kind, of.state, of.number) for of in _TABLES]
    if events is not None:
        sending = sending.where(Submission.event_id.in_(events))
        kept = [one.where(of.event_id.in_(events)) for one, of in zip(kept, _TABLES, strict=True)]
    each = union_all(*kept, sending).subquery()
    key = (each.c.destination, each.c.kind, each.c.state)
    return select(*key, func.sum(each.c.number)).group_by(*key)
