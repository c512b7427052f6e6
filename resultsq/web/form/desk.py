"""A team's work in progress: taken from the store, changed, put back, and looked at as the page shows it."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property

from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from resultsq.app.duplicates import find_elsewhere
from resultsq.app.intake import VOLUNTEERS, name_of
from resultsq.domain.errors import FileRefused, InputRefused, TooLarge
from resultsq.domain.event_files import FileKind, ReadFile
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Volunteer, rows_of
from resultsq.kinds.results import join
from resultsq.kinds.results.board import Time
from resultsq.kinds.results.checks import by_severity
from resultsq.kinds.results.join import Joined, Work
from resultsq.kinds.results.plausible import Occasion
from resultsq.kinds.results.refusals import beside
from resultsq.kinds.results.rules import COLUMN_NOT_UNDERSTOOD, NO_FINISHERS, NO_TIME_COLUMN, NO_TIMES
from resultsq.kinds.results.volunteers import lists_roles, read_volunteers
from resultsq.readers import read
from resultsq.store import accounts, drafts, outbox, queries, versions
from resultsq.store.drafts import Draft
from resultsq.store.events import EventRow
from resultsq.web.auth import me
from resultsq.web.bounds import MOST_FILES
from resultsq.web.compare import Difference, difference, parsed
from resultsq.web.form.day import OF_THE_DAY
from resultsq.web.form.day import problems as day_problems
from resultsq.web.form.frame import clock_is_behind, demand_past, today
from resultsq.web.node import node

_SATURDAY = 6
MOST_BODIES = 3
"""Files of one draft may be as large as so many full requests."""
MOST_VOLUNTEERS = 1000

_ASKS_FOR_TIMES = {NO_TIME_COLUMN.code, COLUMN_NOT_UNDERSTOOD.code}
"""Problems of files whose times wait for an answer."""


class Hand(BaseModel):
    """What a team has in hand. `key` names this piece of work; `refused` are files that could not be read, which
    stand in the way until somebody says that they are not needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    work: Work = Work()
    volunteers: tuple[Volunteer, ...] = ()
    refused: tuple[Problem, ...] = ()

    @cached_property
    def joined(self) -> Joined:
        """The results of it, worked out once.

        :raises InputRefused: a correction makes no sense any more."""
        return join.evaluate(self.work)

    @property
    def empty(self) -> bool:
        return not (self.work.files or self.volunteers or self.refused)


@dataclass(frozen=True, slots=True)
class Desk:
    """A draft with what is in it, as it was when it was opened."""

    event: EventRow
    draft: Draft
    hand: Hand

    @property
    def key(self) -> str:
        """Names this state of the work: sent twice it is one submission."""
        return f"form-{self.hand.key}-{self.draft.revision}"


def _new_hand() -> Hand:
    return Hand(key=uuid.uuid4().hex)


def take(conn: Connection, event: EventRow) -> Desk:
    """The work in progress of whoever is logged in."""
    draft = drafts.load(conn, event.id, me().id)
    hand = Hand.model_validate_json(draft.work) if draft.work else _new_hand()
    if hand.empty and not draft.date and today(event).isoweekday() == _SATURDAY and not clock_is_behind(conn):
        # the morning's own day; on any other day people say which day they mean, for a wrong one is found late
        draft = replace(draft, date=today(event).isoformat())
    return _of_its_day(Desk(event, draft, hand))


def _of_its_day(desk: Desk) -> Desk:
    """The desk whose work knows the chosen day: its files may say another."""
    occasion = Occasion(desk.draft.date, desk.event.plausible, desk.event.time_zone)
    work = desk.hand.work.model_copy(update={"occasion": occasion})
    return with_hand(desk, work=work)


def last_saturday(event: EventRow) -> date:
    """The day that most results are of: to be said by one tap, where a wrong date is typed easily."""
    there = today(event)
    return there - timedelta(days=(there.isoweekday() - _SATURDAY) % 7)


