"""Judges an end: whatever the order was, nothing that was accepted is lost, of a chain one version is on its way, and
the master has what was put there by its own precondition. All that waits is delivered to an honest master for that."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import select

from resultsq.domain.submission import GONE, WAITING, State
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import repairs
from tests.races.race import Found, Race, was_left_stranded, was_lost_by_the_master
from tests.races.stage import Stage
from tests.races.writers import reconcile


class _Version(NamedTuple):
    """What a judgement asks of a row; `open` counts its attempts that did not end, `sheets` says whether it has one."""

    id: str
    version: int
    state: str
    blocked: bool
    base: str | None
    in_doubt: bool
    lease: str | None
    hold_id: int | None
    published_as: str | None
    open: int
    sheets: int


_VERSIONS = (
    "SELECT id, version, state, blocked, base, in_doubt, lease, hold_id, published_as,"
    " (SELECT count(*) FROM attempts WHERE attempts.seq = submissions.seq AND ended_at IS NULL),"
    " (SELECT count(*) FROM payloads WHERE payloads.seq = submissions.seq)"
    " FROM submissions ORDER BY version"
)
_HELD_EVENTS = "SELECT id FROM holds WHERE released_at IS NULL AND scope <> 'submission'"


def _damage(dialect: Any) -> str:
    """Names the repairs that would find something."""
    texts = {
        one.name: select(Submission.seq)
        .where(one.found)
        .compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        for one in repairs.REPAIRS
    }
    return " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS ({text})" for name, text in texts.items())


class Broken(Exception):
    """An end in which a promise is broken."""


class Judge:
    """Equal ends are judged once."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._damage = _damage(stage.databases[0].engine.dialect)
        self._found: Found | None = None
        self._good: set[str] = set()

    def enter(self, found: Found) -> None:
        self._found = found
        self._good = set()

    def look(self, race: Race, end: str, what: str) -> None:
        """:raises Broken: a promise is"""
        if end in self._good:
            return
        self._whole(race, what)
        self._deliver(race)
        self._ends_well(race, what)
        self._good.add(end)

    def _whole(self, race: Race, what: str) -> Sequence[Any]:
        """No row is one that would have to be mended, what left in a bundle is in doubt until it is settled, and what
        is being sent has one attempt that did not end."""
        damage, rows = [name for (name,) in self._stage.rows(self._damage)], self._rows()
        _must(not damage or self._found is was_left_stranded, what, damage, rows, race)
        for row in rows:
            _must(row.hold_id is None or row.state in WAITING, what, "it is held, and waits no more", rows, race)
            _must(row.open == (row.state == State.SENDING), what, "attempts that did not end", rows, race)
            if row.id in race.parted:
                _must(row.state not in GONE, what, "it left, and is given up", rows, race)
                _must(row.in_doubt or row.state not in WAITING, what, "it left, and is not in doubt", rows, race)
        return rows

    def _rows(self) -> list["_Version"]:
        return [_Version(*row) for row in self._stage.rows(_VERSIONS)]

    def _deliver(self, race: Race) -> None:
        node = race.node
        if self._found is was_left_stranded:
            for repair in repairs.REPAIRS:
                node.database.write(partial(repairs.mend_some, now=node.now, who="op", repair=repair))
        if self._found is was_lost_by_the_master:
            node.database.write(lambda conn: reconcile(conn, race))
        self._release(race)
        in_hand = {row.lease for row in self._rows()}
        leases = [*race.taken, *(lease for lease in race.leases if lease.lease in in_hand)]
        for _ in range(12):
            for lease in leases:
                node.settle(lease, race.publish(lease))
            if not any(row.state in WAITING for row in self._rows()):
                break
            node.pass_time(61)
            node.probe()
            leases = list(node.claim())

    def _release(self, race: Race) -> None:
        held = [row.id for row in self._rows() if row.hold_id is not None]
        if held:
            race.node.act("release", *held)
        for (hold,) in self._stage.rows(_HELD_EVENTS):
            race.node.release(hold)

    def _ends_well(self, race: Race, what: str) -> None:
        rows = self._whole(race, what)
        _must(not any(row.state in WAITING for row in rows), what, "it waits for ever", rows, race)
        for row in rows:
            there = row.state in {State.PUBLISHED, State.CORRECTED}
            _must(there or row.id not in race.there, what, "published, and not shown so", rows, race)
            lost = (
                self._found is was_lost_by_the_master and row.sheets == 0
            )  # it was removed: nothing can send it again
            _must(not there or lost or row.published_as in race.there, what, "not there", rows, race)
        newest = [row for row in rows if row.state not in GONE]
        if newest and newest[-1].state == State.PUBLISHED:
            ours = [one for one in race.there if one in {row.published_as for row in rows}]
            _must([newest[-1].published_as] == ours[-1:], what, "the newest is not the one that is shown", rows, race)


def _must(kept: object, what: str, promise: object, rows: Any, race: Race) -> None:
    if not kept:
        chain = [(row.version, row.state, row.blocked, row.base, row.id) for row in rows]
        raise Broken(f"{what}: {promise}: {chain}, at the master {race.there}")
