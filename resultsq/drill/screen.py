"""What a person sees of a rehearsal: the steps, live figures on a terminal, and the closing table."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.drill.link import LinkMode
from resultsq.drill.posts import ReportRow

_LINK = {
    LinkMode.PASS: ("●", gettext_noop("the link carries"), "green"),
    LinkMode.REFUSE: ("○", gettext_noop("the link is cut: connections are refused"), "red"),
    LinkMode.HOLE: ("○", gettext_noop("the link is cut: connections fall silent"), "red"),
}
_COLUMNS: tuple[JustifyMethod, ...] = ("left", "right", "left")
_PARTICULARS = 10
_JUDGEMENT = {True: Text("✔", style="green"), False: Text("✘", style="bold red"), None: Text("")}


class RehearsalReport(Protocol):
    """What a rehearsal comes to."""

    @property
    def good(self) -> bool:
        """Whether all that was promised holds."""

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""

    def rows(self) -> list[ReportRow]:
        """The closing table, top to bottom."""

    def particulars(self) -> list[str]:
        """The faults found, a line for each sheet."""

    def as_dict(self) -> dict[str, object]:
        """The same for a program."""


class Screen:
    """Writes to `console`; None: not at all."""

    def __init__(self, console: Console | None) -> None:
        self._console = console or Console(quiet=True)
        self._mode: LinkMode | None = None

    @contextmanager
    def live(self, total: int, figures: Callable[[], tuple[int, int]]) -> Generator[None]:
        """While the block runs, a terminal shows the link's state and the bars of `figures` (accepted, published:
        each of `total`) below the steps."""
        if not self._console.is_terminal:
            yield
            return
        bars = Progress(TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), auto_refresh=False)
        accepted = bars.add_task(gettext("accepted by this node"), total=total)
        published = bars.add_task(gettext("published by the master"), total=total)

        words = {mode: gettext(said) for mode, (_sign, said, _colour) in _LINK.items()}

        def picture() -> RenderableType:
            link = Text()
            if self._mode is not None:
                sign, _, colour = _LINK[self._mode]
                link = Text(f"{sign} {words[self._mode]}", style=colour)
            for task, completed in zip((accepted, published), figures(), strict=True):
                bars.update(task, completed=completed)
            return Group(link, bars.get_renderable())

        with Live(get_renderable=picture, console=self._console, refresh_per_second=8, transient=True):
            yield

    def step(self, sentence: str) -> None:
        """Say what happens now."""
        self._say(f"• {sentence}")

    def link(self, mode: LinkMode) -> None:
        """Show what the link does now."""
        self._mode = mode

    def verdict(self, verdict: RehearsalReport, logs: Path | None) -> None:
        """The closing table and its sentence. `logs`: the folder that was kept."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for justify in _COLUMNS:
            table.add_column(justify=justify)
        for row in verdict.rows():
            table.add_row(row.what, row.value, _JUDGEMENT[row.good])
        self._console.print(Padding(table, (1, 0)))
        self._say(verdict.sentence, "bold green" if verdict.good else "bold red")
        wrong = verdict.particulars()
        for line in wrong[:_PARTICULARS]:
            self._say(f"  {line}")
        if len(wrong) > _PARTICULARS:
            more = gettext("… and {number} more", number=cldr.number(len(wrong) - _PARTICULARS))
            self._say(f"  {more}")
        if logs is not None:
            self._say(gettext("The logs of all processes are in {folder}", folder=logs))

    def failed(self, sentence: str) -> None:
        """The rehearsal came to no verdict."""
        self._say(sentence, "red")

    def _say(self, sentence: str, style: str = "") -> None:
        self._console.print(sentence, style=style, markup=False, highlight=False)
