"""The command `drill`."""

import sys
from typing import get_args

import click

from resultsq.cli.node import as_json_option
from resultsq.domain.i18n import gettext
from resultsq.drill.laptop import rehearse_laptop
from resultsq.drill.link import Outage
from resultsq.drill.outage import rehearse_outage
from resultsq.drill.saturday import rehearse_saturday

_OF_AN_OUTAGE = ("backlog", "outage_s", "mode")
_OF_A_SATURDAY = ("events", "compressed", "mails", "registrations", "alone")
_NOT_OF_A_LAPTOP = ("outage_s", "mode", "saturday", "workers")


@click.command()
@click.option("--backlog", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Teams that send.")
@click.option(
    "--outage", "outage_s", type=click.FloatRange(1, 86_400), default=20.0, show_default=True, help="Seconds."
)
@click.option(
    "--mode", type=click.Choice(get_args(Outage)), default="hole", show_default=True, help="What the link does."
)
@click.option("--saturday", is_flag=True, help="A whole Saturday instead: thousands of events, on PostgreSQL.")
@click.option(
    "--events", type=click.IntRange(20, 20_000), default=2_500, show_default=True, help="Events of the Saturday."
)
@click.option(
    "--compress",
    "compressed",
    type=click.FloatRange(1, 5_000),
    default=60.0,
    show_default=True,
    help="How many times faster its morning passes.",
)
@click.option(
    "--mails", type=click.IntRange(0, 100_000), default=0, show_default=True, help="Mails that wait, of a Saturday."
)
@click.option(
    "--registrations",
    type=click.IntRange(0, 100_000),
    default=0,
    show_default=True,
    help="Runners who register, of a Saturday, beside one at each event.",
)
@click.option("--alone", is_flag=True, help="Results with nothing beside them, of a Saturday: to compare.")
@click.option("--laptop", is_flag=True, help="A laptop that hands its results to a relay and is closed, instead.")
@click.option("--workers", type=click.IntRange(1, 16), help="Workers that publish. Default: 1, of a Saturday 4.")
@as_json_option
@click.pass_context
def drill(
    ctx: click.Context,
    backlog: int,
    outage_s: float,
    mode: Outage,
    saturday: bool,
    events: int,
    compressed: float,
    mails: int,
    registrations: int,
    alone: bool,
    laptop: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Rehearse an outage of the master, with real processes.

    They run in a temporary folder. Exit status 0 only if every result was accepted, and published once and
    unchanged; with --saturday only if all was answered and published in time as well, and no process grew."""
    _refuse_others(ctx, _OF_AN_OUTAGE if saturday else _OF_A_SATURDAY, saturday)
    if alone and (mails or registrations):
        raise click.UsageError(gettext("--alone leaves no room for --mails and --registrations."))
    if laptop:
        _refuse_for_a_laptop(ctx)
        status = rehearse_laptop(backlog=backlog, as_json=as_json)
    elif saturday:
        status = rehearse_saturday(
            events=events,
            compressed=compressed,
            mails=mails,
            registrations=registrations,
            alone=alone,
            workers=workers or 4,
            as_json=as_json,
        )
    else:
        status = rehearse_outage(backlog=backlog, outage_s=outage_s, mode=mode, workers=workers or 1, as_json=as_json)
    sys.exit(status)


def _refuse_others(ctx: click.Context, names: tuple[str, ...], saturday: bool) -> None:
    """Refuse an option that would do nothing."""
    for option in ctx.command.params:
        given = option.name and ctx.get_parameter_source(option.name) is not click.core.ParameterSource.DEFAULT
        if given and option.name in names:
            if saturday:
                raise click.UsageError(gettext("{option} is not for a Saturday.", option=option.opts[0]))
            raise click.UsageError(gettext("{option} is for --saturday alone.", option=option.opts[0]))


def _refuse_for_a_laptop(ctx: click.Context) -> None:
    for option in ctx.command.params:
        given = option.name and ctx.get_parameter_source(option.name) is not click.core.ParameterSource.DEFAULT
        if given and option.name in _NOT_OF_A_LAPTOP:
            raise click.UsageError(gettext("{option} is not for --laptop.", option=option.opts[0]))
