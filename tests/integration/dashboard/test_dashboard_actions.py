"""What operators change: exactly what they chose, said beforehand, written down, and undone where it can be."""

import json
import re

from sqlalchemy import Connection, select

from resultsq.domain.filter import Filter
from resultsq.domain.outcome import Cause, Deferred
from resultsq.domain.submission import State
from resultsq.store.admin import actions, comparisons
from resultsq.store.engine.tables import Audit
from resultsq.store.outbox import Reconciled
from resultsq.store.views import queries
from tests.integration.dashboard.conftest import Person
from tests.support.nodes import StoreNode, accepted, finishers, moved, unsent


def audit(node: StoreNode) -> list[tuple[str, int, str]]:
    with node.database.read() as conn:
        rows = conn.execute(select(Audit.action, Audit.count, Audit.reason).order_by(Audit.id))
        return [(action, count, reason) for action, count, reason in rows]


def test_nothing_else_is_touched_when_an_action_has_a_filter(sqlite_node: StoreNode, operator: Person) -> None:
    node = sqlite_node
    mine = [node.accept("bushy", date=f"2013-11-0{n}").id for n in range(1, 4)]
    others = [node.accept("richmond", date=f"2013-11-0{n}").id for n in range(1, 4)]
    dialog = operator.post("/admin/ask", on="filtered", verb="withdraw", events="bushy", states="queued")
    assert "Withdraw: 3 submissions" in dialog.text
    assert operator.confirm(dialog, reason="").status_code == 422, "it stops something: why is asked"
    done = operator.confirm(dialog, reason="sent twice")
    assert "3 of 3 done" in operator.page(done.location)
    assert {node.state(one) for one in mine} == {State.WITHDRAWN}
    assert {node.state(one) for one in others} == {State.QUEUED}
    assert audit(node) == [("withdraw", 3, "sent twice")]
    assert "sent twice" in operator.page("/admin/audit")
    told = operator.page(f"/admin/submissions/{mine[0]}")
    assert re.search(
        rf'</strong>: Withdrawn; sent twice <a href="{re.escape(done.location)}">\(3 submissions\)</a>', told
    )
    assert "No operator has changed it." in operator.page(f"/admin/submissions/{others[0]}")


def test_a_row_that_moved_on_is_skipped_and_said_when_the_dialog_was_open(
    sqlite_node: StoreNode, operator: Person
) -> None:
    node = sqlite_node
    first, second = node.accept("bushy").id, node.accept("richmond").id
    dialog = operator.post("/admin/ask", verb="withdraw", ids=[first, second])
    assert "Withdraw: 2 submissions" in dialog.text
    lease = node.claim_one()
    node.settle(lease, accepted(lease))
    done = operator.confirm(dialog, reason="by mistake")
    page = operator.page(done.location)
    assert "1 of 2 done" in page
    assert "1 was skipped: it could not be changed in this way, or had moved on meanwhile" in page
    assert "1 published</a>" in page
    assert [node.state(one) for one in (first, second)] == [State.PUBLISHED, State.WITHDRAWN]


def test_what_cannot_be_done_is_said_beforehand_when_it_fits_the_filter(
    sqlite_node: StoreNode, operator: Person
) -> None:
    sqlite_node.accept("bushy")
    sqlite_node.accept("richmond")
    sqlite_node.publish_one()
    text = operator.post("/admin/ask", on="filtered", verb="retry").text
    assert "Retry now: 1 submission" in text
    assert "1 more matches, but cannot be changed in this way" in text
    assert "disabled" in operator.post("/admin/ask", on="filtered", verb="release").text


def test_a_withdrawal_is_undone_when_it_was_a_mistake(sqlite_node: StoreNode, operator: Person) -> None:
    ids = [sqlite_node.accept(event).id for event in ("bushy", "richmond")]
    done = operator.confirm(operator.post("/admin/ask", on="filtered", verb="withdraw"), reason="oops")
    action = done.location.rpartition("/")[2]
    assert "Undo this withdrawal" in operator.page(done.location)
    undone = operator.confirm(operator.post("/admin/ask", on="filtered", verb="undo", action=action))
    assert "2 of 2 done" in operator.page(undone.location)
    assert {sqlite_node.state(one) for one in ids} == {State.QUEUED}


