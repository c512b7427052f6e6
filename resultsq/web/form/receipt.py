"""The receipt: the saved results, their state, and the decisions that are the team's."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

import segno
from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Answer

from resultsq.app import drafts, submissions
from resultsq.app.comparison import Difference, difference, parsed
from resultsq.app.intake import KIND
from resultsq.app.known_athletes import as_of_sentence
from resultsq.app.submissions import Decision
from resultsq.domain.destinations import MAIL
from resultsq.domain.errors import Conflicting
from resultsq.domain.i18n import gettext
from resultsq.domain.link import LinkState
from resultsq.domain.role import Role
from resultsq.domain.sheet import Sheet, parse
from resultsq.domain.submission import WAITING, State
from resultsq.store.admin.drafts import DraftMoved
from resultsq.store.admin.events import EventRow
from resultsq.store.athletes import lookup
from resultsq.store.views import queries, relays, versions
from resultsq.store.views.queries import SubmissionView
from resultsq.web import as_of
from resultsq.web.auth import me, rule
from resultsq.web.form.base import blueprint, day, my_submission
from resultsq.web.kinds import detail, forms
from resultsq.web.node import node

MOST_ROWS_ON_PAPER = 400
"""Rows that a printed receipt has; beyond, it says how many there are and where."""

_ROW = re.compile(r"[0-9]{1,9}", re.ASCII)

WORDS = {
    State.QUEUED: _l("safe here, will be published automatically"),
    State.SENDING: _l("on its way to the master"),
    State.PUBLISHED: _l("published"),
    State.CORRECTED: _l("published, and corrected since"),
    State.REJECTED: _l("refused by the master: it needs a correction"),
    State.CONFLICT: _l("another sheet is there: it needs your decision"),
    State.SUPERSEDED: _l("replaced by a newer version"),
    State.WITHDRAWN: _l("withdrawn"),
}
"""A state in a team's words."""

blueprint.add_app_template_filter(WORDS.__getitem__, "state")


@blueprint.get("/submissions/<submission>")
@rule(Role.TEAM, Role.VIEWER)
def receipt(submission: str) -> str:
    """The page to bookmark, to print and to show."""
    with node().database.read() as conn:
        found, event = my_submission(conn, submission, of_any_kind=True)
        if found.kind != KIND:
            return _of_other_kind(conn, found, event)
        sheet = _sheet(conn, found)
        others = [one for one in versions.of_date(conn, found.event_id, found.date) if one.id != found.id]
        compared = _compared(conn, found, sheet) if found.state is State.CONFLICT else None
        live = _live(conn, found)
        files = versions.file_names(conn, [found.seq]).get(found.seq, [])
        head = versions.head(conn, found.event_id, found.date)
        profiles, names_as_of = _profiles(conn, sheet, event)
    said = _reasons_by_row(found) if found.state is State.REJECTED else {}
    where = _address(found)
    return render_template(
        "receipt.html",
        found=found,
        event=event,
        sheet=sheet,
        others=others,
        newer=next((one for one in others if one.id == head), None),
        compared=compared,
        files=files,
        said=said,
        where=where,
        code=_code(where),
        most_on_paper=MOST_ROWS_ON_PAPER,
        may_change=me().role.at_least(Role.TEAM),
        profiles=profiles,
        names_as_of=names_as_of,
        forms=forms(),
        **live,
    )


def _profiles(conn: Connection, sheet: Sheet | None, event: EventRow) -> tuple[Collection[str], str]:
    """Athletes of the sheet who have a profile for this team, and as of when."""
    listed = lookup.in_use(conn)
    if listed is None or sheet is None or me().role is not Role.TEAM:
        return (), ""
    people = lookup.by_number(conn, {row.athlete for row in sheet.finishers if row.athlete is not None})
    if not (named := {one.number for one in people.values() if one.name is not None}):
        return (), ""
    said = as_of_sentence(listed.as_of, event.time_zone, node().clock.now())
    return named, as_of.used(conn, listed.as_of, said)


