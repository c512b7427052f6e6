"""A team's work in progress: opened, changed, saved, submitted.

A change returns another `Draft`; `save` stores it.
"""

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from resultsq.app import intake
from resultsq.app.context import AppContext
from resultsq.app.event_day import OF_THE_DAY, SATURDAY, clock_is_behind, demand_past, today_at
from resultsq.domain.errors import InputRefused, TooLarge
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Sheet, Volunteer, rows_of
from resultsq.kinds.results import join
from resultsq.kinds.results.corrections import Correction
from resultsq.kinds.results.corrections_files import EditVolunteer
from resultsq.kinds.results.join import Joined, Work
from resultsq.kinds.results.plausible import Occasion
from resultsq.readers.marks import UnreadableField, read_athlete
from resultsq.store import outbox
from resultsq.store.admin import drafts
from resultsq.store.admin.drafts import DraftMoved, StoredDraft
from resultsq.store.admin.events import EventRow
from resultsq.store.views import versions
from resultsq.store.views.queries import SubmissionView

MOST_VOLUNTEERS = 1000
LONGEST_ROLE = 100


class Workspace(BaseModel):
    """The content of a draft, as it is stored. `key` names this piece of work; `refused` are files that could not be
    read: they block the submission until a person says that they are not needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    work: Work = Work()
    volunteers: tuple[Volunteer, ...] = ()
    refused: tuple[Problem, ...] = ()

    @cached_property
    def joined(self) -> Joined:
        """The results of it, computed once.

        :raises InputRefused: a correction no longer makes sense."""
        return join.evaluate(self.work)

    @property
    def empty(self) -> bool:
        return not (self.work.files or self.volunteers or self.refused)

    def changed(self, **changes: object) -> "Workspace":
        """With other content. (`model_copy` would keep the computed results of the old one.)"""
        return Workspace.model_construct(**{**dict(self), **changes})


@dataclass(frozen=True, slots=True)
class Draft:
    """A stored draft with its content, as it was when it was opened."""

    event: EventRow
    stored: StoredDraft
    workspace: Workspace

    @property
    def date(self) -> str:
        """ISO 8601, or empty while none is chosen."""
        return self.stored.date

    @property
    def base(self) -> str | None:
        """The submission that this draft corrects."""
        return self.stored.base

    @property
    def revision(self) -> int:
        return self.stored.revision

    @property
    def key(self) -> str:
        """Names this state of the draft: submitted twice, it is one submission."""
        return f"form-{self.workspace.key}-{self.revision}"


# open, save, submit


def open_draft(conn: Connection, account_id: int, event: EventRow, now: datetime) -> Draft:
    """The account's draft for the event; an empty one where there is none."""
    stored = drafts.load(conn, event.id, account_id)
    workspace = Workspace.model_validate_json(stored.work) if stored.work else _new_workspace()
    today = today_at(event, now)
    if workspace.empty and not stored.date and today.isoweekday() == SATURDAY and not clock_is_behind(conn, now):
        # only on a Saturday: on another day a default would be wrong, and a wrong date is found late
        stored = replace(stored, date=today.isoformat())
    return _for_its_day(Draft(event, stored, workspace))


def save(ctx: AppContext, draft: Draft, files: Sequence[outbox.File] = (), *, afresh: bool = False) -> Draft:
    """Store the draft and add `files`; with `afresh` older files are deleted.

    :raises DraftMoved: another device saved it meanwhile; nothing was changed."""
    now = ctx.clock.now()
    stored = replace(draft.stored, work=draft.workspace.model_dump_json())
    revision = ctx.database.write(lambda conn: drafts.save(conn, now, stored, files, afresh=afresh))
    return replace(draft, stored=replace(stored, revision=revision))


def start_again(
    ctx: AppContext, draft: Draft, *, date: str = "", base: str | None = None, workspace: Workspace | None = None
) -> Draft:
    """Replace the draft by an empty one, or by `workspace`.

    :raises DraftMoved: as `save`."""
    stored = replace(draft.stored, date=date, base=base)
    return save(ctx, unsaved(draft.event, stored, workspace), afresh=True)


def unsaved(event: EventRow, stored: StoredDraft, workspace: Workspace | None = None) -> Draft:
    """A draft with this workspace, or an empty one; nothing is stored."""
    return _for_its_day(Draft(event, stored, workspace or _new_workspace()))


def start_correction(ctx: AppContext, draft: Draft, found: SubmissionView, sheet: Sheet, name: str) -> Draft:
    """Replace the draft by a correction of `found`; `name` is what its rows are called as a file.

    :raises DraftMoved: as `save`."""
    workspace = _new_workspace().changed(work=Work.from_rows(name, sheet.finishers), volunteers=sheet.volunteers)
    return start_again(ctx, draft, date=found.date, base=found.id, workspace=workspace)


