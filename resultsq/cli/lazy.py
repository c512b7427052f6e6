"""A group of commands that are loaded when they are called, so that the command line answers at once."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """`commands_by_path`: a command's name → where it is (`module:attribute`) and its sentence for `--help`.

    A dict, so that grep finds them; the test of the command line holds it against what is really there."""

    def __init__(self, *args: Any, commands_by_path: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_by_path = commands_by_path

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_by_path)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_by_path:
            return None
        module, _, attribute = self.commands_by_path[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in self.commands_by_path.items()])
