"""What another node handed to this one: it is taken once, and that node is told what became of it."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from resultsq.domain.errors import KnownOtherwise
from resultsq.domain.outcome import Exchange, Reason, Receipt, Rejected
from resultsq.domain.role import Role
from resultsq.domain.submission import WAITING, State
from resultsq.store.admin import tokens
from resultsq.store.engine.tables import Custody, SlipRow, Submission
from resultsq.store.outbox import BundledVersion, custody, handovers
from resultsq.store.outbox.bundles import bundled_size, export
from resultsq.store.outbox.custody import HeldHere, Holder
from tests.support.nodes import DATE, NOW, StoreNode, moved


def bundled(node: StoreNode, event: str = "bushy", rows: int = 3, base: str | None = None) -> BundledVersion:
    """A version as another node sends it."""
    made = node.entry(event, rows)
    return BundledVersion(
        str(uuid.uuid4()), "results", event, DATE, base, made.digest, made.rows_digest, rows, "team", NOW, made.body
    )  # fmt: skip


def take(node: StoreNode, version: BundledVersion, via: str = "node-a") -> bool:
    label = f"a node {uuid.uuid4()}"
    token = node.database.write(lambda conn: tokens.issue_numbered(conn, node.now, label, Role.NODE)[1])
    event, holder = node.events[version.event], Holder(token, via)
    return node.database.write(lambda conn: custody.take_custody(conn, node.now, version, event, holder))


def held(node: StoreNode, submission: str) -> HeldHere:
    with node.database.read() as conn:
        found = custody.held_here(conn, submission)
    assert found is not None
    return found


def custodies(node: StoreNode) -> dict[str, Any]:
    with node.database.read() as conn:
        query = select(Submission.id, Custody.via, Custody.received_at).join(Custody, Custody.seq == Submission.seq)
        return {row.id: (row.via, row.received_at) for row in conn.execute(query)}


def test_it_is_taken_once_and_is_in_doubt_from_the_start(up: StoreNode) -> None:
    version = bundled(up)
    up.pass_time(60)
    own = up.accept("richmond").id
    assert take(up, version) is True
    since = up.now
    up.pass_time(60)
    assert take(up, version) is False
    assert custodies(up) == {version.id: ("node-a", since)}
    assert held(up, version.id) == HeldHere(
        version.id, "bushy", State.QUEUED, version.digest, since, None, None, None, None, "", ()
    )
    assert held(up, own).event == "richmond"
    assert {lease.submission: lease.in_doubt for lease in up.claim()} == {version.id: True, own: False}
    with up.database.read() as conn:
        assert custody.held_here(conn, str(uuid.uuid4())) is None


def test_another_sheet_under_its_id_is_refused(up: StoreNode) -> None:
    version = bundled(up)
    take(up, version)
    with pytest.raises(KnownOtherwise):
        take(up, replace(bundled(up, rows=4), id=version.id))
    assert up.row(version.id).digest == version.digest


def test_a_chain_that_comes_one_by_one_goes_in_its_order(up: StoreNode) -> None:
    first = bundled(up)
    second = bundled(up, rows=4, base=first.id)
    assert take(up, first)
    assert take(up, second)
    assert [up.row(one.id).round for one in (first, second)] == [0, 1], "its event takes turns"
    assert up.publish_one(1).submission == first.id
    lease = up.publish_one(2)
    assert (lease.submission, lease.base) == (second.id, first.id)
    assert [held(up, one.id).state for one in (first, second)] == [State.CORRECTED, State.PUBLISHED]


def test_a_version_of_another_node_waits_while_one_of_here_is_being_sent(up: StoreNode) -> None:
    up.accept()
    up.claim_one()
    version = bundled(up, rows=4)
    take(up, version)
    assert (up.row(version.id).base, up.row(version.id).blocked) == (None, True)
    assert up.claim() == []


def test_a_sheet_goes_into_a_bundle_that_it_fills_to_the_last_byte(up: StoreNode) -> None:
    made = up.accept().id
    size = bundled_size(up.row(made).size)

    def exported(room: int) -> list[str]:
        found = up.database.write(lambda conn: export(conn, up.now, WAITING, "a bundle", room=room))[0]
        return [one.id for one in found]

    assert exported(size - 1) == []
    assert exported(size) == [made]


@pytest.mark.parametrize("state", [State.PUBLISHED, State.CORRECTED])
def test_the_masters_receipt_is_shown_to_the_node_that_handed_it_over(up: StoreNode, state: State) -> None:
    version = bundled(up)
    take(up, version)
    up.publish_one(5)
    other = up.accept("richmond").id
    if state is State.CORRECTED:
        up.act("hold", other)
        up.accept(rows=4, corrects=version.id)
        up.publish_one(6)
    found = held(up, version.id)
    assert (found.state, found.receipt) == (
        state,
        Receipt(submission=version.id, event="bushy", date=DATE, revision=5, digest=version.digest, received_at=NOW),
    )
    assert held(up, other).receipt is None


def test_the_receipt_names_the_submission_that_the_master_has_where_its_rows_were_equal(up: StoreNode) -> None:
    version = bundled(up)
    take(up, version)
    (call,) = up.database.write(lambda conn: handovers.begin(conn, up.now, "relay", 0, 10))[0]
    up.database.write(lambda conn: handovers.settle_as(conn, up.now, call, moved("another", 3), True))
    receipt = held(up, version.id).receipt
    assert receipt is not None
    assert (receipt.submission, receipt.revision) == ("another", 3)


@pytest.mark.parametrize("number", [None, "A7"])
def test_the_receipt_of_a_kind_without_versions_tells_the_number_where_there_is_one(
    up: StoreNode, number: str | None
) -> None:
    """A slip keeps the number that the master gave."""
    version = bundled(up)
    take(up, version)
    up.publish_one()
    seq = up.row(version.id).seq

    def work(conn: Any) -> None:
        conn.execute(update(Submission).where(Submission.seq == seq).values(revision=None))
        if number is not None:
            conn.execute(insert(SlipRow).values(seq=seq, name="A. Person", number=number))

    up.database.write(work)
    more = {} if number is None else {"athlete": number}
    expected = Receipt(submission=version.id, kind="results", digest=version.digest, received_at=NOW, **more)
    assert held(up, version.id).receipt == expected


def test_a_conflict_and_a_rejection_are_told_with_all_that_the_master_said(up: StoreNode) -> None:
    first, second = bundled(up), bundled(up, "richmond")
    take(up, first)
    take(up, second)
    up.try_one(moved("another", 3))
    up.try_one(Rejected("invalid-sheet", "No.", (Reason("It is no time.", "/finishers/2/time"),), Exchange(status=422)))
    found = held(up, first.id)
    assert (found.state, found.head, found.head_revision, found.status) == (State.CONFLICT, "another", 3, 412)
    found = held(up, second.id)
    assert (found.state, found.head, found.status, found.detail) == (State.REJECTED, None, 422, "No.")
    assert [reason["detail"] for reason in found.reasons] == ["It is no time."]


def test_a_node_keeps_the_name_that_it_was_given_first(up: StoreNode) -> None:
    with up.database.read() as conn:
        assert custody.known_name(conn) is None
    name = up.database.write(custody.node_name)
    assert name.startswith("node-")
    assert up.database.write(custody.node_name) == name
    with up.database.read() as conn:
        assert custody.known_name(conn) == name


def test_what_is_handed_on_names_the_nodes_that_it_came_through_and_this_one_last(up: StoreNode) -> None:
    version = bundled(up)
    take(up, version, "node-a, node-b,")
    own = up.accept("richmond").id
    name = up.database.write(custody.node_name)
    calls, _ = up.database.write(lambda conn: handovers.begin(conn, up.now, "relay", 0, 10))
    assert {call.parcel.submission: call.via for call in calls} == {
        version.id: ["node-a", "node-b", name],
        own: [name],
    }
