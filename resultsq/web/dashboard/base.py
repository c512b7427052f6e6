"""What all pages of the dashboard share: the blueprint, times in the node's zone, words, and who may act."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, render_template, request
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext as _
from markupsafe import Markup

from resultsq.app import heard, operations
from resultsq.app.headline import Headline
from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, retold
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.domain.why import CAUSES, Why, cause_text, spell
from resultsq.store.views import overview_data
from resultsq.store.views.overview_data import LiveStatus
from resultsq.web.auth import me
from resultsq.web.dashboard.audit_words import action_label
from resultsq.web.dashboard.labels import state_label
from resultsq.web.node import node
from resultsq.web.single_flight import SingleFlightCache

PULSE_S = 1.5
"""How old the banner's figures may be by their own fault; pages ask each 2 s and call 5 s stale."""

_NOW_S = 0.5
"""A time that is nearer than this is shown as now."""

blueprint = Blueprint("dashboard", __name__, url_prefix="/admin")

STATE_TONES = {
    State.QUEUED: "info",
    State.SENDING: "primary",
    State.PUBLISHED: "success",
    State.CORRECTED: "success",
    State.REJECTED: "danger",
    State.CONFLICT: "danger",
    State.SUPERSEDED: "secondary",
    State.WITHDRAWN: "secondary",
}


@blueprint.record_once
def _equip(state: BlueprintSetupState) -> None:
    app = state.app
    app.extensions["resultsq.shared"] = SingleFlightCache(app.extensions["resultsq"].clock)
    app.jinja_env.filters.update(
        action=action_label,
        moment=moment,
        ago=ago,
        until=until,
        about=about,
        took=took,
        gap=gettext,
        cause=_cause,
        retold=retold,
        said=said,
        spell=spell,
        word=state_label,
    )


def shared() -> SingleFlightCache:
    """What every open dashboard is served from."""
    return cast(SingleFlightCache, current_app.extensions["resultsq.shared"])


def latest_pulse() -> tuple[LiveStatus, float]:
    """The state of things, and its age in seconds."""

    def look() -> LiveStatus:
        heard.ask(node().database, node().clock)
        with node().database.read() as conn:
            return overview_data.live_status(conn, now())

    return shared().get("pulse", PULSE_S, look)


def zone() -> ZoneInfo:
    """The node's time zone: an operator looks after many events."""
    return ZoneInfo(node().settings.time_zone)


def now() -> datetime:
    """The time of this request."""
    return node().clock.now()


def may_act() -> bool:
    """Whether this person may change something here."""
    return me().role.at_least(Role.OPERATOR) and not node().settings.read_only


def may_manage() -> bool:
    """Whether this person may manage accounts."""
    return me().role.at_least(Role.ADMIN) and not node().settings.read_only


def must_be_writable() -> None:
    """:raises NotAllowed: the dashboard only shows (setting read_only)."""
    operations.demand_writable(node())


def page(template: str, **values: object) -> str:
    """A page of the dashboard."""
    return render_template(
        f"admin/{template}",
        now=now(),
        may_act=may_act(),
        may_manage=may_manage(),
        read_only=node().settings.read_only,
        STATES=State,
        known_causes=CAUSES,
        TONES=STATE_TONES,
        zone=zone().key,
        **values,
    )


def confirm(
    title: str, meaning: str, action: str, button: str, back: str, fields: Sequence[tuple[str, str]] = ()
) -> str:
    """The question before something is done: as a dialog where a script asks, else as a page.

    :param action: where the answer yes is posted, with `fields`
    :param back: where "Cancel" leads"""
    template = "_confirm.html" if "HX-Request" in request.headers else "confirm.html"
    return page(template, title=title, meaning=meaning, action=action, button=button, back=back, fields=fields)


# as people read it


def moment(at: datetime | None) -> Markup:
    """A time in the node's zone, with UTC behind it: the time alone where it is today, else day and time."""
    if at is None:
        return Markup("–")
    local = at.astimezone(zone())
    clock = f"{local:%H:%M:%S}"
    today = now().astimezone(zone()).date()
    if local.date() != today:
        day = cldr.short_day(local.date(), with_year=local.year != today.year)
        clock = gettext("{day}, {time}", day=day, time=clock)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(_iso(at), _utc(at), clock)


def ago(at: datetime | None) -> Markup:
    """How long ago: counted on by admin.js."""
    if at is None:
        return Markup("–")
    text = spell((now() - at).total_seconds())
    return Markup('<time datetime="{0}" title="{1}" data-since="{0}">{2}</time>').format(_iso(at), _utc(at), text)


def until(at: datetime | None, over: str = "") -> Markup:
    """How long to go: counted down by admin.js, never below zero.

    :param over: the text instead of `0 s`"""
    if at is None:
        return Markup("–")
    left_s = max(timedelta(), at - now()).total_seconds()
    text = over if over and left_s < _NOW_S else spell(left_s)
    return Markup('<time datetime="{0}" title="{1}" data-until="{0}" data-over="{3}">{2}</time>').format(
        _iso(at), _utc(at), text, over
    )


def about(seconds: float) -> str:
    """An estimate as people say it: no more exact than it is."""
    if seconds < 10:
        return str(_("a few seconds"))
    if seconds < 120:
        return str(_("about %(time)s", time=spell(math.ceil(seconds / 10) * 10)))
    return str(_("about %(time)s", time=spell(math.ceil(seconds / 60) * 60)))


def took(seconds: float) -> str:
    """How long a call took: in milliseconds below a second."""
    if seconds < 1:
        return str(_("%(n)s ms", n=cldr.number(max(1, round(seconds * 1000)))))
    return str(_("%(n)s s", n=cldr.number(seconds, 2)))


def said(sentence: Why | Headline, part: str = "text") -> str:
    """A sentence with its gaps filled, in the reader's language."""
    if isinstance(sentence, Why):
        return str(sentence)
    text: str = getattr(sentence, part)
    values = {name: _clock(value) if isinstance(value, datetime) else value for name, value in sentence.values.items()}
    return gettext(text, **values)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(zone()):%H:%M:%S}"


def _cause(name: str | None) -> str:
    return cause_text(name)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
