"""Translatable sentences below the web, in the language of the moment.

`pybabel` finds the sentences by the names of these functions.
"""

from collections.abc import Mapping

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


def ngettext_noop(one: str, many: str) -> tuple[str, str]:
    """Mark a sentence that depends on a number and is translated elsewhere, where it is shown."""
    return one, many


class Kept(str):
    """A sentence in English, which knows how it would be said in another language."""

    _message: str
    _values: Mapping[str, object]

    def __new__(cls, message: str, values: Mapping[str, object]) -> "Kept":
        made = super().__new__(cls, message.format(**values))
        made._message, made._values = message, values
        return made

    def said(self) -> str:
        """In the language of the moment."""
        values = {name: retold(one) if isinstance(one, str) else one for name, one in self._values.items()}
        return gettext(self._message, **values)


def kept_sentence(message: str, /, **values: object) -> str:
    """`message` in English, with its named gaps filled, for the log and the store; `retold` says it to a person."""
    return Kept(message, values)


def retold(text: str) -> str:
    """A sentence that was kept in English, in the language of the moment where it is one of ours. A remark in brackets
    behind it, as of a driver or a proxy, stays as it is."""
    if isinstance(text, Kept):
        return text.said()
    if not text or (said := gettext(text)) != text:
        return text and said
    sentence, bracket, remark = text.partition(" (")
    return "".join((gettext(sentence), bracket, remark)) if bracket and sentence else text
