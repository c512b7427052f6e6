"""The page of the races: a table, written by the command."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "simulate" / "parts" / "races.md"


@dataclass(frozen=True)
class Line:
    """One pair. `orders`: pauses there are; `schedules`: those that were run, for the others are equal to them.
    `found_after`: schedules until the planted race was found."""

    pair: str
    states: int
    orders: int
    schedules: int
    found_after: int | None
    on_sqlite: int
    found_on_sqlite_after: int | None
    planted: str


@dataclass(frozen=True)
class Whole:
    """All pairs of writers that find something to do in a state, on PostgreSQL."""

    state: str
    pairs: int
    orders: int
    schedules: int
    ends: int


HEAD = """## Races of writers

Two writers of a submission's row at once: one pauses before each of its statements and before its commit, and the
other does all of its work meanwhile, or waits for a lock. Pauses with nothing between them that the other writer can
notice are one schedule. Each end is one that the two reach one after the other, keeps every promise, and is delivered
to an honest master. Then a guard is taken away, and the explorer finds the race. Command: `{command}`.
"""


def page(lines: Sequence[Line], wholes: Sequence[Whole], command: str) -> str:
    """Markdown."""
    told = [HEAD.format(command=command)]
    told.append(
        "| pair | states | orders | run on PostgreSQL | planted race found after | run on SQLite | found after |"
    )
    told.append("|---|--:|--:|--:|--:|--:|--:|")
    told += [
        f"| {one.pair} | {one.states} | {one.orders} | {one.schedules} | {_or_none(one.found_after)}"
        f" | {one.on_sqlite} | {_or_none(one.found_on_sqlite_after)} |"
        for one in lines
    ]
    schedules, sqlite = sum(one.schedules for one in lines), sum(one.on_sqlite for one in lines)
    told.append(
        f"\n{len(lines)} pairs, {schedules} schedules on PostgreSQL and {sqlite} on SQLite, no promise broken.\n"
    )
    told += ["What is planted:\n", *(f"- {one.pair}: {one.planted}" for one in lines)]
    if wholes:
        told += [
            "\nEvery pair of all writers, on PostgreSQL:\n",
            "| both find a chain that | pairs | orders | run | ends |",
        ]
        told += ["|---|--:|--:|--:|--:|"]
        told += [f"| {one.state} | {one.pairs} | {one.orders} | {one.schedules} | {one.ends} |" for one in wholes]
    return "\n".join(told) + "\n"


def _or_none(count: int | None) -> str:
    return "–" if count is None else str(count)
