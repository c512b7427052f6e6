"""Several destinations in one queue: each has its own link, window, turns and outages, and none waits for another."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from resultsq.delivery import sender
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome, Receipt
from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.settlement import Settlement
from resultsq.domain.sheet import digest
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import alerts, comparisons
from resultsq.store.engine.tables import MAIL, MASTER, Link, Submission
from resultsq.store.outbox import Entry, Lease, cycle, links, no_event
from resultsq.store.views import overview_data, queries, state_counts
from tests.integration.store.test_plans import explain, heard
from tests.support.nodes import CEILING, DATE, NOW, StoreNode, rejected

KINDS = ("results", "mail")


def mail(words: str) -> Entry:
    body, id_ = words.encode(), str(uuid.uuid4())
    return Entry(
        "mail", 0, DATE, body, digest(body), digest(body), 1, "node", subject=id_, id=id_, destination=MAIL
    )  # fmt: skip


class Post:
    """The mails of a node, and what its workers do with them."""

    def __init__(self, node: StoreNode) -> None:
        self.node = node
        node.database.write(lambda conn: links.ensure(conn, node.now, CEILING, MAIL))
        self.probe()

    def put(self, count: int = 1) -> list[str]:
        def work(conn: Connection) -> list[str]:
            no_event.ensure_no_event(conn, self.node.now)
            return [outbox.accept(conn, self.node.now, mail(f"mail {n}")).id for n in range(count)]

        return self.node.database.write(work)

    def turn(
        self, *ends: Settlement, free: int = CEILING, worker: str = "w1", prefetched: int | None = None
    ) -> cycle.Cycle:
        return self.node.database.write(
            lambda conn: cycle.run_cycle(
                conn, self.node.now, worker, ends, free, CEILING, prefetched, kinds=KINDS, destination=MAIL
            )
        )

    def end(self, lease: Lease, outcome: Outcome) -> None:
        self.turn(sender.settlement(lease, outcome, 0.1, 0.5), free=0)

    def send(self, *leases: Lease) -> None:
        for lease in leases:
            receipt = Receipt(submission=lease.submission, digest=lease.digest, received_at=self.node.now)
            self.end(lease, Accepted(receipt))

    def probe(self, cause: Cause | None = None) -> links.LinkChange:
        def work(conn: Connection) -> links.LinkChange:
            number = links.start_probe(conn, self.node.now, 0.5, MAIL)
            answer = ProbeAnswer(cause, "", 0.0)
            return links.probe_answered(conn, self.node.now, number, answer, CEILING, 0.5, MAIL)

        return self.node.database.write(work)

    def link(self, name: str = MAIL) -> Any:
        with self.node.database.read() as conn:
            return conn.execute(select(Link).where(Link.name == name)).one()


@pytest.fixture
def post(up: StoreNode) -> Post:
    return Post(up)


def open_wide(node: StoreNode) -> None:
    node.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING, opened_at=node.now)))


def test_each_destination_has_its_own_turns_and_its_own_window(post: Post) -> None:
    mails, result = post.put(20), post.node.accept().id
    taken = post.turn(free=CEILING).leases
    assert [one.submission for one in taken] == mails[:2], "a window of its own, at its opening"
    assert [lease.submission for lease in post.node.claim()] == [result], "no mail is in its way"
    assert post.turn().leases == [], "its window is full"
    assert post.link(MASTER).turns == 1
    assert post.link(MAIL).turns == 2


def test_results_go_while_the_mail_server_is_away_and_mails_while_the_master_is(post: Post) -> None:
    post.probe(Cause.REFUSED)
    mails, result = post.put(2), post.node.accept().id
    assert post.turn().leases == []
    assert [lease.submission for lease in post.node.claim()] == [result]
    post.node.pass_time(1)
    post.probe()
    post.node.probe(Cause.REFUSED)
    post.node.accept("richmond")
    assert post.node.claim() == []
    assert [one.submission for one in post.turn().leases] == mails


def test_mails_let_results_go_first_for_a_moment_after_the_masters_return(post: Post) -> None:
    mails = post.put(2)
    post.node.probe(Cause.REFUSED)
    post.node.accept()
    assert [one.submission for one in post.turn(free=1).leases] == mails[:1], (
        "the master is away, and no mail waits for it"
    )
    assert post.node.probe().returned
    assert post.turn(prefetched=0).leases == []
    post.node.publish_one()
    assert [one.submission for one in post.turn().leases] == mails[1:]


def test_mails_wait_for_no_master_that_takes_nothing(post: Post) -> None:
    post.node.probe(Cause.REFUSED)
    mails = post.put(1)
    post.node.accept()
    post.node.probe()
    post.node.pass_time(links.RESULTS_FIRST_S - 1)
    assert post.turn().leases == []
    post.node.pass_time(1)
    assert [one.submission for one in post.turn().leases] == mails


def test_a_return_ends_the_waits_of_its_own_destination_alone(post: Post) -> None:
    (one,), result = post.put(), post.node.accept().id
    (lease,), (other,) = post.turn().leases, post.node.claim()
    lost = Deferred(Cause.RESET, "The connection was cut.", in_doubt=False)
    post.end(lease, lost)
    post.node.settle(other, lost)
    post.probe(Cause.RESET)
    post.node.probe(Cause.RESET)
    assert post.probe().returned
    assert post.node.row(one).next_attempt_at is None
    assert post.node.row(result).next_attempt_at is not None
    outages = {row.link: row.delayed for row in post.node.outages() if row.ended_at is not None}
    assert outages == {MAIL: 1}
    with post.node.database.read() as conn:
        shown = overview_data.latest_outages(conn)
    assert [one.ended_at for one in shown] == [None], "what people see of outages are those of results"


def test_what_a_worker_held_is_found_by_its_destination(post: Post) -> None:
    (one,), result = post.put(), post.node.accept().id
    (lease,), (other,) = post.turn().leases, post.node.claim()
    with post.node.database.read() as conn:
        assert outbox.unknown_leases(conn, "w1", ()) == [other.lease]
        assert outbox.unknown_leases(conn, "w1", (), MAIL) == [lease.lease]
        assert len(outbox.leased(conn, MAIL)) == 1
    assert post.node.database.write(lambda conn: outbox.void_leases(conn, post.node.now, "w1", MAIL)) == 1
    assert (post.node.state(one), post.node.row(one).in_doubt) == (State.QUEUED, False), "nothing of it had left"
    assert post.node.state(result) is State.SENDING


def test_a_hold_of_results_holds_no_mail(post: Post) -> None:
    mails, _ = post.put(1), post.node.accept()
    post.node.hold()
    assert post.node.claim() == []
    assert [one.submission for one in post.turn().leases] == mails, "the mail may tell of it"


def test_the_master_is_asked_about_no_mail_and_a_bundle_has_none(post: Post) -> None:
    sent, _ = post.put(2)
    (lease, other) = post.turn().leases
    post.send(lease)
    post.end(other, rejected())
    (waits,) = post.put()
    post.node.pass_time(3600)
    with post.node.database.read() as conn:
        asked = outbox.open_questions(conn, post.node.now, {}, NOW - timedelta(days=1))
        assert comparisons.newest_names(conn, post.node.now, NOW - timedelta(days=1)) == []
    assert (asked.questions, asked.older) == ([], 0)
    post.node.database.write(lambda conn: conn.execute(update(Submission).values(in_doubt=True)))
    with post.node.database.read() as conn:
        assert comparisons.unanswered(conn) is None
    post.node.database.write(lambda conn: conn.execute(update(Submission).values(in_doubt=False)))
    assert post.node.state(sent) is State.PUBLISHED
    carried, _ = post.node.database.write(lambda conn: outbox.export(conn, post.node.now, [State.QUEUED], "usb"))
    assert carried == []
    assert not post.node.row(waits).in_doubt


def test_no_figure_of_results_counts_a_mail(post: Post) -> None:
    post.put(3)
    post.end(post.turn(free=1).leases[0], rejected())
    with post.node.database.read() as conn:
        assert queries.oldest_waiting_at(conn) is None
        assert queries.oldest_waiting_seq(conn) is None
        counted = state_counts.look(conn).in_each_state(of_the_master=True)
        seen = alerts.counts(conn, post.node.now)
        assert overview_data.needs_person(conn) == []
    assert not any(counted.values()), counted
    assert (seen.waiting, seen.rejected, seen.oldest_waiting_at) == (0, {}, None)
    accepted_at = post.node.now
    post.node.accept()
    with post.node.database.read() as conn:
        assert queries.oldest_waiting_at(conn) == accepted_at
        assert state_counts.look(conn).in_each_state(of_the_master=True)[State.QUEUED] == 1


def many(node: StoreNode, count: int) -> None:
    """So many mails that wait, not the long way."""
    put_off = "CASE WHEN i % 3 = 0 THEN :due END"
    due = NOW - timedelta(seconds=1)
    asked: dict[str, Any] = {"now": NOW.replace(tzinfo=None), "due": due}
    if node.database.is_sqlite:
        asked = {name: f"{moment:%Y-%m-%d %H:%M:%S.%f}" for name, moment in asked.items()}
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1000001 UNION ALL SELECT i + 1 FROM n WHERE i < {1000000 + count}) "
    rows = (
        "INSERT INTO chains (id, kind, event_id, date, versions) SELECT i, 'mail', 0, CAST(i AS text), 1 FROM n",
        "INSERT INTO submissions (seq, id, kind, chain_id, event_id, date, version, state, state_at, digest,"
        " rows_digest, size, finishers, submitted_by, accepted_at, request_id, blocked, wait_s, attempts, failures,"
        " silences, in_doubt, lease_s, next_attempt_at, epoch, round, lane, destination)"
        " SELECT i, 'id-' || i, 'mail', i, 0, '2013-12-07', 1, 'queued', :now, 'd', 'r', 2, 1, 't', :now, '', false,"
        f" 60.0, 0, 0, 0, false, 0.0, {put_off}, 1, i, '0 mail', 'mail' FROM n",
    )

    def work(conn: Connection) -> None:
        no_event.ensure_no_event(conn, node.now)
        for row in rows:
            conn.execute(text(numbers + row), {name: value for name, value in asked.items() if f":{name}" in row})

    node.database.write(work)
    with node.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")


def test_a_turn_of_results_reads_no_mail_however_many_wait(post: Post) -> None:
    many(post.node, 5_000)
    for number in range(3):
        post.node.accept(rows=number + 1, date=f"2013-11-0{number + 1}")
    open_wide(post.node)
    with heard(post.node.database) as statements:
        leases = post.node.claim()
    assert [lease.kind for lease in leases] == ["results"] * 3
    looked = [one for one in statements if "destination" in one[0]]
    assert looked
    for statement in looked:
        how = "EXPLAIN QUERY PLAN" if post.node.database.is_sqlite else "EXPLAIN"
        plan = "\n".join(explain(post.node.database, statement, how))
        assert "ix_submissions_due" in plan, plan
        if "LIMIT" in statement[0]:  # it is found by its destination, not passed over
            assert "destination" in plan, plan
    with post.node.database.read() as conn:
        assert conn.execute(select(Submission.seq).where(Submission.destination == MAIL).limit(1)).first()
