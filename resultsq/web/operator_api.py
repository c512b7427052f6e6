"""The operators' part of the API: lists, actions, holds, outages. Filters are those of the pages and the commands."""

import re
from collections.abc import Set
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError

from resultsq.app import notices, operations
from resultsq.domain import incident
from resultsq.domain.errors import InputRefused
from resultsq.domain.filter import Filter
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.invalid import is_no_json, listed
from resultsq.domain.role import Role
from resultsq.kinds import registry
from resultsq.store.admin import notices as stored_notices
from resultsq.store.admin.actions import Target
from resultsq.store.admin.tokens import Bearer
from resultsq.store.views import listing, outages, overview_data, queries
from resultsq.store.views.listing import Order
from resultsq.web import schemas
from resultsq.web.auth import bearer, rule
from resultsq.web.errors import ApiProblem
from resultsq.web.node import node

PAGE = 100
PAGE_MOST = 500

_NAMED = 50
"""How many wrong values of a body are named, before the number of the others."""

blueprint = Blueprint("control", __name__, url_prefix="/api/v1")

M = TypeVar("M", bound=BaseModel)

_KEY = re.compile(r"(?:[0-9]{1,9}~|[12][0-9]{3}-[0-9T:.+-]{6,40}~)?[0-9]{1,18}")


@blueprint.get("/submissions")
@rule.bearer(Role.TEAM, Role.VIEWER)
def submissions() -> Response:
    """Submissions by filter, a page at a time; a team's token sees its own event's."""
    filter_, order, size, after = _listed(bearer())
    with node().database.read() as conn:
        page = listing.page(conn, filter_, order, size, after)
    return _json(schemas.SubmissionsResponse.model_validate({"submissions": page.lines, "next": page.after}))


@blueprint.post("/actions")
@rule.bearer(Role.OPERATOR)
def act() -> Response:
    """Retry, hold, release, withdraw or undo, on a selection or on exactly a filter."""
    ctx, who = node(), bearer().who
    asked = _body(schemas.ActionRequest)
    if not asked.dry_run:
        operations.demand_writable(ctx)
    if asked.action is not None:
        action = operations.start_undo(ctx, who, asked.action, asked.reason)
    else:
        target: Target = asked.filter if asked.filter is not None else asked.ids or ()
        if asked.dry_run:
            operations.demand_future(ctx.clock.now(), asked.release_at)
            total, able = operations.count(ctx, asked.verb, target)
            return _json(schemas.ActionCountResponse(total=total, able=able))
        action = operations.start(ctx, who, asked.verb, target, asked.reason, asked.release_at)
    operations.carry_out(ctx, action)
    answer = _action(action)
    answer.status_code = 201
    answer.headers["Location"] = f"{blueprint.url_prefix}/actions/{action}"
    return answer


@blueprint.get("/actions/<uuid:action>")
@rule.bearer(Role.VIEWER)
def look(action: UUID) -> Response:
    """How far an action is."""
    return _action(str(action))


@blueprint.delete("/actions/<uuid:action>")
@rule.bearer(Role.OPERATOR)
def cancel(action: UUID) -> Response:
    """Leave the rest of an action as it is."""
    operations.demand_writable(node())
    operations.cancel(node(), bearer().who, str(action))
    return _action(str(action))


@blueprint.get("/holds")
@rule.bearer(Role.VIEWER)
def holds() -> Response:
    """The holds in force."""
    held = node()
    with held.database.read() as conn:
        found = queries.holds(conn, held.clock.now())
    return _json(schemas.HoldsResponse.model_validate({"holds": found}))


@blueprint.post("/holds")
@rule.bearer(Role.OPERATOR)
def hold() -> Response:
    """Hold an event, or everything that goes to the master. Held means kept."""
    operations.demand_writable(node())
    asked = _body(schemas.HoldRequest)
    found = operations.place_hold(node(), bearer().who, asked.event, asked.reason, asked.release_at)
    return _json(schemas.HoldResponse.model_validate(found), 201)


@blueprint.delete("/holds/<int:hold>")
@rule.bearer(Role.OPERATOR)
def release(hold: int) -> Response:
    """End a hold; what it held goes in its turn."""
    operations.demand_writable(node())
    action = operations.release_hold(node(), bearer().who, hold)
    if action is not None:
        operations.carry_out(node(), action)
    return _json(schemas.HoldReleasedResponse.model_validate({"action": action}))