def submit(ctx: AppContext, draft: Draft, submitted_by: str, request_id: str = "") -> outbox.Acknowledgement:
    """Accept the draft's results, and clear the draft.

    :raises ResultsqError: as `intake.submit`; the draft is left as it was."""
    with ctx.database.read() as conn:
        kept = drafts.files(conn, draft.stored)
    joined = draft.workspace.joined
    sent = intake.CheckedResults(
        event=draft.event.slug,
        date=date.fromisoformat(draft.date),
        rows=rows_of(joined.finishers, draft.workspace.volunteers),
        problems=joined.problems,
        # a draft names its files by a shorter digest, as corrections do
        files=tuple(intake.original(file.name, file.content, file.kind) for file in kept),
    )
    accepted = intake.submit(
        ctx,
        sent,
        event_id=draft.event.id,
        submitted_by=submitted_by,
        if_match=draft.base,
        client_key=draft.key,
        request_id=request_id,
    )
    clear(ctx, draft)
    return accepted


def clear(ctx: AppContext, draft: Draft) -> None:
    """Empty a draft that was submitted."""
    with suppress(DraftMoved):  # the other click of a double click has cleared it
        start_again(ctx, draft)


# changes


def with_date(ctx: AppContext, draft: Draft, text: str) -> Draft:
    """The draft for another day.

    :raises InputRefused: it is not a date, or a version of another day is being corrected."""
    if draft.base is not None and text != draft.date:
        raise InputRefused(
            gettext("These results correct a version of another date. Start again to submit for that one.")
        )
    try:
        chosen = date.fromisoformat(text)
    except ValueError:
        raise InputRefused(gettext("That is not a date. Choose the day of the event.")) from None
    with ctx.database.read() as conn:
        demand_past(conn, draft.event, chosen, ctx.clock.now())
    if chosen.isoformat() != draft.date:
        draft = with_workspace(draft, work=join.without_words(draft.workspace.work, OF_THE_DAY))
    return _for_its_day(replace(draft, stored=replace(draft.stored, date=chosen.isoformat())))


def with_base(conn: Connection, draft: Draft, expected: str | None) -> Draft:
    """The draft as a correction of the current version, or as a first version where there is none.

    :param expected: the current version that the person saw
    :raises InputRefused: the current version is another one"""
    head = versions.head(conn, draft.event.id, draft.date)
    if (head or "") != expected:
        raise InputRefused(gettext("Another version has come in the meantime. Look at it first."))
    return replace(draft, stored=replace(draft.stored, base=head))


def with_correction(draft: Draft, correction: Correction, by: str) -> Draft:
    """The draft with one more correction.

    :raises InputRefused: the correction makes no sense."""
    return with_workspace(draft, work=join.apply(draft.workspace.work, correction, by))


def without_last_correction(draft: Draft) -> Draft:
    """:raises InputRefused: there is none."""
    return with_workspace(draft, work=join.undo(draft.workspace.work))


def without_refused(draft: Draft, name: str) -> Draft:
    """The draft without a file that could not be read: a person says that it is not needed."""
    refused = draft.workspace.refused
    return with_workspace(draft, refused=tuple(one for one in refused if name not in {at.file for at in one.where}))


def with_volunteers(draft: Draft, volunteers: Iterable[Volunteer]) -> Draft:
    """The draft with these volunteers.

    :raises TooLarge: there are too many."""
    return with_workspace(draft, volunteers=unique_volunteers(volunteers))


def with_volunteer(draft: Draft, athlete: str, role: str) -> Draft:
    """The draft with one more volunteer, as a person typed it.

    :raises InputRefused: the number or the role cannot be taken, or there are too many."""
    try:
        number = read_athlete(athlete)
    except UnreadableField as reason:
        raise InputRefused(gettext("The volunteer's number: {reason}.", reason=str(reason))) from None
    role = role.strip()
    if not 0 < len(role) <= LONGEST_ROLE or not role.isprintable():
        raise InputRefused(gettext("The role is a word or two, like Timekeeper."))
    return with_volunteers(draft, [*draft.workspace.volunteers, Volunteer(athlete=number, role=role)])


def with_other_number(draft: Draft, fix: EditVolunteer) -> Draft:
    """The draft with another number for a volunteer, in each role."""
    return with_volunteers(
        draft,
        [
            one.model_copy(update={"athlete": fix.athlete}) if one.athlete == fix.volunteer else one
            for one in draft.workspace.volunteers
        ],
    )


def without_volunteer(draft: Draft, index: int) -> Draft:
    """The draft without the volunteer of that number, from 0 on."""
    return with_volunteers(draft, [one for at, one in enumerate(draft.workspace.volunteers) if at != index])


def with_workspace(draft: Draft, **changes: object) -> Draft:
    """The draft with some of its content changed."""
    return replace(draft, workspace=draft.workspace.changed(**changes))


def unique_volunteers(volunteers: Iterable[Volunteer]) -> tuple[Volunteer, ...]:
    """Each athlete and role once.

    :raises TooLarge: there are too many."""
    found = tuple({(one.athlete, one.role): one for one in volunteers}.values())
    if len(found) > MOST_VOLUNTEERS:
        raise TooLarge(gettext("An event can have at most {most} volunteers.", most=MOST_VOLUNTEERS))
    return found


def _new_workspace() -> Workspace:
    return Workspace(key=uuid.uuid4().hex)


def _for_its_day(draft: Draft) -> Draft:
    """The checks of the work know the chosen day: its files may say another."""
    occasion = Occasion(draft.date, draft.event.plausible, draft.event.time_zone)
    return with_workspace(draft, work=draft.workspace.work.model_copy(update={"occasion": occasion}))