def _of_other_kind(conn: Connection, found: SubmissionView, event: EventRow) -> str:
    """The part common to every kind, and the part of its own template."""
    said = detail(found.kind, found.finishers, queries.body(conn, found.seq))
    may_change = me().role.at_least(Role.TEAM)
    form = forms().get(found.kind)
    title = gettext(form.title) if form else said.summary
    return render_template(
        "of_kind.html", found=found, event=event, said=said, title=title, may_change=may_change, **_live(conn, found)
    )


def _address(found: SubmissionView) -> str:
    """Where to look it up, as it stands on paper: the node's public address where it has one."""
    public = node().settings.public_url.rstrip("/")
    path = url_for("form.receipt", submission=found.id)
    return public + path if public else url_for("form.receipt", submission=found.id, _external=True)


def _code(where: str) -> Markup:
    """The address as a QR code, to be read from paper."""
    # markupsafe: the library writes the picture, and the address is in it as squares alone
    return Markup(segno.make_qr(where).svg_inline(scale=3, border=4, dark="#000", light="#fff"))  # noqa: S704


@blueprint.get("/submissions/<submission>/live")
@rule(Role.TEAM, Role.VIEWER)
def live(submission: str) -> Answer | str:
    """The part of the receipt that changes; nothing where it has not changed since `seen`."""
    with node().database.read() as conn:
        found, event = my_submission(conn, submission, of_any_kind=True)
        shown = _live(conn, found)
    if request.args.get("seen") == shown["seen"]:
        return Response(status=204)
    if found.state not in WAITING:
        # there is more to see than this part, and other things to do
        return Response(status=200, headers={"HX-Refresh": "true"})
    return render_template("_live.html", found=found, event=event, **shown)


def _live(conn: Connection, found: SubmissionView) -> dict[str, object]:
    place = versions.place(conn, node().clock.now(), found.seq) if found.state in WAITING else None
    link = queries.link(conn)
    waits = ""
    if found.state is State.SENDING:
        waits = _on_its_way(found)
    elif found.state is State.QUEUED and place is not None:
        held = bool(queries.holds(conn, node().clock.now(), found.event_id))
        if found.destination == MAIL:
            waits = str(_("It goes to the office by mail as soon as the mail server takes it."))
        else:
            waits = _why_it_waits(place, link, held) if found.kind == KIND else _why_another_kind_waits(link, held)
        place = None if held or found.destination == MAIL else place  # another thing decides, and not the place
    clash = versions.conflict(conn, found.seq) if found.state is State.CONFLICT else None
    relay = relays.safe_at(conn, found.seq) if found.state in WAITING else None
    seen = _checksum(found.state, place.ahead if place else None, waits, relay)
    return {
        "relay": relay,
        "place": place,
        "waits": waits,
        "seen": seen,
        "waiting": found.state in WAITING,
        "clash": clash,
    }


def _checksum(*shown: object) -> str:
    """Changes with each of these: what the page polls with, short and without a sentence in an address."""
    return sha256("\n".join(map(str, shown)).encode()).hexdigest()[:16]


def _on_its_way(found: SubmissionView) -> str:
    if found.destination == MAIL:
        return str(_("It is on its way to the mail server now."))
    if found.kind == KIND:
        return str(_("They are on their way to the master now."))
    return str(_("It is on its way to the master now."))


def _why_another_kind_waits(link: queries.LinkView | None, held: bool) -> str:
    if held:
        return str(_("An operator has put this on hold. It will be sent when the operator releases it."))
    if link is not None and link.state is not LinkState.UP:
        return str(_("The master cannot be reached now. It will be sent automatically when the connection is back."))
    return str(_("It will be sent automatically as soon as the connection to the master allows it."))


def _why_it_waits(place: versions.QueuePlace, link: queries.LinkView | None, held: bool) -> str:
    if held:
        return str(
            _("An operator has put these results on hold. They will be published when the operator releases them.")
        )
    if place.blocked:
        return str(_("This corrects an earlier version that is still being sent. It goes as soon as that one is done."))
    if link is not None and link.state is not LinkState.UP:
        return str(
            _("The master cannot be reached now. They will be published automatically when the connection is back.")
        )
    if link is not None and link.stalled:
        return str(
            _("The master answers, but takes no results now. They will be published automatically when it does.")
        )
    return str(_("They will be published automatically as soon as the connection to the master allows it."))


