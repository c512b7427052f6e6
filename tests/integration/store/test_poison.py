"""No single row stops a worker's cycle: whatever it holds, the others are published, and it is kept and told."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)

from resultsq.clock import SystemClock
from resultsq.delivery import sender
from resultsq.delivery.dispatch import Dispatcher
from resultsq.delivery.masters import open_master
from resultsq.domain.errors import HeadMoved
from resultsq.domain.outcome import Cause, Deferred, Outcome
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import alerts, retention
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MASTER, Attempt, Hold, Payload, Submission, UtcDateTime
from resultsq.store.outbox import faulty_rows, links
from resultsq.store.outbox.aside import BY_ITSELF, NO_KIND, NO_SHEET
from resultsq.store.views import submission_detail
from resultsq.watch import messenger
from tests.integration.bundle.conftest import Far
from tests.support.manual_clock import ManualClock
from tests.support.nodes import CEILING, NOW, StoreNode, accepted, lost, moved, rejected, unsent
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

ENDS: dict[str, tuple[Callable[[outbox.Lease], Outcome], int]] = {
    # an end, and how many values of each column it meets: what reads the row is the same for all of them
    "accepted": (accepted, 9),
    "lost": (lambda _: lost(), 1),
    "moved": (lambda _: moved("elsewhere", 3), 1),
}
SUBMISSIONS: Any = Submission.__table__
ATTEMPTS: Any = Attempt.__table__
KEYS = {"seq", "id", "lease"}
"""By these others find the row: another value is another row."""


def poisons(database: Database, most: int = 9) -> Iterator[tuple[Any, str]]:
    """Each column of a submission, and values (in SQL) that it can hold there and that none of ours ever has: of each
    column so many at most, and NULL."""
    for column in Submission.__table__.columns:
        if column.name in KEYS or (column.foreign_keys and not database.is_sqlite):
            continue
        values = ("'garbage'", "CAST(X'ff00fe' AS TEXT)", "1e999") if database.is_sqlite else _extremes(column)
        yield from ((column, value) for value in values[:most])
        if column.nullable:
            yield column, "NULL"


def _extremes(column: Any) -> Sequence[str]:
    match column.type:
        case Boolean():
            return ("true", "false")
        case BigInteger():
            return ("9223372036854775807", "-9223372036854775808")
        case Integer():
            return ("2147483647", "-2147483648")
        case Float():
            return ("'NaN'", "'Infinity'", "-1e300")
        case UtcDateTime() | DateTime():
            return ("'infinity'", "'-infinity'", "'99999-12-31 23:59:59+00'", "'4000-01-01 00:00:00 BC'")
        case LargeBinary():
            return ("''",)
        case _:
            length = getattr(column.type, "length", None) or 20
            return ("'\"x\"'", f"'{'9' * length}'") if column.name != "reasons" else ("'5'", "'{}'")


def poison(node: StoreNode, submission: str, column: str, value: str) -> None:
    """Past every check, as a fault or a hand in the database would do it."""
    with node.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if node.database.is_sqlite:
            conn.exec_driver_sql("PRAGMA foreign_keys=OFF")
        conn.execute(text(f"UPDATE submissions SET {column} = {value} WHERE id = :id"), {"id": submission})
        if node.database.is_sqlite:
            conn.exec_driver_sql("PRAGMA foreign_keys=ON")


def cycle(node: StoreNode, *ends: Settlement, free: int = CEILING) -> Sequence[outbox.Lease]:
    """A cycle as the dispatcher takes it: what fails is sifted, and then it succeeds. A row that is taken back in the
    first sifting may fail once more when it is claimed."""
    for _ in range(2):
        try:
            return node.turn(*ends, free=free).leases
        except Exception:
            faulty_rows.put_aside_faulty(node.database, node.now, "w1", 2 * CEILING)
            faulty = faulty_rows.faulty_ends(node.database, node.now, ends)
            faulty_rows.put_aside(node.database, node.now, faulty)
            bad = {one.seq for one in faulty}
            ends = tuple(end for end in ends if end.seq not in bad)
    return node.turn(*ends, free=free).leases


def clean(node: StoreNode) -> None:
    """Back to an empty queue."""

    def work(conn: Any) -> None:
        for table in ("attempts", "payloads", "submissions", "chains", "holds"):
            conn.execute(text(f"DELETE FROM {table}"))
        heal_link(conn)

    node.database.write(work)


def heal_link(conn: Any) -> None:
    """Many failures of many queues are no stalled link."""
    whole = {"suspect": False, "suspect_at": None, "window": CEILING, **links.NOTHING_FAILS}
    links.keep(conn, MASTER, links.window(links.lock(conn)), 0, 0, whole)


def kept_queue(node: StoreNode) -> Callable[[], None]:
    """What puts the queue back as it is now, whatever was poisoned meanwhile and whatever became of it: to make it
    anew for each value would take longer than what is looked at."""
    with node.database.read() as conn:
        rows, tries = (conn.execute(select(table)).mappings().all() for table in (SUBMISSIONS, ATTEMPTS))

    def work(conn: Any) -> None:
        conn.execute(delete(ATTEMPTS))
        for row in rows:
            conn.execute(update(SUBMISSIONS).where(SUBMISSIONS.c.seq == row["seq"]).values(**row))
        conn.execute(delete(Hold))
        if tries:
            conn.execute(insert(ATTEMPTS), [dict(one) for one in tries])
        heal_link(conn)

    return lambda: node.database.write(work)


@pytest.fixture
def node(store: Database) -> StoreNode:
    node = StoreNode(store)
    node.probe()
    clean(node)
    return node


def test_the_others_are_claimed_whatever_a_waiting_row_holds(node: StoreNode) -> None:
    bad, good = node.accept("bushy").id, node.accept("richmond").id
    put_back = kept_queue(node)
    for column, value in poisons(node.database):
        poison(node, bad, column.name, value)
        leases = cycle(node)
        assert good in {lease.submission for lease in leases}, f"{column.name} = {value}"
        put_back()


def test_the_others_are_taken_back_whatever_a_dead_workers_row_holds(node: StoreNode) -> None:
    bad, good = node.accept("bushy").id, node.accept("richmond").id
    assert len(node.claim("dead")) == 2
    node.pass_time(3600)
    node.probe()
    put_back = kept_queue(node)
    for column, value in poisons(node.database):
        poison(node, bad, column.name, value)
        leases = cycle(node)
        assert good in {lease.submission for lease in leases}, f"{column.name} = {value}"
        put_back()


@pytest.mark.parametrize("end", ENDS)
def test_the_others_are_settled_whatever_a_row_that_was_sent_holds(node: StoreNode, end: str) -> None:
    outcome_of, most = ENDS[end]
    for column, value in poisons(node.database, most):
        bad, good = node.accept("bushy").id, node.accept("richmond").id
        leases = {lease.submission: lease for lease in node.claim()}
        poison(node, bad, column.name, value)
        ends = [(leases[bad], outcome_of(leases[bad])), (leases[good], accepted(leases[good]))]
        cycle(node, *(sender.settlement(lease, outcome, 0.1, 0.5) for lease, outcome in ends), free=0)
        assert node.state(good) is State.PUBLISHED, f"{column.name} = {value}"
        clean(node)


def test_a_clock_that_stepped_is_mended_whatever_a_row_that_was_put_off_holds(node: StoreNode) -> None:
    bad, good = node.accept("bushy").id, node.accept("richmond").id
    for _ in range(2):
        node.try_one(lost())
        node.probe()
    node.database.write(
        lambda conn: conn.execute(update(Submission).values(next_attempt_at=node.now + timedelta(days=1)))
    )
    put_back = kept_queue(node)
    for column, value in poisons(node.database):
        poison(node, bad, column.name, value)
        try:
            node.database.write(lambda conn: outbox.mend_stepped_clock(conn, node.now))
        except Exception:
            assert faulty_rows.put_aside_faulty(node.database, node.now, "w1", 2 * CEILING)
            node.database.write(lambda conn: outbox.mend_stepped_clock(conn, node.now))
        assert node.row(good).next_attempt_at is None, f"{column.name} = {value}"
        put_back()


def held_aside(node: StoreNode, submission: str) -> str | None:
    """Why resultsq holds it."""
    with node.database.read() as conn:
        query = select(Hold.reason).join(Submission, Submission.hold_id == Hold.id)
        return conn.execute(query.where(Submission.id == submission, Hold.placed_by == BY_ITSELF)).scalar()


def test_a_waiting_row_without_its_sheet_is_put_aside_and_told_and_can_be_withdrawn(
    node: StoreNode, tmp_path: Path
) -> None:
    bad, good = node.accept("bushy").id, node.accept("richmond").id
    node.database.write(lambda conn: conn.execute(delete(Payload).where(Payload.seq == node.row(bad).seq)))
    assert [lease.submission for lease in node.claim()] == [good]
    assert held_aside(node, bad) == NO_SHEET
    messenger.evaluate_alerts(Settings(data_dir=tmp_path, disk_low_bytes=1), node.database, ManualClock(node.now))
    with node.database.read() as conn:
        assert [alert.rule for alert in alerts.standing(conn)] == ["put-aside"]
        found = submission_detail.load_detail(conn, node.now, bad)
    assert found is not None
    node.withdraw(bad)
    again = node.accept("bushy").id
    assert [lease.submission for lease in node.claim()] == [again]
    with node.database.read() as conn:
        assert outbox.count_aside(conn) == 0


def test_one_that_is_put_aside_begins_anew_and_no_other_is_touched(node: StoreNode) -> None:
    published = node.accept("bushy").id
    node.publish_one()
    beside = node.accept("richmond").id
    node.claim_one()
    put_off = node.accept("bushy", date="2013-12-14").id
    node.try_one(Deferred(Cause.SILENT, "No answer.", in_doubt=False))
    fresh = node.accept("wimbledon").id
    held = [node.row(one) for one in (published, beside)]
    before = node.row(put_off)
    assert (before.failures, before.silences) == (1, 1)
    seqs = [node.row(one).seq for one in (published, put_off, fresh)]
    node.database.write(lambda conn: outbox.put_aside(conn, node.now, seqs, NO_SHEET))
    assert [node.row(one) for one in (published, beside)] == held
    with node.database.read() as conn:
        assert outbox.count_aside(conn) == 2
    for one in (put_off, fresh):
        row = node.row(one)
        assert (row.state, row.detail, held_aside(node, one)) == (State.QUEUED, NO_SHEET, NO_SHEET)
        assert (row.failures, row.silences, row.wait_s, row.next_attempt_at) == (0, 0, 0.0, None)
        assert (row.lease, row.lease_owner, row.lease_until, row.lease_s) == (None, None, None, 0.0)
    assert not node.row(fresh).in_doubt, "it was never sent"
    assert [one.outcome for one in node.attempts(beside)] == [None], "it is under way as before"


def test_one_that_a_worker_has_in_hand_is_in_doubt_when_it_is_put_aside(node: StoreNode) -> None:
    made, beside = node.accept("bushy").id, node.accept("richmond").id
    node.claim()
    node.database.write(lambda conn: outbox.put_aside(conn, node.now, [node.row(made).seq], NO_SHEET))
    assert (node.state(made), node.row(made).in_doubt) == (State.QUEUED, True)
    assert [one.outcome for name in (made, beside) for one in node.attempts(name)] == ["unknown", None]
    node.act("hold", beside)
    with node.database.read() as conn:
        assert outbox.count_aside(conn) == 1, "what a person holds is not aside"
    node.act("release", made)
    with node.database.read() as conn:
        assert outbox.count_aside(conn) == 0


def test_what_is_of_no_known_kind_is_put_aside_and_never_sent(node: StoreNode) -> None:
    bad, good = node.accept("bushy").id, node.accept("richmond").id
    poison(node, bad, "kind", "'kayaks'")
    assert [lease.submission for lease in node.claim()] == [good]
    assert held_aside(node, bad) == NO_KIND
    assert (node.row(bad).detail, node.row(bad).attempts, node.attempts(bad)) == (NO_KIND, 0, [])
    node.act("release", bad)
    assert node.claim() == [], "and again, for it is as unknown as before"
    assert held_aside(node, bad) == NO_KIND
    poison(node, bad, "kind", "'results'")  # as for a newer version, which knows it
    node.act("release", bad)
    assert [lease.submission for lease in node.claim()] == [bad]


def test_what_was_put_aside_goes_when_its_row_is_mended_and_it_is_released(node: StoreNode) -> None:
    bad = node.accept("bushy").id
    size = node.row(bad).size
    poison(node, bad, "size", "'garbage'" if node.database.is_sqlite else "2147483647")
    poison(node, bad, "attempts", "'garbage'" if node.database.is_sqlite else "2147483647")
    assert cycle(node) == []
    assert "its log says where" in (held_aside(node, bad) or "")
    poison(node, bad, "size", str(size))
    poison(node, bad, "attempts", "0")
    node.release(node.row(bad).hold_id)
    node.act("release", bad)
    assert [lease.submission for lease in node.claim()] == [bad]


@pytest.mark.parametrize("stage", ["waiting", "a dead worker's", "put off"])
def test_a_real_worker_publishes_the_others_when_one_row_is_poisoned(store: Database, far: Far, stage: str) -> None:
    node, clock = StoreNode(store), SystemClock()
    node.now = clock.now()
    node.probe()
    ids = [node.accept("bushy", date=f"2012-01-{day:02}").id for day in range(1, 7)]
    column, value = ("attempts", "2147483647")
    if stage == "a dead worker's":
        node.claim("dead", free=1)
        column, value = ("lease_until", "'infinity'")
    if stage == "put off":
        node.try_one(lost())
        node.probe()
        poison(node, ids[0], "next_attempt_at", f"'{node.now + timedelta(days=1):%Y-%m-%d %H:%M:%S.%f}+00'")
        column, value = ("wait_s", "'NaN'")
    poison(node, ids[0], column, "CAST(X'ff00fe' AS TEXT)" if store.is_sqlite else value)
    master = open_master(far.url, "a token", clock=clock)
    with closing(master):
        worker = Dispatcher(store, master, clock, "w1", CEILING, 0.2)
        worker.start()
        try:
            wait_until(lambda: node.count(state=State.PUBLISHED) == 5, 60, "the others")
        finally:
            worker.stop()
    assert set(far.has()) == set(ids[1:])


# prune, and what puts back


def test_no_bytes_are_lost_when_prune_and_undo_meet(store: Database) -> None:
    node = StoreNode(store)
    node.probe()
    made = node.accept().id
    for _ in range(10):
        node.withdraw(made)
        _at_once(partial(node.undo_withdrawal, made), lambda: store.write(prune_all))
        if node.state(made) is State.WITHDRAWN:  # the prune was first
            with pytest.raises(HeadMoved, match="removed from this node"):
                node.undo_withdrawal(made)
            made = node.accept().id
        (lease,) = node.claim()
        assert (lease.submission, lease.body[:1]) == (made, b"{")
        node.settle(lease, unsent())
        node.pass_time(600)
        node.probe()


def prune_all(conn: Any) -> object:
    return retention.prune_some(conn, NOW + timedelta(days=3650))


def _at_once(*calls: Callable[[], object]) -> None:
    """Both from the same moment on; a refusal in words is an answer."""
    begin = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        begin.wait()
        try:
            call()
        except HeadMoved:
            return

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_prune_leaves_what_an_undo_puts_back_while_it_looks(postgres_store: Database) -> None:
    node = StoreNode(postgres_store)
    node.probe()
    made = node.accept().id
    node.withdraw(made)
    looked, back = threading.Event(), threading.Event()

    def pause(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread().name == "prune" and "DELETE FROM originals" in statement:
            looked.set()
            back.wait(1.0)

    with ExitStack() as stack:
        event.listen(postgres_store.engine, "before_cursor_execute", pause)
        stack.callback(event.remove, postgres_store.engine, "before_cursor_execute", pause)
        prune = threading.Thread(target=lambda: postgres_store.write(prune_all), name="prune")
        prune.start()
        assert looked.wait(60)
        with pytest.raises(HeadMoved, match="removed from this node"):
            node.undo_withdrawal(made)
        back.set()
        prune.join()
    assert node.state(made) is State.WITHDRAWN


def test_a_row_without_its_sheet_is_not_published_over(node: StoreNode) -> None:
    made = node.accept().id
    node.try_one(rejected())
    node.database.write(lambda conn: conn.execute(delete(Payload)))
    with pytest.raises(HeadMoved, match="removed from this node"):
        node.publish_over(made)
    with node.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(Payload)).scalar_one() == 0


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    found = Far(f"sqlite:///{tmp_path / 'master.db'}")
    yield found
    found.master.close()
