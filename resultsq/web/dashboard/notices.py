"""Notices to teams: those in force, and a form for another."""

from flask import flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.app import notices, operations
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.notices import TEXT_MAX, TITLE_MAX
from resultsq.domain.role import Role
from resultsq.store.admin import notices as stored
from resultsq.web.auth import me, rule
from resultsq.web.dashboard.base import blueprint, must_be_writable, now, page, zone
from resultsq.web.node import node


@blueprint.get("/notices")
@rule(Role.VIEWER)
def all_notices() -> str:
    """What teams read on top of their form, and until when."""
    return _notices()


@blueprint.post("/notices")
@rule(Role.OPERATOR)
def post_notice() -> Answer | tuple[str, int]:
    """Show teams a notice."""
    must_be_writable()
    form = request.form
    try:
        until = operations.read_release_at(form.get("until", ""), zone())
        slug = form.get("event", "").strip() or None
        title, text = form.get("title", ""), form.get("text", "")
        node().transact(me().name, lambda tx: notices.post(tx, slug, title, text, until))
    except (InputRefused, NotThere) as refused:
        return _notices(str(refused)), 422
    flash(_("Teams read this notice now."), "success")
    return redirect(url_for("dashboard.all_notices"), 303)


@blueprint.post("/notices/<int:notice>/end")
@rule(Role.OPERATOR)
def end_notice(notice: int) -> Answer:
    """Show a notice no more."""
    must_be_writable()
    node().transact(me().name, lambda tx: notices.end(tx, notice))
    flash(_("Teams read this notice no more."), "success")
    return redirect(url_for("dashboard.all_notices"), 303)


def _notices(refused: str | None = None) -> str:
    with node().database.read() as conn:
        found = stored.latest(conn, now())
        feed = stored.feed(conn)
    limits = {"most_title": TITLE_MAX, "most_text": TEXT_MAX}
    return page("notices.html", found=found, feed=feed, refused=refused, given=request.form, **limits)
