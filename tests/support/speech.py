"""A language in which every sentence that goes through gettext is marked: ⟦like this⟧, and what is left without.

A page in it shows what a translator would never see.
"""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import get_babel

from resultsq.languages import FOLDER

ROOT = Path(__file__).parents[2]
CATALOGUE = FOLDER / "messages.pot"
LOCALE = "en_AU"
"""Its dates and plurals are those of English, and the product has no such language."""

EXTRACT = (
    "-m", "babel.messages.frontend", "-q", "extract", "-F", "pyproject.toml",
    "-k", "_l", "-k", "gettext_noop", "-k", "ngettext_noop:1,2", "-k", "kept_sentence",
    "-k", "ProblemRule:3", "-k", "Why",
    "--no-location", "--omit-header", "--sort-output", "--width", "120",
)  # fmt: skip

_BUILD = ROOT / "config/build.py"

_SEEN = ("alt", "aria-label", "label", "placeholder", "title")
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_SILENT = frozenset({"script", "style", "code", "pre"})
_MARKED = re.compile(r"⟦[^⟦⟧]*⟧")


def extract(target: Path) -> None:
    """Write the catalogue of all sentences in the source."""
    subprocess.run([sys.executable, *EXTRACT, "-o", str(target), "resultsq"], cwd=ROOT, check=True)


def compile_catalogues(folder: Path = FOLDER) -> None:
    """Bring the compiled catalogues of a folder up to date, as a build of the wheel does with the product's."""
    found = importlib.util.spec_from_file_location("resultsq_build", _BUILD)
    assert found is not None
    assert found.loader is not None
    build = importlib.util.module_from_spec(found)
    found.loader.exec_module(build)
    build.compile_catalogues(folder)


def mark_everything(app: Flask, folder: Path, marked: Callable[[str], str] = "⟦{}⟧".format) -> None:
    """From now on `app` speaks the marked language; its translation is written below `folder`."""
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale=LOCALE)
    for message in catalogue:
        if message.id:
            many = isinstance(message.id, tuple)
            message.string = tuple(map(marked, message.id)) if many else marked(str(message.id))
    target = folder / LOCALE / "LC_MESSAGES" / "messages.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, catalogue)
    spoken = get_babel(app)
    spoken.translation_directories = [str(folder)]
    spoken.default_locale = LOCALE
    spoken.locale_selector = None


def translated(code: str) -> frozenset[str]:
    """The English of what a language has words for, each form of a plural by itself."""
    with (FOLDER / code / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        found = [one.id for one in read_mo(file) if one.id]
    return frozenset(str(text) for said in found for text in ([said] if isinstance(said, str) else said))


class _Page(HTMLParser):
    """All that a person reads or is read to."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[str] = []
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        silent = tag in _SILENT or given.get("translate") == "no" or "digest" in (given.get("class") or "").split()
        if not (silent or any(self._open)):
            self.attributes += [given[name] or "" for name in _SEEN if name in given]
        if tag not in _VOID:
            self._open.append(silent)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.text.append(data)


def unmarked(page: str, data: re.Pattern[str]) -> list[str]:
    """The pieces of a page that have letters, went past gettext and are not `data`."""
    read = _Page()
    read.feed(page)
    read.close()
    left = []
    for text in ("\n".join(read.text), *read.attributes):
        while text != (less := _MARKED.sub("", text)):
            text = less
        left += [piece.strip() for piece in text.splitlines() if re.search(r"[^\W\d_]{2}", data.sub("", piece))]
    return left


if __name__ == "__main__":
    extract(CATALOGUE)
