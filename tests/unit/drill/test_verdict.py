"""The verdict: each way in which results can come to harm flips it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import State
from resultsq.drill.compare import Findings, RehearsalFacts, SeenSheet, compare
from resultsq.drill.other_kinds import KindFindings, compare_kind, compare_mails
from resultsq.drill.posts import Place, RefusedPost, RehearsalPhase, Taken
from resultsq.drill.verdict import Verdict, judge

DAY = "2013-12-07"
BUSHY, LEEDS = ("bushy", DAY), ("leeds", DAY)
RETURNED_S = 120.0


def taken(place: Place, phase: RehearsalPhase = RehearsalPhase.DURING, took_s: float = 0.01, **changes: Any) -> Taken:
    sheet = Taken(place, phase, frozenset({f"id-{place[0]}"}), f"digest-{place[0]}", f"rows-{place[0]}", took_s)
    return replace(sheet, **changes)


def receipt(place: Place, **changes: Any) -> Receipt:
    values = {
        "submission": f"id-{place[0]}",
        "event": place[0],
        "date": place[1],
        "revision": 1,
        "digest": f"digest-{place[0]}",
        "received_at": datetime(2013, 12, 7, 12, tzinfo=UTC),
    }
    return Receipt.model_validate({**values, **changes})


def published(place: Place, **changes: Any) -> SeenSheet:
    return replace(SeenSheet(f"id-{place[0]}", f"digest-{place[0]}", f"rows-{place[0]}"), **changes)


def facts(**changes: Any) -> RehearsalFacts:
    """A healthy sheet and one that waited, both as they should be."""
    well = RehearsalFacts(
        taken=[taken(BUSHY, RehearsalPhase.BEFORE), taken(LEEDS)],
        refused=[],
        receipts=[receipt(BUSHY), receipt(LEEDS)],
        published={BUSHY: published(BUSHY), LEEDS: published(LEEDS)},
        states={"id-bushy": State.PUBLISHED, "id-leeds": State.PUBLISHED},
        seen_s={"id-bushy": 90.0, "id-leeds": RETURNED_S + 1.25},
        outage_s=20.0,
        returned_s=RETURNED_S,
    )
    return replace(well, **changes)


def marked(verdict: Verdict) -> set[str]:
    return {row.what.strip() for row in verdict.rows() if row.good is False}


def test_the_verdict_is_good_when_all_is_there_once_and_unchanged() -> None:
    verdict = judge(facts())

    assert verdict.good
    assert (verdict.findings.accepted, verdict.findings.published_once) == (2, 2)
    assert (verdict.first_s, verdict.last_s) == (1.25, 1.25)
    assert marked(verdict) == set()
    assert verdict.as_dict()["ok"] is True


def test_the_verdict_names_the_sheet_when_one_is_lost() -> None:
    verdict = judge(facts(receipts=[receipt(LEEDS)], published={LEEDS: published(LEEDS)}))

    assert verdict.findings.lost == (BUSHY,)
    assert not verdict.good
    assert "Lost" in marked(verdict)
    assert verdict.findings.published_once == 1


@pytest.mark.parametrize("second", ["id-leeds", "another-id"])
def test_the_verdict_names_the_sheet_when_one_is_there_twice(second: str) -> None:
    again = receipt(LEEDS, submission=second, revision=2)

    verdict = judge(facts(receipts=[receipt(BUSHY), receipt(LEEDS), again]))

    assert verdict.findings.doubled == (LEEDS,)
    assert not verdict.good
    assert "Published twice" in marked(verdict)
    assert verdict.findings.published_once == 1


def test_the_verdict_is_bad_when_a_team_that_sent_twice_got_two_ids_and_one_is_missing() -> None:
    sheet = taken(LEEDS, ids=frozenset({"id-leeds", "another-id"}))

    assert compare(facts(taken=[taken(BUSHY), sheet])).lost == (LEEDS,)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"receipts": [receipt(BUSHY), receipt(LEEDS, digest="other")]}, id="the receipt's digest"),
        pytest.param({"published": {BUSHY: published(BUSHY), LEEDS: published(LEEDS, digest="other")}}, id="the bytes"),
        pytest.param({"published": {BUSHY: published(BUSHY), LEEDS: published(LEEDS, rows="other")}}, id="the rows"),
        pytest.param({"published": {BUSHY: published(BUSHY), LEEDS: published(LEEDS, submission="x")}}, id="the head"),
        pytest.param({"published": {BUSHY: published(BUSHY)}}, id="nothing is shown"),
    ],
)
def test_the_verdict_names_the_sheet_when_one_was_changed(changes: dict[str, Any]) -> None:
    verdict = judge(facts(**changes))

    assert verdict.findings.changed == (LEEDS,)
    assert not verdict.good
    assert "Changed on the way" in marked(verdict)
    assert verdict.findings.published_once == 1


def test_the_verdict_is_bad_when_a_sheet_was_refused() -> None:
    verdict = judge(facts(refused=[RefusedPost(("york", DAY), RehearsalPhase.DURING, "answered 503")]))

    assert not verdict.good
    assert {"Refused", "Accepted during the outage"} <= marked(verdict)
    assert verdict.particulars() == [f"york of {DAY} was refused: answered 503"]


def test_the_verdict_is_bad_when_the_node_does_not_know_what_is_published() -> None:
    verdict = judge(facts(states={"id-bushy": State.PUBLISHED, "id-leeds": State.SENDING}))

    assert verdict.findings.unsettled == (LEEDS,)
    assert not verdict.good


# versions of one event and date


FIRST = taken(LEEDS, ids=frozenset({"id-first"}), digest="digest-first", rows="rows-first")
SECOND = taken(LEEDS, RehearsalPhase.AFTER, version=2)
STATES = {"id-bushy": State.PUBLISHED, "id-first": State.CORRECTED, "id-leeds": State.PUBLISHED}


def corrected(**changes: Any) -> RehearsalFacts:
    """Leeds sent a correction after its first version was published; both as they should be."""
    there = [receipt(BUSHY), first_receipt(), receipt(LEEDS, revision=2)]
    well = facts(taken=[taken(BUSHY), SECOND, FIRST], receipts=there, states=STATES)
    return replace(well, **changes)


def first_receipt(**changes: Any) -> Receipt:
    return receipt(LEEDS, **{"submission": "id-first", "digest": "digest-first", **changes})


def found(**changes: Any) -> Findings:
    return compare(corrected(**changes))


def test_all_is_good_when_both_versions_are_there_in_order() -> None:
    assert found().good
    assert (found().accepted, found().superseded, found().published_once) == (3, 0, 3)


def test_all_is_good_when_the_first_version_was_put_aside_before_it_could_go() -> None:
    there = [receipt(BUSHY), receipt(LEEDS)]

    findings = found(receipts=there, states={**STATES, "id-first": State.SUPERSEDED})

    assert findings.good
    assert (findings.superseded, findings.published_once) == (1, 2)
    assert ("2 of 2", True) in {(row.value, row.good) for row in findings.rows()}


def test_a_version_is_out_of_order_when_the_older_one_was_published_over_the_newer() -> None:
    there = [receipt(BUSHY), receipt(LEEDS, revision=1), first_receipt(revision=2)]

    findings = found(receipts=there)

    assert findings.disordered == (LEEDS,)
    assert not findings.good
    assert "Out of order" in {row.what for row in findings.rows() if row.good is False}


@pytest.mark.parametrize("state", [State.QUEUED, State.CORRECTED, State.WITHDRAWN])
def test_a_first_version_is_lost_when_it_is_not_there_and_was_not_put_aside(state: State) -> None:
    there = [receipt(BUSHY), receipt(LEEDS)]

    assert found(receipts=there, states={**STATES, "id-first": state}).lost == (LEEDS,)


def test_a_correction_is_lost_when_only_the_first_version_is_there() -> None:
    there = [receipt(BUSHY), first_receipt()]

    assert found(receipts=there, published={BUSHY: published(BUSHY)}).lost == (LEEDS,)


def test_a_first_version_was_changed_when_its_receipt_is_for_other_bytes() -> None:
    there = [receipt(BUSHY), first_receipt(digest="other"), receipt(LEEDS, revision=2)]

    assert found(receipts=there).changed == (LEEDS,)


def test_the_node_does_not_know_it_when_it_calls_a_corrected_version_published() -> None:
    assert found(states={**STATES, "id-first": State.PUBLISHED}).unsettled == (LEEDS,)


# times


def test_the_verdict_is_bad_when_nothing_waited_for_the_return() -> None:
    verdict = judge(facts(seen_s={"id-bushy": 90.0, "id-leeds": RETURNED_S - 3}))

    assert verdict.first_s is None
    assert not verdict.good
    assert "First publication after the return" in marked(verdict)


def test_a_slow_first_publication_is_marked_when_all_else_is_well() -> None:
    verdict = judge(facts(seen_s={"id-leeds": RETURNED_S + 2.5}))

    assert verdict.good
    assert marked(verdict) == {"First publication after the return"}


def test_the_time_after_the_return_is_of_those_that_waited_when_later_ones_came_first() -> None:
    sheets = [taken(BUSHY, RehearsalPhase.AFTER), taken(LEEDS)]

    verdict = judge(facts(taken=sheets, seen_s={"id-bushy": RETURNED_S + 0.1, "id-leeds": RETURNED_S + 0.7}))

    assert verdict.first_s == verdict.last_s == pytest.approx(0.7)


def test_the_times_of_accepting_are_ones_that_occurred_when_there_are_few() -> None:
    sheets = [taken((f"event-{n}", DAY), took_s=n / 100) for n in range(1, 21)]

    verdict = judge(facts(taken=[taken(BUSHY, RehearsalPhase.BEFORE, took_s=0.5), *sheets]))

    assert verdict.during_s == (0.10, 0.19)
    assert verdict.at_rest_s == (0.5, 0.5)


KITES = "kites"


def _sent(*ids: str) -> list[Taken]:
    return [Taken(("bushy", KITES), RehearsalPhase.DURING, frozenset({one}), f"digest-{one}", "", 0.1) for one in ids]


def _had(one: str, **changes: Any) -> Receipt:
    values = {"submission": one, "kind": KITES, "digest": f"digest-{one}", "received_at": datetime.now(UTC)}
    return Receipt.model_validate({**values, **changes})


def test_another_kind_is_well_when_each_is_there_once() -> None:
    found = compare_kind(KITES, _sent("a", "b"), [], [_had("a"), _had("b"), receipt(BUSHY)])
    assert (found.accepted, found.arrived_once, found.good, found.particulars()) == (2, 2, True, [])


@pytest.mark.parametrize(
    ("sent", "refused", "receipts"),
    [
        pytest.param(["a", "b"], [], [_had("a")], id="lost"),
        pytest.param(["a"], [], [_had("a"), _had("a")], id="twice"),
        pytest.param(["a"], [], [_had("a"), _had("c")], id="of nobody"),
        pytest.param(["a"], [], [_had("a", digest="another")], id="changed"),
        pytest.param(["a"], [RefusedPost(BUSHY, RehearsalPhase.DURING, "503")], [_had("a")], id="refused"),
        pytest.param([], [], [], id="nothing"),
    ],
)
def test_each_fault_of_another_kind_flips_the_verdict(
    sent: list[str], refused: list[RefusedPost], receipts: list[Receipt]
) -> None:
    found = compare_kind(KITES, _sent(*sent), refused, receipts)
    assert not found.good
    assert not judge(facts(beside=[found])).good
    assert bool(found.particulars()) == bool(sent)


def test_one_that_was_answered_with_two_ids_is_there_twice() -> None:
    twice = [replace(_sent("a")[0], ids=frozenset({"a", "b"}))]
    found = compare_kind(KITES, twice, [], [_had("a"), _had("b", digest="digest-a")])
    assert isinstance(found, KindFindings)
    assert found.doubled == ("a", "b")


def test_an_athlete_number_is_final_and_no_one_elses() -> None:
    one, other = _sent("a", "b")
    one = replace(one, numbers=frozenset({"A1"}))
    good = compare_kind(KITES, [one, other], [], [_had("a", athlete="A1"), _had("b", athlete="A2")])
    assert (good.good, good.numbered) == (True, 1)
    another = compare_kind(KITES, [one], [], [_had("a", athlete="A2")])
    assert (another.changed, another.good) == (("a",), False)
    shared = compare_kind(KITES, [one, other], [], [_had("a", athlete="A1"), _had("b", athlete="A1")])
    assert (shared.doubled, shared.good) == (("a", "b"), False)
    printed = compare_kind(KITES, [one, replace(other, numbers=one.numbers)], [], [_had("a"), _had("b")])
    assert printed.doubled == ("a", "b")


def test_a_mail_that_may_have_arrived_is_neither_lost_nor_due() -> None:
    found = compare_mails("mails", ["a", "b", "c"], {"c"}, ["a", "b"])
    assert (found.accepted, found.arrived_once, found.good) == (2, 2, True)


@pytest.mark.parametrize("arrived", [["a"], ["a", "b", "b"], ["a", "b", "x"]])
def test_a_mail_that_is_missing_doubled_or_of_nobody_flips_the_verdict(arrived: list[str]) -> None:
    assert not compare_mails("mails", ["a", "b"], set(), arrived).good
