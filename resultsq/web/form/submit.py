"""The team's work in progress: files in, problems beside their rows, mend, submit.

Each step is a form of its own. It is answered with the new state of the work for htmx, and with a redirect to the
page for everybody else, so that a reload repeats nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.app import draft_files, draft_view, drafts, event_day, known_athletes
from resultsq.app.carried import unpacked
from resultsq.app.draft_files import TYPED, UploadedFiles
from resultsq.app.draft_view import DraftView
from resultsq.app.drafts import Draft
from resultsq.app.intake import MOST_FILES
from resultsq.domain.athletes import Athlete
from resultsq.domain.errors import HeadMoved, InputRefused, QuotaReached
from resultsq.domain.event_files import FileKind
from resultsq.domain.role import Role
from resultsq.kinds.results.corrections import asked, correction_of
from resultsq.kinds.results.corrections_files import EditVolunteer
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import write_time
from resultsq.store.admin import device_entries, notices
from resultsq.store.admin.drafts import DraftMoved, sent_as
from resultsq.store.views import versions
from resultsq.web import as_of
from resultsq.web.auth import me, rule
from resultsq.web.bounds import bound
from resultsq.web.form.barcode import scanned_or_typed
from resultsq.web.form.base import blueprint, by_name, events_of, my_event, of_htmx
from resultsq.web.form.needs import needs
from resultsq.web.node import node

ROWS_AT_FIRST, LONGEST_CELL = 20, 60

ENTRIES_SHOWN = 20
"""Entries from devices that are shown at once; when one was opened, another is."""

_OUR_FIELDS = frozenset({"csrf_token", "revision", "action"})


@blueprint.get("/submit")
@rule(Role.TEAM)
def choose() -> Answer | str:
    """Straight to the team's event, or a choice where it has several."""
    with node().database.read() as conn:
        mine = by_name(events_of(conn, me()))
        waiting = needs(conn, mine)
        told = notices.in_force(conn, node().clock.now(), [event.id for event in mine])
    if len(mine) == 1:
        return redirect(url_for("form.work", slug=mine[0].slug), 303)
    return render_template("events.html", events=mine, onward="form.work", needs=waiting, notices=told)


@blueprint.get("/submit/<slug>")
@rule(Role.TEAM)
def work(slug: str) -> str:
    """The work in progress of this team for that event; `edit` opens a row."""
    return _page(_open(slug))


def _open(slug: str) -> Draft:
    with node().database.read() as conn:
        return drafts.open_draft(conn, me().id, my_event(conn, slug), node().clock.now())


def _page(draft: Draft, told: str = "", refused: Mapping[str, str] | None = None, named: Sequence[Athlete] = ()) -> str:
    """The whole page or its part; `refused` is the form that was not taken, to be shown as it was typed, and `named`
    are athletes whose name was typed into it."""
    ctx = node()
    now = ctx.clock.now()
    with ctx.database.read() as conn:
        view = draft_view.view(ctx, conn, me(), draft)
        waiting, behind = needs(conn, [draft.event]), event_day.clock_is_behind(conn, now)
        latest = versions.of_event(conn, draft.event.id, limit=3)
        base = next((one for one in latest if one.id == draft.base), None)
        known = view.known if view.rows or draft.workspace.volunteers else None  # else no name is on the page
        names_as_of = "" if known is None else as_of.used(conn, known.at, known.said)
        carried = device_entries.waiting(conn, draft.event.id, me().id, ENTRIES_SHOWN)
        of_office = notices.in_force(conn, now, [draft.event.id])
    return render_template(
        "_work.html" if of_htmx() else "submit.html",
        event=draft.event,
        draft=draft,
        view=view,
        latest=latest,
        base=base,
        asked=asked,
        left_out={one.correction.file for one in draft.workspace.work.changes if one.correction.action == "drop-file"},
        edit=_edited(view, refused or {}),
        typed=partial(_typed, refused or {}),
        needs=waiting,
        from_devices=carried,
        notices=of_office,
        today="" if behind else event_day.today_at(draft.event, now).isoformat(),
        saturday="" if behind else event_day.last_saturday(draft.event, now).isoformat(),
        told=told,
        named=named,
        names_as_of=names_as_of,
        most_bytes=ctx.settings.max_body_bytes,
    )


