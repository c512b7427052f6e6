"""Spreadsheets (.xlsx, .ods) into sheets of text, each row one line of CSV: what follows is as for any table.

Unpacked as a stream and never as a whole: memory and time are bounded by the unpacked bytes, whatever an archive says
about itself. Only the cells' own values are read; no formula, no macro, no link, no document type.
"""

import zipfile
import zlib
from io import BytesIO
from xml.parsers import expat

from resultsq.domain.event_files import Text
from resultsq.readers import ods, xlsx
from resultsq.readers.budget import Budget
from resultsq.readers.rules import DAMAGED_SPREADSHEET, EMPTY, SPREADSHEET_TOO_LARGE, refused
from resultsq.readers.text import MAX_BYTES, digest_of, of_text
from resultsq.readers.unpacked import Archive, Broken, Grid, UnpacksTooLarge

_ZIP = b"PK\x03\x04"
_DAMAGED = (
    Broken,
    expat.ExpatError,
    zipfile.BadZipFile,
    zlib.error,
    LookupError,
    ValueError,
    OverflowError,
    EOFError,
    RuntimeError,  # zipfile raises it for a password, and its NotImplementedError for an unknown method
)


def is_one(content: bytes) -> bool:
    """Whether these bytes are a zip archive that holds a spreadsheet."""
    if not content.startswith(_ZIP) or len(content) > MAX_BYTES:
        return False
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = set(archive.namelist())
    except _DAMAGED:
        return False
    return xlsx.WORKBOOK in names or {ods.CONTENT, "mimetype"} <= names


def sheets(name: str, content: bytes, budget: Budget) -> list[tuple[str, Text]]:
    """The sheets that hold anything, in the order of their tabs, each with its title.

    :raises FileRefused: it is damaged, locked or too large, or holds nothing."""
    digest = digest_of(content)
    try:
        grids = _grids(content, budget)
    except UnpacksTooLarge:
        raise refused(SPREADSHEET_TOO_LARGE, name, 1) from None
    except _DAMAGED:
        raise refused(DAMAGED_SPREADSHEET, name, 1) from None
    found = [(grid.title, of_text(name, digest, "\n".join([*grid.lines, ""]), budget)) for grid in grids if grid.lines]
    if not found:
        raise refused(EMPTY, name, 1)
    return found


def _grids(content: bytes, budget: Budget) -> list[Grid]:
    with zipfile.ZipFile(BytesIO(content)) as opened:
        archive = Archive(opened, budget)
        grids = xlsx.grids(archive) if xlsx.WORKBOOK in archive.names else ods.grids(archive)
    budget.unpacked -= sum(len(line) for grid in grids for line in grid.lines)  # few elements may repeat many cells
    if budget.unpacked < 0:
        raise UnpacksTooLarge
    return grids
