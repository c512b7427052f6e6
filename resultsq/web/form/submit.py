"""The team's work in progress: files in, problems beside their rows, mend, submit.

Each step is a form of its own. It is answered with the new state of the work for htmx, and with a redirect to the
page for everybody else, so that a reload repeats nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.app import intake
from resultsq.domain.errors import HeadMoved, InputRefused, QuotaReached
from resultsq.domain.event_files import FileKind
from resultsq.domain.role import Role
from resultsq.domain.sheet import Volunteer, rows_of
from resultsq.kinds.results import join
from resultsq.kinds.results.corrections import correction_of
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import Unreadable, read_athlete, write_time
from resultsq.store import drafts, outbox, versions
from resultsq.store.drafts import DraftMoved
from resultsq.web.auth import me, rule
from resultsq.web.bounds import MOST_FILES, bound
from resultsq.web.form import desk as desks
from resultsq.web.form.barcode import scanned_or_typed
from resultsq.web.form.desk import Batch, Desk
from resultsq.web.form.frame import blueprint, clock_is_behind, events_of, my_event, of_htmx, today
from resultsq.web.form.needs import needs
from resultsq.web.node import node

TYPED = "typed-table.csv"
"""The name under which a table that was typed into the form is kept."""

ROWS_AT_FIRST, LONGEST_CELL = 20, 60

ASKED: Mapping[str, tuple[str, ...]] = {
    "edit-time": ("time",),
    "edit-athlete": ("athlete",),
    "edit-token": ("token",),
    "insert-time": ("position",),
    "edit-line": ("text",),
}
"""What a correction asks of the person where a fix does not say it."""

_OUR_FIELDS = frozenset({"csrf_token", "revision", "action"})


@blueprint.get("/submit")
@rule(Role.TEAM)
def choose() -> Answer | str:
    """Straight to the team's event, or a choice where it has several."""
    with node().database.read() as conn:
        mine = events_of(conn, me())
        waiting = needs(conn, mine)
    if len(mine) == 1:
        return redirect(url_for("form.work", slug=mine[0].slug), 303)
    return render_template("events.html", events=mine, onward="form.work", needs=waiting)


@blueprint.get("/submit/<slug>")
@rule(Role.TEAM)
def work(slug: str) -> str:
    """The work in progress of this team for that event; `edit` opens a row."""
    return _page(_open(slug))


def _open(slug: str) -> Desk:
    with node().database.read() as conn:
        return desks.take(conn, my_event(conn, slug))


def _page(desk: Desk, told: str = "", refused: Mapping[str, str] | None = None) -> str:
    """The whole page or its part; `refused` is the form that was not taken, to be shown as it was typed."""
    with node().database.read() as conn:
        look = desks.look(conn, desk)
        waiting, behind = needs(conn, [desk.event]), clock_is_behind(conn)
        latest = versions.of_event(conn, desk.event.id, limit=3)
        base = next((one for one in latest if one.id == desk.draft.base), None)
    return render_template(
        "_work.html" if of_htmx() else "submit.html",
        event=desk.event,
        desk=desk,
        look=look,
        latest=latest,
        base=base,
        asked=ASKED,
        left_out={one.correction.file for one in desk.hand.work.changes if one.correction.action == "drop-file"},
        edit=_edited(look, refused or {}),
        typed=partial(_typed, refused or {}),
        needs=waiting,
        today="" if behind else today(desk.event).isoformat(),
        saturday="" if behind else desks.last_saturday(desk.event).isoformat(),
        told=told,
        most_bytes=node().settings.max_body_bytes,
    )


def _edited(look: desks.Look, refused: Mapping[str, str]) -> int | None:
    """Which row is open: the one that was asked for, or the one whose change was refused."""
    position = refused.get("position")
    at = next((row.index for row in look.rows if str(row.position) == position), None)
    return request.args.get("edit", default=at, type=int)


def _typed(refused: Mapping[str, str], action: str, hidden: Mapping[str, object], name: str, value: str) -> str:
    """What a field shows: what was typed into it when its form was refused, else `value`."""
    same = refused.get("action") == action and all(refused.get(key) == str(text) for key, text in hidden.items())
    return refused.get(name, value) if same else value


def _step(slug: str, change: Callable[[Desk], Desk]) -> Answer | str:
    """Change what was shown, keep it and show it; what cannot be done is told, and nothing is changed."""
    desk = _open(slug)
    told = ""
    shown = request.form.get("revision", default=-1, type=int)
    try:
        desk = desks.put(change(replace(desk, draft=replace(desk.draft, revision=shown))))
    except DraftMoved:
        desk = _open(slug)
        told = _("These results were changed since they were shown, perhaps on another device. Look, and do it again.")
    except InputRefused as refusal:
        return _page(desk, str(refusal), request.form)
    return _shown(desk, told)


