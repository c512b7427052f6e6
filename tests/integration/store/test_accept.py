"""The promise: a version is stored once, on top of the one that it names, or not at all."""

import pytest
from sqlalchemy import func, select

from resultsq.domain.errors import HeadMoved, KeyReused, NotThere
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import quotas
from resultsq.store.engine.tables import Base, Original, Payload
from resultsq.store.outbox import File
from resultsq.store.outbox.day_counts import Used
from tests.support.nodes import DATE, StoreNode, accepted, rejected


def rows_in(node: StoreNode, table: type[Base]) -> int:
    with node.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def test_the_very_bytes_are_kept_when_a_version_is_accepted(node: StoreNode) -> None:
    files = (File("watch.csv", "stopwatch", "d1", b"\x00\xff"), File("scan.csv", "scanner", "d2", b""))
    entry = node.entry(files=files, request_id="request")
    told = node.database.write(lambda conn: outbox.accept(conn, node.now, entry))
    assert told == outbox.Acknowledgement(entry.id, State.QUEUED, entry.digest, created=True)
    row = node.row(entry.id)
    assert (row.version, row.base, row.blocked, row.next_attempt_at) == (1, None, False, None)
    assert (row.date, row.size, row.finishers, row.request_id) == (DATE, len(entry.body), 3, "request")
    assert (row.accepted_at, row.state_at) == (node.now, node.now)
    assert (row.attempts, row.failures, row.silences, row.wait_s, row.lease_s) == (0, 0, 0, 0, 0), "it was never tried"
    assert (row.in_doubt, row.personal) == (False, False)
    with node.database.read() as conn:
        assert conn.execute(select(Payload.body)).scalar_one() == entry.body
        kept = conn.execute(select(Original.name, Original.kind, Original.content).order_by(Original.id)).all()
    assert [tuple(one) for one in kept] == [("watch.csv", "stopwatch", b"\x00\xff"), ("scan.csv", "scanner", b"")]


def test_the_same_rows_are_the_same_submission_when_they_are_those_of_the_head(node: StoreNode) -> None:
    first = node.accept()
    for again in (node.accept(by="a colleague"), node.accept(corrects="any"), node.accept(corrects=first.id)):
        assert again == outbox.Acknowledgement(first.id, State.QUEUED, first.digest, created=False)
    assert node.count() == rows_in(node, Payload) == 1


def test_the_same_rows_tell_the_live_state_when_the_head_is_published(up: StoreNode) -> None:
    first = up.accept()
    up.publish_one()
    assert up.accept() == outbox.Acknowledgement(first.id, State.PUBLISHED, first.digest, created=False)


def test_the_rows_of_an_older_version_are_a_new_correction(node: StoreNode) -> None:
    first = node.accept(rows=1)
    second = node.accept(rows=2, corrects=first.id)
    third = node.accept(rows=1, corrects=second.id)
    assert third.created
    assert [node.row(one.id).version for one in (first, second, third)] == [1, 2, 3]


def test_another_event_or_day_or_kind_is_another_chain(node: StoreNode) -> None:
    made = [node.accept(), node.accept("richmond"), node.accept(date="2013-12-14")]
    assert all(one.created for one in made)
    assert len({node.row(one.id).chain_id for one in made}) == 3


def test_nothing_is_stored_and_the_head_is_told_when_a_correction_names_no_version(node: StoreNode) -> None:
    first = node.accept(rows=1)
    for named in (None, "another"):
        with pytest.raises(HeadMoved) as refused:
            node.accept(rows=2, corrects=named)
        assert refused.value.head == first.id
    assert node.count() == 1


def test_nothing_is_stored_when_a_correction_names_a_version_and_there_is_none(node: StoreNode) -> None:
    with pytest.raises(HeadMoved) as refused:
        node.accept(corrects="gone")
    assert refused.value.head is None
    assert node.count() == 0


def test_nothing_is_stored_when_a_colleague_was_quicker(node: StoreNode) -> None:
    first = node.accept(rows=1)
    second = node.accept(rows=2, corrects=first.id)
    with pytest.raises(HeadMoved) as refused:
        node.accept(rows=3, corrects=first.id)
    assert refused.value.head == second.id
    assert node.count() == 2


