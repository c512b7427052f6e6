"""Several kinds in one queue: chains by subject, submissions that belong to no event, turns and refusals by kind."""

import re
import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from resultsq.domain.errors import KeyReused
from resultsq.domain.link import REFUSED_WAIT_S
from resultsq.domain.outcome import Cause, Scope, Unauthorised
from resultsq.domain.sheet import digest
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import events
from resultsq.store.engine.tables import NO_EVENT, Chain, Link, Submission
from resultsq.store.outbox import Entry, Lease, cycle, links, no_event, refusals
from tests.integration.store.test_plans import analyse, explain, heard
from tests.support.nodes import CEILING, DATE, EVENTS, NOW, StoreNode, accepted, migrated

KINDS = ("results", "notes")
FORBIDDEN = Unauthorised(Scope.EVENT, "Not this kind.")


def note(event_id: int, words: str = "hello", id_: str | None = None, **more: Any) -> Entry:
    """What has no versions: its id is its subject."""
    id_ = id_ or str(uuid.uuid4())
    body = words.encode()
    return Entry(
        "notes", event_id, DATE, body, digest(body), digest(body), len(words), "team", subject=id_, id=id_, **more
    )


def send(node: StoreNode, event: str | None = None, words: str = "hello", id_: str | None = None, **more: Any) -> str:
    """Accept a note; its id."""

    def work(conn: Connection) -> str:
        event_id = no_event.ensure_no_event(conn, node.now) if event is None else node.events[event]
        return outbox.accept(conn, node.now, note(event_id, words, id_, **more)).id

    return node.database.write(work)


def claim(node: StoreNode, room: int = CEILING, kinds: Collection[str] = KINDS) -> list[Lease]:
    return list(
        node.database.write(lambda conn: cycle.run_cycle(conn, node.now, "w1", (), room, CEILING, kinds=kinds)).leases
    )


@pytest.fixture
def wide(up: StoreNode) -> StoreNode:
    """A node whose link is up, and whose window is wide open."""
    up.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING, opened_at=up.now)))
    return up


def test_what_has_no_versions_is_never_a_version_of_another(wide: StoreNode) -> None:
    ids = [send(wide, "bushy", "the same words") for _ in range(3)]
    result = wide.accept().id
    assert {lease.submission for lease in claim(wide)} == {*ids, result}, "none waits for another"
    with wide.database.read() as conn:
        chains = {row.date: (row.kind, row.head, row.versions) for row in conn.execute(select(Chain))}
    assert chains == {one: ("notes", one, 1) for one in ids} | {DATE: ("results", result, 1)}


def test_what_belongs_to_no_event_is_claimed_settled_and_in_no_list_of_events(wide: StoreNode) -> None:
    sent = send(wide)
    (lease,) = claim(wide)
    assert (lease.submission, lease.kind, lease.event) == (sent, "notes", "")
    wide.settle(lease, accepted(replace(lease, event="any")))
    assert wide.state(sent) is State.PUBLISHED
    with wide.database.read() as conn:
        assert [one.slug for one in events.every(conn)] == sorted(EVENTS)
        assert [one.slug for one in events.search(conn, "", 9)] == sorted(EVENTS)
        assert events.find(conn, "") is None


def test_the_same_id_is_the_same_submission_and_never_another(wide: StoreNode) -> None:
    id_ = str(uuid.uuid4())
    assert send(wide, "bushy", "once", id_) == send(wide, "bushy", "once", id_) == id_
    same = note(wide.events["bushy"], "once", id_)
    told = wide.database.write(lambda conn: outbox.accept(conn, wide.now, same))
    assert told == outbox.Acknowledgement(id_, State.QUEUED, same.digest, created=False)
    assert wide.count() == 1
    for event, words in (("bushy", "other words"), ("richmond", "once"), (None, "once")):
        with pytest.raises(KeyReused):
            send(wide, event, words, id_)
    assert wide.count() == 1