def _edited(view: DraftView, refused: Mapping[str, str]) -> int | None:
    """Which row is open: the one that was asked for, or the one whose change was refused."""
    position = refused.get("position")
    at = next((row.index for row in view.rows if str(row.position) == position), None)
    return request.args.get("edit", default=at, type=int)


def _typed(refused: Mapping[str, str], action: str, hidden: Mapping[str, object], name: str, value: str) -> str:
    """What a field shows: what was typed into it when its form was refused, else `value`."""
    same = refused.get("action") == action and all(refused.get(key) == str(text) for key, text in hidden.items())
    return refused.get(name, value) if same else value


def _step(slug: str, change: Callable[[Draft], Draft]) -> Answer | str:
    """Change what was shown, keep it and show it; what cannot be done is reported, and nothing is changed."""
    draft = _open(slug)
    told = ""
    shown = request.form.get("revision", default=-1, type=int)
    try:
        draft = drafts.save(node(), change(replace(draft, stored=replace(draft.stored, revision=shown))))
    except DraftMoved:
        draft = _open(slug)
        told = _("These results were changed since they were shown, perhaps on another device. Look, and do it again.")
    except InputRefused as refusal:
        named = _named(draft)
        return _page(draft, "" if named else str(refusal), request.form, named)
    return _shown(draft, told)


def _named(draft: Draft) -> Sequence[Athlete]:
    """Athletes whose name was typed where a number belongs, of the row that is edited."""
    if request.form.get("action") != "edit-athlete":
        return ()
    with node().database.read() as conn:
        return known_athletes.named(conn, draft.event, request.form.get("athlete", "")[:LONGEST_CELL])


def _shown(draft: Draft, told: str = "", at: str | None = None) -> Answer | str:
    if of_htmx():
        page = _page(draft, told)
        return page if at is None else Response(page, headers={"HX-Reswap": f"outerHTML show:#{at}:top"})
    if told:
        flash(told, "danger")
    return redirect(url_for("form.work", slug=draft.event.slug, _anchor=at), 303)


@blueprint.post("/submit/<slug>/date")
@rule(Role.TEAM)
def set_date(slug: str) -> Answer | str:
    """Choose the day of the event."""
    return _step(slug, lambda draft: drafts.with_date(node(), draft, request.form.get("date", "")))


@blueprint.post("/submit/<slug>/change")
@rule(Role.TEAM)
def change(slug: str) -> Answer | str:
    """Apply a fix or a correction by hand."""

    def corrected(draft: Draft) -> Draft:
        if request.form.get("action") == "choose-day":
            return drafts.with_date(node(), draft, request.form.get("date", ""))
        given = {name: text for name, text in request.form.items() if name not in _OUR_FIELDS}
        if "athlete" in given:
            given["athlete"] = scanned_or_typed(given["athlete"])
        correction = correction_of(request.form.get("action", ""), given)
        if isinstance(correction, EditVolunteer):
            return drafts.with_other_number(draft, correction)
        return drafts.with_correction(draft, correction, me().name)

    return _step(slug, corrected)


@blueprint.post("/submit/<slug>/undo")
@rule(Role.TEAM)
def undo(slug: str) -> Answer | str:
    """Take back the last correction."""
    return _step(slug, drafts.without_last_correction)


@blueprint.post("/submit/<slug>/unneeded")
@rule(Role.TEAM)
def unneeded(slug: str) -> Answer | str:
    """Go on without a file that could not be read."""
    return _step(slug, lambda draft: drafts.without_refused(draft, request.form.get("file", "")))


@blueprint.post("/submit/<slug>/volunteers")
@rule(Role.TEAM)
def volunteers(slug: str) -> Answer | str:
    """Add a volunteer, or take one out by number."""

    def listed(draft: Draft) -> Draft:
        gone = request.form.get("remove", type=int)
        if gone is not None:
            return drafts.without_volunteer(draft, gone)
        athlete = scanned_or_typed(request.form.get("athlete", ""))
        return drafts.with_volunteer(draft, athlete, request.form.get("role", ""))

    return _step(slug, listed)


@blueprint.post("/submit/<slug>/on-top")
@rule(Role.TEAM)
def on_top(slug: str) -> Answer | str:
    """Let the work stand on what is there: make it a correction of that version, or a first one."""

    def on_top_of(draft: Draft) -> Draft:
        with node().database.read() as conn:
            return drafts.with_base(conn, draft, request.form.get("head"))

    return _step(slug, on_top_of)


