"""The judge of histories finds each kind of broken promise, and nothing in a good morning. It knows nothing of the
product."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.history.check import Event, judge

FOLDER = Path(__file__).parents[1] / "history"
DAY = "bushy 2013-12-07"


class Morning:
    """Writes a history: a team's versions of one day, and what became of them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._ops = iter(range(1, 1000))

    def say(self, kind: str, **more: Any) -> None:
        self.events.append({"kind": kind, **more})

    def ask(self, digest: str = "d1", chain: str = DAY) -> int:
        op = next(self._ops)
        self.say("invoke", op=op, what="submit", chain=chain, digest=digest)
        return op

    def submit(self, id_: str, digest: str = "d1", chain: str = DAY) -> None:
        self.say("ok", op=self.ask(digest, chain), id=id_)

    def decide(self, what: str, id_: str, end: str = "ok") -> None:
        op = next(self._ops)
        self.say("invoke", op=op, what=what, id=id_, chain=DAY)
        self.say(end, op=op)

    def commit(
        self, id_: str, revision: int = 1, base: str | None = None, digest: str = "d1", chain: str = DAY
    ) -> None:
        self.say("commit", id=id_, chain=chain, base=base, revision=revision, digest=digest)

    def receipt(self, id_: str, revision: int = 1, digest: str = "d1") -> None:
        self.say("receipt", id=id_, revision=revision, digest=digest)

    def end(self, settled: bool = True, **states: str) -> None:
        for id_, state in states.items():
            self.say("state", id=id_, state=state)
        self.say("end", settled=settled)

    def found(self) -> set[str]:
        return {one.what for one in judge(self.events)}


@pytest.fixture
def morning() -> Morning:
    return Morning()


