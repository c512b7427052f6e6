"""The command line: it composes the other rooms and does no work of its own.

Exit status: 0 done; 1 refused, with a sentence on the standard error; 2 the command or a setting makes no sense.
"""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from resultsq import disk, interpreter
from resultsq.cli import language
from resultsq.cli.lazy import LazyGroup
from resultsq.cli.parent_pipe import follow
from resultsq.domain.current_language import in_language
from resultsq.domain.errors import HeadMoved, InputRefused, ResultsqError, SettingsError, StoreUnavailable
from resultsq.domain.i18n import gettext, retold

COMMANDS = {
    "up": (
        "resultsq.cli.up:up",
        "Run all of a node on this machine.",
    ),
    "web": ("resultsq.cli.web:web", "Run a web process: the form, the dashboard and the API."),
    "worker": (
        "resultsq.cli.worker:worker",
        "Run a worker: it publishes what was accepted.",
    ),
    "master": (
        "resultsq.cli.master:master",
        "Run the reference master, over a database of its own.",
    ),
    "drill": (
        "resultsq.cli.drill:drill",
        "Rehearse an outage of the master, with real processes.",
    ),
    "check": (
        "resultsq.cli.results:check",
        "Say what is wrong with the FILES of an event.",
    ),
    "submit": (
        "resultsq.cli.results:submit",
        "Accept FILES as an event's results, into this node's queue.",
    ),
    "message": ("resultsq.cli.messages:message", "Write TEXT to the office, for EVENT."),
    "registration": ("resultsq.cli.registrations:registration", "Runners who registered here."),
    "status": ("resultsq.cli.status:status", "Say what waits, and how the link to the master is."),
    "retry": ("resultsq.cli.actions:retry", "Try them at once, in their turn."),
    "hold": ("resultsq.cli.actions:hold", "Keep them from being sent until they are released."),
    "release": ("resultsq.cli.actions:release", "End holds; what was held goes in its turn."),
    "withdraw": (
        "resultsq.cli.actions:withdraw",
        "Take back what the master cannot have. It can be undone for 30 days.",
    ),
    "resend": ("resultsq.cli.actions:resend", "Send again what the master lost, and then these, which correct it."),
    "undo": ("resultsq.cli.actions:undo", "Put withdrawn ones back in the queue, where nothing has taken their place."),
    "export": (
        "resultsq.cli.bundle:export",
        "Write what waits into the new file OUT, sealed, for a USB stick or a mail.",
    ),
    "import": (
        "resultsq.cli.bundle:import_",
        "Take in the bundle FILE: into this node's queue, or straight to the master.",
    ),
    "reconcile": (
        "resultsq.cli.bundle:reconcile",
        "Compare with what the master has, and queue again only what it lacks.",
    ),
    "bundle-key": ("resultsq.cli.bundle:bundle_key", "Print a new key for RESULTSQ_BUNDLE_KEYS."),
    "event": ("resultsq.cli.people:event", "Events that may submit."),
    "account": ("resultsq.cli.people:account", "People who log in."),
    "token": ("resultsq.cli.people:token", "Tokens that programs submit with."),
    "node": ("resultsq.cli.nodes:nodes", "Other nodes that hand what they accepted to this one."),
    "people": (
        "resultsq.cli.people_copies:people",
        "Accounts, events and tokens as copies of another node's.",
    ),
    "sync": (
        "resultsq.cli.people_copies:sync",
        "Copy the accounts, events and tokens of another node now.",
    ),
    "notice": ("resultsq.cli.notices:notice", "What teams read on top of their form."),
    "athletes": ("resultsq.cli.athletes:athletes", "The list of athletes that this node keeps."),
    "db": ("resultsq.cli.upkeep:db", "The database's schema."),
    "settings": ("resultsq.cli.upkeep:settings", "Show what is in force, and where from."),
    "doctor": ("resultsq.cli.health:doctor", "Look at every part of the node and say what to do."),
    "backup": ("resultsq.cli.upkeep:backup", "Copy the node's database into the new file OUT, while it runs."),
    "restore": ("resultsq.cli.upkeep:restore", "Put the backup FILE into an empty database."),
    "prune": ("resultsq.cli.upkeep:prune", "Remove personal data of what was published long ago."),
    "completion": ("resultsq.cli.manual:completion", "Print a script that completes commands in SHELL."),
    "manual": ("resultsq.cli.manual:manual", "Write a manual page for each command into FOLDER."),
    "demo-data": ("resultsq.cli.up:demo_data", ""),
}
"""Name → where it is, and its sentence in the list; a command without one is for our own processes."""


def _note_data_dir(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    if value is not None:  # nearest to the command wins: click calls the outermost first
        ctx.find_root().ensure_object(dict)["data_dir"] = value


DATA_DIR = click.Option(
    ["--data-dir"],
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of this node's data.",
    expose_value=False,
    callback=_note_data_dir,
)


@click.group(
    cls=LazyGroup,
    commands_by_path=COMMANDS,
    everywhere=[DATA_DIR],
    params=[DATA_DIR],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="resultsq")
@click.option("--parent-pipe", type=int, hidden=True, help="A pipe of `up`: when its other end closes, end.")
@click.pass_context
def commands(ctx: click.Context, parent_pipe: int | None) -> None:
    """Results that no outage can hold up: accepted here at once, published at the master exactly once."""
    os.umask(0o077)  # what a command writes is about people: for its owner alone
    if parent_pipe is not None:
        follow(parent_pipe)
    ctx.ensure_object(dict)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit."""
    # the interpreter's last garbage collection goes through everything ever imported, which takes a second
    atexit.register(gc.freeze)
    if arguments is None:  # in a process of its own
        interpreter.begin_loading()
    language.teach_click()
    with in_language(language.of_this_process):
        sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    """The exit status of one command; a refusal is said on the standard error."""
    try:
        commands.main(arguments, prog_name="resultsq")
    except ResultsqError as error:
        cause = f" ({retold(error.cause)})" if isinstance(error, StoreUnavailable) else ""
        said = retold(error.args[0]) if error.args else ""
        click.echo(f"resultsq: {said}{cause}", err=True)
        if isinstance(error, InputRefused):
            for problem in error.problems:
                click.echo(f"  {problem.message}", err=True)
        if isinstance(error, HeadMoved) and error.head is not None:
            present = gettext("The present version is {id}; name it with --corrects.", id=error.head)
            click.echo(f"  {present}", err=True)
        return 2 if isinstance(error, SettingsError) else 1
    except OSError as error:
        if error.filename is None or error.errno not in disk.KNOWN:
            raise
        why = disk.reason(error, disk.nearest(Path(str(error.filename))))
        said = gettext("{file} cannot be used: {reason}.", file=error.filename, reason=retold(why))
        click.echo(f"resultsq: {said}", err=True)
        return 1
    return 0
