"""Numbers, dates and lists as the language of the moment writes them: by CLDR. Times of day stay HH:MM:SS everywhere.

The name of a language is a locale of CLDR. English is that of the world, which writes `7 December 2013` and
`1, 2 and 3`, and not that of one country. Babel is loaded by what first needs it, so that commands start soon.
"""

from collections.abc import Iterable
from datetime import date, datetime

from resultsq.domain.current_language import ENGLISH, current
from resultsq.domain.isolates import isolated

_ENGLISH = "en_001"


def _locale() -> str:
    code = current().code
    return _ENGLISH if code == ENGLISH else code


def number(value: float, digits: int = 0) -> str:
    """`1,234`; with as many digits behind the sign for decimals as are asked for."""
    whole = round(value)
    if not digits and -1000 < whole < 1000:  # most are: they need no locale
        return str(whole)
    from babel.numbers import format_decimal

    form = f"#,##0.{'0' * digits}" if digits else None
    return format_decimal(value if digits else whole, format=form, locale=_locale())


def listed(items: Iterable[object]) -> str:
    """`1, 2 and 3`."""
    from babel.lists import format_list

    texts = [str(one) for one in items]
    return format_list([isolated(one) for one in texts] if len(texts) > 1 else texts, locale=_locale())


def long_day(day: date) -> str:
    """`7 December 2013`."""
    from babel.dates import format_date

    return format_date(day, "long", locale=_locale())


def full_day(day: date) -> str:
    """`Saturday, 7 December 2013`."""
    from babel.dates import format_date

    return format_date(day, "full", locale=_locale())


def short_day(day: date, with_year: bool = True) -> str:
    """`7 Dec 2013`, or `7 Dec`."""
    from babel.dates import format_skeleton

    moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a day, wherever it is
    return format_skeleton("yMMMd" if with_year else "MMMd", moment, locale=_locale())
