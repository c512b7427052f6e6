"""A form of any kind that has one: its fields are accepted as its kind prepares them."""

import uuid
from collections.abc import Mapping

from flask import g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.app import submissions
from resultsq.domain.errors import Conflicting, NotThere, SheetRefused
from resultsq.domain.ports import Form, Kind
from resultsq.domain.role import Role
from resultsq.kinds.registry import KINDS
from resultsq.store.admin.events import EventRow
from resultsq.web.auth import me, rule
from resultsq.web.form.base import blueprint, my_event
from resultsq.web.node import node

_OURS = frozenset({"csrf_token", "id"})


@blueprint.get("/write/<slug>/<kind>")
@rule(Role.TEAM)
def write(slug: str, kind: str) -> str:
    """The empty form; the address may name the submission that it is about."""
    with node().database.read() as conn:
        event = my_event(conn, slug)
    return _page(event, _with_form(kind)[1], {"about": request.args.get("about", "")}, str(uuid.uuid4()), {})


@blueprint.post("/write/<slug>/<kind>")
@rule(Role.TEAM)
def write_sent(slug: str, kind: str) -> Answer | str | tuple[str, int]:
    """Keep it, and go to its page. A double click is one submission, for the form brings the id."""
    with node().database.read() as conn:
        event = my_event(conn, slug)
    chosen, form = _with_form(kind)
    id_, fields = _id(), {name: value for name, value in request.form.items() if name not in _OURS}
    payload = {**{name: value.replace("\r\n", "\n") or None for name, value in fields.items()}, "event": event.slug}
    try:
        accepted, _entry = submissions.submit(
            node(),
            chosen,
            payload,
            lambda _slug: event.id,
            submitted_by=me().name,
            submission=id_,
            request_id=g.request_id,
        )
    except SheetRefused as refused:
        wrong = {where.pointer or "": problem.message for problem in refused.problems for where in problem.where}
        return _page(event, form, fields, id_, wrong), 422
    except Conflicting as refused:
        return _page(event, form, fields, str(uuid.uuid4()), {"": str(refused)}), 409
    return redirect(url_for("form.receipt", submission=accepted.id), 303)


def _with_form(name: str) -> tuple[Kind, Form]:
    """:raises NotThere: there is no such kind, or it has no form."""
    kind = KINDS.get(name)
    if kind is None or kind.form is None:
        raise NotThere(_("There is no such form here."))
    return kind, kind.form


def _id() -> str:
    """The id that the form brought; a new one where that is not valid."""
    try:
        return str(uuid.UUID(request.form.get("id", "")))
    except ValueError:
        return str(uuid.uuid4())


def _page(event: EventRow, form: Form, fields: Mapping[str, str], id_: str, wrong: Mapping[str, str]) -> str:
    return render_template("write.html", event=event, form=form, fields=fields, id=id_, wrong=wrong)
