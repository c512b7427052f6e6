"""What the team's pages share: their blueprint, whose event it is, and times as people read them."""

from datetime import date, datetime
from operator import attrgetter
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext as _
from sqlalchemy import Connection

from resultsq.app.intake import KIND
from resultsq.domain import cldr
from resultsq.domain.collation import ordered
from resultsq.domain.errors import NotThere
from resultsq.store.admin import accounts, events
from resultsq.store.admin.accounts import AccountView
from resultsq.store.admin.events import EventRow
from resultsq.store.views import queries
from resultsq.store.views.queries import SubmissionView
from resultsq.web.as_of import add_headers
from resultsq.web.auth import account, me
from resultsq.web.form.compression import asset, slim
from resultsq.web.form.modules import module
from resultsq.web.language import event_speaks

blueprint = Blueprint("form", __name__)
blueprint.after_app_request(slim)
blueprint.after_app_request(add_headers)


@blueprint.record_once
def _equip(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals.update(asset=asset, me=account, module=module)
    state.app.jinja_env.filters.update(at=at, on=on, day=day)


def at(moment: datetime, zone: str) -> str:
    """The time of day in an event's time zone, like `10:42`."""
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"


def on(moment: datetime, zone: str) -> str:
    """Day and time in an event's time zone, like `7 December 2013 at 10:42`."""
    local = moment.astimezone(ZoneInfo(zone))
    return str(_("%(day)s at %(time)s", day=day(local.date().isoformat()), time=at(moment, zone)))


def day(iso: str) -> str:
    """A date as people write it, like `7 December 2013`; another text stays as it is."""
    try:
        return cldr.long_day(date.fromisoformat(iso))
    except ValueError:
        return iso


@blueprint.after_request
def _vary(response: Response) -> Response:
    # the same address gives htmx a part of the page
    if not response.cache_control.public:
        response.vary.add("HX-Request")
    return response


def of_htmx() -> bool:
    """Whether a part of a page is asked for, and not a whole one."""
    return "HX-Request" in request.headers


def by_name(mine: list[EventRow]) -> list[EventRow]:
    """These events as a list for people."""
    return ordered(mine, attrgetter("name"))


def events_of(conn: Connection, who: AccountView) -> list[EventRow]:
    """The events that `who` may see, by slug."""
    return [event for event in events.every(conn) if accounts.may_see(who, event.id)]


def my_event(conn: Connection, slug: str) -> EventRow:
    """The event of that slug.

    :raises NotThere: there is none, or it is another team's: the answer is the same."""
    found = events.find(conn, slug)
    if found is None or not accounts.may_see(me(), found.id):
        raise NotThere(_("There is no such event here."))
    event_speaks(found.language)
    return found


def my_submission(conn: Connection, submission: str, of_any_kind: bool = False) -> tuple[SubmissionView, EventRow]:
    """The results of that id and their event; `of_any_kind`: or another submission.

    :raises NotThere: there is none, or it is another team's: the answer is the same."""
    found = queries.submission(conn, submission)
    if found is None or not accounts.may_see(me(), found.event_id) or not (of_any_kind or found.kind == KIND):
        raise NotThere(_("There is no such submission here."))
    return found, my_event(conn, found.event)
