"""The part of the API about runners who register: programs hand one in, operators read name, number and state."""

import uuid
from typing import Any, cast

from flask import Blueprint, Response, request
from pydantic import BaseModel

from resultsq.app import intake, registrations
from resultsq.domain.entry import NO_EVENT
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.web import language, schemas
from resultsq.web.api import one_value
from resultsq.web.auth import bearer, rule
from resultsq.web.bounds import JSON
from resultsq.web.errors import ApiProblem
from resultsq.web.node import node
from resultsq.web.operator_api import asked_page
from resultsq.web.register import open_form

blueprint = Blueprint("registering", __name__, url_prefix="/api/v1")


@blueprint.post("/registrations")
@rule.bearer(Role.TEAM)
def register() -> Response:
    """Register a runner: 201 when the registration is committed here, 200 when this very one was here before. The
    header Idempotency-Key is its id, a UUID: keep it secret, for the runner's slip is at /register/ and this id."""
    form = open_form()
    if request.mimetype != JSON:
        raise ApiProblem(415, "This is sent as application/json. Nothing was stored.", headers={"Accept-Post": JSON})
    value = intake.json_value(request.get_data(cache=False))
    if not isinstance(value, dict):
        detail = "A registration is a JSON object. Nothing was stored."
        raise ApiProblem(422, detail, [{"detail": detail, "pointer": ""}])
    event_id = bearer().event_id
    of_event = NO_EVENT if event_id is None else event_id
    done = registrations.register(node(), cast(dict[str, Any], value), _id(), form, of_event, language.asked())
    answer = schemas.RegisteredResponse(
        id=done.submission, name=done.slip.name, number=done.slip.number, state=done.state, digest=done.digest
    )
    found = _json(answer, 201 if done.created else 200)
    found.headers["Location"] = f"{blueprint.url_prefix}/registrations/{done.submission}"
    return found


@blueprint.get("/registrations/<uuid:registration>")
@rule.bearer(Role.OPERATOR)
def look(registration: uuid.UUID) -> Response:
    """Name, number and state of a registration."""
    found = registrations.one(node(), str(registration))
    if found is None:
        raise NotThere(gettext("There is no such registration here."))
    return _json(schemas.RegistrationResponse.model_validate(found))


@blueprint.get("/registrations")
@rule.bearer(Role.OPERATOR)
def all_registrations() -> Response:
    """Registrations, the newest first, a page at a time."""
    size, after = asked_page({"state"})
    if after is not None and not after.isdecimal():
        raise InputRefused(gettext("`after` must be the `next` of the page before, unchanged."))
    found = registrations.page(node(), size, None if after is None else int(after), _state())
    next_ = None if found.next is None else str(found.next)
    lines = tuple(map(schemas.RegistrationResponse.model_validate, found.lines))
    return _json(schemas.RegistrationsResponse(registrations=lines, next=next_))


def _state() -> State | None:
    text = request.args.get("state")
    try:
        return None if text is None else State(text)
    except ValueError:
        known = ", ".join(State)
        raise InputRefused(gettext("A state is one of {known}.", known=known)) from None


def _id() -> str:
    """The id that the client made; a new one where it made none."""
    key = one_value("Idempotency-Key")
    try:
        return str(uuid.uuid4() if key is None else uuid.UUID(key))
    except ValueError:
        raise ApiProblem(400, "The Idempotency-Key of a registration is a UUID. Nothing was stored.") from None


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(), status, mimetype="application/json")