def put(desk: Desk, files: Sequence[outbox.File] = (), *, afresh: bool = False) -> Desk:
    """Keep the desk as it is now.

    :raises DraftMoved: another device was faster; nothing was changed."""
    held = node()
    now = held.clock.now()
    draft = replace(desk.draft, work=desk.hand.model_dump_json())
    revision = held.database.write(lambda conn: drafts.save(conn, now, draft, files, afresh=afresh))
    return replace(desk, draft=replace(draft, revision=revision))


def clear(desk: Desk, date: str = "", base: str | None = None, hand: Hand | None = None) -> Desk:
    """Begin anew, with `hand` where a version is corrected."""
    draft = replace(desk.draft, date=date, base=base)
    return put(_of_its_day(replace(desk, draft=draft, hand=hand or _new_hand())), afresh=True)


def with_date(desk: Desk, text: str) -> Desk:
    """The desk for another day.

    :raises InputRefused: that is no date, or a version of a certain day is being corrected."""
    if desk.draft.base is not None and text != desk.draft.date:
        raise InputRefused(_("These results correct a version of another date. Start again to submit for that one."))
    try:
        chosen = date.fromisoformat(text)
    except ValueError:
        raise InputRefused(_("That is no date. Choose the day of the event.")) from None
    demand_past(desk.event, chosen)
    if chosen.isoformat() != desk.draft.date:
        desk = with_hand(desk, work=join.without_words(desk.hand.work, OF_THE_DAY))
    return _of_its_day(replace(desk, draft=replace(desk.draft, date=chosen.isoformat())))


# files


@dataclass
class Batch:
    """Files that came together: those that could be read, those that could not, and all good ones as they came."""

    read: list[ReadFile] = field(default_factory=list)
    volunteers: list[Volunteer] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    kept: list[outbox.File] = field(default_factory=list)

    def take(self, name: str, content: bytes) -> None:
        """Read one more."""
        name = name_of(name) or _("a file without a name")
        self.names.add(name)
        try:
            if lists_roles(name, content):
                self.volunteers += read_volunteers(name, content)
                self.kept.append(outbox.File(name, VOLUNTEERS, "", content))
            else:
                file = read(name, content)
                self.read.append(file)
                self.kept.append(outbox.File(name, file.kind, file.digest, content))
        except FileRefused as refusal:
            self.refused += refusal.problems


def too_many_files() -> TooLarge:
    return TooLarge(_("More than %(most)s files are not taken for one event. Leave some out.", most=MOST_FILES))


def with_files(desk: Desk, batch: Batch, instead_of: str | None = None) -> tuple[Desk, list[outbox.File]]:
    """The desk with these files added, and which of them have to be kept; `instead_of` names a table to replace.

    :raises InputRefused: corrections that were made do not fit them."""
    hand = desk.hand
    work = hand.work
    if instead_of is not None:
        others = tuple(file for file in work.files if not (file.kind is FileKind.TABLE and file.name == instead_of))
        work = work.model_copy(update={"files": others})
    with node().database.read() as conn:
        size = drafts.size(conn, desk.draft) + sum(len(file.content) for file in batch.kept)
    if size > MOST_BODIES * node().settings.max_body_bytes:
        raise TooLarge(_("These files are too large together. Leave out what is not needed, or start again."))
    known = {(file.name, file.digest) for file in work.files}
    new = [file for file in batch.read if (file.name, file.digest) not in known]
    refused = [problem for problem in hand.refused if not batch.names & {where.file for where in problem.where}]
    if len(work.files) + len(new) + len(refused) + len(batch.refused) > MOST_FILES:
        raise too_many_files()
    if (too_many := join.too_many_together([*work.files, *new])) is not None:
        raise TooLarge(too_many.message)
    hand = hand.model_copy(
        update={
            "work": join.add(work, new),
            "volunteers": _without_doubles([*hand.volunteers, *batch.volunteers]),
            "refused": (*refused, *batch.refused),
        }
    )
    hand = Hand.model_construct(**dict(hand))  # a copy would keep what was worked out for the old one
    _demand_replay(hand)
    fresh = {(file.name, file.digest) for file in new}
    kept = [file for file in batch.kept if file.kind == VOLUNTEERS or (file.name, file.digest) in fresh]
    return replace(desk, hand=hand), kept


