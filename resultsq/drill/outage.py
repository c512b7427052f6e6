"""The rehearsal of one outage: teams send before it, during it and after it."""

import random
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from resultsq.domain.i18n import gettext
from resultsq.drill import files, mail_sink
from resultsq.drill.beside import Writers
from resultsq.drill.link import LinkMode, Outage, schedule
from resultsq.drill.node import raised
from resultsq.drill.observer import MasterObserver
from resultsq.drill.posts import RehearsalPhase
from resultsq.drill.processes import ProcessGroup
from resultsq.drill.rehearse import SATURDAY, STALLED_S, RehearsalRun, carry_out, teams_of, workers_of
from resultsq.drill.screen import Screen
from resultsq.drill.teams import PlannedPost, Teams, planned_post
from resultsq.drill.verdict import Verdict, judge

BEFORE, AFTER = 10, 5
"""Submissions while the link carries, before the outage and after it."""

SENDING = 0.9
"""The share of the outage at whose end the last team sends: then a flapping link stays away, and something waits."""

TWICE = 0.2
"""The share of teams that send the same files again, as one does that has not seen the first answer."""


@dataclass(frozen=True, slots=True)
class OutagePlan:
    """The rehearsal's plan. The same `seed` makes the same files."""

    mode: Outage
    backlog: int
    outage_s: float
    workers: int
    seed: int

    @property
    def begins(self) -> str:
        """What happens first."""
        return gettext(
            "Starting a master, a web process and {workers} in a temporary folder", workers=workers_of(self.workers)
        )

    @property
    def away(self) -> str:
        """What happens in the outage."""
        teams = teams_of(self.backlog)
        return gettext(
            "The master is out of reach for {number} s: {teams} send", number=f"{self.outage_s:g}", teams=teams
        )


def rehearse_outage(*, backlog: int, outage_s: float, mode: Outage, workers: int, as_json: bool) -> int:
    """Rehearse an outage of `outage_s` seconds during which `backlog` teams send; the exit status.

    0: every sheet was accepted, and published once and unchanged. The others: see `carry_out`."""
    plan = OutagePlan(mode, backlog, outage_s, workers, secrets.randbelow(2**32))
    return carry_out(asdict(plan), lambda processes, screen: _rehearse(plan, processes, screen), as_json)


def _rehearse(plan: OutagePlan, processes: ProcessGroup, screen: Screen) -> Verdict:
    rng = random.Random(plan.seed)
    total = BEFORE + plan.backlog + AFTER
    uploads = [files.upload(rng, f"event-{number:04}", SATURDAY) for number in range(1, total + 1)]
    screen.step(plan.begins)
    events = [each.event for each in uploads]
    with ExitStack() as running:
        sink = running.enter_context(mail_sink.opened()) if mail_sink.can_run() else None
        mail_port = None if sink is None else sink.port
        node = running.enter_context(raised(processes, events, plan.workers, mail_port=mail_port, numbers=total))
        if sink is None:
            screen.step(gettext("No aiosmtpd here (pip install aiosmtpd): no mails are played"))
        if not node.has_broker:
            screen.step(gettext("No Valkey or Redis here: the worker's own sweep delivers without one"))
        teams = running.enter_context(Teams(node.addresses, processes.clock))
        observer = running.enter_context(MasterObserver(node.master, node.master_token, processes.clock))
        writers = running.enter_context(Writers(node, processes.clock, sink))
        cast = RehearsalRun(processes, node, teams, observer, writers)
        running.enter_context(screen.live(total, lambda: (len(teams.taken), len(observer.seen_s))))
        posts = [planned_post(each, node.team_tokens[each.event], rng.random() < TWICE) for each in uploads]
        before, during, after = posts[:BEFORE], posts[BEFORE:-AFTER], posts[-AFTER:]

        def take(mode: LinkMode) -> None:
            cast.take(mode)
            screen.link(mode)

        def send(planned: Sequence[PlannedPost], phase: RehearsalPhase, over_s: float = 0.0) -> None:
            teams.phase = phase
            teams.send(planned, over_s=over_s)
            writers.send([each.place[0] for each in planned], phase, over_s)

        screen.step(gettext("All is well: {teams} send their files", teams=teams_of(BEFORE)))
        screen.link(LinkMode.PASS)
        send(before, RehearsalPhase.BEFORE, 1.0)
        cast.see_all_published()

        screen.step(plan.away)
        cut_s = processes.clock.monotonic()
        first, *others = schedule(plan.mode, plan.outage_s, rng)
        take(first[0])
        send(during, RehearsalPhase.DURING, SENDING * plan.outage_s)
        processes.wait(first[1])
        for mode, spell_s in others:
            take(mode)
            processes.wait(spell_s)
        # A backlog that is more than these few clients can send in that time makes the outage longer.
        processes.wait_while_it_moves(
            lambda: teams.done and writers.done, lambda: teams.answered + writers.answered, STALLED_S
        )

        take(LinkMode.PASS)
        returned_s = processes.clock.monotonic()
        screen.step(gettext("The link is back: {number} more teams send", number=AFTER))
        send(after, RehearsalPhase.AFTER)
        cast.see_the_end()

        screen.step(gettext("Comparing what the master has with what the teams sent"))
        return judge(cast.facts(returned_s - cut_s, returned_s))
