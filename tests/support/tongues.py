"""Languages for tests: a few sentences each, compiled as the product's own are."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from resultsq import languages
from tests.support import speech

TONGUES: Mapping[str, Mapping[str, str]] = {
    "de": {"Log in": "Anmelden", "Provisional: these results are not published yet and may still change.": "Vorläufig.",
           "{event}, {day}: published": "{event}, {day}: veröffentlicht",
           "Nothing waits.": "Nichts wartet.", "The link is up since {time}.": "Die Verbindung steht seit {time}."},
    "ar": {"Log in": "تسجيل الدخول"},
    "pt_BR": {"Log in": "Entrar"},
    "nb": {"Log in": "Logg inn"},
}  # fmt: skip


def spoken_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the product has these languages, and no others; their catalogues are written below `folder`."""
    for code, sentences in TONGUES.items():
        catalogue = Catalog(locale=code, fuzzy=False)
        for english, said in sentences.items():
            catalogue.add(english, said)
        path = folder / code / "LC_MESSAGES" / f"{languages.CATALOGUE}.po"
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            write_po(file, catalogue)
    speech.compile_catalogues(folder)
    monkeypatch.setattr(languages, "FOLDER", folder)
    forget()


def forget() -> None:
    """What was read of other languages is read again."""
    languages.available.cache_clear()
    languages.language.cache_clear()
