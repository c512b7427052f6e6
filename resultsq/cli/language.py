"""The language of the command line, where a command has its sentences in other languages.

Programs read JSON and logs, and these stay English; so does a command whose sentences are not all translatable.
"""

import os
from collections.abc import Mapping

import click

from resultsq import languages
from resultsq.domain.current_language import in_language

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which POSIX asks them: the first that is set is the one that counts."""


def of_environment(environ: Mapping[str, str]) -> str:
    """The language that the environment asks for; English where there is no such one."""
    wish = next(filter(None, map(environ.get, _VARIABLES)), "")
    return languages.known(wish) or languages.ENGLISH


def speak() -> None:
    """From now on this command speaks the language of the environment."""
    code = of_environment(os.environ)
    click.get_current_context().with_resource(in_language(languages.language(code)))
