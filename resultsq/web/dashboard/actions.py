"""What changes something: actions on a selection or on exactly a filter, holds, a conflict's end."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Answer

from resultsq.app import operations
from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.filter import Filter
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.store.admin import events, skipped
from resultsq.store.admin.actions import Progress
from resultsq.store.views import queries
from resultsq.web.auth import me, rule
from resultsq.web.dashboard.base import blueprint, confirm, must_be_writable, now, page, zone
from resultsq.web.dashboard.browse import asked, query
from resultsq.web.dashboard.labels import PUBLISH_OVER, VERBS, VerbLabels
from resultsq.web.node import node


@blueprint.post("/ask")
@rule(Role.OPERATOR)
def ask() -> str:
    """The dialog before an action: its meaning, how many are selected, and to how many it can be done."""
    must_be_writable()
    form = request.form
    if "resolve" in form:
        return _dialog(PUBLISH_OVER, 1, 1, [("ids", form.get("ids", ""))], "dashboard.publish_over")
    verb = form.get("verb", "")
    words = _words_of(verb)
    if (undone := form.get("action")) is not None:
        found, _left = _progress(undone)
        return _dialog(words, found.done, found.done, [("action", undone), ("verb", verb)], "dashboard.start")
    target = asked(form) if form.get("on") == "filtered" else form.getlist("ids")
    fit, able = operations.count(node(), verb, target)
    paused = operations.paused_until(node(), verb, target)
    if isinstance(target, Filter):
        fields, parts = [*target.pairs(), ("on", "filtered")], target.pairs() or [("", _("everything"))]
    else:
        fields, parts = [("ids", one) for one in target], []
    return _dialog(words, fit, able, [*fields, ("verb", verb)], "dashboard.start", parts, paused)


@blueprint.post("/actions")
@rule(Role.OPERATOR)
def start() -> Answer:
    """Begin an action. Its condition decides again when it is done, so what moved on meanwhile is skipped."""
    must_be_writable()
    ctx, who, form = node(), me().name, request.form
    verb = form.get("verb", "")
    reason, release_at = _reason(_words_of(verb)), _release_at() if verb == "hold" else None
    if (undone := form.get("action")) is not None:
        return _on_its_way(operations.start_undo(ctx, who, undone, reason))
    target = asked(form) if form.get("on") == "filtered" else form.getlist("ids")
    return _on_its_way(operations.start(ctx, who, verb, target, reason, release_at))


@blueprint.get("/actions/<action>")
@rule(Role.VIEWER)
def action(action: str) -> str:
    """How far an action is."""
    found, left = _progress(action)
    return page("action.html", it=found, skipped=left)


@blueprint.get("/actions/<action>/progress")
@rule(Role.VIEWER)
def progress(action: str) -> Answer | tuple[str, int]:
    """The part of that page that moves; 286 tells htmx that it was the last."""
    found, left = _progress(action)
    return page("_action.html", it=found, skipped=left), 286 if found.ended_at else 200


@blueprint.post("/actions/<action>/cancel")
@rule(Role.OPERATOR)
def cancel(action: str) -> Answer:
    """Leave the rest as it is."""
    must_be_writable()
    operations.cancel(node(), me().name, action)
    return redirect(url_for("dashboard.action", action=action), 303)


@blueprint.post("/publish-over")
@rule(Role.OPERATOR)
def publish_over() -> Answer:
    """A person has decided about a conflict or a rejection."""
    must_be_writable()
    submission = request.form.get("ids", "")
    operations.publish_over(node(), me().name, submission, _reason(PUBLISH_OVER))
    flash(_("It is on its way again, and will be published over what is there now."), "success")
    return redirect(url_for("dashboard.submission", submission=submission), 303)


@blueprint.get("/holds")
@rule(Role.VIEWER)
def holds() -> str:
    """The holds, by whom, and why."""
    return _holds()


@blueprint.post("/holds")
@rule(Role.OPERATOR)
def hold() -> Answer | tuple[str, int]:
    """Hold one event."""
    must_be_writable()
    slug = request.form.get("event", "").strip()
    with node().database.read() as conn:
        event = events.find(conn, slug)
        meant = [] if event is not None else events.like(conn, slug)
    if event is None:
        return _holds(unknown=slug, meant=meant), 422
    return _place_hold(event.slug, event.name)


@blueprint.post("/holds/everything/ask")
@rule(Role.OPERATOR)
def ask_hold_everything() -> str:
    """The question before everything is held."""
    must_be_writable()
    reason = _reason(VERBS["hold"])
    operations.demand_future(now(), _release_at())  # refused now, and not after the question
    with node().database.read() as conn:
        waiting = queries.status(conn, now()).waiting
    return confirm(
        _("Hold everything?"),
        ngettext(
            "Nothing more is sent to the master, for any event: %(num)s submission waits now. "
            "Results are still accepted. You can release it at any time.",
            "Nothing more is sent to the master, for any event: %(num)s submissions wait now. "
            "Results are still accepted. You can release it at any time.",
            waiting,
        ),
        url_for("dashboard.hold_everything"),
        _("Hold everything"),
        url_for("dashboard.holds"),
        [("reason", reason), ("release_at", request.form.get("release_at", ""))],
    )


@blueprint.post("/holds/everything")
@rule(Role.OPERATOR)
def hold_everything() -> Answer:
    """Hold everything that goes to the master."""
    must_be_writable()
    return _place_hold(None, _("Everything"))


def _place_hold(slug: str | None, what: str) -> Answer:
    operations.place_hold(node(), me().name, slug, _reason(VERBS["hold"]), _release_at())
    flash(_("%(what)s is held.", what=what), "warning")
    return redirect(url_for("dashboard.holds"), 303)


def _holds(**values: object) -> str:
    with node().database.read() as conn:
        found = [(hold, queries.held_by(conn, hold)) for hold in queries.holds(conn, now())]
    return page("holds.html", found=found, given=request.form, **values)


@blueprint.post("/holds/<int:hold>/release")
@rule(Role.OPERATOR)
def release(hold: int) -> Answer:
    """End a hold; what it held goes in its turn."""
    must_be_writable()
    releasing = operations.release_hold(node(), me().name, hold)
    if releasing is not None:
        return _on_its_way(releasing)
    flash(_("Released: the held submissions are sent in order."), "success")
    return redirect(url_for("dashboard.holds"), 303)


@blueprint.context_processor
def _words() -> dict[str, object]:
    return {"VERBS": VERBS}


def _on_its_way(action: str) -> Answer:
    operations.carry_out(node(), action)
    return redirect(url_for("dashboard.action", action=action), 303)


def _dialog(
    words: VerbLabels,
    fit: int,
    able: int,
    fields: Sequence[tuple[str, str]],
    onward: str,
    parts: Sequence[tuple[str, str]] = (),
    paused: datetime | None = None,
) -> str:
    title = ngettext(
        "%(verb)s: %(n)s submission", "%(verb)s: %(n)s submissions", able, verb=words.button, n=cldr.number(able)
    )
    values = {
        "title": title,
        "words": words,
        "able": able,
        "skipped": fit - able,
        "fields": fields,
        "parts": parts,
        "paused": paused,
        "action": url_for(onward),
        "back": url_for("dashboard.submissions", **query(asked(request.form))),  # type: ignore[arg-type]
    }
    if "HX-Request" in request.headers:
        return render_template("admin/_ask.html", **values)
    return page("ask.html", **values)


def _words_of(verb: str) -> VerbLabels:
    if verb not in VERBS:
        raise InputRefused(_("There is no such action. Nothing was changed."))
    return VERBS[verb]


def _reason(words: VerbLabels) -> str:
    reason = operations.checked_reason(request.form.get("reason", ""))
    if words.needs_reason and not reason:
        raise InputRefused(_("Nothing was changed. Give a reason: it is kept in the audit log."))
    return reason


def _release_at() -> datetime | None:
    return operations.read_release_at(request.form.get("release_at", "").strip(), zone())


def _progress(action: str) -> tuple[Progress, Mapping[State, int]]:
    """The action, and what became of those that it skipped."""
    found = operations.progress(node(), action)
    with node().database.read() as conn:
        return found, skipped.states(conn, found) if found.skipped else {}
