"""Translatable sentences below the web, in the language of the moment.

`pybabel` finds the sentences by the names of these functions.
"""

from resultsq.domain import cldr
from resultsq.domain.current_language import current


def gettext(message: str, /, **values: object) -> str:
    """`message` in the current language; `values` fill its named gaps (`{athlete}`)."""
    translated = current().says.gettext(message)
    return translated.format(**values) if values else translated


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """The same for a sentence that depends on a number, which fills the gap `{number}`."""
    return current().says.ngettext(one, many, number).format(number=cldr.number(number), **values)


def gettext_noop(message: str) -> str:
    """Mark a sentence that is translated elsewhere, where it is shown."""
    return message