@blueprint.get("/notices")
@rule.bearer(Role.VIEWER)
def all_notices() -> Response:
    """What teams read on top of their form."""
    ctx = node()
    with ctx.database.read() as conn:
        found = stored_notices.latest(conn, ctx.clock.now())
    return _json(schemas.NoticesResponse.model_validate({"notices": found}))


@blueprint.post("/notices")
@rule.bearer(Role.OPERATOR)
def post_notice() -> Response:
    """Tell the teams of an event, or of all, something until a time."""
    operations.demand_writable(node())
    asked = _body(schemas.NoticeRequest)
    number = node().transact(
        bearer().who, lambda tx: notices.post(tx, asked.event, asked.title, asked.text, asked.until)
    )
    return _json(schemas.NoticePostedResponse(id=number), 201)


@blueprint.delete("/notices/<int:notice>")
@rule.bearer(Role.OPERATOR)
def end_notice(notice: int) -> Response:
    """Show a notice of this node no more."""
    operations.demand_writable(node())
    node().transact(bearer().who, lambda tx: notices.end(tx, notice))
    return _json(schemas.NoticePostedResponse(id=notice))


@blueprint.get("/outages")
@rule.bearer(Role.VIEWER)
def all_outages() -> Response:
    """The last outages of the link or of the master."""
    with node().database.read() as conn:
        found = overview_data.latest_outages(conn)
    return _json(schemas.OutagesResponse.model_validate({"outages": found}))


@blueprint.get("/outages/<int:outage>")
@rule.bearer(Role.VIEWER)
def outage(outage: int) -> Response:
    """The report of an outage: its figures, and the post that they make."""
    with node().database.read() as conn:
        found = outages.report(conn, outage)
    values = {name: getattr(found, name, None) for name in schemas.IncidentResponse.model_fields}
    values |= {
        "published": found.delays.count,
        "delays": {
            "half_s": found.delays.p50,
            "most_of_them_s": found.delays.p95,
            "longest_s": found.delays.most,
        },
        "markdown": incident.markdown(found, _zone(), registry.title),
    }
    return _json(schemas.IncidentResponse.model_validate(values))


def _listed(who: Bearer) -> tuple[Filter, Order, int, str | None]:
    """What a list is asked for in the address."""
    args = request.args
    size, after = asked_page({*Filter.model_fields, "sort"})
    filter_ = Filter.parse(args.items(multi=True), _zone())
    if who.event_slug is not None:
        filter_ = filter_.model_copy(update={"events": (who.event_slug,)})
    return filter_, Order.parse(args.get("sort", "")), size, after


def asked_page(others: Set[str]) -> tuple[int, str | None]:
    """The `size` of the page that is asked for, and the `after` that it begins with. `others`: further parameters.

    :raises InputRefused: they make no sense, or there are more"""
    args = request.args
    unknown = sorted(set(args) - {*others, "size", "after"})
    if unknown:
        raise InputRefused(
            gettext(
                "There is no parameter {unknown!r}. Nothing was listed: it would be more than you asked for.",
                unknown=unknown[0],
            )
        )
    size, after = args.get("size", str(PAGE)), args.get("after")
    if not size.isdecimal() or not 1 <= int(size[:9]) <= PAGE_MOST:
        raise InputRefused(gettext("A page's size is a number from 1 to {most}.", most=PAGE_MOST))
    if after is not None and _KEY.fullmatch(after) is None:
        raise InputRefused(gettext("`after` must be the `next` of the page before, unchanged."))
    return int(size), after


def _body(shape: type[M]) -> M:
    """The request's JSON body.

    :raises ApiProblem: it is not JSON, or not of that shape."""
    if request.mimetype != "application/json":
        raise ApiProblem(415, "This is sent as application/json. Nothing was changed.")
    body = request.get_data(cache=False)
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        if is_no_json(error):
            raise ApiProblem(400, "This is no JSON. Nothing was changed.") from None
        faults = listed(error)
        places = [{"detail": one.message, "pointer": one.pointer} for one in faults[:_NAMED]]
        if others := error.error_count() - len(places):
            said = ngettext("{number} more value is wrong.", "{number} more values are wrong.", others)
            places.append({"detail": said, "pointer": ""})
        detail = gettext("This cannot be taken: {reason}. Nothing was changed.", reason=faults[0].message)
        raise ApiProblem(422, detail, places) from None


def _action(action: str) -> Response:
    return _json(schemas.ActionResponse.model_validate(operations.progress(node(), action)))


def _zone() -> ZoneInfo:
    return ZoneInfo(node().settings.time_zone)


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(), status, mimetype="application/json")