def test_one_is_stored_where_its_maker_sends_it_twice_at_once(wide: StoreNode) -> None:
    id_, start, found = str(uuid.uuid4()), Barrier(2), []

    def go() -> None:
        start.wait(10)
        found.append(send(wide, None, "once", id_))

    both = [Thread(target=go) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert found == [id_, id_]
    assert wide.count() == 1


def test_it_can_be_withdrawn_and_put_back(wide: StoreNode) -> None:
    sent = send(wide)
    wide.withdraw(sent)
    assert not claim(wide)
    wide.undo_withdrawal(sent)
    assert [lease.submission for lease in claim(wide)] == [sent]


def test_one_of_a_kind_that_cannot_be_sent_keeps_no_other_from_going(wide: StoreNode) -> None:
    sent, result = send(wide), wide.accept().id
    assert [lease.submission for lease in claim(wide, kinds=("results",))] == [result]
    assert (wide.row(sent).state, wide.row(sent).attempts) == (State.QUEUED, 0)


def test_a_kind_that_the_master_refuses_keeps_no_other_kind_of_the_event_from_going(wide: StoreNode) -> None:
    for _ in range(3):
        send(wide, "bushy")
    (lease,) = claim(wide, room=1)
    wide.settle(lease, FORBIDDEN)
    result, other = wide.accept().id, send(wide, "richmond")
    taken = claim(wide)
    assert {one.submission for one in taken} == {result, other}
    for one in taken:
        wide.settle(one, accepted(one))
    assert not claim(wide), "the event's notes are refused as before"
    wide.pass_time(REFUSED_WAIT_S + 1)
    assert len(claim(wide)) == 1, "one a minute is tried"


def test_people_are_told_which_kinds_of_which_events_the_master_refuses(wide: StoreNode) -> None:
    def refused() -> tuple[list[str], int]:
        with wide.database.read() as conn:
            return refusals.refused_events(conn), refusals.count(conn)

    assert refused() == ([], 0)
    for event in ("richmond", "bushy"):
        send(wide, event)
    for lease in claim(wide):
        wide.settle(lease, FORBIDDEN)
    wide.accept()
    wide.settle(claim(wide)[0], FORBIDDEN)
    assert refused() == (["bushy", "richmond"], 2), "two kinds of one event are one event"
    with wide.database.read() as conn:
        seen = {
            (kind, event) for kind in KINDS for event in EVENTS if refusals.is_refused(conn, kind, wide.events[event])
        }
    assert seen == {("notes", "bushy"), ("notes", "richmond"), ("results", "bushy")}


def test_all_that_is_refused_is_tried_when_the_credentials_changed(wide: StoreNode) -> None:
    for _ in range(3):
        send(wide, "bushy")
    wide.database.write(lambda conn: links.credentials_changed(conn, "old"))
    (lease,) = claim(wide, room=1)
    wide.settle(lease, FORBIDDEN)
    assert not claim(wide)
    wide.database.write(lambda conn: links.credentials_changed(conn, "new"))
    assert len(claim(wide)) == 3


def test_as_many_share_a_round_as_the_kinds_weight_says(wide: StoreNode) -> None:
    for _ in range(7):
        send(wide, weight=3)
    with wide.database.read() as conn:
        rounds = list(conn.execute(select(Submission.round).order_by(Submission.seq)).scalars())
    assert rounds == [0, 0, 0, 1, 1, 1, 2]


def test_results_go_before_a_kind_with_patience(wide: StoreNode) -> None:
    for _ in range(20):
        send(wide, "bushy", patience=3)
    results = [wide.accept(event).id for event in EVENTS]
    assert [lease.submission for lease in claim(wide, room=len(results))] == results
    assert {lease.kind for lease in claim(wide)} == {"notes"}, "the others go when none of them waits"


def outages(node: StoreNode, number: int) -> Iterator[int]:
    """The link is lost and returns so many times, and stays in the end. What is done in between is done without it."""
    node.probe(Cause.REFUSED)
    for one in range(number):
        yield one
        node.probe()
        node.probe(Cause.REFUSED)
    node.probe()
    node.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING, opened_at=node.now)))


def test_results_of_each_outage_go_before_the_patient_of_the_first(wide: StoreNode) -> None:
    results = set()
    for number in outages(wide, 3):
        if number == 0:
            for _ in range(20):
                send(wide, "bushy", patience=3)
        else:
            results |= {wide.accept(date=f"2013-12-{day + number:02}").id for day in (1, 10, 20)}
    assert {lease.submission for lease in claim(wide, room=len(results))} == results
    assert {lease.kind for lease in claim(wide)} == {"notes"}, "the others go when none of them waits"