def test_nothing_is_found_in_a_good_morning(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.receipt("a")
    morning.submit("b", "d2")
    lost = morning.ask("d3", "richmond 2013-12-07")  # its answer never came, and it was published
    morning.commit("b", 2, "a", "d2")
    morning.say("info", op=lost)
    morning.commit("x", digest="d3", chain="richmond 2013-12-07")
    morning.submit("c", "d4", "fulham 2013-12-07")
    morning.decide("withdraw", "c")
    morning.say("fail", op=morning.ask("d5"))
    early = morning.ask("d6", "early 2013-12-07")  # published before the team has its answer
    morning.commit("e", digest="d6", chain="early 2013-12-07")
    morning.say("ok", op=early, id="e")
    morning.end(a="corrected", b="published", c="withdrawn", e="published")
    assert judge(morning.events) == []


def test_an_older_version_may_go_over_a_newer_one_by_a_persons_word(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("b", "d2")
    morning.commit("b", digest="d2")
    morning.decide("decide", "a")
    morning.commit("a", 2, "b")
    morning.end(a="published", b="corrected")
    assert judge(morning.events) == []


@pytest.mark.parametrize("decided", [True, False])
def test_another_nodes_results_are_replaced_by_a_persons_word_or_where_they_are_ours(
    morning: Morning, decided: bool
) -> None:
    morning.submit("a")
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d2" if decided else "d1", other=True)
    if decided:
        morning.decide("decide", "a")
    morning.submit("b", "d3")  # it takes the place of the first, and with it what was decided
    morning.commit("b", 2, "x", "d3")
    morning.end(a="superseded", b="published")
    assert not morning.found()


def test_what_a_restore_took_is_published_again(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.receipt("a")
    morning.say("restore", commits=0)
    morning.commit("a")
    morning.end(a="published")
    assert judge(morning.events) == []


def test_a_restore_may_take_what_a_newer_version_replaces(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.submit("b", digest="d2")
    morning.commit("b", revision=2, base="a", digest="d2")
    morning.say("restore", commits=1)
    morning.submit("c", digest="d3")
    morning.commit("c", revision=2, base="a", digest="d3")
    morning.end(a="corrected", b="corrected", c="published")
    assert morning.found() == set()


@pytest.mark.parametrize(("late", "found"), [(True, set()), (False, {"lost"})])
def test_a_restore_may_take_what_a_version_without_an_answer_replaces(
    morning: Morning, late: bool, found: set[str]
) -> None:
    morning.submit("a")
    morning.commit("a")
    if not late:
        morning.say("info", op=morning.ask("d3"))
        morning.commit("c", revision=2, base="a", digest="d3")
    morning.submit("b", digest="d2")
    morning.commit("b", revision=2 if late else 3, base="a" if late else "c", digest="d2")
    morning.say("restore", commits=1 if late else 2)
    if late:
        morning.say("info", op=morning.ask("d3"))
        morning.commit("c", revision=2, base="a", digest="d3")
    morning.end(a="corrected", b="corrected" if late else "published", c="published" if late else "corrected")
    assert found <= morning.found()
    assert late == ("lost" not in morning.found())


def test_an_undo_whose_answer_has_not_come_may_have_happened(morning: Morning) -> None:
    morning.submit("a")
    morning.decide("withdraw", "a")
    morning.say("invoke", op=900, what="undo", id="a")
    morning.commit("a")
    morning.say("ok", op=900)
    morning.end(a="published")
    assert morning.found() == set()


def test_equal_results_of_another_node_stand_for_ours(morning: Morning) -> None:
    morning.submit("a")
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d1", other=True)
    morning.say("state", id="a", state="published", **{"as": "x"})
    morning.end()
    assert judge(morning.events) == []


@pytest.mark.parametrize("restored", [True, False])
@pytest.mark.parametrize("copy", [True, False])
def test_a_restore_may_let_in_a_copy_of_what_was_withdrawn_meanwhile(
    morning: Morning, restored: bool, copy: bool
) -> None:
    morning.submit("a")
    morning.commit("a")
    if restored:
        morning.say("restore", commits=0)
    morning.submit("b", "d2")
    morning.decide("withdraw", "b")
    if restored:
        morning.commit("a")
    morning.say("commit", id="b", chain=DAY, base="a", revision=2, digest="d2", copy=copy)
    morning.end(a="corrected", b="published")
    assert morning.found() == (set() if restored and copy else {"withdrawn"})


@pytest.mark.parametrize(("newer", "found"), [(True, set()), (False, {"lost"})])
def test_a_restore_may_take_what_equal_results_of_another_node_replace(
    morning: Morning, newer: bool, found: set[str]
) -> None:
    for id_, digest in (("a", "d1"), ("b", "d2")):
        morning.submit(id_, digest)
    morning.commit("a" if newer else "b", digest="d1" if newer else "d2")
    morning.say("restore", commits=0)
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d2" if newer else "d1", other=True)
    states = {"a": "corrected", "b": "published"} if newer else {"a": "published", "b": "corrected"}
    for id_, state in states.items():
        morning.say("state", id=id_, state=state, **({"as": "x"} if state == "published" else {}))
    morning.end()
    assert morning.found() == found


def other_results_stand_for_ours(morning: Morning) -> None:
    morning.submit("a")
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d2", other=True)
    morning.say("state", id="a", state="published", **{"as": "x"})
    morning.end()


def what_stood_for_ours_is_lost(morning: Morning) -> None:
    morning.submit("a")
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d1", other=True)
    morning.say("restore", commits=0)
    morning.say("state", id="a", state="published", **{"as": "x"})
    morning.end()


def out_of_order_with_another_nodes_in_between(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("b", "d2")
    morning.commit("b", digest="d2")
    morning.say("commit", id="x", chain=DAY, base="b", revision=2, digest="d2", other=True)
    morning.commit("a", 3, "x")
    morning.end(a="published", b="corrected")


def over_another_nodes(morning: Morning) -> None:
    morning.submit("a")
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d2", other=True)
    morning.decide("decide", "a", "fail")
    morning.commit("a", 2, "x")
    morning.end(a="published")


def over_another_nodes_by_an_older_decision(morning: Morning) -> None:
    morning.submit("a")
    morning.say("commit", id="x", chain=DAY, base=None, revision=1, digest="d2", other=True)
    morning.decide("decide", "a")
    morning.say("commit", id="y", chain=DAY, base="x", revision=2, digest="d3", other=True)
    morning.commit("a", 3, "y")
    morning.end(a="published")


def out_of_order_after_a_restore(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.submit("b", "d2")
    morning.commit("b", 2, "a", "d2")
    morning.say("restore", commits=0)
    morning.submit("c", "d3")
    morning.commit("c", digest="d3")
    morning.commit("b", 2, "c", "d2")
    morning.end(a="corrected", b="published", c="corrected")


def the_older_one_shown_as_the_newest(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("b", "d2")
    morning.commit("a")
    morning.commit("b", 2, "a", "d2")
    morning.end(a="published", b="corrected")


def the_newest_shown_as_corrected(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.end(a="corrected")


def a_refused_undo(morning: Morning) -> None:
    morning.submit("a")
    morning.decide("withdraw", "a")
    morning.decide("undo", "a", end="fail")
    morning.commit("a")
    morning.end(a="published")


def lost_by_the_node(morning: Morning) -> None:
    morning.submit("a")
    morning.end()


def lost_by_the_master(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.say("restore", commits=0)
    morning.end(a="published")


def superseded_by_nothing(morning: Morning) -> None:
    morning.submit("a")
    morning.end(a="superseded")


def stuck(morning: Morning) -> None:
    morning.submit("a")
    morning.end(a="queued")


def doubled(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.commit("a", 2, "a")
    morning.end(a="published")


def out_of_order(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("b", "d2")
    morning.commit("b", digest="d2")
    morning.commit("a", 2, "b")
    morning.end(a="published", b="corrected")


def on_the_wrong_base(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("b", "d2")
    morning.commit("a")
    morning.commit("b", 2, None, "d2")
    morning.end(a="corrected", b="published")


def a_revision_skipped(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a", 2)
    morning.end(a="published")


def nobodys(morning: Morning) -> None:
    morning.commit("x")
    morning.end()


def refused_and_published(morning: Morning) -> None:
    op = morning.ask()
    morning.say("fail", op=op)
    morning.commit("x")
    morning.end()


def published_and_then_refused(morning: Morning) -> None:
    op = morning.ask()
    morning.commit("x")
    morning.say("fail", op=op)
    morning.end()


def twice_for_one_unknown_end(morning: Morning) -> None:
    morning.say("info", op=morning.ask())
    morning.commit("x")
    morning.commit("y", 2, "x")
    morning.end()


def other_bytes(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a", digest="d9")
    morning.end(a="published")


def one_id_for_two(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("a", "d2")
    morning.commit("a")
    morning.end(a="published")


def published_after_its_withdrawal(morning: Morning) -> None:
    morning.submit("a")
    morning.decide("withdraw", "a")
    morning.commit("a")
    morning.end(settled=False, a="withdrawn")


def a_receipt_of_nothing(morning: Morning) -> None:
    morning.submit("a")
    morning.receipt("a")
    morning.end(settled=False, a="queued")


def a_receipt_of_another_revision(morning: Morning) -> None:
    morning.submit("a")
    morning.commit("a")
    morning.receipt("a", 2)
    morning.end(a="published")


def superseded_and_shown(morning: Morning) -> None:
    morning.submit("a")
    morning.submit("b", "d2")
    morning.commit("a")
    morning.end(a="superseded", b="withdrawn")


def no_end(morning: Morning) -> None:
    morning.submit("a")


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lost_by_the_node, "lost"),
        (lost_by_the_master, "lost"),
        (superseded_by_nothing, "lost"),
        (stuck, "stuck"),
        (doubled, "doubled"),
        (out_of_order, "disordered"),
        (out_of_order_with_another_nodes_in_between, "disordered"),
        (out_of_order_after_a_restore, "disordered"),
        (over_another_nodes, "overwritten"),
        (over_another_nodes_by_an_older_decision, "overwritten"),
        (on_the_wrong_base, "disordered"),
        (a_revision_skipped, "disordered"),
        (nobodys, "phantom"),
        (refused_and_published, "phantom"),
        (published_and_then_refused, "phantom"),
        (twice_for_one_unknown_end, "phantom"),
        (other_bytes, "altered"),
        (one_id_for_two, "altered"),
        (published_after_its_withdrawal, "withdrawn"),
        (a_refused_undo, "withdrawn"),
        (a_receipt_of_nothing, "false receipt"),
        (a_receipt_of_another_revision, "false receipt"),
        (superseded_and_shown, "stale"),
        (the_older_one_shown_as_the_newest, "stale"),
        (the_newest_shown_as_corrected, "stale"),
        (other_results_stand_for_ours, "altered"),
        (what_stood_for_ours_is_lost, "lost"),
        (no_end, "cut off"),
    ],
)
def test_each_broken_promise_is_found_and_no_other(morning: Morning, broken: Any, what: str) -> None:
    broken(morning)
    assert morning.found() == {what}


def test_what_waits_is_not_stuck_while_the_outage_goes_on(morning: Morning) -> None:
    morning.submit("a")
    morning.end(settled=False, a="queued")
    assert judge(morning.events) == []


def correct_without_an_answer(morning: Morning) -> int:
    """A version that was promised, a correction whose answer was lost, and the node has the correction."""
    morning.submit("a")
    op = morning.ask("d2")
    morning.commit("b", digest="d2")
    return op


@pytest.mark.parametrize("is_said", [True, False])
def test_a_correction_whose_answer_was_lost_may_take_the_place_of_what_was_promised(
    morning: Morning, is_said: bool
) -> None:
    op = correct_without_an_answer(morning)
    if is_said:
        morning.say("info", op=op)
    morning.end(a="superseded", b="published")
    assert morning.found() == set()


def test_a_refused_correction_takes_no_place(morning: Morning) -> None:
    morning.submit("a")
    morning.say("fail", op=morning.ask("d2"))
    morning.end(a="superseded")
    assert morning.found() == {"lost"}


def test_what_is_no_event_is_refused(morning: Morning) -> None:
    morning.say("hope")
    with pytest.raises(ValueError, match="no event"):
        judge(morning.events)


def long_history(submissions: int) -> Iterator[Event]:
    for n in range(submissions):
        chain, id_ = f"park-{n % 2500} {n // 2500}", f"s{n}"
        yield {"kind": "invoke", "op": n, "what": "submit", "chain": chain, "digest": id_}
        yield {"kind": "ok", "op": n, "id": id_}
        yield {"kind": "commit", "id": id_, "chain": chain, "base": None, "revision": 1, "digest": id_}
        yield {"kind": "receipt", "id": id_, "revision": 1, "digest": id_}
    for n in range(submissions):
        yield {"kind": "state", "id": f"s{n}", "state": "published"}
    yield {"kind": "end", "settled": True}


def test_a_long_history_is_judged_in_one_pass() -> None:
    assert judge(long_history(20_000)) == []


def test_the_judge_imports_nothing_of_the_product() -> None:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.partition(".")[0] in ("resultsq", "sqlalchemy")], path
            assert not [name for name in names if name.startswith("tests.") and name != "tests.history.check"], path
