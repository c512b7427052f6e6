"""A mailed link that opens an athlete's profile.

A button opens it, because mail programs follow links to look for malware, and it opens once. The browser then may see
that profile for an hour, by its session cookie: a link that stays in a history or is passed on opens nothing."""

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response as Answer

from resultsq.store.admin import reminders
from resultsq.web import opened_profile
from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.node import node


@blueprint.get("/card/<secret>")
@rule.secret
def card(secret: str) -> str:
    """The question. It is the same for an unknown secret."""
    return render_template("card.html", secret=secret, dead=False)


@blueprint.post("/card/<secret>")
@rule.secret
def open_card(secret: str) -> Answer | tuple[str, int]:
    """Open the profile to this browser for an hour."""
    held = node()
    now = held.clock.now()
    number = held.database.write(lambda conn: reminders.use_link(conn, now, secret))
    if number is None:
        return render_template("card.html", secret=secret, dead=True, asks=held.settings.reminder), 404
    opened_profile.open_here(number)
    return redirect(url_for("form.profile", number=number), 303)
