"""`status --watch`: the state of the node, live in a terminal. It reads the database alone, so it works where no web
process runs."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from resultsq.app import heard
from resultsq.app.headline import Headline, Tone, headline
from resultsq.cli.node import CliContext
from resultsq.clock import Clock
from resultsq.domain import cldr
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.i18n import gettext, gettext_noop, retold
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.domain.why import cause_text, spell
from resultsq.kinds import registry
from resultsq.store.engine.session import Database
from resultsq.store.views import overview_data, recent
from resultsq.store.views.overview_data import LiveStatus
from resultsq.store.views.recent import RecentAttempt

LOOK_S = 2.0
REST = 150
"""A query is followed by a pause of so many times its duration, so that watching takes under a hundredth of a core."""

ATTEMPTS = 8
_DATE = len("2013-12-07")
"""A longer subject is an id, of a kind without versions: it says nothing to people."""

_COLOURS = {Tone.GOOD: "green", Tone.MOVING: "cyan", Tone.WAITS: "yellow", Tone.BAD: "bold red"}


def watch(node: CliContext) -> None:
    """Show it until Ctrl-C.

    :raises click.UsageError: the output is no terminal"""
    if not sys.stdout.isatty():
        raise click.UsageError(gettext("--watch needs a terminal. `resultsq status --json` is for programs."))
    screen = StatusScreen(node.database, node.clock, node.where, ZoneInfo(node.settings.time_zone))
    try:
        with Live(screen.look(), console=Console(highlight=False), auto_refresh=False, screen=True) as live:
            while True:
                began = time.process_time()
                live.update(screen.look(), refresh=True)
                time.sleep(max(LOOK_S, REST * (time.process_time() - began)))
    except KeyboardInterrupt:
        return


LINKS: Mapping[str, str] = {
    LinkState.UP: gettext_noop("up"),
    LinkState.DOWN: gettext_noop("down"),
    LinkState.MASTER_DOWN: gettext_noop("the master cannot work"),
    LinkState.NOT_OUR_MASTER: gettext_noop("something else answers"),
    Cause.TAKES_NOTHING: gettext_noop("up, but no results are taken"),
}
"""The state of the link, as a value in the table."""


def _spell(now: datetime, since: datetime) -> str:
    return spell((now - since).total_seconds())


class StatusScreen:
    """What a terminal shows. Times are those of `zone`."""

    def __init__(self, database: Database, clock: Clock, where: str, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._where = where
        self._zone = zone

    def look(self) -> RenderableType:
        """The screen as it is now."""
        try:
            heard.ask(self._database, self._clock)
            now = self._clock.now()
            with self._database.read() as conn:
                pulse = overview_data.live_status(conn, now)
                attempts = recent.attempts(conn, ATTEMPTS)
        except StoreUnavailable as error:
            silent = gettext("The node's database does not answer. It is asked again each 2 s.")
            return Text(f"{silent} {retold(error.cause)}", "bold red")
        end = gettext("Ctrl-C ends this.")
        return Group(
            self._heading(headline(now, pulse), now),
            Padding(self._figures(pulse, now), (1, 0)),
            self._attempts(attempts, now),
            Text(f"\n{self._where}  {self._at(now)}  {end}", "dim"),
        )

    def _heading(self, found: Headline, now: datetime) -> RenderableType:
        values = {name: self._at(it) if isinstance(it, datetime) else it for name, it in found.values.items()}
        since = "" if found.since is None else " · " + gettext("for {time}", time=_spell(now, found.since))
        title = gettext(found.title, **values)
        return Group(
            Text(f"● {title}{since}", _COLOURS[found.tone]),
            Text(gettext(found.text, **values)),
        )

    def _figures(self, pulse: LiveStatus, now: datetime) -> Table:
        table = Table.grid(padding=(0, 3))
        if pulse.oldest_waiting_at is None:
            table.add_row(gettext("waiting"), gettext("nothing"))
        else:
            table.add_row(gettext("waiting"), registry.counted(pulse.waiting_by_kind))
            if pulse.held:
                table.add_row(gettext("of them held"), cldr.number(pulse.held))
            table.add_row(gettext("the oldest"), gettext("for {time}", time=_spell(now, pulse.oldest_waiting_at)))
        if pulse.to_send and (left := pulse.drain_s if pulse.rate else pulse.return_s) is not None:
            about = gettext_noop("in about {time}") if pulse.rate else gettext_noop("about {time} after the return")
            table.add_row(gettext("all published"), gettext(about, time=spell(left)))
        if pulse.link is not None:
            heard_at = pulse.link.probed_at
            table.add_row(gettext("link"), gettext(LINKS[pulse.link.word]))
            if heard_at:
                table.add_row(gettext("last probe"), self._at(heard_at))
        table.add_row(gettext("workers"), cldr.number(pulse.workers_alive))
        for state in State:
            if pulse.counts[state]:
                table.add_row(gettext(state), cldr.number(pulse.counts[state]))
        return table

    def _attempts(self, attempts: Sequence[RecentAttempt], now: datetime) -> RenderableType:
        if not attempts:
            return Text(gettext("No attempt has ended yet."), "dim")
        table = Table(gettext("last attempts"), "", "", "", box=None, pad_edge=False, header_style="bold")
        for one in attempts:
            took = "" if one.duration_s is None else gettext("{number} ms", number=cldr.number(one.duration_s * 1000))
            subject = f" {one.date} v{one.version}" if len(one.date) <= _DATE else ""
            what = f"{registry.title(one.kind)} {one.event}{subject}"
            outcome = gettext(one.outcome) if one.outcome else ""
            why = " ".join(part for part in (outcome, cause_text(one.cause), str(one.status or "")) if part)
            table.add_row(self._at(one.ended_at), what, why, took)
        return table

    def _at(self, moment: datetime | None) -> str:
        if moment is None:
            return ""
        local = moment.astimezone(self._zone)
        return f"{local:%H:%M:%S %Z}"
