"""A group of commands that are loaded when they are called, so that the command line answers at once."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from resultsq import interpreter


class LazyGroup(click.Group):
    """`commands_by_path`: a command's name → where it is (`module:attribute`) and its sentence for `--help`.

    A dict, so that grep finds them; the test of the command line holds it against the modules. Each
    command, at any depth, takes the options of `everywhere` too, so that they work before and after its name."""

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
        _give_options(command, self.everywhere)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands_by_path[name][1]) for name in self.list_commands(ctx)])


def _give_options(command: click.Command, options: Sequence[click.Option]) -> None:
    """Add the options to a command and to those below it; a command that is asked for again has them already."""
    command.params += [option for option in options if option not in command.params]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _give_options(inner, options)