def test_the_patient_of_a_later_outage_wait_for_the_results_of_the_first(wide: StoreNode) -> None:
    """Which had many rounds before it."""
    wide.accept_many(30, "richmond")
    while leases := claim(wide):
        for lease in leases:
            wide.settle(lease, accepted(lease))
    results = set()
    for number in outages(wide, 3):
        if number == 0:
            results = {wide.accept(event).id for event in EVENTS}
        else:
            for _ in range(5):
                send(wide, "bushy", patience=3)
    assert {lease.submission for lease in claim(wide, room=len(results))} == results


def test_a_flood_of_one_kind_keeps_no_other_kind_of_its_event_waiting(wide: StoreNode) -> None:
    for _ in range(30):
        send(wide, "bushy")
    for lease in claim(wide):
        wide.settle(lease, accepted(lease))
    result = wide.accept().id
    assert result in {lease.submission for lease in claim(wide)}


# many

_MANY = (
    "chains (id, kind, event_id, date, versions) SELECT i, 'notes', {event}, 'id-' || i, 1 FROM n",
    "submissions (seq, id, kind, chain_id, event_id, date, version, state, state_at, digest, rows_digest, size,"
    " finishers, submitted_by, accepted_at, request_id, blocked, wait_s, attempts, failures, silences, in_doubt,"
    " lease_s, epoch, round, lane)"
    " SELECT i, 'id-' || i, 'notes', i, {event}, '2013-12-07', 1, 'queued', :now, :digest, 'r', 2, 1,"
    " 't', :now, '', false, 0.0, 0, 0, 0, false, 0.0, {epoch}, i, '{event} notes' FROM n",
    "payloads (seq, body) SELECT i, :body FROM n",
)
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) INSERT INTO "


def flood(node: StoreNode, last: int) -> None:
    """So many notes of no event wait, each in its round."""
    now = f"{NOW:%Y-%m-%d %H:%M:%S.%f}" if node.database.is_sqlite else NOW

    def work(conn: Connection) -> None:
        event_id = no_event.ensure_no_event(conn, node.now)
        epoch = conn.execute(select(Link.epoch)).scalar_one()
        for table in _MANY:
            filled = (_NUMBERS + table).format(last=last, event=event_id, epoch=epoch)
            conn.execute(text(filled), {"now": now, "body": b"{}", "digest": digest(b"{}")})
        if not node.database.is_sqlite:
            for column in ("chains', 'id", "submissions', 'seq"):
                conn.execute(text(f"SELECT setval(pg_get_serial_sequence('{column}'), {last})"))
        conn.execute(update(Link).values(window=CEILING, opened_at=NOW))

    node.database.write(work)
    analyse(node.database)


@pytest.fixture
def flooded(store_url: str) -> Iterator[StoreNode]:
    database = migrated(store_url)
    node = StoreNode(database)
    node.probe()
    flood(node, 10_000)
    yield node
    database.close()


def test_10_000_of_one_kind_cost_results_one_turn_at_most(flooded: StoreNode) -> None:
    assert {lease.kind for lease in claim(flooded, room=2)} == {"notes"}
    ids = [flooded.accept(event).id for event in EVENTS]
    taken = claim(flooded, room=4)
    assert [lease.submission for lease in taken if lease.kind == "results"] == ids
    assert len(taken) == 4, "and one of the many goes as well"


@pytest.mark.parametrize("kind", ["notes", "kites"])
def test_the_last_of_an_event_and_kind_is_found_by_its_index_behind_10_000_of_another(
    flooded: StoreNode, kind: str
) -> None:
    with heard(flooded.database) as statements:
        flooded.database.write(
            lambda conn: outbox.accept(conn, NOW, replace(note(NO_EVENT), kind=kind))  # there is none of the second
        )
    (statement,) = (one for one in statements if "AS round" in one[0] or "INSERT" in one[0])
    how = "EXPLAIN QUERY PLAN" if flooded.database.is_sqlite else "EXPLAIN"
    plan = "\n".join(explain(flooded.database, statement, how))
    assert "ix_submissions_lane" in plan, plan
    assert not re.search(r"TEMP B-TREE|Sort", plan), plan
