"""The language of the command line is that of its environment, for all that people read.

Programs read JSON and logs, which stay English: so do a command with `--json`, and a process that stays and writes a
log. Nothing is loaded before the first sentence is made, and for English nothing at all.
"""

import os
import sys
from collections.abc import Mapping

import click

from resultsq.domain.current_language import ENGLISH_LANGUAGE, Language, current, in_language
from resultsq.domain.i18n import gettext

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

    return languages.language(code)


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