def with_hand(desk: Desk, **changes: object) -> Desk:
    """The desk with something of what is in hand changed."""
    return replace(desk, hand=Hand.model_construct(**{**dict(desk.hand), **changes}))


def without_refused(desk: Desk, name: str) -> Desk:
    """Somebody says that a file which could not be read is not needed."""
    left = tuple(problem for problem in desk.hand.refused if name not in {where.file for where in problem.where})
    return with_hand(desk, refused=left)


def with_volunteers(desk: Desk, volunteers: Iterable[Volunteer]) -> Desk:
    """The desk with these volunteers.

    :raises InputRefused: there are too many."""
    return with_hand(desk, volunteers=_without_doubles(volunteers))


def _without_doubles(volunteers: Iterable[Volunteer]) -> tuple[Volunteer, ...]:
    found = tuple({(one.athlete, one.role): one for one in volunteers}.values())
    if len(found) > MOST_VOLUNTEERS:
        raise TooLarge(_("More than %(most)s volunteers are not taken for one event.", most=MOST_VOLUNTEERS))
    return found


def _demand_replay(hand: Hand) -> None:
    try:
        hand.joined  # noqa: B018 - worked out here, shown later
    except InputRefused as refusal:
        reason = str(refusal)
        raise InputRefused(_("%(reason)s Undo your corrections first, then add it again.", reason=reason)) from None