def test_the_same_key_is_the_same_submission_whatever_became_of_it(up: StoreNode) -> None:
    first = up.accept(rows=1, client_key="k")
    assert up.accept(rows=1, client_key="k") == outbox.Acknowledgement(
        first.id, State.QUEUED, first.digest, created=False
    )
    up.try_one(rejected())
    second = up.accept(rows=2, corrects=first.id, client_key="k2")
    assert up.accept(rows=1, client_key="k") == outbox.Acknowledgement(
        first.id, State.SUPERSEDED, first.digest, created=False
    )
    assert up.accept(rows=2, client_key="k2").id == second.id, "the key alone is enough: the answer may have been lost"


def test_nothing_is_stored_when_a_key_comes_with_other_content(node: StoreNode) -> None:
    first = node.accept(rows=1, client_key="k")
    with pytest.raises(KeyReused):
        node.accept(rows=2, corrects=first.id, client_key="k")
    with pytest.raises(KeyReused):
        node.accept(rows=1, date="2013-12-14", client_key="k")
    assert node.count() == 1


def test_a_key_is_the_events_own(node: StoreNode) -> None:
    node.accept(client_key="k")
    assert node.accept("richmond", client_key="k").created


def test_a_key_stands_for_the_head_when_its_rows_were_there_before(node: StoreNode) -> None:
    first = node.accept()
    assert node.accept(client_key="k").id == first.id
    with pytest.raises(KeyReused):
        node.accept(rows=9, corrects=first.id, client_key="k")


def test_a_key_stands_for_nothing_any_more_when_it_was_forgotten(node: StoreNode) -> None:
    first = node.accept(rows=1, client_key="k")
    node.pass_time(3600)
    node.database.write(lambda conn: outbox.forget_client_keys(conn, node.now))
    assert node.accept(rows=2, corrects=first.id, client_key="k").created


def test_a_key_is_kept_as_long_as_it_is_no_older_than_asked_for(node: StoreNode) -> None:
    first = node.accept(rows=1, client_key="k")
    node.database.write(lambda conn: outbox.forget_client_keys(conn, node.now))
    with pytest.raises(KeyReused):
        node.accept(rows=2, corrects=first.id, client_key="k")


def test_what_an_event_has_handed_in_is_counted_anew_each_day(node: StoreNode) -> None:
    def used(event: str, size: int) -> Used:
        return node.database.write(lambda conn: quotas.use(conn, node.now, node.events[event], size))

    assert [used("bushy", 100), used("bushy", 20)] == [Used(1, 100), Used(2, 120)]
    assert used("richmond", 5) == Used(1, 5)
    assert used("bushy", 3) == Used(3, 123)
    node.pass_time(86_400)
    assert [used("bushy", 7), used("bushy", 1)] == [Used(1, 7), Used(2, 8)]


def test_a_refusal_leaves_no_key_behind(node: StoreNode) -> None:
    first = node.accept(rows=1)
    with pytest.raises(HeadMoved):
        node.accept(rows=2, client_key="k")
    assert node.accept(rows=2, corrects=first.id, client_key="k").created


def test_a_seq_is_in_the_order_of_acceptance(node: StoreNode) -> None:
    made = [node.accept(event).id for event in ("wimbledon", "bushy", "richmond")]
    seqs = [node.row(one).seq for one in made]
    assert seqs == sorted(seqs)


@pytest.mark.parametrize("act", [StoreNode.withdraw, StoreNode.undo_withdrawal, StoreNode.publish_over])
def test_nobody_can_act_on_what_is_not_there(node: StoreNode, act: object) -> None:
    assert callable(act)
    with pytest.raises(NotThere):
        act(node, "nobody's")


def test_an_accepted_version_is_what_a_worker_sends(up: StoreNode) -> None:
    entry = up.entry(request_id="request")
    up.database.write(lambda conn: outbox.accept(conn, up.now, entry))
    lease = up.claim_one()
    sent = (lease.submission, lease.event, lease.date, lease.body, lease.digest, lease.base, lease.request_id)
    assert sent == (entry.id, "bushy", DATE, entry.body, entry.digest, None, "request")
    assert (lease.in_doubt, lease.attempt, lease.failures, lease.silences) == (False, 1, 0, 0)
    up.settle(lease, accepted(lease))
    assert up.state(entry.id) is State.PUBLISHED
