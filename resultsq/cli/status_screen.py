"""`status --watch`: the state of the node, live in a terminal. It reads the database alone, so it works where no web
process runs."""

import sys
import time
from collections.abc import Sequence
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
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.submission import State
from resultsq.domain.why import cause_text, spell
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
        raise click.UsageError("--watch needs a terminal. `resultsq status --json` is for programs.")
    screen = StatusScreen(node.database, node.clock, node.where, ZoneInfo(node.settings.time_zone))
    try:
        with Live(screen.look(), console=Console(highlight=False), auto_refresh=False, screen=True) as live:
            while True:
                began = time.process_time()
                live.update(screen.look(), refresh=True)
                time.sleep(max(LOOK_S, REST * (time.process_time() - began)))
    except KeyboardInterrupt:
        return


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
            return Text(f"The node's database does not answer: {error.cause} It is asked again each 2 s.", "bold red")
        return Group(
            self._heading(headline(now, pulse), now),
            Padding(self._figures(pulse, now), (1, 0)),
            self._attempts(attempts, now),
            Text(f"\n{self._where}  {self._at(now)}  Ctrl-C ends this.", "dim"),
        )

    def _heading(self, found: Headline, now: datetime) -> RenderableType:
        values = {name: self._at(it) if isinstance(it, datetime) else it for name, it in found.values.items()}
        since = "" if found.since is None else f" · for {spell((now - found.since).total_seconds())}"
        return Group(
            Text(f"● {found.title}{since}", _COLOURS[found.tone]),
            Text(found.text.format(**values)),
        )

    def _figures(self, pulse: LiveStatus, now: datetime) -> Table:
        table = Table.grid(padding=(0, 3))
        if pulse.oldest_waiting_at is None:
            table.add_row("waiting", "nothing")
        else:
            by_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(pulse.waiting_by_kind.items()))
            held = f", of which {pulse.held} are held" if pulse.held else ""
            table.add_row("waiting", f"{by_kind}{held}")
            table.add_row("the oldest", f"for {spell((now - pulse.oldest_waiting_at).total_seconds())}")
        if pulse.to_send and (left := pulse.drain_s if pulse.rate else pulse.return_s) is not None:
            table.add_row("all published", f"about {spell(left)} {'from now' if pulse.rate else 'after the return'}")
        if pulse.link is not None:
            heard_at = pulse.link.probed_at
            table.add_row("link", f"{pulse.link.word}{f', last probe at {self._at(heard_at)}' if heard_at else ''}")
        table.add_row("workers", str(pulse.workers_alive))
        for state in State:
            if pulse.counts[state]:
                table.add_row(str(state), f"{pulse.counts[state]:,}")
        return table

    def _attempts(self, attempts: Sequence[RecentAttempt], now: datetime) -> RenderableType:
        if not attempts:
            return Text("No attempt has ended yet.", "dim")
        table = Table("last attempts", "", "", "", box=None, pad_edge=False, header_style="bold")
        for one in attempts:
            took = "" if one.duration_s is None else f"{one.duration_s * 1000:,.0f} ms"
            subject = f" {one.date} v{one.version}" if len(one.date) <= _DATE else ""
            what = f"{one.kind} {one.event}{subject}"
            why = " ".join(part for part in (one.outcome, cause_text(one.cause), str(one.status or "")) if part)
            table.add_row(self._at(one.ended_at), what, why, took)
        return table

    def _at(self, moment: datetime | None) -> str:
        if moment is None:
            return ""
        local = moment.astimezone(self._zone)
        return f"{local:%H:%M:%S %Z}"
