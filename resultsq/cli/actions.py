"""Acting on many submissions by the dashboard's filters: `retry`, `hold`, `release`, `withdraw`, `resend`, `undo`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from resultsq.cli.node import Node, Overrides, as_json_option, show_json, who
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.filter import Filter
from resultsq.domain.submission import State
from resultsq.store import actions, events, holding, queries, runner
from resultsq.store.actions import Target, Verb

C = TypeVar("C", bound=Callable[..., Any])

_FILTERS = (
    click.option("--event", "events", multiple=True, metavar="SLUG", help="Of this event; may be given again."),
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
    _act(Node(overrides), Verb.RETRY, given)


@click.command()
@_options(_FILTERS, _WHOLE)
@click.option("--release-at", metavar="TIME", help="When the hold ends by itself.")
@_options(_WHAT)
@click.pass_obj
def hold(
    overrides: Overrides, /, destination: bool, whole_event: str | None, release_at: str | None, **given: Any
) -> None:
    """Keep them from being sent until they are released. Held means kept."""
    node = Node(overrides)
    until = None if release_at is None else _time(node, release_at)
    if not destination and whole_event is None:
        _act(node, Verb.HOLD, given, until)
        return
    _whole_alone(given)
    now, reason = node.clock.now(), given["reason"]

    def place(conn: Connection) -> None:
        event_id = None if whole_event is None else _event_id(conn, whole_event)
        holding.place_hold(conn, now, who(), event_id, reason, until)

    if not given["dry_run"]:
        node.database.write(place)
    click.echo(f"{whole_event or 'Everything that goes to the master'} is held.")


@click.command()
@_options(_FILTERS, _WHOLE, _WHAT)
@click.pass_obj
def release(overrides: Overrides, /, destination: bool, whole_event: str | None, **given: Any) -> None:
    """End holds; what was held goes in its turn."""
    node = Node(overrides)
    if not destination and whole_event is None:
        _act(node, Verb.RELEASE, given)
        return
    _whole_alone(given)
    now, reason = node.clock.now(), given["reason"]

    def end(conn: Connection) -> int:
        scope = ("event", whole_event) if whole_event is not None else ("destination", None)
        found = [one.id for one in queries.holds(conn, now) if (one.scope, one.event) == scope]
        for one in found if not given["dry_run"] else ():
            holding.release_hold(conn, now, who(), one, reason)
        return len(found)

    if not node.database.write(end):
        raise NotThere("Nobody holds that. `resultsq status` shows the holds in force.")
    click.echo(f"{whole_event or 'What goes to the master'} is held no more.")


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def withdraw(overrides: Overrides, /, **given: Any) -> None:
    """Take back what the master cannot have. It can be undone for 30 days."""
    _act(Node(overrides), Verb.WITHDRAW, given)


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def resend(overrides: Overrides, /, **given: Any) -> None:
    """Send again what the master lost, and then these, which correct it.

    For what is in conflict because the master no longer has the version that it corrects."""
    _act(Node(overrides), Verb.RESEND, given)


@click.command()
@_options(_FILTERS, _WHAT)
@click.pass_obj
def undo(overrides: Overrides, /, **given: Any) -> None:
    """Put withdrawn ones back in the queue, where nothing has taken their place."""
    _act(Node(overrides), Verb.UNDO, given)


def _act(node: Node, verb: Verb, given: dict[str, Any], release_at: datetime | None = None) -> None:
    target, now = _target(node, given), node.clock.now()
    if given["dry_run"]:
        with node.database.read() as conn:
            total, able = actions.count(conn, target), actions.able(conn, now, verb, target)
        if given["as_json"]:
            show_json({"total": total, "able": able})
        else:
            click.echo(f"{many(total)}; {verb} can be done to {able} of them now. Nothing was changed.")
            _say_pause(node, verb, target)
        return
    action = actions.start(node.database, now, who(), verb, target, given["reason"], release_at)
    runner.run(node.database, node.clock, action)
    with node.database.read() as conn:
        done = actions.progress(conn, action)
    assert done is not None  # noqa: S101 - it was started just now
    if given["as_json"]:
        show_json(done)
        return
    skipped = f"; {done.skipped} skipped, which had moved on or cannot be treated so" if done.skipped else ""
    click.echo(f"{verb}: {done.done} of {many(done.total)}{skipped}.")
    _say_pause(node, verb, target)


def _say_pause(node: Node, verb: Verb, target: Target) -> None:
    """Why a retry leaves some as they are."""
    if verb is not Verb.RETRY:
        return
    with node.database.read() as conn:
        until = actions.paused_until(conn, node.clock.now(), target)
    if until is not None:
        local = until.astimezone(ZoneInfo(node.settings.time_zone))
        click.echo(f"The master asked for a pause until {local:%H:%M:%S} ({local:%Z}), which is obeyed.")


def _target(node: Node, given: dict[str, Any]) -> Target:
    """What the options name.

    :raises InputRefused: nothing, or two things that do not go together."""
    pairs = [
        (name, str(one))
        for name in Filter.model_fields
        if (value := given.get(name)) not in (None, (), "")
        for one in (value if isinstance(value, tuple) else (value,))
    ]
    if (bool(given["ids"]), bool(pairs), given["everything"]).count(True) != 1:
        raise InputRefused("Say which: by --id, by filters such as --event and --state, or --everything.")
    return given["ids"] or Filter.parse(pairs, ZoneInfo(node.settings.time_zone))


def _whole_alone(given: dict[str, Any]) -> None:
    if given["ids"] or given["everything"] or any(given.get(name) for name in Filter.model_fields):
        raise InputRefused("--destination and --whole-event stand alone: they name no submissions.")


def _event_id(conn: Connection, slug: str) -> int:
    event = events.find(conn, slug)
    if event is None:
        raise NotThere(f"There is no event called {slug} here.")
    return event.id


def _time(node: Node, text: str) -> datetime:
    """A time to come, in the node's zone where it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputRefused("A time is written like 2013-12-07T14:00. Nothing was changed.") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(node.settings.time_zone))
    if moment <= node.clock.now():
        raise InputRefused("The time of release is over already. Nothing was changed.")
    return moment


def many(count: int) -> str:
    """So many, in words."""
    return "1 submission" if count == 1 else f"{count} submissions"
