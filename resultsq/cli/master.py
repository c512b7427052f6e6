"""The command `master`, and `master check` for masters by other hands."""

from contextlib import nullcontext
from pathlib import Path

import click

from resultsq.cli.athletes import opened
from resultsq.cli.conformance import check, tokens_of
from resultsq.cli.node import CliContext, PathParam
from resultsq.master.serve import serve
from resultsq.readers.athletes_list import read_list
from resultsq.supervisor.folder import make_data_dir


@click.group(invoke_without_command=True)
@click.option("--database-url", help="SQLAlchemy URL of its own database. Default: SQLite in the data folder.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8470, show_default=True)
@click.option(
    "--token",
    "tokens",
    multiple=True,
    help="A node's token; may be given again. TOKEN, NODE:TOKEN or NODE:EVENT,EVENT:TOKEN.",
)
@click.option(
    "--token-file", type=PathParam(dir_okay=False, path_type=Path), help="File with such tokens, a line each."
)
@click.option("--event", "events", multiple=True, metavar="SLUG", help="Take only this event; may be given again.")
@click.option(
    "--delay-s", type=click.FloatRange(0), default=0.0, help="Rehearsal: seconds that each sheet takes longer."
)
@click.option("--slots", type=click.IntRange(1), help="Rehearsal: sheets taken at once; one more has to come later.")
@click.option(
    "--athletes",
    type=PathParam(exists=True, dir_okay=False, path_type=Path),
    help="Table (CSV) of athletes to add to its list, or to change there, before it begins to serve.",
)
@click.option(
    "--mail-key-file",
    type=PathParam(exists=True, dir_okay=False, path_type=Path),
    help="File with NODE:KEY a line: this node gets hashes of athletes' mail addresses by this key, in base64.",
)
@click.pass_context
def master(
    ctx: click.Context,
    database_url: str | None,
    host: str,
    port: int,
    tokens: tuple[str, ...],
    token_file: Path | None,
    events: tuple[str, ...],
    delay_s: float,
    slots: int | None,
    athletes: Path | None,
    mail_key_file: Path | None,
) -> None:
    """Run the reference master, over a database of its own."""
    if ctx.invoked_subcommand is not None:
        return
    node = CliContext(ctx.obj)
    node.log()
    tokens += tokens_of(token_file)
    if database_url is None:
        make_data_dir(node.settings)
        database_url = f"sqlite:///{node.settings.data_dir / 'master.db'}"
    with nullcontext(()) if athletes is None else opened(athletes) as lines:
        serve(
            database_url=database_url,
            tokens=tokens,
            host=host,
            port=port,
            events=events or None,
            delay_s=delay_s,
            slots=slots,
            athletes=read_list(lines) if lines else (),
            mail_keys=tokens_of(mail_key_file),
        )


master.add_command(check)
