"""The report of an outage: its figures, its chart, and the post that they make by themselves."""

from datetime import datetime, timedelta

from flask import Response

from resultsq.domain import incident
from resultsq.domain.incident import Incident
from resultsq.domain.role import Role
from resultsq.store.views import outages, overview_data
from resultsq.store.views.overview_data import Span
from resultsq.web.auth import rule
from resultsq.web.dashboard import chart
from resultsq.web.dashboard.base import blueprint, now, page, shared, zone
from resultsq.web.node import node

REPORT_S = 2.0


@blueprint.get("/outages/<int:outage>")
@rule(Role.VIEWER)
def outage(outage: int) -> str:
    """When, how long, what was affected, by how much; with the chart and the post."""
    found, drawn, span = shared().get(("outage", outage), REPORT_S, lambda: _look(outage))[0]
    return page("outage.html", it=found, chart=drawn, span=span, post=incident.markdown(found, zone()))


@blueprint.get("/outages/<int:outage>.md")
@rule(Role.VIEWER)
def outage_markdown(outage: int) -> Response:
    """The post alone."""
    found, _drawn, _span = shared().get(("outage", outage), REPORT_S, lambda: _look(outage))[0]
    headers = {"Content-Disposition": f'attachment; filename="outage-{outage}.md"'}
    return Response(incident.markdown(found, zone()), content_type="text/markdown; charset=utf-8", headers=headers)


def _look(number: int) -> tuple[Incident, chart.Chart, Span]:
    at = now()
    with node().database.read() as conn:
        found = outages.report(conn, number)
        span, until = window(found, at)
        points = overview_data.series(conn, until, span, overview_data.waiting_at(conn, until))
        bands = overview_data.outages(conn, points[0].at)
    return found, chart.draw(points, [one for one in bands if one.began_at < until], span, zone()), span


def window(found: Incident, at: datetime) -> tuple[Span, datetime]:
    """What the chart shows: from a little before the outage until all that it delayed was out, if that fits."""
    over = max(found.last_published_at or at, found.ended_at or at) if not found.still_waiting else at
    span = next(
        (span for span in Span if over - found.began_at <= span.length * 0.8),
        Span.MONTH,
    )
    margin = (span.length - min(span.length, over - found.began_at)) / 4
    return span, min(at, over + margin, found.began_at + span.length - timedelta(seconds=1))
