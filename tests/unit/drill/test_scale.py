"""The verdict on a Saturday: each promise that does not hold flips it, and is named."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import State
from resultsq.drill.compare import RehearsalFacts, SeenSheet
from resultsq.drill.memory import Footprint
from resultsq.drill.posts import RehearsalPhase, Taken
from resultsq.drill.scale import ACCEPT_P99_S, DRAINED_WITHIN_S, GROWTH_MB, Scale, judge

DAY = "2013-12-07"
RETURNED_S = 300.0
POSTS = 200


def sheets(phase: RehearsalPhase, took_s: float = 0.02, slow: int = 0) -> list[Taken]:
    """So many posts of which `slow` took twice the bound; the last one of a place that has a version already."""
    return [
        Taken(
            (f"{phase}-{n}", DAY), phase, frozenset({f"{phase}-{n}"}), f"digest-{n}", f"rows-{n}",
            2 * ACCEPT_P99_S if n < slow else took_s,
        )
        for n in range(POSTS)
    ]  # fmt: skip


def correction(sheet: Taken) -> Taken:
    return replace(sheet, ids=frozenset({f"{sheet.place[0]}-again"}), digest="again", rows="again", version=2)


def facts(slow: dict[RehearsalPhase, int] | None = None, drained_s: float = 30.0, **changes: Any) -> RehearsalFacts:
    taken = [sheet for phase in RehearsalPhase for sheet in sheets(phase, slow=(slow or {}).get(phase, 0))]
    taken.append(correction(taken[-1]))
    newest = {sheet.place: sheet for sheet in taken}
    [again] = newest[taken[-1].place].ids
    seen_s = {each: RETURNED_S + drained_s for sheet in taken for each in sheet.ids}
    well = RehearsalFacts(
        taken=taken,
        refused=[],
        receipts=[
            Receipt(
                submission=each, event=sheet.place[0], date=DAY, revision=sheet.version, digest=sheet.digest,
                received_at=datetime(2013, 12, 7, 12, tzinfo=UTC),
            )
            for sheet in taken
            for each in sheet.ids
        ],
        published={
            place: SeenSheet(each, sheet.digest, sheet.rows) for place, sheet in newest.items() for each in sheet.ids
        },
        states={
            each: State.PUBLISHED if sheet is newest[sheet.place] else State.CORRECTED
            for sheet in taken
            for each in sheet.ids
        },
        seen_s={**seen_s, again: RETURNED_S + drained_s},
        outage_s=290.0,
        returned_s=RETURNED_S,
    )  # fmt: skip
    return replace(well, **changes)


FLAT = [Footprint("web-1", 1, 90.0, 95.0, 150.0, GROWTH_MB), Footprint("worker-1", 1, 88.0, 80.0, 92.0, -8.0)]


def verdict(seen: RehearsalFacts, footprints: list[Footprint], offered: int = 3 * POSTS + 1) -> Scale:
    return judge(seen, footprints, offered)


def missed(scale: Scale) -> object:
    return scale.as_dict()["missed"]


def test_a_saturday_is_good_when_each_figure_is_just_within_its_bound() -> None:
    within = dict.fromkeys(RehearsalPhase, POSTS // 100)

    scale = verdict(facts(within, drained_s=DRAINED_WITHIN_S), FLAT)

    assert scale.good, missed(scale)
    assert scale.as_dict()["ok"] is True
    assert (scale.offered, scale.corrections, scale.waiting, scale.findings.accepted) == (601, 1, POSTS, 601)


@pytest.mark.parametrize("phase", [RehearsalPhase.DURING, RehearsalPhase.AFTER])
def test_the_phase_is_named_when_more_than_one_post_in_a_hundred_was_slow(phase: RehearsalPhase) -> None:
    scale = verdict(facts({phase: POSTS // 100 + 2}), FLAT)

    assert not scale.good
    [line] = [row for row in scale.rows() if row.good is False]
    assert "(20" in line.what
    assert "500 ms" in line.value


def test_a_saturday_is_bad_when_the_backlog_takes_longer_than_promised() -> None:
    scale = verdict(facts(drained_s=DRAINED_WITHIN_S + 0.1), FLAT)

    assert not scale.good
    assert missed(scale) == ["All published after the return (≤ 120 s)"]
    assert "published exactly once" in scale.sentence


def test_a_saturday_is_bad_when_a_team_came_to_no_answer() -> None:
    scale = verdict(facts(), FLAT, offered=3 * POSTS + 2)

    assert not scale.good
    assert missed(scale) == ["Accepted"]


def test_nothing_was_shown_when_the_clients_could_not_send_in_time() -> None:
    well = facts()
    late = [replace(sheet, late_s=2 * ACCEPT_P99_S) for sheet in well.taken]

    assert verdict(replace(well, taken=[*late[:POSTS], *well.taken[POSTS:]]), FLAT).good  # sent all at once
    scale = verdict(replace(well, taken=[*well.taken[:POSTS], *late[POSTS:]]), FLAT)

    assert not scale.good
    assert "left their client late" in str(missed(scale))


def test_the_process_is_named_when_it_grew() -> None:
    scale = verdict(facts(), [*FLAT, Footprint("web-2", 1, 90.0, 120.0, 140.0, GROWTH_MB + 0.1)])

    assert not scale.good
    assert missed(scale) == ["web-2"]


def test_a_saturday_is_bad_when_a_sheet_is_lost_and_all_is_fast() -> None:
    well = facts()

    scale = verdict(replace(well, receipts=well.receipts[1:]), FLAT)

    assert not scale.good
    assert "Lost" in str(missed(scale))


def test_nothing_was_rehearsed_when_nothing_waited_or_nobody_corrected() -> None:
    assert not verdict(facts(seen_s={}), FLAT).good
    well = facts()
    uncorrected = replace(well, taken=well.taken[:-1], receipts=well.receipts[:-1])
    assert "of which corrections" in str(missed(verdict(uncorrected, FLAT)))