def test_a_retry_is_due_at_once_and_costs_nothing_when_it_was_put_off(sqlite_node: StoreNode, operator: Person) -> None:
    one = sqlite_node.accept("bushy").id
    sqlite_node.try_one(unsent(Cause.MASTER_DOWN))
    before = sqlite_node.row(one)
    assert before.next_attempt_at is not None
    operator.confirm(operator.post("/admin/ask", verb="retry", ids=[one]))
    after = sqlite_node.row(one)
    assert (after.next_attempt_at, after.attempts, after.failures) == (None, before.attempts, before.failures)


def test_the_masters_pause_is_said_beforehand_when_a_retry_obeys_it(sqlite_node: StoreNode, operator: Person) -> None:
    one = sqlite_node.accept("bushy").id
    sqlite_node.try_one(Deferred(Cause.BUSY, "429", in_doubt=True, retry_after_s=600))
    until = f"{sqlite_node.row(one).next_attempt_at:%H:%M:%S}"
    dialog = operator.post("/admin/ask", verb="retry", ids=[one]).text
    assert "Retry now: 0 submissions" in dialog
    assert re.search(
        rf"The master asked for a pause until <time [^>]*>{until}</time>. Nothing is sent before then", dialog
    )
    assert "asked for a pause" not in operator.post("/admin/ask", verb="hold", ids=[one]).text


def test_a_conflict_is_resolved_when_somebody_has_seen_both_sheets(sqlite_node: StoreNode, operator: Person) -> None:
    node = sqlite_node
    one = node.accept("bushy", 3).id
    theirs = {
        "schema": "resultsq.results/1", "event": "bushy", "date": "2013-12-07", "submitted_by": "other",
        "submitted_at": "2013-12-07T10:00:00Z", "volunteers": [],
        "finishers": [row.model_dump(mode="json") for row in finishers(2)],
    }  # fmt: skip
    head = "00000000-0000-4000-8000-000000000001"
    node.try_one(moved(head, 4, json.dumps(theirs).encode()))
    page = operator.page(f"/admin/submissions/{one}")
    assert "Published there: 00000000-0000-4000-8000-000000000001, revision 4" in page
    assert "One row differs, 2 are the same." in page
    compared = page[page.index("Both sheets") : page.index("Attempts")]
    assert re.findall(r'<th scope="row">(\d+)</th>', compared) == ["3"], "the third line is ours alone"
    assert compared.count("no row") == 1
    assert not [row for row in finishers(2) if row.athlete and row.athlete in compared], "equal rows are left out"
    dialog = operator.post("/admin/ask", resolve="publish-over", ids=one)
    assert operator.confirm(dialog, reason="ours has all three").status_code == 303
    row = node.row(one)
    assert (row.state, row.base) == (State.QUEUED, head)
    assert ("publish over", 1, "ours has all three") in audit(node)
    assert "ours has all three" in operator.page(f"/admin/submissions/{one}")


def test_an_event_waits_when_it_is_held_and_goes_when_released(sqlite_node: StoreNode, operator: Person) -> None:
    node = sqlite_node
    held, free = node.accept("bushy").id, node.accept("richmond").id
    unknown = operator.post("/admin/holds", event="bushi", reason="x")
    assert unknown.status_code == 422
    assert "There is no event called bushi here. Did you mean" in re.sub(r"\s+", " ", unknown.text)
    assert ">bushy</a>" in unknown.text
    assert operator.post("/admin/holds", event="", reason="x").status_code == 422, "an empty field holds nothing"
    assert operator.post("/admin/holds", event="bushy", reason="").status_code == 422
    assert operator.post("/admin/holds", event="bushy", reason="wrong course").status_code == 303
    assert "wrong course" in operator.page("/admin/holds")
    why = operator.page(f"/admin/submissions/{held}")
    assert "holds this event (wrong course)" in why
    assert [lease.submission for lease in node.claim()] == [free]
    with node.database.read() as conn:
        (hold,) = queries.holds(conn, node.now)
    assert operator.post(f"/admin/holds/{hold.id}/release").status_code == 303
    assert [lease.submission for lease in node.claim()] == [held]
    assert [action for action, _, _ in audit(node)] == ["hold", "release"]


