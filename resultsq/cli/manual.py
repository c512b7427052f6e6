"""The manual: shell completion, and a page for `man` of each command."""

from pathlib import Path
from typing import cast

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete
from click_man.core import write_man_pages

from resultsq.cli.node import PathParam
from resultsq.domain.current_language import ENGLISH_LANGUAGE, in_language
from resultsq.domain.i18n import ngettext

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands in SHELL.

    For bash: resultsq completion bash >~/.local/share/bash-completion/completions/resultsq"""
    click.echo(SHELLS[shell](ctx.find_root().command, {}, "resultsq", "_RESULTSQ_COMPLETE").source())


@click.command()
@click.argument("folder", type=PathParam(file_okay=False, path_type=Path))
@click.pass_context
def manual(ctx: click.Context, folder: Path) -> None:
    """Write a manual page for each command into FOLDER.

    For your own user: resultsq manual ~/.local/share/man/man1, then man resultsq"""
    folder.mkdir(parents=True, exist_ok=True)
    with in_language(ENGLISH_LANGUAGE):  # as their headings are
        write_man_pages("resultsq", _loaded(ctx.find_root()), target_dir=str(folder))
    count = len(list(folder.glob("resultsq*.1")))
    click.echo(ngettext("Wrote {number} page to {folder}.", "Wrote {number} pages to {folder}.", count, folder=folder))


def _loaded(root: click.Context) -> click.Group:
    """The same group with all its commands loaded: what writes the pages looks at them without asking for each."""
    group = cast(click.Group, root.command)
    names = group.list_commands(root)
    commands = {name: command for name in names if (command := group.get_command(root, name)) is not None}
    return click.Group("resultsq", commands, params=group.params, help=group.help)