# as the page shows it


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sheet. `said` are the problems that are told here, `more` those told at another line;
    `only` is the file and line of a time that one of two stopwatches alone has."""

    index: int
    position: int
    time: str | None
    athlete: str | None
    said: tuple[Problem, ...]
    more: bool
    blocked: bool
    only: tuple[str, int, str] | None


@dataclass(frozen=True, slots=True)
class Unticked:
    """A time that does not count."""

    file: str
    line: int
    name: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """All that the page of a desk shows. `moved`: what is there is not what this work stands on; `head` is what is
    there. `reasons` say why the button is shut. `changed` is what a correction does to the version below it."""

    blocking: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    rows: tuple[Row, ...] = ()
    unticked: tuple[Unticked, ...] = ()
    moved: bool = False
    head: str | None = None
    reasons: tuple[str, ...] = ()
    changed: Difference | None = None
    volunteers_changed: bool = False


def look(conn: Connection, desk: Desk) -> Look:
    """The desk as the page shows it."""
    hand = desk.hand
    head = versions.head(conn, desk.event.id, desk.draft.date)
    moved = head != desk.draft.base
    try:
        joined = hand.joined
    except InputRefused as refusal:
        reasons = (str(refusal), _("Undo the last correction."))
        return Look(blocking=hand.refused, moved=moved, head=head, reasons=reasons)
    problems = [one for one in joined.problems if one.code != NO_FINISHERS.code]
    if (again := _find_elsewhere(conn, desk, joined)) is not None:
        problems.append(again)
    if not (_ASKS_FOR_TIMES & {one.code for one in problems}) and joined.finishers and not _timed(joined):
        problems.append(NO_TIMES.broken([]))
    # a correction keeps the date of the version below it
    told_of_day = () if desk.draft.base else day_problems(conn, desk.event, desk.draft.date, hand.work.confirmed)
    all_problems = by_severity([*beside(hand.refused, joined.finishers), *told_of_day, *problems])
    blocking = tuple(problem for problem in all_problems if problem.blocks)
    changed, volunteers_changed = _change(conn, desk, joined, moved)
    return Look(
        blocking=blocking,
        warnings=tuple(problem for problem in all_problems if not problem.blocks),
        rows=tuple(_rows(hand, joined, problems)),
        unticked=tuple(_unticked(hand, joined)),
        moved=moved,
        head=head,
        reasons=(*_reasons(desk, joined, len(blocking), moved, head), *_unchanged(changed, volunteers_changed)),
        changed=changed,
        volunteers_changed=volunteers_changed,
    )


def _timed(joined: Joined) -> bool:
    return any(row.time is not None for row in joined.finishers)


def _find_elsewhere(conn: Connection, desk: Desk, joined: Joined) -> Problem | None:
    if "already-here" in desk.hand.work.confirmed:
        return None
    rows, see = rows_of(joined.finishers, ()), me()
    return find_elsewhere(conn, desk.event.id, desk.draft.date, rows, lambda other: accounts.may_see(see, other))


def _change(conn: Connection, desk: Desk, joined: Joined, moved: bool) -> tuple[Difference | None, bool]:
    """What a correction changes: rows, and whether volunteers do. None: it is no correction, or the rows of the
    version below it are gone."""
    below = None if moved or desk.draft.base is None else queries.submission(conn, desk.draft.base)
    sheet = None if below is None else parsed(queries.body(conn, below.seq))
    if sheet is None:
        return None, False
    changed = difference(joined.finishers, sheet.finishers)
    return changed, set(desk.hand.volunteers) != set(sheet.volunteers)


def _unchanged(changed: Difference | None, volunteers_changed: bool) -> Iterable[str]:
    if changed is not None and not changed.count and not volunteers_changed:
        yield _("Nothing is changed, so there is nothing to send.")


def _reasons(desk: Desk, joined: Joined, blocking: int, moved: bool, head: str | None) -> Iterable[str]:
    most = node().settings.max_rows
    if not joined.finishers:
        yield _("There is not one finisher yet.")
    elif len(joined.finishers) > most:
        yield _("More than %(most)s finishers are not taken here.", most=most)
    if not desk.draft.date:
        yield _("Choose the date first.")
    if moved:
        yield _("There are results for this date already.") if head else _("What this corrects was withdrawn.")
    if blocking == 1:
        yield _("One problem blocks publication: mend it first.")
    elif blocking:
        yield _("%(count)s problems block publication: mend them first.", count=blocking)


def _rows(hand: Hand, joined: Joined, problems: Sequence[Problem]) -> Iterable[Row]:
    told: dict[int, list[Problem]] = {}
    concerned: dict[int, bool] = {}
    there = {row.position for row in joined.finishers}
    for problem in problems:
        positions = sorted({where.row for where in problem.where if where.row is not None} & there)
        for position in positions:
            concerned[position] = concerned.get(position, False) or problem.blocks
        if positions:
            told.setdefault(positions[0], []).append(problem)
    counting = [time for time in joined.times if time.counts]
    for index, row in enumerate(joined.finishers):
        only = _lone_line(hand, joined, counting[index]) if index < len(counting) else None
        said = tuple(told.pop(row.position, ()))
        more = row.position in concerned and not said
        blocked = concerned.get(row.position, False)
        yield Row(index + 1, row.position, row.time, row.athlete, said, more, blocked, only)


def _lone_line(hand: Hand, joined: Joined, time: Time) -> tuple[str, int, str] | None:
    """The file, the line and the file's name of a time that one of two stopwatches alone has."""
    if len(joined.sources) != 2 or (time.one is None) == (time.other is None):
        return None
    digest = joined.sources[0 if time.other is None else 1]
    line = time.one if time.other is None else time.other
    name = next((file.name for file in hand.work.files if file.digest == digest), "")
    return None if line is None else (digest, line, name)


def _unticked(hand: Hand, joined: Joined) -> Iterable[Unticked]:
    for time in joined.times:
        if not time.counts and (lone := _lone_line(hand, joined, time)) is not None:
            yield Unticked(*lone, time.seconds)
