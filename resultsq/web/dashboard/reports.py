"""The report of an outage: its figures, its chart, and the post that they make by themselves."""

from datetime import datetime, timedelta

from flask import Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.app import public_status
from resultsq.domain import incident
from resultsq.domain.errors import InputRefused
from resultsq.domain.incident import Incident
from resultsq.domain.role import Role
from resultsq.kinds import registry
from resultsq.store.views import chart_points, outages, overview_data
from resultsq.store.views.chart_points import Span
from resultsq.web.auth import me, rule
from resultsq.web.dashboard import chart
from resultsq.web.dashboard.base import blueprint, must_be_writable, now, page, shared, zone
from resultsq.web.node import node

REPORT_S = 2.0


@blueprint.get("/outages/<int:outage>")
@rule(Role.VIEWER)
def outage(outage: int) -> str:
    """Time, length and effects of an outage; with the chart and the post."""
    return _report(outage)


@blueprint.post("/outages/<int:outage>/post")
@rule(Role.OPERATOR)
def put_post(outage: int) -> Answer | tuple[str, int]:
    """Let the public page say this about the outage."""
    must_be_writable()
    text = request.form.get("text", "")
    try:
        node().transact(me().name, lambda tx: public_status.put_post(tx, outage, text))
    except InputRefused as refused:
        return _report(outage, text, str(refused)), 422
    flash(_("The public page shows this post now."), "success")
    return redirect(url_for("dashboard.outage", outage=outage), 303)


@blueprint.post("/outages/<int:outage>/post/remove")
@rule(Role.OPERATOR)
def remove_post(outage: int) -> Answer:
    """Let the public page say nothing of an operator's about the outage."""
    must_be_writable()
    node().transact(me().name, lambda tx: public_status.remove_post(tx, outage))
    flash(_("The post is off the public page."), "success")
    return redirect(url_for("dashboard.outage", outage=outage), 303)


@blueprint.get("/outages/<int:outage>.md")
@rule(Role.VIEWER)
def outage_markdown(outage: int) -> Response:
    """The post alone."""
    found, _drawn, _span = shared().get(("outage", outage), REPORT_S, lambda: _look(outage))[0]
    headers = {"Content-Disposition": f'attachment; filename="outage-{outage}.md"'}
    return Response(
        incident.markdown(found, zone(), registry.title), content_type="text/markdown; charset=utf-8", headers=headers
    )


def _report(outage: int, text: str | None = None, refused: str | None = None) -> str:
    found, drawn, span = shared().get(("outage", outage), REPORT_S, lambda: _look(outage))[0]
    posted = public_status.of_outage(node(), outage)
    draft = "\n\n".join(incident.paragraphs(found, zone()))
    return page(
        "outage.html",
        it=found,
        chart=drawn,
        span=span,
        post=incident.markdown(found, zone(), registry.title),
        posted=posted,
        draft=draft,
        text=text if text is not None else posted.text if posted else draft,
        refused=refused,
        is_public=node().settings.public_status,
        most=public_status.POST_MAX,
    )


def _look(number: int) -> tuple[Incident, chart.Chart, Span]:
    at = now()
    with node().database.read() as conn:
        found = outages.report(conn, number)
        span, until = window(found, at)
        points = chart_points.series(conn, until, span, chart_points.waiting_at(conn, until))
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
