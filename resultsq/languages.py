"""The languages of the product, and what it says in them.

A language is a folder of `translations`, named as Babel names its locale (`de`, `pt_BR`), with a catalogue in it.
English is in the source. Catalogues are compiled when the product is built. Babel is loaded by what first needs it, so
that commands start soon.
"""

from collections.abc import Iterable
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

from resultsq.domain.current_language import ENGLISH_LANGUAGE, Language

FOLDER = Path(__file__).parent / "translations"
ENGLISH = ENGLISH_LANGUAGE.code
CATALOGUE = "messages"
"""The files' name, as Flask-Babel looks for it."""

_ALIASES = {"no": "nb", "iw": "he", "pt": "pt_BR"}
"""How browsers and systems also name them. Where there is one Portuguese, it serves all."""


@cache
def available() -> tuple[str, ...]:
    """The codes of the languages that there are, by their own names."""
    found = [path.parents[1].name for path in FOLDER.glob(f"*/LC_MESSAGES/{CATALOGUE}.mo")]
    return tuple(sorted({ENGLISH, *found}, key=own_name))


@cache
def own_name(code: str) -> str:
    """How its speakers write the language's name, as a name: `Deutsch`, `Français`."""
    from babel import Locale

    name = Locale.parse(code).get_language_name(code) or code
    return name[:1].upper() + name[1:]


@cache
def tag(code: str) -> str:
    """The language as HTML and HTTP name it: `pt-BR`."""
    return code.replace("_", "-")


@cache
def direction(code: str) -> str:
    """`ltr` or `rtl`."""
    from babel import Locale

    return "rtl" if Locale.parse(code).character_order == "right-to-left" else "ltr"


def known(code: str) -> str | None:
    """The available language that a code or tag names, however it is written; None: there is none."""
    return best([code])


def best(wanted: Iterable[str]) -> str | None:
    """The available language that fits the first of these tags that any fits; None: none fits."""
    from babel import UnknownLocaleError, negotiate_locale

    codes = []
    for one in wanted:
        code = one.replace("-", "_").partition(".")[0].partition("@")[0]
        codes += [code, _ALIASES.get(code.partition("_")[0].lower(), code)]
    try:
        found = negotiate_locale(codes, available(), aliases=_ALIASES)
    except (UnknownLocaleError, ValueError):
        return None
    return None if found is None else next(code for code in available() if code.lower() == found.lower())


@cache
def language(code: str) -> Language:
    """That language with what the product says in it; English says what the source does."""
    if code == ENGLISH:
        return ENGLISH_LANGUAGE
    with (FOLDER / code / "LC_MESSAGES" / f"{CATALOGUE}.mo").open("rb") as file:
        return Language(code, GNUTranslations(file), isolates=direction(code) == "rtl")
