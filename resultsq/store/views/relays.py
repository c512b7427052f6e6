"""What relays keep of this node's submissions."""

from sqlalchemy import Connection, and_, func, select

from resultsq.domain.submission import WAITING
from resultsq.store.engine.tables import Handover, Submission


def safe_at(conn: Connection, seq: int) -> str | None:
    """The relay that has this waiting submission too; None: none has."""
    return conn.execute(select(Handover.relay).where(Handover.seq == seq, Handover.kept_at.is_not(None))).scalar()


def count_safe(conn: Connection) -> int:
    """How many waiting submissions a relay has too. Its cost grows with them alone, and not with all that wait."""
    there = and_(Handover.due_at.is_not(None), Handover.kept_at.is_not(None), Submission.state.in_(WAITING))
    query = select(func.count()).select_from(Handover).join(Submission, Submission.seq == Handover.seq).where(there)
    query = query.with_hint(Handover, "INDEXED BY ix_handovers_due", "sqlite")
    return conn.execute(query).scalar_one()
