"""Files that a team adds to its draft."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from resultsq.app.context import AppContext
from resultsq.app.drafts import Draft, Workspace, save, unique_volunteers, with_workspace
from resultsq.app.intake import MOST_FILES, VOLUNTEERS, name_of
from resultsq.domain.errors import FileRefused, InputRefused, TooLarge
from resultsq.domain.event_files import FileKind, ReadFile
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Volunteer
from resultsq.kinds.results import join
from resultsq.kinds.results.join import Work
from resultsq.kinds.results.volunteers import lists_roles, read_volunteers
from resultsq.readers import Budget, read
from resultsq.store import outbox
from resultsq.store.admin import drafts
from resultsq.store.admin.drafts import DraftMoved

TYPED = "typed-table.csv"
"""The name under which a table that was typed into the form is kept."""

MOST_BODIES = 3
"""The files of one draft may be as large together as this many full requests."""


@dataclass
class UploadedFiles:
    """Files that came together: their rows, their volunteers, the problems of those that could not be read, and the
    bytes to keep."""

    read: list[ReadFile] = field(default_factory=list)
    volunteers: list[Volunteer] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    kept: list[outbox.File] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)
    first_looks: Budget = field(default_factory=Budget)

    def add(self, name: str, content: bytes) -> None:
        """Read one more file."""
        name = name_of(name) or gettext("a file without a name")
        self.names.add(name)
        try:
            if lists_roles(name, content, self.first_looks):
                found = read_volunteers(name, content, self.budget)
                self.volunteers += found.volunteers
                self.refused += found.problems
                self.kept.append(outbox.File(name, VOLUNTEERS, "", content))
            else:
                file = read(name, content, budget=self.budget)
                self.read.append(file)
                self.kept.append(outbox.File(name, file.kind, file.digest, content))
        except FileRefused as refusal:
            self.refused += refusal.problems


def typed_table(rows: Sequence[tuple[str, str]]) -> UploadedFiles:
    """A table that was typed, as a file; each row is a time and an athlete. An empty row is a finisher of whom nothing
    is known."""
    lines = [f'{at},"{_quoted(time)}","{_quoted(athlete)}"' for at, (time, athlete) in enumerate(rows, 1)]
    uploaded = UploadedFiles()
    uploaded.add(TYPED, "\n".join(["position,time,athlete", *lines, ""]).encode())
    return uploaded


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def too_many_files() -> TooLarge:
    return TooLarge(gettext("An event can have at most {most} files. Leave some out.", most=MOST_FILES))


def add_files(
    ctx: AppContext, reopen: Callable[[], Draft], uploaded: UploadedFiles, instead_of: str | None = None
) -> Draft:
    """Save the draft with these files added; `instead_of` names a table that they replace.

    Adding overwrites nothing: where another device saved the draft meanwhile, it is opened and tried again.

    :raises InputRefused: there are too many, or the corrections that were made do not fit them.
    :raises DraftMoved: other devices were faster each time."""
    for tries_left in (2, 1, 0):
        try:
            return _add(ctx, reopen(), uploaded, instead_of)
        except DraftMoved:
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def _add(ctx: AppContext, draft: Draft, uploaded: UploadedFiles, instead_of: str | None) -> Draft:
    _demand_room(ctx, draft, uploaded)
    old = draft.workspace
    work = old.work if instead_of is None else _without_table(old.work, instead_of)
    known = {(file.name, file.digest) for file in work.files}
    new = [file for file in uploaded.read if (file.name, file.digest) not in known]
    refused = [one for one in old.refused if not uploaded.names & {where.file for where in one.where}]
    refused += uploaded.refused
    if len(work.files) + len(new) + len(refused) > MOST_FILES:
        raise too_many_files()
    if (too_many := join.too_many_together([*work.files, *new])) is not None:
        raise TooLarge(too_many.message)
    changed = with_workspace(
        draft,
        work=join.add(work, new),
        volunteers=unique_volunteers([*old.volunteers, *uploaded.volunteers]),
        refused=tuple(refused),
    )
    _demand_replay(changed.workspace)
    return save(ctx, changed, _to_keep(uploaded.kept, new))


def _demand_room(ctx: AppContext, draft: Draft, uploaded: UploadedFiles) -> None:
    with ctx.database.read() as conn:
        size = drafts.size(conn, draft.stored) + sum(len(file.content) for file in uploaded.kept)
    if size > MOST_BODIES * ctx.settings.max_body_bytes:
        raise TooLarge(gettext("These files are too large together. Leave out what is not needed, or start again."))


def _without_table(work: Work, name: str) -> Work:
    others = tuple(file for file in work.files if not (file.kind is FileKind.TABLE and file.name == name))
    return work.model_copy(update={"files": others})


def _demand_replay(workspace: Workspace) -> None:
    try:
        workspace.joined  # noqa: B018 - computed here, shown later
    except InputRefused as refusal:
        raise InputRefused(
            gettext("{reason} Undo your corrections first, then add it again.", reason=str(refusal))
        ) from None


def _to_keep(files: Sequence[outbox.File], new: Sequence[ReadFile]) -> list[outbox.File]:
    fresh = {(file.name, file.digest) for file in new}
    return [file for file in files if file.kind == VOLUNTEERS or (file.name, file.digest) in fresh]
