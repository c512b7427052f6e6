"""What a past outage did, for its report. Read only."""

from collections import Counter

from sqlalchemy import Connection, select

from resultsq.domain.errors import NotThere
from resultsq.domain.incident import Incident
from resultsq.domain.submission import WAITING, State
from resultsq.store.tables import Outage, Submission


def report(conn: Connection, outage_id: int) -> Incident:
    """What is known of an outage.

    :raises NotThere: there was none with that number."""
    outage = conn.execute(select(Outage).where(Outage.id == outage_id)).first()
    if outage is None:
        raise NotThere("There is no outage with that number.")
    began_at = outage.began_at
    query = select(Submission.accepted_at, Submission.published_at, Submission.state, Submission.event_id).where(
        Submission.published_at.is_(None) | (Submission.published_at >= began_at)
    )
    if outage.last_seq is not None:
        query = query.where(Submission.seq <= outage.last_seq)
    # what was given up or refused before the outage has nothing to do with it
    rows = [
        row
        for row in conn.execute(query)
        if row.published_at is not None or row.accepted_at >= began_at or State(row.state) in WAITING
    ]
    published = [row for row in rows if row.published_at is not None]
    states = Counter(State(row.state) for row in rows if row.published_at is None)
    waiting = sum(states[state] for state in WAITING)
    return Incident(
        id=outage.id,
        began_at=began_at,
        ended_at=outage.ended_at,
        cause=outage.cause,
        probes=outage.probes,
        accepted=sum(row.accepted_at >= began_at for row in rows),
        events=len({row.event_id for row in rows}),
        delays_s=sorted((row.published_at - row.accepted_at).total_seconds() for row in published),
        still_waiting=waiting,
        not_published=sum(states.values()) - waiting,
        last_published_at=max((row.published_at for row in published), default=None),
    )
