"""What is missing in a language, and where its sentences stand: `python -m tests.support.translate CODE [--show]`.

It brings the catalogue of the language up to date with the source (a new language gets one), compiles it, and lists
each sentence without a translation and each fault. `--show` lists every sentence with its translation and the places
where it stands.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from resultsq.languages import CATALOGUE, FOLDER
from tests.support import speech

CONSOLE = re.compile(
    r"resultsq/(cli|doctor|drill|supervisor|settings|settings_sources|dkim_key|sealed|secret_files|master/serve|backup|watch)[/.]"
)
"""Where sentences stand that are read in a terminal or a log alone. All others are on pages and in mails."""

_GAP = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
_TAG = re.compile(r"</?[a-z]+[^>]*>")


def path_of(code: str) -> Path:
    """The catalogue of a language."""
    return FOLDER / code / "LC_MESSAGES" / f"{CATALOGUE}.po"


def read(code: str) -> Catalog:
    """The catalogue of a language as it is."""
    with path_of(code).open("rb") as file:
        return read_po(file, locale=code)


def update(code: str) -> Catalog:
    """Bring a catalogue up to date with the source: new sentences are empty, old ones are dropped."""
    with speech.CATALOGUE.open("rb") as file:
        template = read_po(file)
    path = path_of(code)
    found = read(code) if path.exists() else Catalog(locale=code, fuzzy=False)
    found.update(template, no_fuzzy_matching=True)
    found.obsolete.clear()
    write(code, found)
    return found


def write(code: str, catalogue: Catalog) -> None:
    """Keep a catalogue."""
    path = path_of(code)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, omit_header=False, sort_output=True, width=120, no_location=True)


def places() -> dict[str, list[str]]:
    """Each sentence of the source (of a plural its singular), and the files where it stands."""
    with tempfile.NamedTemporaryFile(suffix=".pot") as target:
        asked = [one for one in speech.EXTRACT if one != "--no-location"]
        command = [sys.executable, *asked, "--add-location", "full", "-o", target.name, "resultsq"]
        subprocess.run(command, cwd=speech.ROOT, check=True)
        catalogue = read_po(target)
    return {source(one): [f"{file}:{line}" for file, line in one.locations] for one in catalogue if one.id}


def source(message: Message) -> str:
    """A sentence in English; of a plural its singular."""
    return message.id[0] if isinstance(message.id, tuple) else str(message.id)


def is_of_the_console(where: list[str]) -> bool:
    """Whether a sentence that stands in these places is read in a terminal alone."""
    return all(CONSOLE.match(place) for place in where)


def missing(catalogue: Catalog) -> list[Message]:
    """Sentences without a translation; a plural lacks one where a form does."""
    return [one for one in catalogue if one.id and not _is_whole(one)]


def _is_whole(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    return bool(strings) and all(strings)


def faults(catalogue: Catalog) -> Iterator[str]:
    """What is wrong with the translations that there are: each as a sentence."""
    for one in catalogue:
        if one.id and one.fuzzy:
            yield f"{source(one)!r} is marked as fuzzy"
        elif one.id and _is_whole(one):
            yield from _faults_of(one, catalogue.num_plurals)


def _faults_of(one: Message, plurals: int) -> Iterator[str]:
    english, strings = _texts(one.id), _texts(one.string)
    if len(english) > 1 and len(strings) != plurals:
        yield f"{english[0]!r} has {len(strings)} forms, and the language {plurals}"
    for text in strings:
        if not any(_gaps(text) == _gaps(form) for form in english):
            yield f"{english[0]!r} has other gaps than {text!r}"
        if not any(sorted(_TAG.findall(text)) == sorted(_TAG.findall(form)) for form in english):
            yield f"{english[0]!r} has other tags than {text!r}"
        if text != text.strip() and english[0] == english[0].strip():
            yield f"{text!r} has spaces at an end"


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple | list) else (str(value),)


def _gaps(text: str) -> set[str]:
    return set(_GAP.findall(text))


def left_in_english(catalogue: Catalog) -> list[str]:
    """Sentences of three words and more whose translation is the English one."""
    return [source(one) for one in catalogue if one.id and one.string == one.id and _words(source(one)) > 2]


def _words(text: str) -> int:
    return len(re.findall(r"[^\W\d_]{2,}", _GAP.sub("", text)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.translate")
    parser.add_argument("code", help="the language, like de or pt_BR")
    parser.add_argument("--show", action="store_true", help="each sentence, its translation and its places")
    asked = parser.parse_args()
    catalogue = update(asked.code)
    speech.compile_catalogues()
    where = places()
    shown = [one for one in catalogue if one.id] if asked.show else missing(catalogue)
    for one in shown:
        print(f"{source(one)}\n    → {one.string or 'missing'}\n    {', '.join(where[source(one)])}")
    wrong = list(faults(catalogue))
    print(*wrong, sep="\n")
    lacks = missing(catalogue)
    needed = sum(not is_of_the_console(where[source(one)]) for one in lacks)
    print(f"{len(catalogue)} sentences; {len(lacks)} without a translation ({needed} of them on pages and in mails)")
    print(f"{len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