@blueprint.post("/submit/<slug>/restart")
@rule(Role.TEAM)
def restart(slug: str) -> Answer | str:
    """Throw the work away and begin anew; what was submitted stays."""
    draft = _open(slug)
    if request.form.get("revision", type=int) == draft.revision:
        drafts.start_again(node(), draft)
        draft = _open(slug)
    return _shown(draft)


# files and tables


@blueprint.post("/submit/<slug>/files")
@rule(Role.TEAM)
@bound.files
def add_files(slug: str) -> Answer | str:
    """Take files, or text that was pasted; they are checked at once."""
    uploaded = UploadedFiles()
    chosen = [file for file in request.files.getlist("files") if file.filename]
    if len(chosen) > MOST_FILES:
        raise draft_files.too_many_files()  # before each of a hundred thousand is looked into
    try:
        given = unpacked([(file.filename or "", file.read()) for file in chosen])
    except InputRefused as refusal:
        return _shown(_open(slug), str(refusal))
    for name, content in given:
        uploaded.add(name, content)
    if pasted := request.form.get("pasted", "").strip():
        uploaded.add(_("Pasted text"), pasted.encode())
    if not uploaded.names:
        return _shown(_open(slug), _("No file was selected. Choose your files and send them again."))
    return _added(slug, uploaded)


def _added(slug: str, uploaded: UploadedFiles, instead_of: str | None = None) -> Answer | str:
    told = ""
    try:
        draft = draft_files.add_files(node(), lambda: _open(slug), uploaded, instead_of)
    except InputRefused as refusal:
        draft, told = _open(slug), str(refusal)
    # on a phone the files alone fill the screen, and what the check found is below them
    return _shown(draft, told, at=None if told else "state")


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
    draft = _open(slug)
    typed = [
        Typed("" if row.seconds is None else write_time(row.seconds), row.athlete or "")
        for file in draft.workspace.work.files
        if file.kind is FileKind.TABLE and file.name == TYPED
        for row in sorted(file.rows, key=lambda row: row.position)
    ]
    return _table_page(draft, typed)


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
    uploaded = draft_files.typed_table([(row.time, row.athlete) for row in typed])
    if uploaded.refused:
        wrong = {where.line: problem.message for problem in uploaded.refused for where in problem.where}
        shown = [replace(row, refusal=wrong.get(at, "")) for at, row in enumerate(typed, 2)]
        return _table_page(_open(slug), shown, [] if any(row.refusal for row in shown) else [*wrong.values()]), 422
    return _added(slug, uploaded, instead_of=TYPED)


def _table_page(draft: Draft, typed: list[Typed], told: list[str] | None = None) -> str:
    wanted = request.args.get("rows", ROWS_AT_FIRST, type=int)
    rows = min(MAX_ROWS, max(ROWS_AT_FIRST, wanted, len(typed) + 5))
    typed += [Typed()] * (rows - len(typed))
    return render_template("table.html", event=draft.event, draft=draft, typed=typed, told=told)


# submit


@blueprint.post("/submit/<slug>/send")
@rule(Role.TEAM)
def send(slug: str) -> Answer | str:
    """Make it safe and show the receipt. The same state of the work sent twice is one submission."""
    key = request.form.get("key", "")
    ctx, who = node(), me()
    with ctx.database.read() as conn:
        draft = drafts.open_draft(conn, who.id, my_event(conn, slug), ctx.clock.now())
        view = draft_view.view(ctx, conn, who, draft)
        # check the key last: the other click of a double click may have submitted the draft meanwhile
        sent_before = sent_as(conn, draft.event.id, key)
    if sent_before is not None:
        if key == draft.key:
            drafts.clear(ctx, draft)
        return redirect(url_for("form.receipt", submission=sent_before), 303)
    if key != draft.key:
        return _shown(draft, _("These results were changed since they were shown. Look at them, and submit again."))
    if view.reasons:
        return _shown(draft, " ".join(view.reasons))
    try:
        accepted = drafts.submit(ctx, draft, who.name, g.request_id)
    except (HeadMoved, QuotaReached) as refusal:
        return _shown(draft, str(refusal))
    return redirect(url_for("form.receipt", submission=accepted.id), 303)
