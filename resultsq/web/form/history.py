"""What a team has submitted: versions and states, the files as they came, and the sheet as a table."""

import csv
import io
from urllib.parse import quote

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.http import dump_options_header
from werkzeug.wrappers import Response as Answer

from resultsq.app import people
from resultsq.domain.errors import NotThere
from resultsq.domain.relay import node_addresses
from resultsq.domain.role import Role
from resultsq.domain.sheet import parse
from resultsq.store.views import queries, versions
from resultsq.web.auth import me, rule
from resultsq.web.csv_cells import safe_cell
from resultsq.web.form.base import blueprint, by_name, events_of, my_event, my_submission
from resultsq.web.kinds import forms
from resultsq.web.node import node

AT_ONCE = 50
"""Submissions on one page of the history."""

WRITTEN = 10
"""The latest of each kind that has a form."""

LARGEST = 2**63 - 1
"""No row has a larger number, and SQLite fails at one."""


@blueprint.get("/events")
@rule(Role.TEAM, Role.VIEWER)
def events() -> Answer | str:
    """Straight to the event's history, or a choice where there are several."""
    with node().database.read() as conn:
        mine = by_name(events_of(conn, me()))
    if len(mine) == 1:
        return redirect(url_for("form.history", slug=mine[0].slug), 303)
    return render_template("events.html", events=mine, onward="form.history")


@blueprint.get("/events/<slug>")
@rule(Role.TEAM, Role.VIEWER)
def history(slug: str) -> str:
    """An event's submissions, newest first; `before` pages on."""
    before = request.args.get("before", default=LARGEST, type=int)
    with node().database.read() as conn:
        event = my_event(conn, slug)
        found = versions.of_event(conn, event.id, AT_ONCE + 1, before if 0 < before < LARGEST else None)
        files = versions.file_names(conn, [one.seq for one in found])
        written = {kind: versions.written(conn, event.id, kind, WRITTEN) for kind in forms()}
    return render_template(
        "history.html",
        event=event,
        found=found[:AT_ONCE],
        files=files,
        forms=forms(),
        written=written,
        more=found[AT_ONCE - 1].seq if len(found) > AT_ONCE else None,
        other_nodes=node_addresses(node().settings.other_nodes),
        may_change=me().role.at_least(Role.TEAM),
    )


@blueprint.post("/events/<slug>/public")
@rule(Role.TEAM)
def set_public(slug: str) -> Answer:
    """Switch the public page of the event on or off."""
    held = node()
    with held.database.read() as conn:
        event = my_event(conn, slug)
    shown = request.form.get("shown") == "yes"
    held.transact(me().name, lambda tx: people.show_results(tx, slug, event.id, shown))
    flash(
        _("Provisional results are public.") if shown else _("Provisional results are not shown any more."), "success"
    )
    return redirect(url_for("form.history", slug=slug), 303)


@blueprint.get("/submissions/<submission>/files/<int:file_id>")
@rule(Role.TEAM)
def original(submission: str, file_id: int) -> Answer:
    """A file as the team gave it: for that team and for operators. Never shown by a browser, whatever is in it."""
    with node().database.read() as conn:
        found, _event = my_submission(conn, submission)
        file = versions.file(conn, found.seq, file_id) if file_id < LARGEST else None
    if file is None:
        raise NotThere(_("There is no such file here."))
    name, content = file
    return Response(content, headers=_attached(name), content_type="application/octet-stream")


@blueprint.get("/submissions/<submission>/<any(results, volunteers):what>.csv")
@rule(Role.TEAM, Role.VIEWER)
def table_of(submission: str, what: str) -> Answer:
    """The sheet for a spreadsheet."""
    with node().database.read() as conn:
        found, event = my_submission(conn, submission)
        body = queries.body(conn, found.seq)
    if body is None:
        raise NotThere(_("The rows of this version are no longer kept here. The master has them."))
    sheet = parse(body)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    if what == "results":
        rows.writerow(("position", "time", "athlete"))
        rows.writerows((row.position, row.time or "", safe_cell(row.athlete)) for row in sheet.finishers)
    else:
        rows.writerow(("athlete", "role"))
        rows.writerows((safe_cell(one.athlete), safe_cell(one.role)) for one in sheet.volunteers)
    name = f"{event.slug}-{found.date}-v{found.version}-{what}.csv"
    return Response(text.getvalue(), headers=_attached(name), content_type="text/csv; charset=utf-8")


def _attached(name: str) -> dict[str, str]:
    # a name from outside must end neither the header nor a folder
    plain = "".join(sign for sign in name if sign.isprintable() and sign not in '/\\"').strip(". ")[:200] or "file"
    names = {"filename": plain}
    if not plain.isascii():  # a header has no such characters: they travel encoded, beside a plain name without them
        names = {"filename": plain.encode("ascii", "ignore").decode(), "filename*": f"UTF-8''{quote(plain, safe='')}"}
    return {"Content-Disposition": dump_options_header("attachment", names), "Cache-Control": "no-store"}