def _sheet(conn: Connection, found: SubmissionView) -> Sheet | None:
    body = queries.body(conn, found.seq)
    return None if body is None else parse(body)


def _reasons_by_row(found: SubmissionView) -> dict[int, list[str]]:
    """The master's reasons by the row they point to, counted from 0; -1: of the sheet as a whole."""
    said: dict[int, list[str]] = {}
    for reason in found.reasons:
        parts = (reason.get("pointer") or "").strip("/").split("/")
        row = int(parts[1]) if parts[0] == "finishers" and _ROW.fullmatch("".join(parts[1:2])) else -1
        detail = reason.get("detail") or ""
        said.setdefault(row, []).append(detail if row >= 0 or not any(parts) else f"{detail} ({'/'.join(parts)})")
    return said


# a conflict


@dataclass(frozen=True, slots=True)
class Compared:
    """Two sheets beside each other. `theirs` None: the other one could not be fetched, or there is none
    (`head` None)."""

    head: str | None
    theirs: Sheet | None
    rows: Difference | None


def _compared(conn: Connection, found: SubmissionView, ours: Sheet | None) -> Compared:
    clash = versions.conflict(conn, found.seq)
    theirs = parsed(clash.other)
    if ours is None or theirs is None:
        return Compared(clash.head, None, None)
    return Compared(clash.head, theirs, difference(ours.finishers, ours.volunteers, theirs))


# what a team does


@blueprint.post("/submissions/<submission>/publish-over")
@rule(Role.TEAM)
def publish_over(submission: str) -> Answer:
    """The team has looked at both sheets, and its own is the right one."""
    return _decide(submission, submissions.publish_over, _("Your results are published over the other sheet."))


@blueprint.post("/submissions/<submission>/resend")
@rule(Role.TEAM)
def resend(submission: str) -> Answer:
    """The master lost what this version corrects: that one goes again, and then this one."""
    return _decide(
        submission,
        submissions.send_lost_again,
        _("The results that the master lost are sent again first, and then these."),
    )


@blueprint.post("/submissions/<submission>/withdraw")
@rule(Role.TEAM)
def withdraw(submission: str) -> Answer:
    """Take back what the master cannot have."""
    return _decide(submission, submissions.withdraw, _("These results are withdrawn. They will not be published."))


@blueprint.post("/submissions/<submission>/restore")
@rule(Role.TEAM)
def restore(submission: str) -> Answer:
    """Take a withdrawal back."""
    return _decide(
        submission, submissions.undo_withdrawal, _("The withdrawal is undone: these results are as they were.")
    )


def _decide(submission: str, act: Decision, said: str) -> Answer:
    with node().database.read() as conn:
        found, _event = my_submission(conn, submission, of_any_kind=True)
    try:
        submissions.decide(node(), act, me().name, found.id)
    except Conflicting as refusal:
        flash(str(refusal), "danger")
    else:
        flash(said, "success")
    return redirect(url_for("form.receipt", submission=found.id), 303)


@blueprint.post("/submissions/<submission>/correct")
@rule(Role.TEAM)
def correct(submission: str) -> Answer | str:
    """Begin a correction of this version; work in progress is only replaced when the team confirms it."""
    with node().database.read() as conn:
        found, event = my_submission(conn, submission)
        sheet = _sheet(conn, found)
        draft = drafts.open_draft(conn, me().id, event, node().clock.now())
        newest = versions.head(conn, found.event_id, found.date)
    if sheet is None or newest != found.id:
        flash(_("This version cannot be corrected any more: correct the newest one."), "danger")
        return redirect(url_for("form.receipt", submission=found.id), 303)
    if not draft.workspace.empty and request.form.get("revision", type=int) != draft.revision:
        return render_template("replace.html", found=found, event=event, draft=draft)
    name = _("version %(version)s of %(day)s", version=found.version, day=day(found.date))
    try:
        drafts.start_correction(node(), draft, found, sheet, name)
    except DraftMoved as refusal:
        flash(str(refusal), "danger")
    return redirect(url_for("form.work", slug=event.slug), 303)
