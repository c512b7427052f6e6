"""Events: find, add, rename and import them."""

from collections.abc import Mapping

from flask import flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Answer

from resultsq.app import people as use_cases
from resultsq.app.people import EventDetails
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.plausible import PRESETS
from resultsq.domain.role import Role
from resultsq.readers.ranges import RUN, read_plausible, write_plausible
from resultsq.store.admin import events as stored
from resultsq.web.auth import me, rule
from resultsq.web.bounds import bound
from resultsq.web.dashboard.base import blueprint, must_be_writable, page
from resultsq.web.dashboard.imports import ImportPreview, asked_list, searched
from resultsq.web.node import node

SHOWN = 100


@blueprint.get("/events")
@rule(Role.ADMIN)
def events() -> str:
    """The events that fit a search."""
    return _events()


@blueprint.post("/events")
@rule(Role.ADMIN)
def add_event() -> Answer | tuple[str, int]:
    """Add an event."""
    must_be_writable()
    try:
        added = _details(request.form.get("slug", "").strip(), request.form)
        node().transact(me().name, lambda tx: use_cases.add_event(tx, added))
    except InputRefused as refused:
        return _events(refused=str(refused)), 422
    flash(_("%(name)s was added.", name=added.name), "success")
    return redirect(url_for("dashboard.events"), 303)


@blueprint.get("/events/<slug>")
@rule(Role.ADMIN)
def event(slug: str) -> str:
    """An event, to be changed."""
    return _event(slug)


@blueprint.post("/events/<slug>")
@rule(Role.ADMIN)
def change_event(slug: str) -> Answer | tuple[str, int]:
    """Give it another name, time zone or country, or other times that a run takes."""
    must_be_writable()
    try:
        changed = _details(slug, _run_fields(slug))
        node().transact(me().name, lambda tx: use_cases.change_event(tx, changed))
    except InputRefused as refused:
        return _event(slug, refused=str(refused)), 422
    flash(_("%(name)s was changed.", name=changed.name), "success")
    return redirect(url_for("dashboard.events", q=slug), 303)


@blueprint.post("/events/import")
@rule(Role.ADMIN)
@bound.list
def import_events() -> Answer | str | tuple[str, int]:
    """Show what a list would add, then add it."""
    must_be_writable()
    held = node()
    zone = held.settings.time_zone
    try:
        text = asked_list()
        rows = use_cases.rows_of(text.encode())
        if "sure" not in request.form:
            with held.database.read() as conn:
                known = {one.slug for one in stored.every(conn)}
                stored.check_rows(rows, zone)
            lines = [(row["slug"], row["name"], row.get("timezone") or zone, row["slug"] in known) for row in rows]
            return _events(draft=ImportPreview(text, lines, new=sum(not line[-1] for line in lines)))
        added, _known = held.transact(me().name, lambda tx: use_cases.import_events(tx, rows, zone))
    except InputRefused as refused:
        return _events(import_refused=str(refused)), 422
    flash(ngettext("%(num)s event was added.", "%(num)s events were added.", added), "success")
    return redirect(url_for("dashboard.events"), 303)


def _run_fields(slug: str) -> dict[str, str]:
    """What the form says of a run there: its own times, unless a usual run was chosen; those of now where it says
    nothing."""
    with node().database.read() as conn:
        found = stored.find(conn, slug)
    if run := request.form.get(RUN, "").strip():
        return {RUN: run}
    present = {} if found is None else write_plausible(found.plausible)
    return {name: request.form.get(name, "").strip() or time for name, time in present.items()}


def _details(slug: str, run: Mapping[str, str]) -> EventDetails:
    form = request.form
    zone = form.get("timezone", "").strip() or node().settings.time_zone
    name, country = form.get("name", "").strip(), form.get("country", "").strip()
    return EventDetails(slug, name, zone, country, read_plausible(run), form.get("language"))


def _events(**values: object) -> str:
    zone = node().settings.time_zone
    return page("events.html", runs=PRESETS, default_zone=zone, **searched(stored.search, SHOWN), **values)


def _event(slug: str, **values: object) -> str:
    with node().database.read() as conn:
        found = stored.find(conn, slug)
    if found is None:
        raise NotThere(_("There is no event called %(slug)s here.", slug=slug))
    times = write_plausible(found.plausible)
    return page("event.html", it=found, given=request.form, times=times, runs=PRESETS, **values)
