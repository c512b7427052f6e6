"""Acting on many submissions by the dashboard's filters: `retry`, `hold`, `release`, `withdraw`, `resend`, `undo`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from resultsq.app import operations
from resultsq.cli.node import CliContext, Overrides, as_json_option, show_json, who
from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.filter import Filter
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.submission import State
from resultsq.store.admin.actions import Target, Verb

C = TypeVar("C", bound=Callable[..., Any])

_FILTERS = (
    click.option("--event", "events", multiple=True, metavar="SLUG", help="Of this event; may be given again."),
    click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Of this kind, like results or messages."),
    click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in State])),
    click.option("--text", metavar="PART", help="Part of an event's or a team's name, or how an id or date begins."),
    click.option("--cause", help="The last error's class, like timeout or conflict."),
    click.option("--fingerprint", help="The last error's group."),
    click.option("--status", type=int, help="The last answer's HTTP status."),
    click.option("--attempts-min", type=int),
    click.option("--attempts-max", type=int),
    click.option("--accepted-from", metavar="TIME", help="Like 2013-12-07T09:00, in the setting time_zone."),
    click.option("--accepted-to", metavar="TIME"),
    click.option("--waiting-only", is_flag=True, default=None, help="Queued or on their way."),
    click.option("--id", "ids", multiple=True, metavar="ID", help="This one; may be given again."),
    click.option("--everything", is_flag=True, help="All there are, where nothing else says which."),
)
_WHAT = (
    click.option("--reason", default="", help="Why, for the audit."),
    click.option("--dry-run", is_flag=True, help="Count them and change nothing."),
    as_json_option,
)
_WHOLE = (
    click.option("--destination", is_flag=True, help="Not submissions: everything that goes to the master."),
    click.option("--whole-event", metavar="SLUG", help="Not submissions: an event, and what it submits from now on."),
)


def _options(*groups: tuple[Callable[[C], C], ...]) -> Callable[[C], C]:
    def put(command: C) -> C:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return put


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def retry(overrides: Overrides, /, **given: Any) -> None:
    """Try them at once, in their turn.

    It charges them no attempt; the slow start and the master's own Retry-After are obeyed."""
    _act(CliContext(overrides), Verb.RETRY, given)


@click.command()
@_options(_FILTERS, _WHOLE)
@click.option("--release-at", metavar="TIME", help="When the hold ends by itself.")
@_options(_WHAT)
@click.pass_obj
def hold(
    overrides: Overrides, /, destination: bool, whole_event: str | None, release_at: str | None, **given: Any
) -> None:
    """Keep them from being sent until they are released."""
    node = CliContext(overrides)
    until = operations.read_release_at(release_at or "", ZoneInfo(node.settings.time_zone))
    if not destination and whole_event is None:
        _act(node, Verb.HOLD, given, until)
        return
    _whole_alone(given)
    operations.demand_future(node.clock.now(), until)
    if not given["dry_run"]:
        operations.place_hold(node.context, who(), whole_event, given["reason"], until)
    everything = gettext("Everything that goes to the master is held.")
    click.echo(gettext("{event} is held.", event=whole_event) if whole_event else everything)


@click.command()
@_options(_FILTERS, _WHOLE, _WHAT)
@click.pass_obj
def release(overrides: Overrides, /, destination: bool, whole_event: str | None, **given: Any) -> None:
    """End holds; what was held goes in its turn."""
    node = CliContext(overrides)
    if not destination and whole_event is None:
        _act(node, Verb.RELEASE, given)
        return
    _whole_alone(given)
    found = operations.holds_of(node.context, whole_event)
    for one in found if not given["dry_run"] else ():
        operations.release_hold(node.context, who(), one.id, given["reason"])
    everything = gettext("What goes to the master is held no more.")
    click.echo(gettext("{event} is held no more.", event=whole_event) if whole_event else everything)


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def withdraw(overrides: Overrides, /, **given: Any) -> None:
    """Take back what the master cannot have. It can be undone for 30 days."""
    _act(CliContext(overrides), Verb.WITHDRAW, given)


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def resend(overrides: Overrides, /, **given: Any) -> None:
    """Send again what the master lost, and then these, which correct it.

    For what is in conflict because the master no longer has the version that it corrects."""
    _act(CliContext(overrides), Verb.RESEND, given)


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def undo(overrides: Overrides, /, **given: Any) -> None:
    """Put withdrawn ones back in the queue, where nothing has taken their place."""
    _act(CliContext(overrides), Verb.UNDO, given)


def _act(node: CliContext, verb: Verb, given: dict[str, Any], release_at: datetime | None = None) -> None:
    target, ctx = _target(node, given), node.context
    if given["dry_run"]:
        operations.demand_future(ctx.clock.now(), release_at)
        total, able = operations.count(ctx, verb, target)
        if given["as_json"]:
            show_json({"total": total, "able": able})
        else:
            click.echo(
                gettext(
                    "{submissions}; {command} can be done to {number} of them now. Nothing was changed.",
                    submissions=many(total),
                    command=verb.value,
                    number=cldr.number(able),
                )
            )
            _say_pause(node, verb, target)
        return
    done = operations.finish(ctx, operations.start(ctx, who(), verb, target, given["reason"], release_at))
    if given["as_json"]:
        show_json(done)
        return
    counts = {"command": verb.value, "number": cldr.number(done.done), "submissions": many(done.total)}
    if done.skipped:
        said = gettext(
            "{command}: {number} of {submissions}; {skipped} skipped, which had moved on or cannot be treated so.",
            **counts,
            skipped=cldr.number(done.skipped),
        )
        click.echo(said)
    else:
        click.echo(gettext("{command}: {number} of {submissions}.", **counts))
    _say_pause(node, verb, target)


def _say_pause(node: CliContext, verb: Verb, target: Target) -> None:
    """Why a retry leaves some as they are."""
    until = operations.paused_until(node.context, verb, target)
    if until is not None:
        local = until.astimezone(ZoneInfo(node.settings.time_zone))
        asked = gettext(
            "The master asked for a pause until {time} ({zone}). Nothing is sent before then.",
            time=f"{local:%H:%M:%S}",
            zone=f"{local:%Z}",
        )
        click.echo(asked)


def _target(node: CliContext, given: dict[str, Any]) -> Target:
    """What the options name.

    :raises InputRefused: nothing, or two things that do not go together."""
    pairs = [
        (name, str(one))
        for name in Filter.model_fields
        if (value := given.get(name)) not in (None, (), "")
        for one in (value if isinstance(value, tuple) else (value,))
    ]
    if (bool(given["ids"]), bool(pairs), given["everything"]).count(True) != 1:
        raise InputRefused(gettext("Say which: by --id, by filters such as --event and --state, or --everything."))
    return given["ids"] or Filter.parse(pairs, ZoneInfo(node.settings.time_zone))


def _whole_alone(given: dict[str, Any]) -> None:
    if given["ids"] or given["everything"] or any(given.get(name) for name in Filter.model_fields):
        raise InputRefused(gettext("--destination and --whole-event stand alone: they name no submissions."))


def many(count: int) -> str:
    """So many, as a part of a sentence."""
    return ngettext("{number} submission", "{number} submissions", count)
