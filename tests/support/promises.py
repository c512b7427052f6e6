"""What is true of a store after each transaction, asked in SQL of its own: the product's own words are not believed."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection

_BROKEN = {
    "of one chain two versions are on their way": """
        SELECT chain_id FROM submissions WHERE state = 'sending' OR (state = 'queued' AND NOT blocked)
        GROUP BY chain_id HAVING count(*) > 1""",
    "what waits has nothing on its way before it": """
        SELECT w.id FROM submissions w WHERE w.state = 'queued' AND w.blocked AND NOT EXISTS (
            SELECT 1 FROM submissions f WHERE f.chain_id = w.chain_id
            AND (f.state = 'sending' OR (f.state = 'queued' AND NOT f.blocked)))""",
    "what is to be sent has no sheet": """
        SELECT s.id FROM submissions s WHERE s.state IN ('queued', 'sending')
        AND NOT EXISTS (SELECT 1 FROM payloads p WHERE p.seq = s.seq)""",
    "what is superseded has no newer version that was not": """
        SELECT s.id FROM submissions s WHERE s.state = 'superseded' AND NOT EXISTS (
            SELECT 1 FROM submissions n WHERE n.chain_id = s.chain_id AND n.seq <> s.seq
            AND n.state <> 'superseded')""",
    "the head is not the newest living version": """
        SELECT c.id FROM chains c WHERE c.head IS DISTINCT FROM (
            SELECT s.id FROM submissions s WHERE s.chain_id = c.id AND s.state NOT IN ('superseded', 'withdrawn')
            ORDER BY s.version DESC LIMIT 1)""",
    "what is published has no receipt": """
        SELECT id FROM submissions WHERE state IN ('published', 'corrected')
        AND (published_as IS NULL OR revision IS NULL)""",
    "what is not on its way has a lease": """
        SELECT id FROM submissions WHERE (lease IS NOT NULL) <> (state = 'sending')""",
    "what is settled is held": """
        SELECT id FROM submissions WHERE hold_id IS NOT NULL AND state NOT IN ('queued', 'sending')""",
    "who submitted is not known by name": """
        SELECT id FROM submissions WHERE submitted_by NOT IN (SELECT name FROM submitters)""",
    "the figure of a state is not that of the rows": """
        SELECT f.event_id FROM (
            SELECT event_id, destination, kind, state, number FROM state_counts
            UNION ALL SELECT event_id, destination, kind, state, number FROM state_changes
            UNION ALL SELECT event_id, destination, kind, CASE state WHEN 'sending' THEN 'queued' ELSE state END, -1
            FROM submissions) f
        GROUP BY f.event_id, f.destination, f.kind, f.state HAVING sum(f.number) <> 0""",
}
_AT_REST = {
    "what holds it was released": """
        SELECT s.id FROM submissions s JOIN holds h ON h.id = s.hold_id WHERE h.released_at IS NOT NULL""",
    "an attempt is under way that nobody makes": """
        SELECT a.seq FROM attempts a WHERE a.ended_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM submissions s WHERE s.seq = a.seq AND s.lease = a.lease)""",
}


_PROMISES = (*_BROKEN, *_AT_REST)


def _together(queries: Iterable[str]) -> str:
    """One statement, which numbers what each of them finds: the simulation asks it often."""
    numbered = r"SELECT {} AS promise, CAST(\1 AS VARCHAR)"
    return " UNION ALL ".join(
        re.sub(r"^\s*SELECT (\S+)", numbered.format(number), query) for number, query in enumerate(queries)
    )


_ALWAYS = _together(_BROKEN.values())
_QUIET = _together([*_BROKEN.values(), *_AT_REST.values()])


def broken(conn: Connection, at_rest: bool = True) -> list[str]:
    """What is not as it must be. `at_rest`: no action is under way. All promises are asked of one moment."""
    found: dict[int, list[str]] = {}
    for promise, about in conn.exec_driver_sql(_QUIET if at_rest else _ALWAYS):
        found.setdefault(promise, []).append(about)
    return [f"{_PROMISES[promise]}: {about}" for promise, about in sorted(found.items())]
