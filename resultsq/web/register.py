"""Where runners register, without a log-in, also while the master is away; and the slip that they keep.

The page never says whether a person or an address is known: the master decides that later, and operators read it.
"""

import uuid
from collections.abc import Mapping
from datetime import date
from operator import attrgetter
from typing import Any, cast

import segno
from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response as Answer

from resultsq.app import registration_form, registrations
from resultsq.app.registration_form import RegistrationForm
from resultsq.domain.collation import ordered
from resultsq.domain.errors import Conflicting, NotThere, SheetRefused
from resultsq.store.admin import events
from resultsq.store.admin.events import EventRow
from resultsq.web import language
from resultsq.web.auth import rule
from resultsq.web.form import picture
from resultsq.web.limits import RateLimiter, network
from resultsq.web.node import node

MOST_OF_A_CALLER, WITHIN_S = 200, 600.0
"""Forms from one address in ten minutes: runners at a start line may all come from one, behind a carrier's router."""

MOST_STORED, OF_ALL_S = 10_000, 3600.0
"""Registrations of all senders in an hour: a bound on what strangers can write to the disk."""

EVENTS_LISTED = 100
"""A list of more events is a field to type into."""

TRAP = "website"
"""A field that no person sees. Programs fill it in."""

_FORM = "resultsq.registration_form"
_CALLERS, _STORED = "resultsq.registering", "resultsq.registered"

blueprint = Blueprint("register", __name__)


@blueprint.record_once
def _equip(state: BlueprintSetupState) -> None:
    settings, clock = state.app.extensions["resultsq"].settings, state.app.extensions["resultsq"].clock
    state.app.jinja_env.globals["registration_is_open"] = settings.registration
    state.app.extensions[_CALLERS] = RateLimiter(clock, MOST_OF_A_CALLER, WITHIN_S)
    state.app.extensions[_STORED] = RateLimiter(clock, MOST_STORED, OF_ALL_S)
    if settings.registration:
        state.app.extensions[_FORM] = registration_form.load(settings.registration_form)


@blueprint.get("/register")
@rule.public
def form() -> str:
    """The empty form."""
    return _page(open_form(), str(uuid.uuid4()), {})


@blueprint.post("/register")
@rule.public
def register() -> Answer | tuple[str, int]:
    """Keep the registration and go to its slip. A double tap is one registration, for the form brings the id."""
    asked = open_form()
    _count(_CALLERS, network(request.remote_addr))
    g.personal = True
    id_ = _id()
    given = _given(asked)
    if wrong := _wrong(asked, given):
        return _page(asked, id_, wrong), 422
    try:
        if registrations.look(node(), id_) is None:
            _count(_STORED, "all")
        done = registrations.register(node(), given, id_, language=language.asked())
    except SheetRefused as refused:
        return _page(asked, id_, _refused(asked, given, refused)), 422
    except Conflicting as conflict:
        return _page(asked, str(uuid.uuid4()), {"": str(conflict)}), 409
    return redirect(url_for("register.slip", secret=done.submission), 303)


@blueprint.get("/register/<secret>")
@rule.secret
def slip(secret: str) -> str:
    """Name, number and barcode. The address is the secret: only the runner has it."""
    found = registrations.look(node(), secret) if node().settings.registration else None
    if found is None:
        raise NotThere(_("There is no registration at this address."))
    barcode = qr = None
    if found.number is not None:
        barcode = picture.picture(found.number)
        # segno: an SVG of numbers alone
        qr = Markup(segno.make_qr(found.number).svg_inline(scale=4, border=4, dark="#000", light="#fff"))  # noqa: S704
    return render_template("slip.html", slip=found, barcode=barcode, qr=qr)


def open_form() -> RegistrationForm:
    """What this node asks a runner.

    :raises NotThere: nobody registers here"""
    if not node().settings.registration:
        raise NotThere(_("There is nothing at this address."))
    return cast(RegistrationForm, current_app.extensions[_FORM])


def _count(name: str, key: str) -> None:
    """:raises TooManyRequests: there were too many"""
    wait_s = cast(RateLimiter, current_app.extensions[name]).take(key)
    if wait_s > 0:
        raise TooManyRequests(
            _("Too many people are registering at once. Nothing was stored. Wait a few minutes, and send it again."),
            retry_after=int(wait_s) + 1,
        )


def _id() -> str:
    """The id that the form brought; a new one where that is not valid."""
    try:
        return str(uuid.UUID(request.form.get("id", "")))
    except ValueError:
        return str(uuid.uuid4())


def _page(asked: RegistrationForm, id_: str, wrong: Mapping[str, str]) -> str:
    return render_template(
        "register.html",
        asked=asked,
        id=id_,
        wrong=wrong,
        fields=request.form,
        events=_events() if asked.home_event != "off" else [],
        TRAP=TRAP,
        today=_today(),
    )


def _events() -> list[EventRow]:
    with node().database.read() as conn:
        found = events.search(conn, "", EVENTS_LISTED + 1)
    return ordered(found, attrgetter("name")) if len(found) <= EVENTS_LISTED else []


# what was typed


def _given(asked: RegistrationForm) -> dict[str, Any]:
    """What the form says, as the kind takes it. Of a child the address is the one of a parent."""
    typed = {name: " ".join(value.split()) for name, value in request.form.items()}
    emergency = {"name": typed.get("emergency_name", ""), "phone": typed.get("emergency_phone", "")}
    agreed = request.form.getlist("consent")
    given: dict[str, Any] = {
        "given_name": typed.get("given_name", ""),
        "family_name": typed.get("family_name", ""),
        "born": typed.get("born", ""),
        "gender": typed.get("gender") or None,
        "home_event": typed.get("home_event", "").lower() or None,
        "emergency": emergency if any(emergency.values()) else None,
        "consents": [one.id for one in asked.consents if one.id in agreed],
    }
    given |= {name: None for name in ("gender", "home_event", "emergency") if getattr(asked, name) == "off"}
    return {**given, "email": typed.get(_address_field(asked, given), "")}


def _address_field(asked: RegistrationForm, given: Mapping[str, Any]) -> str:
    return "parent_email" if registration_form.is_child(asked, given, _today()) else "email"


def _wrong(asked: RegistrationForm, given: Mapping[str, Any]) -> dict[str, str]:
    """What this node's form does not take, by the field that shows each fault."""
    wrong = _beside(asked, given, registration_form.faults(asked, given, _today()))
    if request.form.get(TRAP):
        wrong[""] = _("A program seems to have filled in this form. Leave the field “Website” empty.")
    return wrong


def _refused(asked: RegistrationForm, given: Mapping[str, Any], refused: SheetRefused) -> dict[str, str]:
    """What the kind does not take, in the same way."""
    places = ((where.pointer or "", problem.message) for problem in refused.problems for where in problem.where)
    return _beside(asked, given, dict(places))


def _beside(asked: RegistrationForm, given: Mapping[str, Any], faults: Mapping[str, str]) -> dict[str, str]:
    """Each fault by its field: a pointer's own, or those that ask for it together."""
    found: dict[str, str] = {}
    for pointer, message in faults.items():
        match pointer:
            case "/email":
                found[_address_field(asked, given)] = message
            case "/emergency" if given["emergency"] is None:
                found |= {"emergency_name": message, "emergency_phone": message}
            case "/emergency":
                found["emergency_phone"] = message
            case "/consents":
                missing = registration_form.not_agreed(asked, given)
                found |= {f"consent-{id_}": _("Please agree to this.") for id_ in missing}
            case _:
                found[pointer.removeprefix("/").replace("/", "_")] = message
    return found


def _today() -> date:
    return node().clock.now().date()
