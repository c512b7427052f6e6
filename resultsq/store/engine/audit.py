"""Lines of the audit: who did what, when, to what, how many, why. They are only ever added."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, literal, select

from resultsq.store.engine.tables import Audit, AuditSubmission, Submission


def note(
    conn: Connection, now: datetime, who: str, action: str, target: Mapping[str, Any], count: int = 1, reason: str = ""
) -> int:
    """Add a line, in the transaction of the change; returns its id.

    :param action: a verb of at most 32 characters
    :param target: the object of the change, as JSON: names and ids, no secret and nothing of athletes"""
    values = {"at": now, "who": who[:100], "action": action, "target": dict(target), "count": count, "reason": reason}
    return conn.execute(_NOTE, values).scalar_one()


_NOTE = insert(Audit).returning(Audit.id)


def note_submission(conn: Connection, now: datetime, who: str, action: str, submission: str, reason: str = "") -> None:
    """Add a line about one submission, which its own page shows too."""
    name(conn, note(conn, now, who, action, {"ids": [submission]}, 1, reason), Submission.id == submission)


def name(conn: Connection, line: int, these: Any) -> None:
    """Say which submissions (a condition) a line is about, so that each finds it without a search."""
    named = select(literal(line), Submission.seq).where(these)
    conn.execute(insert(AuditSubmission).from_select(["audit_id", "seq"], named))


def last_target(conn: Connection, who: str, action: str) -> Mapping[str, Any] | None:
    """The target of the newest line that `who` wrote with that action; None where there is none."""
    query = select(Audit.target).where(Audit.who == who, Audit.action == action).order_by(Audit.id.desc()).limit(1)
    found: Mapping[str, Any] | None = conn.execute(query).scalar_one_or_none()
    return found


def names(rows: Iterable[str], most: int = 50) -> list[str]:
    """The first names of many, for a target: a line stays short."""
    found = list(rows)
    return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]
