"""The language of the command line is that of its environment, for all that people read.

Programs read JSON and logs, which stay English: so do a command with `--json`, and a process that stays and writes a
log. Terminals order text as they can, and show the signs of isolates as boxes: a command leaves them out. Nothing is
loaded before the first sentence is made, and for English nothing at all.
"""

import os
import sys
from collections.abc import Mapping
from gettext import NullTranslations

import click

from resultsq.domain.current_language import ENGLISH_LANGUAGE, Language, current, in_language
from resultsq.domain.i18n import gettext
from resultsq.domain.isolates import without_isolates

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which POSIX asks them: the first that is set is the one that counts."""

_SOURCE = frozenset({"", "c", "posix", "en"})
"""What these say is in the source."""


def of_environment(environ: Mapping[str, str]) -> str:
    """The language that the environment asks for; English where there is no such one."""
    wish = next(filter(None, map(environ.get, _VARIABLES)), "")
    if wish.replace("-", "_").partition(".")[0].partition("_")[0].lower() in _SOURCE:
        return ENGLISH_LANGUAGE.code
    from resultsq import languages

    return languages.known(wish) or languages.ENGLISH


def of_this_process() -> Language:
    """The language that people who give this command read."""
    code = of_environment(os.environ)
    if code == ENGLISH_LANGUAGE.code:
        return ENGLISH_LANGUAGE
    from resultsq import languages

    spoken = languages.language(code)
    return Language(code, _ForATerminal(spoken.says)) if spoken.isolates else spoken


class _ForATerminal(NullTranslations):
    """What a language says, without isolates."""

    def __init__(self, says: NullTranslations) -> None:
        super().__init__()
        self._says = says

    def gettext(self, message: str) -> str:
        return without_isolates(self._says.gettext(message))

    def ngettext(self, one: str, many: str, number: int) -> str:
        return without_isolates(self._says.ngettext(one, many, number))


def speak_english() -> None:
    """From now on this command speaks to programs, or to a log."""
    click.get_current_context().with_resource(in_language(ENGLISH_LANGUAGE))


def teach_click() -> None:
    """Click makes its own sentences by the names `_` and `ngettext` of its modules: they speak our languages, too."""
    for name in ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types"):
        module = sys.modules[f"click.{name}"]
        vars(module).update(_=gettext, ngettext=_ngettext)


def _ngettext(one: str, many: str, number: int) -> str:
    return current().says.ngettext(one, many, number)
