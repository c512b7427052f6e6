"""Translatable sentences below the web: English, the language of the request that is being served, or a reader's.

A worker and the log speak English. The web registers at its start where a request's language is found; nothing below
the web knows of requests. What is written for one person, as a mail, is made `in_language` of that person.
`pybabel` finds the sentences by the names of these functions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import NullTranslations

_ENGLISH = NullTranslations()
_language: Callable[[], NullTranslations] = lambda: _ENGLISH  # noqa: E731 - so that its type is declared


def use_language(language: Callable[[], NullTranslations]) -> None:
    """Register `language`, which each sentence asks for the translations to use, in the thread that makes it."""
    global _language
    _language = language


_for_a_reader: ContextVar[NullTranslations | None] = ContextVar("for_a_reader", default=None)


@contextmanager
def in_language(language: NullTranslations) -> Iterator[None]:
    """Within this block sentences are made in that language."""
    token = _for_a_reader.set(language)
    try:
        yield
    finally:
        _for_a_reader.reset(token)


def _current() -> NullTranslations:
    return _for_a_reader.get() or _language()


def gettext(message: str, /, **values: object) -> str:
    """`message` in the current language; `values` fill its named gaps (`{athlete}`)."""
    translated = _current().gettext(message)
    return translated.format(**values) if values else translated


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """The same for a sentence that depends on a number, which fills the gap `{number}`."""
    return _current().ngettext(one, many, number).format(number=number, **values)


def gettext_noop(message: str) -> str:
    """Mark a sentence that is translated elsewhere, where it is shown."""
    return message
