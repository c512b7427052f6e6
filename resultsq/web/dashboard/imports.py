"""What the pages of events, accounts and tokens share: a search, lists brought as CSV, and QR codes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

import segno
from flask import request
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from resultsq.domain.collation import ordered
from resultsq.domain.errors import FileRefused
from resultsq.web.node import node

_Found = TypeVar("_Found")


class Searched(TypedDict, Generic[_Found]):
    """What a page with a search shows of it."""

    found: Sequence[_Found]
    more: bool
    q: str
    given: MultiDict[str, str]


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """A list before it is added. The last cell of a line says whether it is known here already."""

    text: str
    lines: Sequence[tuple[object, ...]]
    new: int


def searched(
    search: Callable[[Connection, str, int], Sequence[_Found]], most: int, name: Callable[[_Found], str] | None = None
) -> Searched[_Found]:
    """What fits the text that is searched for, at most `most`, for a page that also has a form; in the order of its
    names where there is `name`."""
    text = request.args.get("q", "").strip()
    with node().database.read() as conn:
        found = search(conn, text, most + 1)
    shown = found[:most] if name is None else ordered(found[:most], name)
    return {"found": shown, "more": len(found) > most, "q": text, "given": request.form}


def asked_list() -> str:
    """The CSV text of this request: a file, or pasted lines.

    :raises FileRefused: there is none, or it is no UTF-8 text."""
    file = request.files.get("file")
    try:
        text = file.read().decode("utf-8-sig") if file is not None and file.filename else request.form.get("csv", "")
    except UnicodeDecodeError:
        raise FileRefused(_("The file is not UTF-8 text. Save it as “CSV UTF-8”. Nothing was added.")) from None
    if not text.strip():
        raise FileRefused(_("Choose a file, or paste the list."))
    return text


def qr_code(text: str) -> Markup:
    """A QR code as SVG, on white so that it can be read in the dark as well."""
    made = segno.make(text, micro=False)
    return Markup(made.svg_inline(scale=3, border=3, light="#fff", svgclass="qr", lineclass=None))  # noqa: S704 - squares
