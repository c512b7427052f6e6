"""Faults that make a file unreadable, and oddities in one that can be read: codes, severities, sentences."""

from collections.abc import Mapping, Sequence
from itertools import islice

from resultsq.domain import cldr
from resultsq.domain.errors import FileRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem, ProblemRule, Severity, Where
from resultsq.readers.marks import quoted

EMPTY = ProblemRule(
    "file-empty",
    Severity.BLOCKS,
    "{file} is empty. Nothing was taken from it: export it from the device once more.",
)
NO_ROWS = ProblemRule(
    "file-no-rows",
    Severity.BLOCKS,
    "{file} has only its first lines, and no result. Nothing was taken from it: export it once more, or leave it out.",
)
CONTROL_BYTES = ProblemRule(
    "file-control-bytes",
    Severity.BLOCKS,
    "Line {line} of {file} contains bytes that are not text, so the file is damaged or is not a text file. "
    "Nothing was taken from it: export it once more as CSV (UTF-8).",
)
UNKNOWN_SHAPE = ProblemRule(
    "file-unknown-shape",
    Severity.BLOCKS,
    "{file} is not a stopwatch file, not a scanner file and not a table with a header; its line {line} "
    "is {text}. Nothing was taken from it: a table needs a first line such as position,time,athlete.",
)
ARCHIVE = ProblemRule(
    "file-archive",
    Severity.BLOCKS,
    "{file} is {what}, which is not opened here. Nothing was taken from it: send the text files "
    "themselves; a spreadsheet can be .xlsx, .ods or CSV.",
)
NOT_RESULTS = ProblemRule(
    "file-not-results",
    Severity.BLOCKS,
    "{file} is {what}, and nothing was taken from it. If results are in it, type them, or choose the file that they "
    "came from.",
)
SYSTEM_FILE = ProblemRule(
    "system-file",
    Severity.WARNS,
    "{file} is a file that a computer makes for itself, and was ignored.",
)
NOT_LOADED = ProblemRule(
    "file-not-loaded",
    Severity.BLOCKS,
    "{file} is only a placeholder: the file itself is still in the cloud. Open it once, so that it is loaded, and "
    "choose it again.",
)
DAMAGED_SPREADSHEET = ProblemRule(
    "file-damaged",
    Severity.BLOCKS,
    "{file} is a spreadsheet that is damaged or locked with a password. Nothing was taken from it: open it, save it "
    "without a password, and choose it again.",
)
SPREADSHEET_TOO_LARGE = ProblemRule(
    "file-too-large",
    Severity.BLOCKS,
    "Unpacked, {file} is far larger than an event's results. Nothing was taken from it: is it the right file?",
)
NO_SHEET = ProblemRule(
    "file-unknown-shape",
    Severity.BLOCKS,
    "No sheet of {file} has a table of results. Nothing was taken from it: a table needs a first line such as "
    "position, time, athlete.",
)
SHEETS_NOT_USED = ProblemRule(
    "sheets-not-used",
    Severity.WARNS,
    "Only the sheet {sheet} of {file} is used. Not used: {others}.",
)
LINES_ABOVE_HEADER = ProblemRule(
    "lines-above-header",
    Severity.WARNS,
    "Not used of {file}, because it stands above the header: {lines}. If that is a result, move it below the header.",
)
TOO_LARGE = ProblemRule(
    "file-too-large",
    Severity.BLOCKS,
    "{file} is larger than {limit} MiB. Nothing was taken from it: is it the right file?",
)
LINE_TOO_LONG = ProblemRule(
    "line-too-long",
    Severity.BLOCKS,
    "Line {line} of {file} has more than {limit} characters, which no line of such a file has. Nothing was taken "
    "from it: is it the right file?",
)
TOO_MANY_ROWS = ProblemRule(
    "too-many-rows",
    Severity.BLOCKS,
    "{file} has more than {limit} rows. Nothing was taken from it: is it the right file?",
)
TOO_MUCH_TOGETHER = ProblemRule(
    "too-many-rows",
    Severity.BLOCKS,
    "With {file} there is more in these files than the results of one event. Nothing was taken from it: leave out "
    "files that do not belong to this event.",
)
BAD_LINE = ProblemRule(
    "bad-line",
    Severity.BLOCKS,
    "Line {line} of {file}: {reason}. Nothing was taken from this file, because leaving out one line would "
    "move everybody behind it: mend the line, or export the file once more.",
)
NO_END_MARKER = ProblemRule(
    "no-end-marker",
    Severity.WARNS,
    "{file} has no ENDOFEVENT line, so it may be cut off: compare its last time with the last finisher.",
)
IRREGULAR_NUMBERING = ProblemRule(
    "irregular-numbering",
    Severity.WARNS,
    "The numbers in {file} have a gap or a repeat, first at line {line}. The times are in the order of the file: "
    "check that none is missing.",
)
DOUBLE_TAP_DROPPED = ProblemRule(
    "double-tap-dropped",
    Severity.WARNS,
    "{file} begins with the time 00:00:00 (line {line}), a second tap at the start. It was left out, and everybody "
    "behind it moved up.",
)


def refused(rule: ProblemRule, name: str, line: int, **values: object) -> FileRefused:
    """The refusal of file `name` by `rule`, at `line`."""
    problem = rule.broken([Where(file=name, line=line)], file=name, line=line, **values)
    return FileRefused(problem.message, (problem,))


_SHOWN = 5


def above_header(rule: ProblemRule, name: str, lines: Sequence[tuple[int, str]]) -> tuple[Problem, ...]:
    """That lines stand above the header, each with its number and what is in it; nothing where there are none."""
    if not lines:
        return ()
    shown = [gettext("line {line} {text}", line=line, text=quoted(text.strip())) for line, text in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(gettext("{count} more lines", count=len(lines) - _SHOWN))
    where = [Where(file=name, line=line) for line, _ in lines]
    return (rule.broken(where, file=name, lines=cldr.listed(shown)),)


_NAMED = 100
"""How many bad lines of one file are named; one is enough to refuse it."""


def bad_lines(name: str, reasons: Mapping[int, str]) -> FileRefused:
    """The refusal of a file with bad lines: one problem for each, by line."""
    problems = tuple(
        BAD_LINE.broken([Where(file=name, line=line)], file=name, line=line, reason=reason)
        for line, reason in islice(reasons.items(), _NAMED)
    )
    return FileRefused(problems[0].message, problems)
