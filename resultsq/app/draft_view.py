"""A draft as its page shows it: the rows with their problems, and why it cannot be submitted yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from resultsq.app import event_day, known_athletes
from resultsq.app.comparison import Difference, difference, parsed
from resultsq.app.context import AppContext
from resultsq.app.drafts import Draft, Workspace
from resultsq.app.duplicates import find_elsewhere
from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import rows_of
from resultsq.kinds.results import athletes
from resultsq.kinds.results.athletes import KnownAthletes
from resultsq.kinds.results.checks import by_severity
from resultsq.kinds.results.days import with_days_of_files
from resultsq.kinds.results.join import Joined
from resultsq.kinds.results.join_state import Time
from resultsq.kinds.results.refusals import beside
from resultsq.kinds.results.rules import COLUMN_NOT_UNDERSTOOD, NO_FINISHERS, NO_TIME_COLUMN, NO_TIMES
from resultsq.store.admin import accounts
from resultsq.store.admin.accounts import AccountView
from resultsq.store.views import queries, versions

_ASKS_FOR_TIMES = {NO_TIME_COLUMN.code, COLUMN_NOT_UNDERSTOOD.code}
"""Problems of files whose times wait for an answer."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of the sheet. `problems` are shown here; `elsewhere`: it has problems that are shown at another row.
    `only` is the file, the line and the file's name of a time that only one of two stopwatches has."""

    index: int
    position: int
    time: str | None
    athlete: str | None
    problems: tuple[Problem, ...]
    elsewhere: bool
    blocked: bool
    only: tuple[str, int, str] | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class UncountedTime:
    """A time that does not count."""

    file: str
    line: int
    name: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class DraftView:
    """All that a draft's page shows. `head` is the current version; `moved`: it is not the one that this draft
    corrects. `reasons` say why it cannot be submitted. `changed` is what a correction does to its base.
    `known` is what the list of athletes says, where there is one."""

    blocking: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    rows: tuple[SheetRow, ...] = ()
    uncounted: tuple[UncountedTime, ...] = ()
    moved: bool = False
    head: str | None = None
    reasons: tuple[str, ...] = ()
    changed: Difference | None = None
    known: KnownAthletes | None = None


def view(ctx: AppContext, conn: Connection, account: AccountView, draft: Draft) -> DraftView:
    """The draft as its page shows it. `account` may not see which other event has the same finishers."""
    workspace = draft.workspace
    head = versions.head(conn, draft.event.id, draft.date)
    moved = head != draft.base
    try:
        joined = workspace.joined
    except InputRefused as refusal:
        undo = gettext("Undo the last correction.")
        return DraftView(blocking=workspace.refused, moved=moved, head=head, reasons=(str(refusal), undo))
    known = known_athletes.of_sheet(conn, draft.event, joined.finishers, ctx.clock.now(), workspace.volunteers)
    problems = [*_problems(conn, account, draft, joined), *_of_athletes(joined, workspace, known)]
    all_problems = by_severity(
        with_days_of_files([*beside(workspace.refused, joined.finishers), *_of_the_day(ctx, conn, draft), *problems])
    )
    blocking = tuple(problem for problem in all_problems if problem.blocks)
    changed = _change(conn, draft, joined, moved)
    reasons = (
        *_reasons(draft, joined, ctx.settings.max_rows),
        *_reasons_to_look(len(blocking), moved, head),
        *_unchanged(changed),
    )
    return DraftView(
        blocking=blocking,
        warnings=tuple(problem for problem in all_problems if not problem.blocks),
        rows=tuple(_rows(workspace, joined, problems, known)),
        uncounted=tuple(_uncounted(workspace, joined)),
        moved=moved,
        head=head,
        reasons=reasons,
        changed=changed,
        known=known,
    )


# problems


def _of_athletes(joined: Joined, workspace: Workspace, known: KnownAthletes | None) -> Iterable[Problem]:
    return () if known is None else athletes.findings(joined.finishers, known, workspace.volunteers)


