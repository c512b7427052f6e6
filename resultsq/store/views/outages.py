"""What a past outage did, for its report. Read only."""

from collections import Counter

from sqlalchemy import Connection, and_, case, func, or_, select, true

from resultsq.domain.errors import NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.incident import Incident
from resultsq.domain.submission import WAITING, State
from resultsq.store.engine import sql_time
from resultsq.store.engine.tables import Outage, Submission


def report(conn: Connection, outage_id: int) -> Incident:
    """The report of an outage.

    :raises NotThere: there was none with that number."""
    outage = conn.execute(select(Outage).where(Outage.id == outage_id)).first()
    if outage is None:
        raise NotThere(gettext("There is no outage with that number."))
    began_at = outage.began_at
    # + 0: SQLite is to find them by their time, and not by event or seq among all that there ever was
    before = Submission.seq + 0 <= outage.last_seq if outage.last_seq is not None else true()
    event, kind = Submission.event_id + 0, Submission.kind
    its = Submission.destination == outage.link
    published = and_(Submission.published_at >= began_at, before, its)
    # those given up or refused before the outage have nothing to do with it
    refused_since = and_(Submission.state.in_([State.CONFLICT, State.REJECTED]), Submission.state_at >= began_at)
    concerned = or_(Submission.accepted_at >= began_at, Submission.state.in_(sorted(WAITING)), refused_since)
    open_ = and_(Submission.published_at.is_(None), before, concerned, its)
    during = func.count(case((Submission.accepted_at >= began_at, 1)))
    last = func.max(Submission.published_at).label("last")
    facts = select(event, kind, Submission.state, func.count(), during, last).group_by(event, kind, Submission.state)
    out, left = conn.execute(facts.where(published)).all(), conn.execute(facts.where(open_)).all()
    waiting = sum(count for _, _, state, count, _, _ in left if State(state) in WAITING)
    by_kind: Counter[str] = Counter()
    for _, of_kind, _, count, _, _ in [*out, *left]:
        by_kind[of_kind] += count
    return Incident(
        id=outage.id,
        began_at=began_at,
        ended_at=outage.ended_at,
        cause=outage.cause,
        probes=outage.probes,
        accepted=sum(accepted for _, _, _, _, accepted, _ in [*out, *left]),
        events=len({event for event, *_ in [*out, *left]}),
        delays=sql_time.delays(conn, published),
        still_waiting=waiting,
        not_published=sum(count for _, _, _, count, _, _ in left) - waiting,
        last_published_at=max((row.last for row in out), default=None),
        by_kind=by_kind,
    )