def _shown(desk: Desk, told: str = "", at: str | None = None) -> Answer | str:
    if of_htmx():
        page = _page(desk, told)
        return page if at is None else Response(page, headers={"HX-Reswap": f"outerHTML show:#{at}:top"})
    if told:
        flash(told, "danger")
    return redirect(url_for("form.work", slug=desk.event.slug, _anchor=at), 303)


@blueprint.post("/submit/<slug>/date")
@rule(Role.TEAM)
def set_date(slug: str) -> Answer | str:
    """Choose the day of the event."""
    return _step(slug, lambda desk: desks.with_date(desk, request.form.get("date", "")))


@blueprint.post("/submit/<slug>/change")
@rule(Role.TEAM)
def change(slug: str) -> Answer | str:
    """Apply a fix or a correction by hand."""

    def corrected(desk: Desk) -> Desk:
        if request.form.get("action") == "choose-day":
            return desks.with_date(desk, request.form.get("date", ""))
        given = {name: text for name, text in request.form.items() if name not in _OUR_FIELDS}
        if "athlete" in given:
            given["athlete"] = scanned_or_typed(given["athlete"])
        correction = correction_of(request.form.get("action", ""), given)
        return desks.with_hand(desk, work=join.apply(desk.hand.work, correction, me().name))

    return _step(slug, corrected)


@blueprint.post("/submit/<slug>/undo")
@rule(Role.TEAM)
def undo(slug: str) -> Answer | str:
    """Take back the last correction."""
    return _step(slug, lambda desk: desks.with_hand(desk, work=join.undo(desk.hand.work)))


@blueprint.post("/submit/<slug>/unneeded")
@rule(Role.TEAM)
def unneeded(slug: str) -> Answer | str:
    """Go on without a file that could not be read."""
    return _step(slug, lambda desk: desks.without_refused(desk, request.form.get("file", "")))


@blueprint.post("/submit/<slug>/volunteers")
@rule(Role.TEAM)
def volunteers(slug: str) -> Answer | str:
    """Add a volunteer, or take one out by number."""

    def listed(desk: Desk) -> Desk:
        there = desk.hand.volunteers
        gone = request.form.get("remove", type=int)
        if gone is not None:
            return desks.with_volunteers(desk, [one for index, one in enumerate(there) if index != gone])
        try:
            athlete = read_athlete(scanned_or_typed(request.form.get("athlete", "")))
        except Unreadable as reason:
            raise InputRefused(_("The volunteer's number: %(reason)s.", reason=str(reason))) from None
        role = request.form.get("role", "").strip()
        if not 0 < len(role) <= 100 or not role.isprintable():
            raise InputRefused(_("The role is a word or two, like Timekeeper."))
        return desks.with_volunteers(desk, [*there, Volunteer(athlete=athlete, role=role)])

    return _step(slug, listed)


@blueprint.post("/submit/<slug>/on-top")
@rule(Role.TEAM)
def on_top(slug: str) -> Answer | str:
    """Let the work stand on what is there: make it a correction of that version, or a first one."""

    def on_top_of(desk: Desk) -> Desk:
        with node().database.read() as conn:
            head = versions.head(conn, desk.event.id, desk.draft.date)
        if (head or "") != request.form.get("head"):
            raise InputRefused(_("Another version has come in the meantime. Look at it first."))
        return replace(desk, draft=replace(desk.draft, base=head))

    return _step(slug, on_top_of)


@blueprint.post("/submit/<slug>/restart")
@rule(Role.TEAM)
def restart(slug: str) -> Answer | str:
    """Throw the work away and begin anew; what was submitted stays."""
    desk = _open(slug)
    if request.form.get("revision", type=int) == desk.draft.revision:
        desks.clear(desk)
        desk = _open(slug)
    return _shown(desk)


# files and tables


@blueprint.post("/submit/<slug>/files")
@rule(Role.TEAM)
@bound.files
def add_files(slug: str) -> Answer | str:
    """Take files, or text that was pasted; they are checked at once."""
    batch = Batch()
    chosen = [file for file in request.files.getlist("files") if file.filename]
    if len(chosen) > MOST_FILES:
        raise desks.too_many_files()  # before each of a hundred thousand is looked into
    for file in chosen:
        batch.take(file.filename or "", file.read())
    if pasted := request.form.get("pasted", "").strip():
        batch.take(_("Pasted text"), pasted.encode())
    if not batch.names:
        return _shown(_open(slug), _("No file was selected. Choose your files and send them again."))
    return _added(slug, batch)


