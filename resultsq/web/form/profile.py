"""An athlete's profile and card: for a team on whose sheets the athlete is, for the athlete who opened a mailed link,
and in part for everybody, if an operator made profiles public."""

from flask import current_app, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import TooManyRequests

from resultsq.app import profiles
from resultsq.app.known_athletes import as_of_sentence
from resultsq.domain.errors import NotThere
from resultsq.domain.role import Role
from resultsq.web import as_of
from resultsq.web.auth import is_for_anybody, me, rule
from resultsq.web.form import picture
from resultsq.web.form.base import blueprint, events_of
from resultsq.web.limits import RateLimiter, network
from resultsq.web.node import node
from resultsq.web.opened_profile import is_open_here

MOST, WITHIN_S = 60, 60.0
"""Profiles that one account may open in a minute, so that the numbers cannot be scanned."""

MOST_PUBLIC, PUBLIC_WITHIN_S = 30, 3600.0
"""The same for a caller without a log-in, and for an hour: at an event many runners share one address."""


@blueprint.get("/athletes/<number>")
@rule.opened(Role.TEAM)
def profile(number: str) -> str:
    """The same answer for an unknown number and for one that is on none of the team's sheets."""
    ctx, own = node(), is_open_here(number)
    public = not own and is_for_anybody()
    if public:
        _count("resultsq.public_profiles", MOST_PUBLIC, PUBLIC_WITHIN_S, network(request.remote_addr))
    else:
        _count("resultsq.profiles", MOST, WITHIN_S, f"athlete {number}" if own else str(me().id))
    with ctx.database.read() as conn:
        if public:
            found = profiles.of_anybody(conn, number)
        else:
            found = profiles.of_runner(conn, number) if own else profiles.load(conn, events_of(conn, me()), number)
        if found is None:
            raise NotThere(
                _("There is nothing at this address.")
                if public
                else _("There is no such athlete on your event's last sheets.")
            )
        zone = ctx.settings.time_zone if found.event is None else found.event.time_zone
        said = as_of_sentence(found.listed.as_of, zone, ctx.clock.now())
        names_as_of = as_of.used(conn, found.listed.as_of, said)
    barcode = picture.picture(found.athlete.number)
    return render_template(
        "athlete.html", found=found, own=own, public=public, names_as_of=names_as_of, barcode=barcode
    )


def _count(name: str, most: int, within_s: float, who: str) -> None:
    """:raises TooManyRequests: this account, athlete or caller has opened too many"""
    tries = current_app.extensions.get(name) or RateLimiter(node().clock, most, within_s)
    wait_s = current_app.extensions.setdefault(name, tries).take(who)
    if wait_s > 0:
        said = (
            _("That was many athletes in one minute. Wait a minute and go on.")
            if within_s == WITHIN_S
            else _("That was many athletes in one hour. Wait an hour and go on.")
        )
        raise TooManyRequests(said, retry_after=int(wait_s) + 1)
