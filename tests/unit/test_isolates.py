"""Right-to-left sentences set apart what fills them; no other language, no command and no program's text does."""

import re
from gettext import NullTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from resultsq import languages
from resultsq.cli.language import of_this_process
from resultsq.domain import cldr
from resultsq.domain.current_language import ENGLISH_LANGUAGE, in_language
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.isolates import END, START, isolated, without_isolates
from tests.support import speech, translate

FILE = "results (1).csv"
GAP = re.compile(r"%\((?P<percent>\w+)\)[sd]|\{(?P<brace>\w+)(?:[!:][^{}]*)?\}")
SIGNS = re.compile(f"[{START}{END}]")
CODES = [code for code in languages.available() if code != languages.ENGLISH]
FROM_THE_RIGHT = [code for code in CODES if languages.direction(code) == "rtl"]


class Gap(str):
    """A value that may stand for a number in a sentence, too."""

    def __format__(self, how: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


def depths(text: str) -> list[int]:
    """How many isolates are open at each piece of what was filled in."""
    open_, found = 0, []
    for sign in re.findall(f"{START}|{END}|{re.escape(FILE)}", text):
        open_ += {START: 1, END: -1}.get(sign, 0)
        if sign not in (START, END):
            found.append(open_)
    assert open_ == 0, text
    return found


def fill(sentence: str) -> str:
    """The sentence as the web and as what is below it would fill it."""
    names = [one["percent"] or one["brace"] for one in GAP.finditer(sentence)]
    values = dict.fromkeys(names, Gap(FILE))
    return sentence % values if "%(" in sentence else sentence.format(**values)


def forms(code: str, message: Message) -> list[str]:
    """What the language says as it was compiled: a plural in each of its forms."""
    says = languages.language(code).says
    if isinstance(message.id, str):
        return [says.gettext(message.id)]
    one, many = message.id
    return list({says.ngettext(one, many, number) for number in (0, 1, 2, 5, 11, 100)})


def test_arabic_is_a_language_from_the_right_of_this_product() -> None:
    assert FROM_THE_RIGHT == ["ar"]


@pytest.mark.parametrize("code", FROM_THE_RIGHT)
def test_each_gap_of_a_sentence_from_the_right_is_set_apart_once_when_it_is_filled(code: str) -> None:
    catalogue = translate.read(code)
    lacking = {translate.source(one) for one in translate.missing(catalogue)}
    filled, bare = 0, []
    for message in catalogue:
        if message.id and translate.source(message) not in lacking:
            for sentence in forms(code, message):
                if GAP.search(sentence) and not GAP.fullmatch(sentence):
                    filled += 1
                    bare += [sentence] if set(depths(fill(sentence))) != {1} else []
    assert filled > 400
    assert bare == []


@pytest.mark.parametrize("code", CODES)
def test_other_languages_have_no_such_signs(code: str) -> None:
    said = [text for one in translate.read(code) for text in (forms(code, one) if one.id else [])]
    assert any(SIGNS.search(one) for one in said) == (code in FROM_THE_RIGHT)


def test_the_unit_behind_a_number_stays_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"%(n)s MB": "حجمه %(n)s MB.", "%(n)s%%": "بلغ %(n)s%%.", "{n} UTC": "في {n} UTC من {day}.", "{n}": "{n}"}
    translated = spoken(tmp_path, monkeypatch, said)
    assert translated.gettext("%(n)s MB") == f"حجمه {START}%(n)s MB{END}."
    assert translated.gettext("%(n)s%%") == f"بلغ {START}%(n)s%%{END}."
    assert translated.gettext("{n} UTC") == f"في {START}{{n}} UTC{END} من {START}{{day}}{END}."
    assert translated.gettext("{n}") == "{n}", "another sentence may set it apart"


def test_a_gap_that_its_translator_set_apart_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translated = spoken(tmp_path, monkeypatch, {"{file} is here": f"وصل {START}{{file}}{END}"})
    assert translated.gettext("{file} is here") == f"وصل {START}{{file}}{END}"


def spoken(folder: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]) -> NullTranslations:
    """What Arabic says, if these are its sentences."""
    monkeypatch.setattr(translate, "FOLDER", folder)
    catalogue = Catalog(locale="ar", fuzzy=False)
    for english, arabic in said.items():
        catalogue.add(english, arabic)
    translate.write("ar", catalogue)
    speech.compile_catalogues(folder)
    monkeypatch.setattr(languages, "FOLDER", folder)
    monkeypatch.setattr(languages, "available", lambda: ("ar",))
    return languages.language.__wrapped__("ar").says


def test_sentences_are_filled_with_what_is_set_apart() -> None:
    with in_language(languages.language("ar")):
        said = gettext("Leave out {name}", name=FILE)
        counted = ngettext("{number} submission", "{number} submissions", 3)
        assert isolated(FILE) == f"{START}{FILE}{END}"
        assert isolated("") == ""
        assert depths(cldr.listed([FILE, FILE])) == [1, 1]
        assert cldr.listed([FILE]) == FILE, "alone it may fill a gap, which sets it apart"
    assert depths(said) == [1]
    assert f"{START}3{END}" in counted


def test_nothing_is_set_apart_where_text_runs_from_the_left() -> None:
    for language in (ENGLISH_LANGUAGE, languages.language("de")):
        with in_language(language):
            assert isolated(FILE) == FILE
            assert not SIGNS.search(cldr.listed([FILE, FILE]))


def test_a_command_says_the_same_without_the_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ar_EG.UTF-8")
    on_pages, in_terminal = languages.language("ar"), of_this_process()
    gapped = [one for one in translate.read("ar") if one.id and GAP.search(str(one.string))]
    for one in gapped:
        if isinstance(one.id, str):
            said = in_terminal.says.gettext(one.id)
            assert said == without_isolates(on_pages.says.gettext(one.id))
        else:
            said = in_terminal.says.ngettext(one.id[0], one.id[1], 3)
        assert not SIGNS.search(said)
    with in_language(in_terminal):
        assert isolated(FILE) == FILE
