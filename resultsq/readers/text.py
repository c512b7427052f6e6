"""Bytes into lines of text, or a refusal: size, archives, damaged bytes, encodings and line ends."""

import codecs
import hashlib
import re

from resultsq.domain.event_files import Text
from resultsq.domain.words import say, sentence
from resultsq.readers.rules import ARCHIVE, CONTROL_BYTES, EMPTY, LINE_TOO_LONG, TOO_LARGE, TOO_MANY_ROWS, refused

MAX_BYTES = 8 * 1024 * 1024
MAX_ROWS = 20_000

MAX_LINE = 10_000
"""Characters. Real lines have fewer than a hundred; a spreadsheet's may have remarks in it."""

# Blank lines carry nothing, but eight million of them would take more memory than the whole node may use.
_MAX_LINES = 3 * MAX_ROWS

_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_TEXT = {
    b"PK\x03\x04": sentence("a zip archive or a spreadsheet"),
    b"PK\x05\x06": sentence("an empty zip archive"),
    b"\x1f\x8b": sentence("a gzip archive"),
    b"BZh": sentence("a bzip2 archive"),
    b"\xfd7zXZ\x00": sentence("an xz archive"),
    b"7z\xbc\xaf\x27\x1c": sentence("a 7-Zip archive"),
    b"Rar!\x1a\x07": sentence("a RAR archive"),
    b"\x28\xb5\x2f\xfd": sentence("a Zstandard archive"),
    b"\xd0\xcf\x11\xe0": sentence("an old Office document"),
    b"%PDF": sentence("a PDF"),
    b"\x89PNG": sentence("a picture"),
    b"\xff\xd8\xff": sentence("a picture"),
    b"GIF8": sentence("a picture"),
    b"II*\x00": sentence("a picture"),
    b"MM\x00*": sentence("a picture"),
    b"RIFF": sentence("a picture or a recording"),
}
_WINDOWS_1252 = bytes(range(256)).decode("cp1252", errors="replace")
_HEIF = slice(4, 8)  # photographs of telephones: the mark stands after a length


def text_of(name: str, content: bytes) -> Text:
    """The lines of a file called `name`. UTF-8 with or without a byte-order mark, else Windows-1252, which
    spreadsheets write; line ends are LF, CRLF or a lone CR.

    :raises FileRefused: where the bytes are no text, or too many."""
    if len(content) > MAX_BYTES:
        raise refused(TOO_LARGE, name, 1, limit=MAX_BYTES // 1024 // 1024)
    for start, what in _NOT_TEXT.items():
        if content.startswith(start):
            raise refused(ARCHIVE, name, 1, what=say(what))
    if content[_HEIF] == b"ftyp":
        raise refused(ARCHIVE, name, 1, what=say("a picture or a film"))
    digest = hashlib.sha256(content).hexdigest()[:16]
    content = content.removeprefix(_BOM)
    if control := _CONTROL.search(content):
        raise refused(CONTROL_BYTES, name, 1 + _line_ends(content[: control.start()]))
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text, _ = codecs.charmap_decode(content, "strict", _WINDOWS_1252)
    if not text.strip():
        raise refused(EMPTY, name, 1)
    if _line_ends(content) > _MAX_LINES:
        raise refused(TOO_MANY_ROWS, name, _MAX_LINES, limit=MAX_ROWS)
    # str.splitlines would also split at characters that may stand inside a name
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ends_whole = not lines[-1]
    if ends_whole:
        lines.pop()
    if max(map(len, lines)) > MAX_LINE:
        long = next(at for at, line in enumerate(lines, 1) if len(line) > MAX_LINE)
        raise refused(LINE_TOO_LONG, name, long, limit=MAX_LINE)
    return Text(name, digest, lines, ends_whole)


def _line_ends(content: bytes) -> int:
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")


def check_rows(text: Text, rows: int) -> None:
    """:raises FileRefused: where a file has more rows than are taken."""
    if rows > MAX_ROWS:
        raise refused(TOO_MANY_ROWS, text.name, len(text.lines), limit=MAX_ROWS)