def _added(slug: str, batch: Batch, instead_of: str | None = None) -> Answer | str:
    # adding overwrites nothing, so it is done on whatever is there now and no revision is asked for
    desk, told = _open(slug), ""
    for last in (False, False, True):
        try:
            desk = desks.put(*desks.with_files(desk, batch, instead_of))
            break
        except DraftMoved:
            if last:
                raise
            desk = _open(slug)
        except InputRefused as refusal:
            told = str(refusal)
            break
    # on a phone the files alone fill the screen, and what the check found is below them
    return _shown(desk, told, at=None if told else "state")


@dataclass(frozen=True, slots=True)
class Typed:
    """A line of the table that is typed; `refusal` says what is wrong with it."""

    time: str = ""
    athlete: str = ""
    refusal: str = ""


@blueprint.get("/submit/<slug>/table")
@rule(Role.TEAM)
def table(slug: str) -> str:
    """An empty table to type, or the one that was typed before."""
    desk = _open(slug)
    typed = [
        Typed("" if row.seconds is None else write_time(row.seconds), row.athlete or "")
        for file in desk.hand.work.files
        if file.kind is FileKind.TABLE and file.name == TYPED
        for row in sorted(file.rows, key=lambda row: row.position)
    ]
    return _table_page(desk, typed)


@blueprint.post("/submit/<slug>/table")
@rule(Role.TEAM)
@bound.rows
def type_table(slug: str) -> Answer | str | tuple[str, int]:
    """Take the typed table as a file of the draft; a line that cannot be read is shown as it was typed."""
    typed = [
        Typed(time.strip()[:LONGEST_CELL], scanned_or_typed(athlete)[:LONGEST_CELL])
        for time, athlete in zip(request.form.getlist("time"), request.form.getlist("athlete"), strict=False)
    ]
    while typed and not (typed[-1].time or typed[-1].athlete):
        typed.pop()
    # a row that was left empty in the middle is a finisher of whom nothing is known
    lines = [f'{at},"{_cell(row.time)}","{_cell(row.athlete)}"' for at, row in enumerate(typed, 1)]
    batch = Batch()
    batch.take(TYPED, "\n".join(["position,time,athlete", *lines, ""]).encode())
    if batch.refused:
        wrong = {where.line: problem.message for problem in batch.refused for where in problem.where}
        shown = [replace(row, refusal=wrong.get(at, "")) for at, row in enumerate(typed, 2)]
        return _table_page(_open(slug), shown, [] if any(row.refusal for row in shown) else [*wrong.values()]), 422
    return _added(slug, batch, instead_of=TYPED)


def _cell(text: str) -> str:
    return text.replace('"', '""')


def _table_page(desk: Desk, typed: list[Typed], told: list[str] | None = None) -> str:
    wanted = request.args.get("rows", ROWS_AT_FIRST, type=int)
    rows = min(MAX_ROWS, max(ROWS_AT_FIRST, wanted, len(typed) + 5))
    typed += [Typed()] * (rows - len(typed))
    return render_template("table.html", event=desk.event, desk=desk, typed=typed, told=told)


# submit


@blueprint.post("/submit/<slug>/send")
@rule(Role.TEAM)
def send(slug: str) -> Answer | str:
    """Make it safe and show the receipt. The same state of the work sent twice is one submission."""
    key = request.form.get("key", "")
    with node().database.read() as conn:
        desk = desks.take(conn, my_event(conn, slug))
        look = desks.look(conn, desk)
        # asked last: if the other click of a double one is the reason for which the desk cannot be sent, it is known
        sent_before = drafts.sent_as(conn, desk.event.id, key)
    if sent_before is not None:
        if key == desk.key:
            _clear(desk)
        return redirect(url_for("form.receipt", submission=sent_before), 303)
    if key != desk.key:
        return _shown(desk, _("These results were changed since they were shown. Look at them, and submit again."))
    if look.reasons:
        return _shown(desk, " ".join(look.reasons))
    try:
        accepted = _accept(desk)
    except (HeadMoved, QuotaReached) as refusal:
        return _shown(desk, str(refusal))
    _clear(desk)
    return redirect(url_for("form.receipt", submission=accepted.id), 303)


def _clear(desk: Desk) -> None:
    with suppress(DraftMoved):  # the other click of a double one has cleared it
        desks.clear(desk)


def _accept(desk: Desk) -> outbox.Accepted:
    with node().database.read() as conn:
        files = drafts.files(conn, desk.draft)
    joined = desk.hand.joined
    return intake.submit(
        node(),
        intake.Sent(
            event=desk.event.slug,
            date=date.fromisoformat(desk.draft.date),
            rows=rows_of(joined.finishers, desk.hand.volunteers),
            problems=joined.problems,
            files=files,
        ),
        event_id=desk.event.id,
        submitted_by=me().name,
        if_match=desk.draft.base,
        client_key=desk.key,
        request_id=g.request_id,
    )
