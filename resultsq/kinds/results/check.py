"""The report on a pile of files: what `resultsq check --json` prints and `POST /api/v1/check` answers."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import FileKind, ReadFile
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Finisher
from resultsq.kinds.results.checks import by_severity
from resultsq.kinds.results.corrections import with_asked
from resultsq.kinds.results.join import join, too_many_together
from resultsq.kinds.results.plausible import Occasion
from resultsq.kinds.results.refusals import beside
from resultsq.kinds.results.rules import NO_FINISHERS
from resultsq.readers import Budget, read
from resultsq.readers.text import digest_of


class FileReport(BaseModel):
    """One file's count of lines. `kind` None: it could not be read, and nothing of it is in the results. `digest` names
    its content, as the fixes of problems do: two files may have one name."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: FileKind | None
    lines: int
    used: int
    set_aside: int
    digest: str


class Report(BaseModel):
    """The result of reading the files; `model_dump(mode="json")` is the answer's body."""

    model_config = ConfigDict(frozen=True)

    finishers: tuple[Finisher, ...]
    problems: tuple[Problem, ...]
    files: tuple[FileReport, ...]
    names_as_of: str = ""
    """As of when the list of athletes is against which the numbers were held, and whether the master is away."""

    @property
    def blocked(self) -> bool:
        """Whether something stands in the way of publication."""
        return any(problem.blocks for problem in self.problems)


def report(
    files: Sequence[tuple[str, bytes]],
    *,
    occasion: Occasion | None = None,
) -> Report:
    """Read, join and check files given as name and content. Never raises for what a file holds: one that
    cannot be read is a blocking problem. `occasion` has the facts of the event."""
    readable: list[ReadFile] = []
    unreadable: list[tuple[str, bytes]] = []
    refusals: list[Problem] = []
    budget = Budget()
    for name, content in files:
        try:
            readable.append(read(name, content, budget))
        except FileRefused as refusal:
            unreadable.append((name, content))
            refusals.extend(refusal.problems)
    if too_many := too_many_together(readable):
        refusals.append(too_many)
        readable = []
    joined = join(readable, occasion=occasion)
    refusals = beside(refusals, joined.finishers)
    blocked = any(problem.blocks for problem in refusals)
    problems = [problem for problem in joined.problems if not (blocked and problem.code == NO_FINISHERS.code)]
    counts = [
        FileReport(
            name=file.name,
            kind=file.kind,
            lines=file.lines,
            used=file.used,
            set_aside=file.set_aside,
            digest=file.digest,
        )
        for file in joined.files
    ]
    counts += [
        FileReport(name=name, kind=None, lines=_lines(content), used=0, set_aside=0, digest=digest_of(content))
        for name, content in sorted(unreadable)
    ]
    refusals.sort(key=lambda problem: (problem.where[0].file or "", problem.where[0].line or 0, problem.code))
    return Report.model_construct(
        finishers=joined.finishers,
        problems=by_severity(with_asked([*refusals, *problems])),
        files=tuple(counts),
    )


def _lines(content: bytes) -> int:
    ends = content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
    return ends + (not content.endswith((b"\n", b"\r")) and content != b"")
