"""`resultsq drill`: rehearse with real processes, and say whether every result survived it.

A master, web processes, workers and a broker are started in a temporary folder. Teams send real-format files over
HTTP; the link between worker and master is cut, stays away and returns; then the master itself is asked, past the
link, what it has published. This module is the frame and the end of every rehearsal.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import requests
from rich.console import Console

from resultsq.clock import SystemClock
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.submission import State
from resultsq.drill.beside import Writers
from resultsq.drill.compare import RehearsalFacts
from resultsq.drill.link import LinkMode
from resultsq.drill.node import RehearsalNode
from resultsq.drill.observer import MasterObserver
from resultsq.drill.processes import ProcessGroup, RehearsalFailed
from resultsq.drill.screen import RehearsalReport, Screen
from resultsq.drill.teams import Teams

SATURDAY = date(2013, 12, 7)
"""A Saturday on which the master was out of reach, on and off, for five hours."""

STALLED_S = 30.0
"""The link is back and nothing was published for so long: a sheet that is missing by then is lost."""

_SETTLE_S = 15.0
_SETTLED = frozenset({State.PUBLISHED, State.CORRECTED, State.SUPERSEDED})


def carry_out(
    plan: Mapping[str, object], play: Callable[[ProcessGroup, Screen], RehearsalReport], as_json: bool
) -> int:
    """Put a rehearsal on a stage and show its verdict; the exit status.

    0: all that was promised holds. 1: not so, or the rehearsal could not be carried out. 130: interrupted. `as_json`
    writes one JSON object, with `plan`, to the standard output and nothing else."""
    screen = Screen(None if as_json else Console())
    figures: Mapping[str, object]
    try:
        with ProcessGroup(SystemClock()) as processes:
            verdict = play(processes, screen)
            if not verdict.good:
                processes.keep()
        status, figures = 0 if verdict.good else 1, verdict.as_dict()
        screen.verdict(verdict, None if verdict.good else processes.folder)
    except RehearsalFailed as failed:
        status, figures = 1, {"ok": False, "error": str(failed)}
        screen.failed(str(failed))
    except requests.RequestException as error:
        status, figures = (
            1,
            {
                "ok": False,
                "error": gettext("The master did not say what it has: {reason}.", reason=type(error).__name__),
            },
        )
        screen.failed(str(figures["error"]))
    except KeyboardInterrupt:
        status, figures = 130, {"ok": False, "error": "interrupted"}
        screen.failed(gettext("Interrupted, so there is no verdict. Everything that was started has ended."))
    if as_json:
        sys.stdout.write(json.dumps({**plan, **figures}) + "\n")
    return status


@dataclass(frozen=True, slots=True)
class RehearsalRun:
    """Who plays: the stage with the node's processes on it, the teams and the witness. `writers`: who posts other
    kinds; None: nobody."""

    processes: ProcessGroup
    node: RehearsalNode
    teams: Teams
    observer: MasterObserver
    writers: Writers | None = None

    def take(self, mode: LinkMode) -> None:
        """One line leads to the master and to the mail server."""
        self.node.link.take(mode)
        if self.writers is not None:
            self.writers.take(mode)

    def see_all_published(self) -> None:
        """Wait until the sheets accepted before the outage are at the master.

        :raises RehearsalFailed: it does not come there, or something was refused"""
        self.processes.wait_for(
            gettext("The publication of what was sent while all was well"),
            lambda: self.teams.done and (bool(self.teams.refused) or self.all_published()),
        )
        if self.teams.refused:
            refusal = self.teams.refused[0]
            raise RehearsalFailed(
                gettext(
                    "The node refused the files of {event} while all was well: {reason}",
                    event=refusal.place[0],
                    reason=refusal.why,
                )
            )
        if self.writers is not None:
            self.processes.wait_for(gettext("Athlete numbers from the master"), self.node.has_numbers)

    def all_published(self) -> bool:
        """Whether the newest version of everything that was taken has been seen at the master."""
        if not self.teams.done:  # asked first: a sheet that is answered later would be missed
            return False
        if self.writers is not None and not self.writers.have_arrived(self.observer.seen_s.keys()):
            return False
        newest = {sheet.place: sheet for sheet in list(self.teams.taken)}  # a correction is answered after its first
        return all(sheet.ids <= self.observer.seen_s.keys() for sheet in newest.values())

    def see_the_end(self, teams_rest_s: float = 0.0) -> None:
        """The link is back: wait until all is published, or until nothing moves any more. `teams_rest_s`: how long it
        may be between one team and the next."""

        def progress() -> int:
            mails = 0 if self.writers is None else self.writers.mails_arrived
            return self.teams.answered + len(self.observer.seen_s) + mails

        self.processes.wait_while_it_moves(self.all_published, progress, STALLED_S + teams_rest_s)

    def facts(self, outage_s: float, returned_s: float) -> RehearsalFacts:
        """The teams' answers, the node's state and the master's list.

        :raises requests.RequestException: the master does not say"""
        taken, receipts = list(self.teams.taken), self.observer.receipts()
        unsettled = {each for sheet in taken for each in sheet.ids}
        states: dict[str, State] = {}

        def ask_the_node() -> int:
            states.update(self.node.states(unsettled))
            unsettled.difference_update([each for each, state in states.items() if state in _SETTLED])
            return len(unsettled)

        self.processes.wait_while_it_moves(lambda: not unsettled, ask_the_node, _SETTLE_S)
        return RehearsalFacts(
            taken=taken,
            refused=list(self.teams.refused),
            receipts=[one for one in receipts if one.event],
            published=self.observer.published({sheet.place for sheet in taken}),
            states=states,
            seen_s=dict(self.observer.seen_s),
            outage_s=outage_s,
            returned_s=returned_s,
            beside=() if self.writers is None else self.writers.findings(receipts),
        )


def teams_of(count: int) -> str:
    """So many, as a part of a sentence."""
    return ngettext("{number} team", "{number} teams", count)


def events_of(count: int) -> str:
    """So many, as a part of a sentence."""
    return ngettext("{number} event", "{number} events", count)


def workers_of(count: int) -> str:
    """So many, as a part of a sentence."""
    return ngettext("{number} worker", "{number} workers", count)
