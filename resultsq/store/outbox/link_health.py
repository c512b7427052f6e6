"""Reads the link's health from its row and writes what attempts changed; domain/link_health judges."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from resultsq.domain.link import LinkState
from resultsq.domain.link_health import Judgement, LinkHealth
from resultsq.domain.outcome import Cause
from resultsq.store.outbox import links

_NO_COLUMNS = {"window", "in_outage"}
_COLUMNS = [field.name for field in fields(LinkHealth) if field.name not in _NO_COLUMNS]


def read(row: Row[Any]) -> LinkHealth:
    """The health that the link's row tells of."""
    columns = {name: getattr(row, name) for name in _COLUMNS} | {"state": LinkState(row.state)}
    return LinkHealth(window=links.window(row), in_outage=row.outage_id is not None, **columns)


def write_events(conn: Connection, now: datetime, row: Row[Any], judged: Judgement, ceiling: int) -> dict[str, Any]:
    """Write the outage that began and the return, if any; the columns of the link's row that follow from these."""
    facts: dict[str, Any] = {}
    if judged.probe_in_s is not None:
        facts |= links.next_probe(now, judged.probe_in_s)
    outage_id = row.outage_id
    if judged.outage is not None:
        start = judged.outage
        outage_id = links.open_outage(conn, row.name, start.began_at, Cause.TAKES_NOTHING, start.detail, probes=0)
        facts["outage_id"] = outage_id
    if judged.returned:
        facts |= links.come_back(conn, now, row, outage_id, row.epoch, ceiling)
    return facts


def changes(before: LinkHealth, after: LinkHealth) -> dict[str, Any]:
    """The columns that differ, as they are now."""
    return {name: value for name in _COLUMNS if (value := getattr(after, name)) != getattr(before, name)}
