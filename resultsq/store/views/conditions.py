"""A filter as SQL: the one WHERE that is shown, counted and acted on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select, union_all

from resultsq.domain.filter import Filter
from resultsq.domain.submission import WAITING, State
from resultsq.store.engine.queue_tables import FAILED_STATUS
from resultsq.store.engine.tables import Event, Submission, Submitter

_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}){1,2}")


@dataclass(frozen=True, slots=True)
class Named:
    """What a part of a name is meant by: events by their id, and who submitted."""

    events: Sequence[int]
    submitters: Sequence[str]

    @property
    def condition(self) -> ColumnElement[bool]:
        found = [Submission.event_id.in_(self.events)] if self.events else []
        if self.submitters:
            found.append(Submission.submitted_by.in_(self.submitters))
        return or_(*found) if found else false()


MOST_NAMED = 100
"""Where more fit, the first page is full soon, and so is the count."""


def named_by(conn: Connection, text: str) -> Named | None:
    """What the text names, where that is few: so submissions are read only for names that exist, and by the index of
    their event. None: many, or it is no part of a name."""
    text = text.lower()
    if not text or _ID.fullmatch(text) or _DATE.fullmatch(text):
        return None
    events = conn.execute(_events_named(text).limit(MOST_NAMED + 1)).scalars().all()
    of_text = func.lower(Submitter.name).contains(text, autoescape=True)
    submitters = conn.execute(select(Submitter.name).where(of_text).limit(MOST_NAMED + 1)).scalars().all()
    return None if max(len(events), len(submitters)) > MOST_NAMED else Named(events, submitters)


def _events_named(text: str) -> Select[int]:
    slug, name = Event.slug, func.lower(Event.name)
    return select(Event.id).where(or_(slug.contains(text, autoescape=True), name.contains(text, autoescape=True)))


def where(filter_: Filter, named: Named | None = None) -> list[ColumnElement[bool]]:
    """The filter as conditions on `submissions` alone, to be joined by "and"; of use in a SELECT and in an UPDATE.
    `named`: what its text names, where that is known."""
    found: list[ColumnElement[bool]] = []
    if filter_.text:
        found.append(named.condition if named is not None else _text(filter_.text))
    if filter_.events:
        found.append(Submission.event_id.in_(select(Event.id).where(Event.slug.in_(filter_.events))))
    if filter_.kinds:
        found.append(Submission.kind.in_(filter_.kinds))
    if filter_.states or filter_.waiting_only:
        found.append(Submission.state.in_(sorted(states_of(filter_))))
    if filter_.cause is not None:
        found += [Submission.cause == filter_.cause, Submission.cause.is_not(None)]  # by the index of what failed
    if filter_.fingerprint is not None:
        found.append(Submission.fingerprint == filter_.fingerprint)
    if filter_.status is not None:
        found.append(Submission.status == filter_.status)
        if not 200 <= filter_.status <= 299:
            found.append(FAILED_STATUS)
    if filter_.attempts_min is not None:
        found.append(Submission.attempts >= filter_.attempts_min)
    if filter_.attempts_max is not None:
        found.append(Submission.attempts <= filter_.attempts_max)
    if filter_.accepted_from is not None:
        found.append(Submission.accepted_at >= filter_.accepted_from)
    if filter_.accepted_to is not None:
        found.append(Submission.accepted_at < filter_.accepted_to)
    return found


def states_of(filter_: Filter) -> set[State]:
    """In which of these a submission is; none where the filter does not ask, or leaves nothing."""
    states = set(filter_.states)
    if filter_.waiting_only:
        return states & WAITING if states else set(WAITING)
    return states


def _text(text: str) -> ColumnElement[bool]:
    """By what the text looks like: an id, a date, or a part of a name. Fewer questions of each row."""
    text = text.lower()
    named = _events_named(text)
    if _ID.fullmatch(text):
        begins = select(Submission.seq).where(Submission.id >= text, Submission.id < f"{text}g")  # no digit is after f
        # not "or": each of the two has an index of its own
        of_event = select(Submission.seq).where(Submission.event_id.in_(named))
        return Submission.seq.in_(union_all(begins, of_event))
    other: Any
    if _DATE.fullmatch(text):
        other = and_(Submission.date >= text, Submission.date < f"{text}:")  # the character after 9
    else:
        other = func.lower(Submission.submitted_by).contains(text, autoescape=True)
    return or_(Submission.event_id.in_(named), other)
