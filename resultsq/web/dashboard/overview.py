"""The overview, and the live part of every page: rendered once for all who look, and only when it changed."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

from flask import Response, redirect, request, url_for
from flask_babel import get_locale
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Answer

from resultsq.app.headline import headline
from resultsq.domain.delays import Delays
from resultsq.domain.role import Role
from resultsq.store.admin import alerts, comparisons, devices
from resultsq.store.admin.alerts import AlertView, UnsentAlerts
from resultsq.store.views import chart_points, overview_data
from resultsq.store.views.chart_points import Flow, Point, Span
from resultsq.store.views.overview_data import LiveStatus, OutageView, WaitingByAge
from resultsq.store.views.totals import SETTLED
from resultsq.web.auth import rule
from resultsq.web.dashboard import chart
from resultsq.web.dashboard.base import blueprint, latest_pulse, may_manage, now, page, shared, zone
from resultsq.web.dashboard.welcome import is_new
from resultsq.web.node import node

RENDERED_S = 10.0
"""Durations are counted on by the page itself; this often they are written anew all the same."""

SPAN_S = 60.0
"""How long the span that fits a young node is kept."""

ALERTS_SHOWN = 10

DAYS = 30
"""In the longest chart."""

WEEK = timedelta(days=7)

_LIFE_S = {Span.MINUTES: 1.5, Span.HOUR: 2.0, Span.DAY: 15.0, Span.MONTH: 60.0}


@dataclass(frozen=True, slots=True)
class OverviewFacts:
    """All that the overview shows."""

    pulse: LiveStatus
    points: list[Point]
    outages: list[OutageView]
    latest: list[OutageView]
    delays: Delays
    shape: WaitingByAge
    alerts: list[AlertView]
    unsent: list[UnsentAlerts]
    compared: comparisons.ComparisonView | None
    on_devices: devices.HeldByDevices
    a_week_before: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A part of a page as bytes, with the data it was made from."""

    facts: object
    at: datetime
    html: str
    tag: str


@blueprint.get("")
@rule(Role.VIEWER)
def overview() -> str | Answer:
    """Does anything need a human? A new node shows its admin the first steps instead."""
    if may_manage():
        with node().database.read() as conn:
            new = is_new(conn)
        if new:
            return redirect(url_for("dashboard.welcome"))
    span = _span()
    return page("overview.html", span=span, spans=Span, live=Markup(live_part("overview", span)[0].html))  # noqa: S704 - a template made it


@blueprint.context_processor
def _banner() -> dict[str, Callable[[], Markup]]:
    return {"banner": lambda: Markup(live_part("banner")[0].html)}  # noqa: S704 - a template made it


@blueprint.get("/live")
@rule(Role.VIEWER)
def live() -> Response:
    """The part of a page that changes by itself. Its age travels in a header, so that a 304 carries it too."""
    view = "overview" if request.args.get("view") == "overview" else "banner"
    part, age_s = live_part(view, _span())
    answer = Response(part.html, mimetype="text/html")
    answer.set_etag(part.tag, weak=True)
    answer.headers["X-Figures-Age"] = f"{age_s:.1f}"
    answer.make_conditional(request)
    return answer


def live_part(view: str, span: Span = Span.HOUR) -> tuple[Rendered, float]:
    """The live part and the age of its figures in seconds."""
    pulse, age_s = latest_pulse()
    seen = _facts(pulse, span) if view == "overview" else None
    facts = (_timeless(pulse), seen and replace(seen, pulse=_timeless(pulse)))
    key = ("rendered", view, span, str(get_locale()))
    before: Rendered | None = shared().peek(key)
    if before is not None and before.facts == facts and (now() - before.at).total_seconds() < RENDERED_S:
        return before, age_s
    at = now()
    values: dict[str, object] = {}
    if seen is not None:
        drawn = chart.draw(seen.points, seen.outages, span, zone())
        away = chart.away(seen.outages, seen.points[0].at, at)
        values = {"facts": seen, "chart": drawn, "away": away, "span": span, "bands": overview_data.AGE_BANDS_MIN}
        values["aged"] = _columns(seen.shape)
    html = page(f"_{view}.html", pulse=pulse, headline=headline(at, pulse), **values)
    rendered = Rendered(facts, at, html, hashlib.sha256(html.encode()).hexdigest()[:20])
    shared().keep(key, rendered)
    return rendered, age_s


def _columns(shape: WaitingByAge) -> int:
    """How many columns of ages are used: those after the oldest are left out."""
    used = [n for n, count in enumerate(shape.total.bands, 1) if count]
    return max(used, default=1)