def _problems(conn: Connection, account: AccountView, draft: Draft, joined: Joined) -> list[Problem]:
    problems = [one for one in joined.problems if one.code != NO_FINISHERS.code]
    if (again := _elsewhere(conn, account, draft, joined)) is not None:
        problems.append(again)
    if not (_ASKS_FOR_TIMES & {one.code for one in problems}) and joined.finishers and not _timed(joined):
        problems.append(NO_TIMES.broken([]))
    return problems


def _elsewhere(conn: Connection, account: AccountView, draft: Draft, joined: Joined) -> Problem | None:
    if "already-here" in draft.workspace.work.confirmed:
        return None
    rows = rows_of(joined.finishers, ())
    return find_elsewhere(conn, draft.event.id, draft.date, rows, lambda other: accounts.may_see(account, other))


def _timed(joined: Joined) -> bool:
    return any(row.time is not None for row in joined.finishers)


def _of_the_day(ctx: AppContext, conn: Connection, draft: Draft) -> Iterable[Problem]:
    if draft.base:
        return ()  # a correction keeps the date of its base
    return event_day.problems(conn, draft.event, draft.date, ctx.clock.now(), draft.workspace.work.confirmed)


# reasons


def _reasons(draft: Draft, joined: Joined, most_rows: int) -> Iterable[str]:
    if not joined.finishers:
        yield gettext("There is not one finisher yet.")
    elif len(joined.finishers) > most_rows:
        yield gettext("At most {most} finishers are accepted here.", most=most_rows)
    if not draft.date:
        yield gettext("Choose the date first.")


def _reasons_to_look(blocking: int, moved: bool, head: str | None) -> Iterable[str]:
    if moved:
        yield (
            gettext("There are results for this date already.")
            if head
            else gettext("The version that this one corrects was withdrawn.")
        )
    if blocking:
        yield ngettext(
            "One problem blocks publication: mend it first.",
            "{number} problems block publication: mend them first.",
            blocking,
        )


def _unchanged(changed: Difference | None) -> Iterable[str]:
    if changed is not None and changed.nothing:
        yield gettext("Nothing is changed, so there is nothing to send.")


def _change(conn: Connection, draft: Draft, joined: Joined, moved: bool) -> Difference | None:
    """What a correction changes. None: it is no correction, or the rows of its base are gone."""
    below = None if moved or draft.base is None else queries.submission(conn, draft.base)
    sheet = None if below is None else parsed(queries.body(conn, below.seq))
    if sheet is None:
        return None
    return difference(joined.finishers, draft.workspace.volunteers, sheet)


# rows


def _rows(
    workspace: Workspace, joined: Joined, problems: Sequence[Problem], known: KnownAthletes | None
) -> Iterable[SheetRow]:
    shown: dict[int, list[Problem]] = {}
    concerned: dict[int, bool] = {}
    there = {row.position for row in joined.finishers}
    for problem in problems:
        positions = sorted({where.row for where in problem.where if where.row is not None} & there)
        for position in positions:
            concerned[position] = concerned.get(position, False) or problem.blocks
        if positions:
            shown.setdefault(positions[0], []).append(problem)
    counting = [time for time in joined.times if time.counts]
    for index, row in enumerate(joined.finishers):
        yield SheetRow(
            index=index + 1,
            position=row.position,
            time=row.time,
            athlete=row.athlete,
            problems=(own := tuple(shown.pop(row.position, ()))),
            elsewhere=row.position in concerned and not own,
            blocked=concerned.get(row.position, False),
            only=_lone_line(workspace, joined, counting[index]) if index < len(counting) else None,
            name=None if known is None else known.name(row.athlete),
        )


def _lone_line(workspace: Workspace, joined: Joined, time: Time) -> tuple[str, int, str] | None:
    """The file, the line and the file's name of a time that only one of two stopwatches has."""
    if len(joined.sources) != 2 or (time.one is None) == (time.other is None):
        return None
    digest = joined.sources[0 if time.other is None else 1]
    line = time.one if time.other is None else time.other
    name = next((file.name for file in workspace.work.files if file.digest == digest), "")
    return None if line is None else (digest, line, name)


def _uncounted(workspace: Workspace, joined: Joined) -> Iterable[UncountedTime]:
    for time in joined.times:
        if not time.counts and (lone := _lone_line(workspace, joined, time)) is not None:
            yield UncountedTime(*lone, time.seconds)
