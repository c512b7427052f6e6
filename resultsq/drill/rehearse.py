"""`resultsq drill`: rehearse an outage of the master with real processes, and say whether every result survived it.

A master, a web process, workers and a broker are started in a temporary folder. Teams send real-format files over
HTTP; the link between worker and master is cut, stays away and returns; then the master itself is asked, past the
link, what it has published.
"""

import json
import random
import secrets
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date

import requests
from rich.console import Console

from resultsq.clock import Clock, SystemClock
from resultsq.drill import files
from resultsq.drill.link import Outage, Road, schedule
from resultsq.drill.node import raised
from resultsq.drill.screen import Screen
from resultsq.drill.stage import RehearsalFailed, Stage
from resultsq.drill.teams import Errand, Teams
from resultsq.drill.verdict import Facts, Phase, Verdict, judge
from resultsq.drill.witness import Witness

BEFORE, AFTER = 10, 5
"""Submissions while the link carries, before the outage and after it."""

TWICE = 0.2
"""The share of teams that send the same files again, as one does that has not seen the first answer."""

STALLED_S = 30.0
"""The link is back and nothing was published for so long: what is missing by then is the verdict's."""

_SETTLE_S = 15.0
_SATURDAY = date(2013, 12, 7)
"""A Saturday on which the master was out of reach, on and off, for five hours."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rehearsed. The same `seed` makes the same files."""

    mode: Outage
    backlog: int
    outage_s: float
    workers: int
    seed: int


def rehearse(
    *,
    backlog: int = 60,
    outage_s: float = 20.0,
    mode: Outage = "hole",
    as_json: bool = False,
    console: Console | None = None,
    workers: int = 1,
    seed: int | None = None,
    clock: Clock | None = None,
) -> int:
    """Rehearse an outage of `outage_s` seconds during which `backlog` teams send; the exit status.

    0: every sheet was accepted, and published once and unchanged. 1: not so, or the rehearsal could not be carried
    out. 130: interrupted. `as_json` writes one JSON object to the standard output and nothing else."""
    plan = Plan(mode, backlog, outage_s, workers, secrets.randbelow(2**32) if seed is None else seed)
    screen = Screen(None if as_json else console or Console(), BEFORE + backlog + AFTER)
    figures: Mapping[str, object]
    try:
        with Stage(clock or SystemClock()) as stage:
            verdict = _rehearse(plan, stage, screen)
            if not verdict.good:
                stage.keep()
        status, figures = 0 if verdict.good else 1, verdict.as_dict()
        screen.verdict(verdict, None if verdict.good else stage.folder)
    except RehearsalFailed as failed:
        status, figures = 1, {"ok": False, "error": str(failed)}
        screen.failed(str(failed))
    except requests.RequestException as error:
        status, figures = 1, {"ok": False, "error": f"The master did not say what it has: {type(error).__name__}."}
        screen.failed(str(figures["error"]))
    except KeyboardInterrupt:
        status, figures = 130, {"ok": False, "error": "interrupted"}
        screen.failed("Interrupted, so there is no verdict. Everything that was started has ended.")
    if as_json:
        sys.stdout.write(json.dumps({**asdict(plan), **figures}) + "\n")
    return status


def _rehearse(plan: Plan, stage: Stage, screen: Screen) -> Verdict:
    rng = random.Random(plan.seed)
    total = BEFORE + plan.backlog + AFTER
    uploads = [files.upload(rng, f"event-{number:04}", _SATURDAY) for number in range(1, total + 1)]
    screen.step(f"Starting a master, a web process and {_several(plan.workers, 'worker')} in a temporary folder")
    with raised(stage, [each.event for each in uploads], plan.workers) as node, ExitStack() as running:
        if not node.has_broker:
            screen.step("No Valkey or Redis here: the worker's own sweep delivers without one")
        teams = running.enter_context(Teams(node.address, stage.clock))
        witness = running.enter_context(Witness(node.master, node.master_token, stage.clock))
        running.enter_context(screen.live(lambda: (len(teams.taken), len(witness.seen_s))))
        errands = [Errand(each, node.team_tokens[each.event], rng.random() < TWICE) for each in uploads]
        before, during, after = errands[:BEFORE], errands[BEFORE:-AFTER], errands[-AFTER:]

        def all_published() -> bool:
            return teams.done and all(sheet.ids <= witness.seen_s.keys() for sheet in teams.taken)

        screen.step(f"All is well: {_several(BEFORE, 'team')} send their files")
        screen.link(Road.PASS)
        teams.send(before, Phase.BEFORE, over_s=1.0)
        stage.wait_for("The publication of what was sent while all was well", all_published)
        if teams.refused:
            refusal = teams.refused[0]
            raise RehearsalFailed(f"The node refused the files of {refusal.place[0]} while all was well: {refusal.why}")

        screen.step(f"The master is out of reach for {plan.outage_s:g} s: {_several(plan.backlog, 'team')} send")
        cut_s = stage.clock.monotonic()
        for number, (road, spell_s) in enumerate(schedule(plan.mode, plan.outage_s, rng)):
            node.link.take(road)
            screen.link(road)
            if number == 0:
                teams.send(during, Phase.DURING, over_s=0.8 * plan.outage_s)
            stage.wait(spell_s)
        # A backlog that is more than these few clients can send in that time makes the outage longer.
        stage.wait_while_it_moves(lambda: teams.done, lambda: teams.answered, STALLED_S)

        node.link.take(Road.PASS)
        returned_s = stage.clock.monotonic()
        screen.link(Road.PASS)
        screen.step(f"The link is back: {AFTER} more teams send")
        teams.send(after, Phase.AFTER)
        stage.wait_while_it_moves(all_published, lambda: len(witness.seen_s), STALLED_S)

        screen.step("Comparing what the master has with what the teams sent")
        taken = list(teams.taken)
        unsettled = {each for sheet in taken for each in sheet.ids}

        def ask_the_node() -> int:
            unsettled.difference_update(node.settled(unsettled))
            return len(unsettled)

        stage.wait_while_it_moves(lambda: not unsettled, ask_the_node, _SETTLE_S)
        return judge(
            Facts(
                taken=taken,
                refused=list(teams.refused),
                receipts=witness.receipts(),
                published=witness.published(sheet.place for sheet in taken),
                unsettled=frozenset(unsettled),
                seen_s=dict(witness.seen_s),
                outage_s=returned_s - cut_s,
                returned_s=returned_s,
            )
        )


def _several(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