def _span() -> Span:
    asked = next((span for span in Span if span.label == request.args.get("span")), None)
    if asked is not None:
        return asked
    pulse, _age_s = latest_pulse()
    if pulse.last is not None and pulse.last.remaining and pulse.to_send:
        return Span.MINUTES  # a backlog goes out in seconds, which an hour's chart would not show

    def look() -> Span:
        with node().database.read() as conn:
            return chart_points.fitting_span(conn, now())

    fitting, _ = shared().get("fitting", SPAN_S, look)
    return fitting


def _newest(pulse: LiveStatus, outage: OutageView) -> OutageView:
    """The pulse is fresher than the list: the two say the same of an outage."""
    return pulse.last if pulse.last is not None and pulse.last.id == outage.id else outage


def _timeless(pulse: LiveStatus) -> LiveStatus:
    """The same whenever it was taken, so that a quiet page stays the same bytes."""
    return replace(pulse, at=datetime.min.replace(tzinfo=UTC), rate=round(pulse.rate, 1))


def _days_over(start: datetime, at: datetime, span: Span) -> list[tuple[datetime, datetime]]:
    """Of a month from `start` on, the days (UTC) that are long over, the first one from `start` on: what is asked of
    each is counted once."""
    midnight = start.replace(hour=0)
    nights = [midnight + timedelta(days=n) for n in range(1, DAYS + 1)] if span is Span.MONTH else []
    return list(pairwise([start, *(night for night in nights if start < night < at - SETTLED)]))


def _delays(conn: Connection, start: datetime, at: datetime, span: Span) -> Delays:
    """Of all that was published since `start`."""
    days = _days_over(start, at, span)
    kept = [shared().get(("delays", *day), math.inf, partial(overview_data.delays, conn, *day))[0] for day in days]
    return Delays.together([*kept, overview_data.delays(conn, days[-1][1] if days else start)])


def _flows(conn: Connection, start: datetime, at: datetime, span: Span) -> list[Flow]:
    """What came and what was published in each step since `start`."""
    days = _days_over(start, at, span)
    kept = [shared().get(("flow", *day), math.inf, partial(_flow_of_day, conn, *day))[0] for day in days]
    return [*kept, chart_points.flow(conn, days[-1][1] if days else start, at, span)]


def _flow_of_day(conn: Connection, start: datetime, end: datetime) -> Flow:
    return chart_points.flow(conn, start, end - timedelta(microseconds=1), Span.MONTH)


def _a_week_before(conn: Connection, at: datetime, span: Span) -> int:
    """How many were accepted in the same hours of the same day a week before, by the local clock: events have
    their day of the week. 0 for spans of minutes, which vary too much, and of a month, which has all days."""
    if span not in (Span.HOUR, Span.DAY):
        return 0
    end = (at.astimezone(zone()) - WEEK).astimezone(UTC)
    return chart_points.accepted_between(conn, end - span.length, end)


def _facts(pulse: LiveStatus, span: Span) -> OverviewFacts:
    database = node().database

    def history() -> tuple[list[Point], list[OutageView], Delays]:
        at = now()
        with database.read() as conn:
            start = chart_points.first_step(at, span)
            points = chart_points.series(conn, at, span, pulse.waiting, _flows(conn, start, at, span))
            bands = [_newest(pulse, one) for one in overview_data.outages(conn, start)]
            return points, bands, _delays(conn, start, at, span)

    def latest() -> list[OutageView]:
        with database.read() as conn:
            return overview_data.latest_outages(conn)

    def shape() -> WaitingByAge:
        with database.read() as conn:
            return overview_data.waiting_by_age(conn, now())

    def standing() -> list[AlertView]:
        with database.read() as conn:
            return [one for one in alerts.standing(conn, ALERTS_SHOWN) if one.ended_at is None]

    def unsent() -> list[UnsentAlerts]:
        with database.read() as conn:
            return alerts.unsent(conn)

    def compared() -> comparisons.ComparisonView | None:
        with database.read() as conn:
            return comparisons.last(conn)

    def on_devices() -> devices.HeldByDevices:
        with database.read() as conn:
            return devices.held(conn, now())

    def a_week_before() -> int:
        with database.read() as conn:
            return _a_week_before(conn, now(), span)

    (points, outages, delays), _ = shared().get(("history", span), _LIFE_S[span], history)
    return OverviewFacts(
        pulse,
        points,
        outages,
        [_newest(pulse, one) for one in shared().get("outages", 5.0, latest)[0]],
        delays,
        shared().get("shape", 3.0, shape)[0],
        shared().get("alerts", 2.0, standing)[0],
        shared().get("unsent", 2.0, unsent)[0],
        shared().get("compared", 5.0, compared)[0],
        shared().get("on devices", 5.0, on_devices)[0],
        shared().get(("a week before", span), SPAN_S, a_week_before)[0],
    )
