"""Bytes into lines of text, or a refusal: size, archives, damaged bytes, encodings and line ends."""

import codecs
import hashlib
import re
from collections.abc import Iterator

from resultsq.domain.event_files import Text
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.readers.budget import Budget
from resultsq.readers.rules import (
    ARCHIVE,
    CONTROL_BYTES,
    EMPTY,
    LINE_TOO_LONG,
    NOT_LOADED,
    NOT_RESULTS,
    TOO_LARGE,
    TOO_MANY_ROWS,
    refused,
)

MAX_BYTES = 8 * 1024 * 1024
MAX_ROWS = 20_000

MAX_LINE = 10_000
"""Characters. Real lines have fewer than a hundred; a spreadsheet's may have remarks in it."""

# Blank lines carry nothing, but eight million of them would take more memory than the whole node may use.
_MAX_LINES = 3 * MAX_ROWS

_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_TEXT = {
    b"PK\x03\x04": gettext_noop("a zip archive"),
    b"PK\x05\x06": gettext_noop("an empty zip archive"),
    b"\x1f\x8b": gettext_noop("a gzip archive"),
    b"BZh": gettext_noop("a bzip2 archive"),
    b"\xfd7zXZ\x00": gettext_noop("an xz archive"),
    b"7z\xbc\xaf\x27\x1c": gettext_noop("a 7-Zip archive"),
    b"Rar!\x1a\x07": gettext_noop("a RAR archive"),
    b"\x28\xb5\x2f\xfd": gettext_noop("a Zstandard archive"),
    b"\xd0\xcf\x11\xe0": gettext_noop("an old Office document, or one with a password"),
}
_SHOWN_ONLY = {
    b"%PDF": gettext_noop("a PDF"),
    b"\x89PNG": gettext_noop("a picture"),
    b"\xff\xd8\xff": gettext_noop("a picture"),
    b"GIF8": gettext_noop("a picture"),
    b"II*\x00": gettext_noop("a picture"),
    b"MM\x00*": gettext_noop("a picture"),
    b"RIFF": gettext_noop("a picture or a recording"),
}
_DOCUMENTS = {
    b"word/document.xml": gettext_noop("a text document"),
    b"ppt/presentation.xml": gettext_noop("a presentation"),
}
"""What the archive of a document that holds no table of results has in it."""
_WINDOWS_1252 = bytes(range(256)).decode("cp1252", errors="replace")
_LOOKED_AT = 2_000
_INVISIBLE: dict[int, str | None] = {
    **dict.fromkeys([0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)]),
    **dict.fromkeys([0xA0, 0x2007, 0x202F], " "),
}
"""Marks that messengers and word processors leave between letters, and blanks that do not break."""

_HEIF = slice(4, 8)  # photographs of telephones: the mark stands after a length


def digest_of(content: bytes) -> str:
    """What names a file's content, whatever the file is called."""
    return hashlib.sha256(content).hexdigest()[:16]


def text_of(name: str, content: bytes, budget: Budget) -> Text:
    """The lines of a file called `name`. UTF-8 or UTF-16 with or without a byte-order mark, else Windows-1252, which
    spreadsheets write; line ends are LF, CRLF or a lone CR. Invisible marks are dropped.

    :raises FileRefused: where the bytes are no text, or too many."""
    if len(content) > MAX_BYTES:
        raise refused(TOO_LARGE, name, 1, limit=MAX_BYTES // 1024 // 1024)
    if name.casefold().endswith(".icloud") or content.startswith(_PLACEHOLDER):
        raise refused(NOT_LOADED, name, 1)
    if (shown := _shown_only(content)) is not None:
        raise refused(NOT_RESULTS, name, 1, what=shown)
    for start, what in _NOT_TEXT.items():
        if content.startswith(start):
            raise refused(ARCHIVE, name, 1, what=gettext(what))
    return of_text(name, digest_of(content), _decoded(content), budget)


def _shown_only(content: bytes) -> str | None:
    """What a file is that people look at and that holds no rows; None: it may hold some."""
    if content[_HEIF] == b"ftyp":
        return gettext("a picture or a film")
    inside = _DOCUMENTS.items() if content.startswith(b"PK") else ()
    for mark, what in inside:
        if mark in content:
            return gettext(what)
    return next((gettext(what) for start, what in _SHOWN_ONLY.items() if content.startswith(start)), None)


_SYSTEM_NAMES = frozenset({".ds_store", "desktop.ini", "thumbs.db"})
_SYSTEM_BYTES = (b"\0\0\0\x01Bud1", b"\0\x05\x16\x07")  # macOS: a folder's view, and a file's attributes
_PLACEHOLDER = b"bplist00"


def is_of_the_system(name: str, content: bytes) -> bool:
    """Whether it is a file that a computer makes for itself, beside people's files."""
    last = name.replace("\\", "/").rpartition("/")[2].casefold()
    return (
        last in _SYSTEM_NAMES
        or content.startswith(_SYSTEM_BYTES)
        or (last.startswith("._") and b"\0" in content)
        or content.lstrip().lower().startswith(b"[.shellclassinfo]")
    )


def of_text(name: str, digest: str, text: str, budget: Budget) -> Text:
    """The lines of decoded text.

    :raises FileRefused: where it holds nothing, too much, or what no text has."""
    if control := _CONTROL.search(text):
        raise refused(CONTROL_BYTES, name, 1 + _line_ends(text[: control.start()]))
    last_line_is_empty = text.endswith(("\n", "\r"))  # one of invisible marks alone is a line
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    if not text.strip():
        raise refused(EMPTY, name, 1)
    if _line_ends(text) > _MAX_LINES:
        raise refused(TOO_MANY_ROWS, name, _MAX_LINES, limit=MAX_ROWS)
    # str.splitlines would also split at characters that may stand inside a name
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ends_whole = not lines[-1]
    if last_line_is_empty:
        lines.pop()
    if max(map(len, lines)) > MAX_LINE:
        long = next(at for at, line in enumerate(lines, 1) if len(line) > MAX_LINE)
        raise refused(LINE_TOO_LONG, name, long, limit=MAX_LINE)
    budget.spend(name, text, len(lines))
    return Text(name, digest, lines, ends_whole)


def _decoded(content: bytes) -> str:
    content = content.removeprefix(_BOM)
    for encoding in _utf_16(content):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    try:
        return content.decode()
    except UnicodeDecodeError:
        return codecs.charmap_decode(content, "strict", _WINDOWS_1252)[0]


def _utf_16(content: bytes) -> Iterator[str]:
    """The UTF-16 that these bytes may be: by their mark, or because every other byte of most letters is zero."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield "utf-16"
    start = content[:_LOOKED_AT]
    enough = len(start) // 4
    if start[1::2].count(0) > enough and not start[::2].count(0):
        yield "utf-16-le"
    elif start[::2].count(0) > enough and not start[1::2].count(0):
        yield "utf-16-be"


def _line_ends(content: str) -> int:
    return content.count("\n") + content.count("\r") - content.count("\r\n")


def check_rows(text: Text, rows: int) -> None:
    """:raises FileRefused: where a file has more rows than are taken."""
    if rows > MAX_ROWS:
        raise refused(TOO_MANY_ROWS, text.name, len(text.lines), limit=MAX_ROWS)
