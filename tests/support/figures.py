"""The figures of the states against the rows."""

from collections import Counter

from sqlalchemy import Connection, func, select

from resultsq.domain.submission import WAITING, State
from resultsq.store.engine.tables import Submission
from resultsq.store.views import state_counts


def agree(conn: Connection) -> None:
    """Every figure is what a count of the rows says, of all events and of each."""
    of = (Submission.event_id, Submission.destination, Submission.kind, Submission.state)
    counted = conn.execute(select(*of, func.count()).group_by(*of)).all()
    rows = {(event, there, kind, State(state)): number for event, there, kind, state, number in counted}
    each: list[set[int] | None] = [None, *({event} for event, *_ in rows)]
    for events in each:
        found = {key: number for key, number in state_counts.look(conn, events).numbers.items() if number}
        told: Counter[tuple[str, str, State]] = Counter()
        for (event, destination, kind, state), number in rows.items():
            if events is None or event in events:
                told[destination, kind, state] += number
        assert found == told
    waiting: Counter[int] = Counter()
    for (event, _, _, state), number in rows.items():
        waiting[event] += number if state in WAITING else 0
    told_waiting = {row.event_id: row.waiting for row in conn.execute(state_counts.waiting_of_each_event())}
    assert told_waiting == dict(+waiting)
