"""Stopwatch and scanner files that a spreadsheet has saved again: semicolons or tabs for commas, quotation marks around
cells or whole lines, and empty cells at the end of lines."""

from collections.abc import Callable

from resultsq.domain.event_files import Text
from resultsq.readers.marks import UnreadableField
from resultsq.readers.records import split

_DELIMITERS = ",;\t"


def delimiter_of(line: str, recognises: Callable[[str], bool]) -> str | None:
    """By what the cells of a line are parted, if it is a line of that format."""
    if recognises(line):
        return ","
    return next((delimiter for delimiter in _DELIMITERS if recognises(as_it_was(line, delimiter))), None)


def as_it_was(line: str, delimiter: str) -> str:
    """The line as the device wrote it; as it stands where the original cannot be known."""
    if delimiter not in line and '"' not in line:
        return line
    try:
        cells = split(line, delimiter)
    except UnreadableField:
        return line
    if delimiter != ",":
        cells = [cell.replace(",", ".") if cell.count(",") == 1 else cell for cell in cells]
    return ",".join(cells)


def restored(text: Text, delimiter: str, fields: int) -> Text:
    """The file as the device wrote it: lines of at most so many fields, unless there is something in more."""
    lines = text.lines
    if delimiter != "," or any('"' in line for line in lines):
        lines = [as_it_was(line, delimiter) for line in lines]
    return text._replace(lines=[_trimmed(line, fields) if line.endswith(",") else line for line in lines])


def _trimmed(line: str, fields: int) -> str:
    while line.endswith(",") and line.count(",") >= fields:
        line = line[:-1].rstrip()
    return line
