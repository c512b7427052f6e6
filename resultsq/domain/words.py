"""Sentences for people, made where nobody knows the reader: in English, or in the language that is spoken meanwhile.

What is not of a request (a worker, a command, a log) speaks English. The web says at its start where its language is
found; below it nothing knows of that. `pybabel` finds the sentences by the names of these functions.
"""

from collections.abc import Callable
from gettext import NullTranslations

_ENGLISH = NullTranslations()
_language: Callable[[], NullTranslations] = lambda: _ENGLISH  # noqa: E731 - so that its type is told


def speak(language: Callable[[], NullTranslations]) -> None:
    """From now on `language` is asked for the translations at each sentence, in the thread that makes it."""
    global _language
    _language = language


def say(sentence: str, /, **values: object) -> str:
    """`sentence` in the language that is spoken; `values` fill its named gaps (`{athlete}`)."""
    said = _language().gettext(sentence)
    return said.format(**values) if values else said


def say_many(one: str, many: str, number: int, /, **values: object) -> str:
    """The same, where the sentence depends on a number, which fills the gap `{number}`."""
    return _language().ngettext(one, many, number).format(number=number, **values)


def sentence(text: str) -> str:
    """Marks a sentence of a table, which is said elsewhere."""
    return text
