"""The list of Click's own sentences is that of the installed Click, and each speaks the reader's language."""

import ast
import importlib
from collections.abc import Iterator
from gettext import NullTranslations
from pathlib import Path

import click

from resultsq.cli import click_words, language
from resultsq.domain.current_language import Language, in_language

MODULES = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")


def _sentences(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="_" | "ngettext"), args=[ast.Constant(value=str(text)), *_]):
                yield text
            case _:
                pass


def test_each_sentence_of_click_is_on_the_list() -> None:
    folder = Path(str(click.__file__)).parent
    said = {text for name in MODULES for text in _sentences(folder / f"{name}.py")}
    listed = {*click_words.WORDS, *(one for one, _ in click_words.COUNTED), *click_words.NOT_SAID}
    assert said - listed == set(), "new in this Click: add it to resultsq/cli/click_words.py"
    words = {"Commands", *click_words.WORDS, *(one for one, _ in click_words.COUNTED)}
    assert words - said <= {"required", "Commands"}, "this Click says it no more"


def test_click_makes_its_sentences_in_the_language_of_the_moment() -> None:
    class Loud(NullTranslations):
        def gettext(self, message: str) -> str:
            return message.upper()

    language.teach_click()
    for name in MODULES:
        module = importlib.import_module(f"click.{name}")
        with in_language(Language("xx", Loud())):
            assert module._("Usage:") == "USAGE:"
        assert module._("Usage:") == "Usage:"
