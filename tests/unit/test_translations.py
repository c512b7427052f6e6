"""Every language says all that its readers see, with the source's gaps, tags and plural forms."""

import ast
import zlib
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from resultsq import languages
from resultsq.kinds.results.volunteers import read_volunteers
from resultsq.readers.headings import ATHLETE, POSITION, TIME, uses
from tests.support import speech, translate

CODES = sorted(path.parents[1].name for path in languages.FOLDER.glob("*/LC_MESSAGES/*.po"))
WHOLE = frozenset({"de", "fr", "pt_BR"})
"""In these the command line speaks, too."""

TERMS = ("barcode", "finish token", "timekeeper", "Unknown", "run director", "volunteer", "event", "marshal", "results")
"""Each glossary has these."""

NAMES = frozenset({"_", "_l", "gettext", "ngettext", "gettext_noop", "ngettext_noop", "kept_sentence"})
"""What a sentence is marked by."""

MOST_BYTES = 1_500_000
"""Of them all, packed as in the wheel."""


@pytest.fixture(scope="session")
def places() -> dict[str, list[str]]:
    return translate.places()


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_wrong_with_a_translation(code: str) -> None:
    assert list(translate.faults(translate.read(code))) == []


@pytest.mark.parametrize("code", CODES)
def test_a_language_is_whole_on_pages_and_in_mails(code: str, places: dict[str, list[str]]) -> None:
    catalogue = translate.read(code)
    known = {translate.source(one) for one in catalogue if one.id}
    lacks = {translate.source(one) for one in translate.missing(catalogue)} | (places.keys() - known)
    assert [one for one in sorted(lacks) if code in WHOLE or not translate.is_of_the_console(places[one])] == []


@pytest.mark.parametrize("code", CODES)
def test_no_sentence_is_left_in_english(code: str) -> None:
    assert translate.left_in_english(translate.read(code)) == []


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    ("english", "use"),
    [("Pos.", POSITION), ("Position", POSITION), ("Time", TIME), ("Athlete", ATHLETE)],
)
def test_a_tables_headings_are_understood_as_the_pages_write_them(code: str, english: str, use: str) -> None:
    found = translate.read(code).get(english)
    assert found is not None
    assert use in uses(str(found.string))


@pytest.mark.parametrize("code", CODES)
def test_a_list_of_volunteers_is_understood_as_the_pages_write_its_headings(code: str) -> None:
    said = [translate.read(code).get(english) for english in ("Athlete", "Role")]
    header = ",".join(str(one.string) for one in said if one is not None)
    [volunteer] = read_volunteers("v.csv", f"{header}\nA12,Marshal\n".encode()).volunteers
    assert (volunteer.athlete, volunteer.role) == ("A12", "Marshal")


@pytest.mark.parametrize("code", CODES)
def test_a_language_has_a_glossary_with_its_sources(code: str) -> None:
    text = (languages.FOLDER / code / "GLOSSARY.md").read_text()
    before, _, table = text.partition("| English |")
    address = [one for one in before.splitlines() if one and not one.startswith("#")]
    assert address, "how readers are addressed"
    rows = [
        line.strip("| ").split(" | ") for line in table.partition("\n## ")[0].splitlines()[2:] if line.startswith("|")
    ]
    assert [row for row in rows if len(row) != 3 or not row[2].strip()] == [], "a term has a word and a source"
    assert [one for one in TERMS if not any(one in row[0] for row in rows)] == []
    assert "https://" in text
    assert (Locale.parse(code).english_name or code).partition(" ")[0] in text


def test_no_sentence_is_hidden_in_a_formatted_string_or_in_another_ones_mark() -> None:
    """What stands in braces is found by newer interpreters alone, and so by some translators' machines only; what
    stands within another mark may be found by none."""
    with speech.CATALOGUE.open("rb") as file:
        collected = {translate.source(one) for one in read_po(file)}
    in_braces, left_out = [], []
    for path in languages.FOLDER.parent.rglob("*.py"):
        for one in ast.walk(ast.parse(path.read_text())):
            if isinstance(one, ast.JoinedStr):
                in_braces += [f"{path.name}: {text}" for text in map(_marked, ast.walk(one)) if text]
            elif (text := _marked(one)) and text not in collected:
                left_out.append(f"{path.name}: {text}")
    assert in_braces == []
    assert left_out == []


def _marked(node: ast.AST) -> str:
    """The sentence that a call marks; empty: it is none."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(text)), *_]):
            return text if name in NAMES else ""
        case _:
            return ""


def test_all_catalogues_together_are_small() -> None:
    compiled = [path.read_bytes() for path in languages.FOLDER.glob("*/LC_MESSAGES/*.mo")]
    assert sum(len(zlib.compress(one)) for one in compiled) <= MOST_BYTES


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("Es sind %(n)s hier.", "other gaps"),
        ("Es sind {nummer} <b>hier</b>.", "other gaps"),
        ("Es sind {number} hier.", "other tags"),
        ("Es sind {number} <b>hier</b>. ", "spaces at an end"),
    ],
)
def test_a_translation_that_does_not_fit_its_source_is_named(said: str, fault: str) -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("There are {number} <b>here</b>.", said)
    assert fault in " ".join(translate.faults(catalogue))


def test_a_plural_has_as_many_forms_as_its_language() -> None:
    catalogue = Catalog(locale="pl")
    catalogue.add(("{number} time", "{number} times"), ("{number} czas", "{number} czasy"))
    assert "has 2 forms, and the language 3" in " ".join(translate.faults(catalogue))


def test_a_fuzzy_translation_is_named_and_a_sentence_in_english_found() -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("Log in", "Anmelden", flags=["fuzzy"])
    catalogue.add("This is left in English.", "This is left in English.")
    assert "fuzzy" in " ".join(translate.faults(catalogue))
    assert translate.left_in_english(catalogue) == ["This is left in English."]


def test_a_new_language_gets_a_catalogue_and_an_old_one_keeps_its_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translate, "FOLDER", tmp_path)
    made = translate.update("pl")
    assert len(translate.missing(made)) == len(made)
    made.get("Log in").string = "Zaloguj się"  # type: ignore[union-attr]
    translate.write("pl", made)
    assert translate.update("pl").get("Log in").string == "Zaloguj się"  # type: ignore[union-attr]
