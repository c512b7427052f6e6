"""What a device asks and sends from the form that outlives the network: who is logged in, its entries, what it holds.

Every answer is JSON that names resultsq, so that a device never takes a captive portal's page for the node's word.
"""

import re
import uuid
from collections.abc import Mapping

from flask import Response, g, jsonify, redirect, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as Answer

from resultsq.app import from_devices
from resultsq.app.carried import TAKEN, parse
from resultsq.domain.errors import Conflicting, InputRefused
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.store.admin import device_entries, devices
from resultsq.store.admin.device_entries import StoredEntry
from resultsq.store.admin.drafts import DraftMoved
from resultsq.store.views import queries
from resultsq.web import auth
from resultsq.web.auth import me, rule
from resultsq.web.bounds import bound
from resultsq.web.form.base import blueprint, by_name, events_of, my_event
from resultsq.web.node import node

MOST_EVENTS = 200
"""The events that a device may submit for: a team has one or a few."""

MOST_ASKED = 100
"""Entries that are asked about at once."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|")
_PUBLISHED = frozenset({State.PUBLISHED, State.CORRECTED})
_ASKS = {
    State.REJECTED: lambda: _("The master refused these results. Open them to correct them."),
    State.CONFLICT: lambda: _("Other results are published for this day. Open them to decide which are right."),
}


@blueprint.get("/device/contact")
@rule.public
def contact() -> Response:
    """Whether the node answers, who is logged in, and for which events that is."""
    who, ctx = auth.account(), node()
    mine = []
    if who is not None and who.role.at_least(Role.TEAM):
        with ctx.database.read() as conn:
            mine = by_name(events_of(conn, who)[:MOST_EVENTS])
    g.personal = True
    return jsonify(
        resultsq=True,
        takes=TAKEN,
        csrf=generate_csrf(),
        account=None if who is None else who.name,
        events=[{"slug": event.slug, "name": event.name} for event in mine],
        most_bytes=ctx.settings.max_body_bytes // 4 * 3 - 64 * 1024,  # Base64 takes four bytes for three
    )


@blueprint.post("/device/entries")
@rule(Role.TEAM)
@bound.entry
def receive_entry() -> Answer | tuple[Response, int]:
    """Take an entry: 201 when it is committed here, 200 when it was here before."""
    carried = parse(request.get_data(cache=False))
    with node().database.read() as conn:
        event = my_event(conn, carried.event)
    received = from_devices.receive(node(), me(), event, carried, g.request_id)
    return jsonify(resultsq=True, **_told(received.entry)), 201 if received.created else 200


@blueprint.get("/device/entries")
@rule(Role.TEAM)
def entries() -> Response:
    """Where this account's entries are by now; one that is not in the answer is not here."""
    ids = [one for one in request.args.getlist("id")[:MOST_ASKED] if len(one) <= 36]
    with node().database.read() as conn:
        found = device_entries.of_account(conn, me().id, ids)
    return jsonify(resultsq=True, entries=[_told(one) for one in found])


@blueprint.post("/device/holds")
@rule.public
def holds() -> Answer | tuple[str, int]:
    """A device says how many results it holds. One that is unknown must be logged in."""
    device, day = request.form.get("device", ""), request.form.get("day", "")
    count = request.form.get("holds", default=-1, type=int)
    if not _is_uuid(device) or not 0 <= count <= 10_000 or not _DAY.fullmatch(day):
        raise InputRefused(_("This is not what a device reports. Nothing was changed."))
    ctx = node()
    with ctx.database.read() as conn:
        known = devices.is_known(conn, device)
    if known or auth.account() is not None:
        ctx.database.write(lambda conn: devices.report(conn, ctx.clock.now(), device, count, day))
    return "", 204


@blueprint.post("/submit/<slug>/entries/<entry>/open")
@rule(Role.TEAM)
def open_entry(slug: str, entry: str) -> Answer:
    """Put an entry that came from a device into the form."""
    with node().database.read() as conn:
        event = my_event(conn, slug)
    try:
        from_devices.open_entry(node(), me(), event, entry)
    except DraftMoved:
        raise Conflicting(
            _("This page was changed on another device just now. Nothing was changed; try again.")
        ) from None
    return redirect(url_for("form.work", slug=slug), 303)


def _told(entry: StoredEntry) -> Mapping[str, object]:
    """An entry for its device. `done`: the device need not keep it any longer."""
    with node().database.read() as conn:
        found = None if entry.submission is None else queries.submission(conn, entry.submission)
        slug = next((event.slug for event in events_of(conn, me()) if event.id == entry.event_id), "")
    if found is None:
        url = url_for("form.work", slug=slug) if slug else url_for("form.choose")
        return {
            "id": entry.id,
            "place": "saved",
            "done": entry.done_at is not None,
            "url": url,
            "reasons": [*entry.reasons],
        }
    published = found.state in _PUBLISHED
    return {
        "id": entry.id,
        "place": "published" if published else "saved",
        "done": published or found.state is State.WITHDRAWN,
        "url": url_for("form.receipt", submission=found.id),
        "reasons": [_ASKS[found.state]()] if found.state in _ASKS else [],
    }


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