def test_everything_waits_until_its_time_when_the_destination_is_held(sqlite_node: StoreNode, operator: Person) -> None:
    node = sqlite_node
    node.accept("bushy")
    assert operator.post("/admin/holds/everything", reason="x", release_at="2013-12-07T12:00").status_code == 422, (
        "over already"
    )
    assert operator.post("/admin/holds/everything", reason="a drill", release_at="2013-12-07T12:10").status_code == 303
    node.pass_time(2)
    page = operator.page("/admin")
    assert "Held" in page
    assert "a drill" in page
    assert node.claim() == []
    node.pass_time(400)
    assert len(node.claim()) == 1


def test_a_held_submission_is_released_by_its_own_page_when_an_operator_says_so(
    sqlite_node: StoreNode, operator: Person
) -> None:
    one = sqlite_node.accept("bushy").id
    operator.confirm(operator.post("/admin/ask", verb="hold", ids=[one]), reason="to be looked at")
    assert sqlite_node.claim() == []
    page = operator.page(f"/admin/submissions/{one}")
    assert "holds this submission (to be looked at)" in page
    operator.confirm(operator.post("/admin/ask", verb="release", ids=[one]))
    assert len(sqlite_node.claim()) == 1


def test_everything_is_held_only_after_a_question(sqlite_node: StoreNode, operator: Person) -> None:
    sqlite_node.accept("bushy")
    sqlite_node.accept("richmond")
    dialog = operator.post("/admin/holds/everything/ask", reason="wrong results went out")
    assert "2 submissions wait now" in dialog.text
    with sqlite_node.database.read() as conn:
        assert queries.holds(conn, sqlite_node.now) == [], "a question changes nothing"
    assert operator.post("/admin/holds/everything/ask", reason="").status_code == 422
    assert operator.confirm(dialog).status_code == 303
    assert sqlite_node.claim() == []
    with sqlite_node.database.read() as conn:
        (hold,) = queries.holds(conn, sqlite_node.now)
    assert (hold.scope, hold.reason) == ("destination", "wrong results went out")


def test_what_is_published_meanwhile_is_counted_when_an_action_by_filter_skips_it(
    sqlite_node: StoreNode, operator: Person
) -> None:
    for day in range(1, 4):
        sqlite_node.accept(date=f"2013-11-0{day}")
    action = actions.start(sqlite_node.database, sqlite_node.now, "op", "withdraw", Filter(events=("bushy",)), "x")
    lease = sqlite_node.claim_one()
    sqlite_node.pass_time(1)
    sqlite_node.settle(lease, accepted(lease))
    while sqlite_node.database.write(lambda conn: actions.advance(conn, sqlite_node.now, action)):
        continue
    page = operator.page(f"/admin/actions/{action}")
    assert "1 was skipped" in page
    assert "1 published</a>" in page


def test_what_the_master_lost_is_sent_again_before_its_correction(sqlite_node: StoreNode, operator: Person) -> None:
    node = sqlite_node
    first = node.accept("bushy", 3).id
    node.publish_one()
    second = node.accept("bushy", 4, corrects=first).id
    node.try_one(moved(None))
    page = operator.page(f"/admin/submissions/{second}")
    assert "The master no longer has version 1, which this one corrects" in page
    assert "Send version 1 again, then this one" in page
    assert "Publish this one over it" not in page
    operator.confirm(operator.post("/admin/ask", verb="resend", ids=[second]))
    assert [lease.submission for lease in node.claim()] == [first]
    assert (node.row(second).state, node.row(second).base, node.row(second).blocked) == (State.QUEUED, first, True)


def test_the_overview_says_what_the_last_comparison_found(sqlite_node: StoreNode, operator: Person) -> None:
    def work(conn: Connection) -> None:
        comparisons.take(conn, sqlite_node.now)
        comparisons.record(conn, sqlite_node.now, Reconciled(0, 3, 0), whole=True)

    sqlite_node.accept()
    sqlite_node.database.write(work)
    assert "The master had lost 3 results; they are sent again." in operator.page("/admin")
