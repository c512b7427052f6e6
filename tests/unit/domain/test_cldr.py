"""Numbers, days and lists are written as each language writes them; English is that of the world."""

from datetime import date
from gettext import NullTranslations

import pytest

from resultsq.domain import cldr
from resultsq.domain.current_language import Language, in_language
from resultsq.domain.i18n import ngettext

DAY = date(2013, 12, 7)


def language(code: str) -> Language:
    return Language(code, NullTranslations())


@pytest.mark.parametrize(
    ("code", "number", "decimal", "listed", "day", "short"),
    [
        ("en", "12,345", "0.25", "1, 2 and 3", "7 December 2013", "7 Dec"),
        ("de", "12.345", "0,25", "1, 2 und 3", "7. Dezember 2013", "7. Dez."),
        ("pt_BR", "12.345", "0,25", "1, 2 e 3", "7 de dezembro de 2013", "7 de dez."),
        ("ja", "12,345", "0.25", "1、2、3", "2013年12月7日", "12月7日"),
        ("ar", "12,345", "0.25", "1 و2 و3", "7 ديسمبر 2013", "7 ديسمبر"),
    ],
)
def test_a_language_writes_in_its_own_way(
    code: str, number: str, decimal: str, listed: str, day: str, short: str
) -> None:
    with in_language(language(code)):
        assert cldr.number(12345) == number
        assert cldr.number(0.25, 2) == decimal
        assert cldr.listed([1, 2, 3]) == listed
        assert cldr.long_day(DAY) == day
        assert cldr.short_day(DAY, with_year=False) == short
    assert cldr.long_day(DAY) == "7 December 2013", "afterwards it is English again"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (-999, "-999"), (999.6, "1,000"), (1000, "1,000"), (-1000, "-1,000")]
)
def test_a_small_number_is_written_as_it_is(value: float, text: str) -> None:
    assert cldr.number(value) == text


def test_the_number_of_a_plural_is_written_as_the_language_writes_it() -> None:
    with in_language(language("de")):
        assert ngettext("{number} row", "{number} rows", 20_000) == "20.000 rows"


def test_a_list_of_nothing_is_empty_and_of_one_that_one() -> None:
    assert (cldr.listed([]), cldr.listed(["a"]), cldr.listed(["a", "b"])) == ("", "a", "a and b")
