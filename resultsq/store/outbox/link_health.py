"""The link's health, judged by the attempts that ended, and what may be sent on it.

A master may answer probes well and take nothing, as it does whose database is away. The probes then see no outage, so
the attempts show it: when several submissions in a row have failed for some seconds, the link *takes nothing*. That is
an outage with a cause of its own. One submission is tried each second, whether it was put off or not. The first good
answer is a return like any other: what was put off is released, with a slow start."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from resultsq.domain.clock_steps import passed
from resultsq.domain.link import (
    PROBE_DOWN_S,
    STALLED_AFTER,
    STALLED_S,
    STALLING,
    TRIAL_S,
    TROUBLE,
    LinkState,
    Window,
    opening,
)
from resultsq.domain.outcome import LINK_CAUSES, Cause
from resultsq.store import outbox
from resultsq.store.outbox import PutBack, Settled, links


@dataclass(slots=True)
class LinkHealth:
    """The link's row as it was, and `facts`: the columns that this cycle changes."""

    row: Row[Any]
    window: Window
    facts: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """A column as it will be."""
        return self.facts[name] if name in self.facts else getattr(self.row, name)

    @property
    def epoch(self) -> int:
        return int(self.get("epoch"))

    @property
    def round(self) -> int:
        return int(self.get("round"))

    @property
    def takes_nothing(self) -> bool:
        """The master answers probes and takes nothing."""
        return self.get("outage_id") is not None and LinkState(self.get("state")) is LinkState.UP

    @property
    def is_clear(self) -> bool:
        """Nothing speaks against sending."""
        up = LinkState(self.get("state")) is LinkState.UP
        return up and not (self.get("suspect") or self.get("refused_at") or self.takes_nothing)

    def most_now(self, now: datetime) -> int:
        """How many may go now, whatever the window has room for."""
        if self.is_clear:
            return 1_000_000
        if LinkState(self.get("state")) is not LinkState.UP or self.get("suspect"):
            return 0
        if self.get("refused_at") is not None and not passed(self.get("refused_next_at"), outbox.REFUSED_WAIT_S, now):
            return 0
        return int(not self.takes_nothing or passed(self.get("trial_at"), TRIAL_S, now))

    def claimed(self, now: datetime) -> None:
        """One went: the next trial is due later."""
        if self.get("refused_at") is not None:
            self.facts["refused_next_at"] = now + timedelta(seconds=outbox.REFUSED_WAIT_S)
        if self.takes_nothing:
            self.facts["trial_at"] = now + timedelta(seconds=TRIAL_S)


def judge(conn: Connection, now: datetime, row: Row[Any], settled: Sequence[Settled], ceiling: int) -> LinkHealth:
    """What these ends say."""
    health = LinkHealth(row, links.window(row))
    for one in settled:
        if one.state is None:
            continue
        began = now - timedelta(seconds=one.settlement.duration_s)
        if row.returned_at is not None and began < row.returned_at <= now:
            continue  # it was sent before the link went, and says nothing of it as it is now
        match one.settlement:
            case PutBack() as back if back.outcome == "unauthorised":
                # refused for one event they are good for the destination
                refused_at = None if back.refused_event else health.get("refused_at") or now
                next_at = None if back.refused_event else now + timedelta(seconds=outbox.REFUSED_WAIT_S)
                health.facts |= {"refused_at": refused_at, "refused_next_at": next_at}
            case PutBack() as back:
                _trouble(conn, now, health, back)
            case _:
                _answered(conn, now, health, ceiling)
    return health


def _trouble(conn: Connection, now: datetime, health: LinkHealth, back: PutBack) -> None:
    cause = Cause(back.cause)
    of_link = cause in LINK_CAUSES
    # With a window of 1, a master that keeps refusing would otherwise be retried in a tight loop.
    overrun = cause in TROUBLE and not of_link and health.window.size == 1
    if cause in TROUBLE:
        health.window = health.window.trouble()
    # a silent call was given up because a newer connection worked
    doubts = overrun or (of_link and cause is not Cause.SILENT)
    if doubts and LinkState(health.get("state")) is LinkState.UP and not health.get("suspect"):
        health.facts |= {"suspect": True, "suspect_at": now}
        health.facts |= links.next_probe(now, PROBE_DOWN_S if overrun else 0.0)
    if cause in STALLING and back.seq != health.get("failed_seq"):
        _count(conn, now, health, back)


def _count(conn: Connection, now: datetime, health: LinkHealth, back: PutBack) -> None:
    """One more that is not the last one again: a sheet that fails by itself stalls nothing."""
    since = health.get("failing_since") or now
    health.facts |= {"failures": health.get("failures") + 1, "failed_seq": back.seq, "failing_since": since}
    long = not now - timedelta(seconds=STALLED_S) < since <= now
    up = LinkState(health.get("state")) is LinkState.UP
    if up and long and health.get("failures") >= STALLED_AFTER and health.get("outage_id") is None:
        outage = links.open_outage(conn, min(since, now), Cause.TAKES_NOTHING, back.detail, probes=0)
        health.facts |= {"outage_id": outage, "trial_at": now}


def _answered(conn: Connection, now: datetime, health: LinkHealth, ceiling: int) -> None:
    if health.get("refused_at") is not None:
        health.facts |= {"refused_at": None, "refused_next_at": None}
    if health.takes_nothing:
        back = links.come_back(conn, now, health.get("outage_id"), health.epoch, ceiling)
        health.window = opening(ceiling)  # and it is written with what these ends make of it
        health.facts |= {name: value for name, value in back.items() if name not in {"window", "answered", "opened_at"}}
    elif health.get("failures"):
        health.facts |= links.NOTHING_FAILS
    health.window = health.window.answered_well(now, ceiling)
