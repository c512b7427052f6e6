"""What an older version left as it must not be: it is found, told and mended, and nothing is lost by it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, DateTime, LargeBinary, MetaData, Table, delete, insert, select, text, update

from resultsq.domain.ports import Parcel
from resultsq.domain.submission import WAITING, State
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import actions
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Action, Attempt, Audit, AuditSubmission, Event, Hold, Payload, Submission
from resultsq.store.outbox import repairs
from resultsq.store.outbox.aside import NO_SHEET
from resultsq.watch import messenger
from tests.integration.bundle.conftest import Far, deliver_all
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode, lost, moved, rejected

SAMPLE = Path(__file__).parents[2] / "samples" / "damaged_by_0_1_0.json"
"""What 0.1.0 left after a withdrawn predecessor on each of three roads (the 7th), a sheet of a bundle beside one that
waits, one on top of what is published under another id, and a withdrawal after "publish over" (the 14th)."""

LAST_OF_0_1_0 = "0003"
DAMAGE = {"abreast": 1, "stranded": 3, "headless": 1, "misnamed": 1}


@pytest.fixture
def damaged(store_url: str) -> Iterator[StoreNode]:
    """A node that 0.1.0 has worked on, upgraded."""
    database = Database(store_url)
    migrate.upgrade(database, LAST_OF_0_1_0)
    database.write(_fill)
    migrate.upgrade(database)
    node = StoreNode(database, events=("elsewhere",))
    node.probe()
    yield node
    database.close()


def _fill(conn: Any) -> None:
    tables = MetaData()
    for name, rows in json.loads(SAMPLE.read_bytes()).items():
        table = Table(name, tables, autoload_with=conn)
        for row in rows:
            conn.execute(insert(table).values({key: _typed(table.c[key].type, value) for key, value in row.items()}))
    if conn.dialect.name == "postgresql":
        for sequence in ("events', 'id", "chains', 'id", "submissions', 'seq"):
            conn.execute(text(f"SELECT setval(pg_get_serial_sequence('{sequence}'), 1000)"))


def _typed(kind: Any, value: Any) -> Any:
    match kind:
        case Boolean():
            return bool(value)
        case DateTime():
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if kind.timezone else moment
        case LargeBinary():
            return value.encode()
        case JSON():
            return json.loads(value)
        case _:
            return value


def counts(node: StoreNode) -> dict[str, int]:
    with node.database.read() as conn:
        return {repair.name: count for repair, count in repairs.damaged(conn)}


def mend(node: StoreNode) -> dict[str, int]:
    done = repairs.mend(node.database, ManualClock(node.now), "op")
    return {repair.name: count for repair, count in done}


def rows(node: StoreNode, *where: Any) -> list[Any]:
    with node.database.read() as conn:
        return list(conn.execute(select(Submission).where(*where).order_by(Submission.seq)))


def test_each_kind_of_damage_is_found_and_mended_and_written_down(damaged: StoreNode) -> None:
    before = {row.id: (row.state, row.digest) for row in rows(damaged)}
    assert counts(damaged) == DAMAGE
    assert mend(damaged) == DAMAGE
    assert counts(damaged) == {}
    assert mend(damaged) == {}, "twice is as once"
    assert {row.id: (row.state, row.digest) for row in rows(damaged)} == before
    with damaged.database.read() as conn:
        lines = conn.execute(select(Audit.target, Audit.count).where(Audit.action == "mend")).all()
        named = conn.execute(select(AuditSubmission.seq)).scalars().all()
        assert len(conn.execute(select(Payload.seq)).all()) == len(before), "no sheet is gone"
    assert {target["repair"]: many for target, many in lines} == DAMAGE
    assert len(named) == sum(DAMAGE.values())


def test_all_that_waited_is_published_once_and_in_order_when_it_was_mended(damaged: StoreNode, tmp_path: Path) -> None:
    far = Far(f"sqlite:///{tmp_path / 'master.db'}")
    _as_the_master_has_it(damaged, far)
    waiting = {row.id for row in rows(damaged, Submission.state.in_(WAITING))}
    mend(damaged)
    while any(row.state in WAITING for row in rows(damaged)):
        damaged.pass_time(61)
        damaged.probe()
        before = [row.state for row in rows(damaged)]
        deliver_all(damaged, far)
        assert before != [row.state for row in rows(damaged)], "something goes each time"
    far.master.close()
    ended = {row.id: row for row in rows(damaged) if row.id in waiting}
    clash = [one for one in ended.values() if one.state == State.CONFLICT]
    assert [(one.date, one.version) for one in clash] == [("2013-12-14", 2)], (
        "one of two from two nodes: a person decides"
    )
    published = {State.PUBLISHED, State.CORRECTED}
    assert {State(one.state) for one in ended.values() if one not in clash} <= published
    assert waiting - {one.id for one in clash} <= far.has().keys()


def slugs(node: StoreNode) -> dict[str, int]:
    with node.database.read() as conn:
        return dict(iter(conn.execute(select(Event.slug, Event.id))))


def _as_the_master_has_it(node: StoreNode, far: Far) -> None:
    """What the sample's rows say is published, and another node's sheet over one of them."""
    with node.database.read() as conn:
        bodies = dict(conn.execute(select(Payload.seq, Payload.body)).all())
    names = {number: slug for slug, number in slugs(node).items()}
    for row in rows(node, Submission.state == State.PUBLISHED):
        parcel = Parcel("results", row.published_as, names[row.event_id], row.date, bodies[row.seq], row.digest, None)
        far.master.send(parcel)
    assert len(far.has()) == 3


def test_what_lost_its_head_can_be_corrected_again(damaged: StoreNode) -> None:
    mend(damaged)
    damaged.events |= slugs(damaged)
    (published,) = rows(
        damaged,
        Submission.date == "2013-12-14",
        Submission.state == State.PUBLISHED,
        Submission.published_as == Submission.id,
    )
    slug = next(event for event, number in damaged.events.items() if number == published.event_id)
    again = damaged.accept(slug, 9, published.id, date=published.date)
    assert damaged.row(again.id).base == published.id


def test_an_alert_tells_of_what_would_wait_for_ever_until_it_is_mended(damaged: StoreNode, tmp_path: Path) -> None:
    settings, clock = Settings(data_dir=tmp_path, disk_low_bytes=1), ManualClock(damaged.now)

    def told() -> list[str]:
        messenger.evaluate_alerts(settings, damaged.database, clock)
        with damaged.database.read() as conn:
            query = "SELECT text FROM alerts WHERE rule = 'damaged' AND ended_at IS NULL"
            return list(conn.exec_driver_sql(query).scalars())

    (sentence,) = told()
    assert "3 submissions" in sentence
    assert "doctor --mend" in sentence
    mend(damaged)
    assert told() == []


def test_what_waits_without_its_sheet_is_found_and_put_aside_for_a_person(store: Database) -> None:
    node = StoreNode(store)
    made = node.accept().id
    node.accept("richmond")
    node.database.write(lambda conn: conn.execute(delete(Payload).where(Payload.seq == node.row(made).seq)))
    assert counts(node) == mend(node) == {"sheetless": 1}
    assert counts(node) == {}
    assert (node.state(made), node.row(made).detail) == (State.QUEUED, NO_SHEET)
    with node.database.read() as conn:
        assert outbox.count_aside(conn) == 1


def test_nothing_is_found_when_all_is_as_it_must_be(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    first = node.accept(rows=1).id
    lease = node.claim_one()
    node.accept(rows=2, corrects=first)
    node.accept("richmond")
    assert counts(node) == {}
    assert lease.submission == first
    assert mend(node) == {}


def test_nothing_is_found_of_what_ended_in_any_way_or_is_kept_waiting_on_purpose(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    first = node.accept(rows=1).id
    node.try_one(moved("another", 1, node.entry(rows=1, by="another node").body))  # published, by the other id
    second = node.accept(rows=2, corrects=first).id
    node.publish_one(2)
    node.accept(rows=3, corrects=second)
    gone = node.accept("richmond").id
    node.withdraw(gone)
    replaced = node.accept("richmond", rows=4).id
    node.act("hold", node.accept("richmond", rows=5, corrects=replaced).id)
    for day, outcome in (("2013-12-14", moved("theirs", 3)), ("2013-12-21", rejected()), ("2013-12-28", lost())):
        made = node.accept("wimbledon", date=day).id
        lease = next(one for one in node.claim() if one.submission == made)
        node.settle(lease, outcome)
        if outcome == lost():
            node.accept("wimbledon", rows=6, date=day, corrects=made)
    assert counts(node) == mend(node) == {}


def test_what_a_released_hold_still_holds_is_found_and_goes_on(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    made, kept = node.accept().id, node.accept("richmond").id
    node.act("hold", made)
    node.act("hold", kept)
    hold = node.row(made).hold_id
    released = {"released_at": node.now, "released_by": "op"}
    node.database.write(lambda conn: conn.execute(update(Hold).where(Hold.id == hold).values(**released)))
    with node.database.read() as conn:
        assert {repair.name: count for repair, count in repairs.damaged(conn)} == {"held": 1}
    assert [repair.name for repair, _ in repairs.mend(node.database, ManualClock(node.now), "op")] == ["held"]
    assert [lease.submission for lease in node.claim()] == [made]
    assert node.row(kept).hold_id is not None


def test_what_a_released_hold_holds_goes_on_while_another_action_is_carried_out(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    made, other = node.accept().id, node.accept("richmond").id
    node.act("hold", made)
    released = {"released_at": node.now, "released_by": "op"}
    node.database.write(lambda conn: conn.execute(update(Hold).values(**released)))
    actions.start(node.database, node.now, "op", "retry", [other], "a test")
    assert mend(node) == {"held": 1}
    assert node.row(made).hold_id is None


@pytest.mark.parametrize("error", [None, "KeyError"])
def test_what_a_released_hold_holds_goes_on_when_its_release_cannot_be_carried_out(
    store: Database, error: str | None
) -> None:
    node = StoreNode(store)
    node.probe()
    made = node.accept().id
    node.act("hold", made)
    node.release(node.row(made).hold_id)  # its action is begun, and not carried out here
    node.database.write(lambda conn: conn.execute(update(Action).where(Action.ended_at.is_(None)).values(error=error)))
    assert counts(node) == mend(node) == ({} if error is None else {"held": 1})
    assert [lease.submission for lease in node.claim()] == ([] if error is None else [made])


def test_a_receipt_that_the_master_lost_is_taken_off_what_waits_again(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    made = node.accept().id
    node.publish_one()
    # as 0.1.0 queued again what the master's list did not hold
    again = update(Submission).values(state=State.QUEUED, state_at=node.now, in_doubt=True, next_attempt_at=None)
    node.database.write(lambda conn: conn.execute(again))
    assert counts(node) == mend(node) == {"receipted": 1}
    assert counts(node) == {}
    row = node.row(made)
    assert (row.published_as, row.published_at, row.received_at, row.revision) == (None, None, None, None)
    assert (row.state, row.in_doubt) == (State.QUEUED, True)
    assert node.publish_one().submission == made
    assert node.state(made) is State.PUBLISHED


def test_an_attempt_that_was_left_under_way_is_ended_and_one_that_is_under_way_is_not(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    made, other = node.accept().id, node.accept("richmond").id
    node.claim()
    # as 0.1.0 took the master's list for the end of what was in a worker's hands
    listed = {"state": State.PUBLISHED, "state_at": node.now, "published_as": made, "published_at": node.now}
    listed |= {"lease": None, "lease_owner": None, "lease_until": None}
    node.database.write(lambda conn: conn.execute(update(Submission).where(Submission.id == made).values(**listed)))
    earlier = {"seq": node.row(other).seq, "number": 0, "lease": "gone", "worker": "w1", "started_at": node.now}
    node.database.write(lambda conn: conn.execute(insert(Attempt).values(**earlier)))
    assert counts(node) == mend(node) == {"unended": 2}
    assert counts(node) == {}
    (ended,), (before, open_) = node.attempts(made), node.attempts(other)
    assert {(one.ended_at, one.outcome) for one in (ended, before)} == {(node.now, "unknown")}
    assert open_.ended_at is None
    assert (node.state(made), node.state(other)) == (State.PUBLISHED, State.SENDING)


# what 0.1.0's comparison with the master left behind


def published(node: StoreNode, *revisions: int, **more: Any) -> list[str]:
    """So many versions of one date, each published on top of the one before."""
    ids: list[str] = []
    for revision in revisions:
        ids.append(node.accept(rows=revision, corrects=ids[-1] if ids else None, **more).id)
        node.publish_one(revision)
    return ids


def damage(node: StoreNode, submission: str, **values: Any) -> None:
    node.database.write(
        lambda conn: conn.execute(update(Submission).where(Submission.id == submission).values(**values))
    )


IN_CONFLICT: dict[str, Any] = {"state": State.CONFLICT, "cause": "conflict", "conflict_revision": 2}
LOST_AND_QUEUED = {"state": State.QUEUED, "in_doubt": True, "next_attempt_at": None}


@pytest.mark.parametrize("left", ["waits", "is held", "in conflict"])
def test_what_was_to_be_published_below_its_published_successor_is_corrected_as_it_was(
    store: Database, left: str
) -> None:
    node = StoreNode(store)
    node.probe()
    first, second = published(node, 1, 2)
    before = node.row(first)
    node.pass_time(60)
    # 0.1.0 queued the corrected version again where the master had lost it and not its successor; sent, it met that
    damage(node, first, **(IN_CONFLICT | {"conflict_head": second} if left == "in conflict" else LOST_AND_QUEUED))
    if left == "is held":
        node.act("hold", first)
    assert counts(node) == mend(node) == {"overtaken": 1}
    assert counts(node) == {}
    row = node.row(first)
    assert row.state == State.CORRECTED
    kept = ("published_as", "published_at", "received_at", "revision", "version", "digest", "base")
    assert [getattr(row, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (row.hold_id, row.conflict_head, row.in_doubt) == (None, None, False)
    assert (node.state(second), node.claim()) == (State.PUBLISHED, [])
    third = node.accept(rows=3, corrects=second).id
    assert node.publish_one(3).submission == third


@pytest.mark.parametrize("by", ["base", "corrects", "both"])
def test_a_conflict_with_its_own_published_correction_is_superseded(store: Database, by: str) -> None:
    node = StoreNode(store)
    node.probe()
    first = node.accept(rows=1).id
    node.try_one(lost())
    second = node.accept(rows=2, corrects=first).id
    sent = {"state": State.PUBLISHED, "blocked": False, "published_as": second, "published_at": node.now, "revision": 2}
    damage(node, second, received_at=node.now, **sent)
    if by != "both":
        damage(node, second, **{"corrects" if by == "base" else "base": None})
    damage(node, first, in_doubt=True, next_attempt_at=None, conflict_head=second, **IN_CONFLICT)
    assert counts(node) == {}, "the master is asked first whether it has it"
    damage(node, first, in_doubt=False, next_attempt_at=None, conflict_head=second, **IN_CONFLICT)
    assert counts(node) == mend(node) == {"overtaken": 1}
    assert counts(node) == {}
    assert (node.state(first), node.state(second)) == (State.SUPERSEDED, State.PUBLISHED)


@pytest.mark.parametrize("left", ["waits", "in conflict"])
@pytest.mark.parametrize("revision", [2, 9])
def test_what_the_master_had_above_its_successor_is_not_put_below_it(store: Database, left: str, revision: int) -> None:
    node = StoreNode(store)
    node.probe()
    first, second = published(node, 1, 2)
    damage(node, first, revision=revision)
    damage(node, first, **(IN_CONFLICT | {"conflict_head": "another"} if left == "in conflict" else LOST_AND_QUEUED))
    assert counts(node) == ({"receipted": 1} if left == "waits" else {})
    assert (node.row(first).revision, node.state(second)) == (revision, State.PUBLISHED)


@pytest.mark.parametrize("base", [None, "another"])
def test_a_conflict_with_a_published_version_that_does_not_correct_it_is_left_to_people(
    store: Database, base: str | None
) -> None:
    node = StoreNode(store)
    node.probe()
    first, second = published(node, 1, 2)
    damage(node, second, base=base, corrects=base)  # as one from another node's bundle
    never = {"published_as": None, "published_at": None, "received_at": None, "revision": None}
    damage(node, first, conflict_head=second, **IN_CONFLICT, **never)
    assert counts(node) == mend(node) == {}
    assert (node.state(first), node.state(second)) == (State.CONFLICT, State.PUBLISHED)


def test_a_conflict_with_what_others_published_is_left_to_people(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    first = node.accept(rows=1).id
    node.try_one(moved("another", 3))
    assert counts(node) == mend(node) == {}
    assert node.state(first) is State.CONFLICT
