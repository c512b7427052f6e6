"""A group of commands that are loaded when they are called, so that the command line answers at once, and help in the
reader's language."""

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from resultsq import interpreter
from resultsq.domain.i18n import gettext


class HelpInWords(click.HelpFormatter):
    """Help as its reader's language says it. What is written is the source's: each paragraph of a command's help, each
    option's sentence, with Click's own remarks behind it in brackets."""

    def write_text(self, text: str) -> None:
        super().write_text("\n\n".join(_said(paragraph) for paragraph in text.split("\n\n")))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, _said(text)) for name, text in rows], col_max, col_spacing)


def _said(text: str) -> str:
    sentence, bracket, remarks = text.partition("  [")
    sentence = " ".join(sentence.split())
    said = gettext(sentence) if sentence else ""
    return f"{said}{bracket}{remarks}"


class _InWords(click.Context):
    formatter_class = HelpInWords


class LazyGroup(click.Group):
    """`commands_by_path`: a command's name → where it is (`module:attribute`) and its sentence for `--help`.

    A dict, so that grep finds them; the test of the command line holds it against the modules. Each
    command, at any depth, takes the options of `everywhere` too, so that they work before and after its name."""

    context_class = _InWords

    def __init__(
        self,
        *args: Any,
        commands_by_path: Mapping[str, tuple[str, str]],
        everywhere: Sequence[click.Option] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.commands_by_path = commands_by_path
        self.everywhere = everywhere

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (_, sentence) in self.commands_by_path.items() if sentence]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_by_path:
            return None
        module, _, attribute = self.commands_by_path[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        interpreter.loaded()
        _prepare(command, self.everywhere)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(gettext("Commands")):
            formatter.write_dl([(name, self.commands_by_path[name][1]) for name in self.list_commands(ctx)])


def _prepare(command: click.Command, options: Sequence[click.Option]) -> None:
    """Add the options to a command and to those below it, and let them speak; a command that is asked for again has
    them already."""
    command.params += [option for option in options if option not in command.params]
    command.context_class = _InWords
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            inner.short_help = inspect.cleandoc(inner.help or "").partition("\n\n")[0]  # Click would cut it off
            _prepare(inner, options)
