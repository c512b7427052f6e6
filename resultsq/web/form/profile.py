"""An athlete's profile and card, for a team on whose sheets the athlete is."""

from flask import current_app, render_template
from flask_babel import gettext as _
from werkzeug.exceptions import TooManyRequests

from resultsq.app import profiles
from resultsq.app.known_athletes import as_of_text
from resultsq.domain.errors import NotThere
from resultsq.domain.role import Role
from resultsq.web import as_of
from resultsq.web.auth import me, rule
from resultsq.web.form import code128
from resultsq.web.form.base import blueprint, events_of
from resultsq.web.limits import RateLimiter
from resultsq.web.node import node

MOST, WITHIN_S = 60, 60.0
"""Profiles that one account may open in a minute, so that the numbers cannot be scanned."""


@blueprint.get("/athletes/<number>")
@rule(Role.TEAM)
def profile(number: str) -> str:
    """The same answer for an unknown number and for one that is on none of the team's sheets."""
    _count()
    ctx = node()
    with ctx.database.read() as conn:
        found = profiles.load(conn, events_of(conn, me()), number)
        if found is None:
            raise NotThere(_("There is no such athlete on your event's last sheets."))
        shown = as_of_text(found.listed.as_of, found.event.time_zone, ctx.clock.now())
        names_as_of = as_of.used(conn, found.listed.as_of, shown)
    return render_template(
        "athlete.html", found=found, names_as_of=names_as_of, barcode=code128.picture(found.athlete.number)
    )


def _count() -> None:
    """:raises TooManyRequests: the account has opened too many"""
    name = "resultsq.profiles"
    tries = current_app.extensions.get(name) or RateLimiter(node().clock, MOST, WITHIN_S)
    wait_s = current_app.extensions.setdefault(name, tries).take(str(me().id))
    if wait_s > 0:
        raise TooManyRequests(
            _("That was many athletes in one minute. Wait a minute and go on."), retry_after=int(wait_s) + 1
        )
