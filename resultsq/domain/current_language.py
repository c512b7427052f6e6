"""The language of the moment: that of the request that is being served, of a reader for whom something is written, or
English.

A worker and the log speak English, and a command the language of its environment. The web registers at its start where
a request's language is found; nothing below the web knows of requests. What is written for one person, as a mail, is
made `in_language` of that person.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """A language's code, as CLDR names its locale (`pt_BR`), and what the product says in it. `isolates`: it runs from
    right to left, and what fills its sentences is set apart."""

    code: str
    says: NullTranslations
    isolates: bool = False


ENGLISH_LANGUAGE = Language(ENGLISH, NullTranslations())
_language: Callable[[], Language] = lambda: ENGLISH_LANGUAGE  # noqa: E731 - so that its type is declared


def use_language(language: Callable[[], Language]) -> None:
    """Register `language`, which each sentence asks for its language, in the thread that makes it."""
    global _language
    _language = language


_for_a_reader: ContextVar[Callable[[], Language] | None] = ContextVar("for_a_reader", default=None)


@contextmanager
def in_language(language: Language | Callable[[], Language]) -> Iterator[None]:
    """Within this block sentences are made in that language, or in the one that a call finds for the first of them."""
    token = _for_a_reader.set((lambda: language) if isinstance(language, Language) else language)
    try:
        yield
    finally:
        _for_a_reader.reset(token)


def current() -> Language:
    """The language in which a sentence would be made now."""
    return (_for_a_reader.get() or _language)()
