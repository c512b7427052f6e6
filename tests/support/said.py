"""What a command says in the marked language (tests/support/speech.py), and which of its words went past gettext."""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from resultsq import languages
from resultsq.cli import main
from tests.support import speech, tongues

_MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
_WORD = re.compile(r"[^\W\d_]{2,}")


@contextmanager
def marked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within this block every sentence of the command line that goes through gettext is marked."""
    with speech.CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="de")
    for message in catalogue:
        if message.id:
            many = isinstance(message.id, tuple)
            message.string = tuple(map("⟦{}⟧".format, message.id)) if many else f"⟦{message.id}⟧"
    path = folder / "de" / "LC_MESSAGES" / f"{languages.CATALOGUE}.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(languages, "FOLDER", folder)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    tongues.forget()
    try:
        yield
    finally:
        tongues.forget()


def run(*words: str) -> tuple[int, str]:
    """The exit status of a command of this process, and all that it wrote."""
    mask = os.umask(0)
    stdin, sys.stdin = sys.stdin, io.StringIO()
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(out), pytest.raises(SystemExit) as ended:
        main(list(words))
    sys.stdin = stdin
    os.umask(mask)
    return int(ended.value.code or 0), out.getvalue()


def unmarked(text: str, data: re.Pattern[str]) -> list[str]:
    """The words that went past gettext and are no `data`; sentences may be broken over lines."""
    text = " ".join(text.split())
    while text != (less := _MARKED.sub(" ", text)):
        text = less
    return [word for word in data.sub(" ", text).split() if _WORD.search(word)]
