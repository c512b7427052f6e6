"""The public page: the latest sheet of an event and date, positions and times only.

Athletes' ids are personal data, many of minors: they never get here, and no robot is to keep the page."""

from datetime import date

from flask import Response, render_template
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.domain.errors import NotThere
from resultsq.domain.sheet import parse
from resultsq.domain.submission import State
from resultsq.store.admin import events
from resultsq.store.views import queries, versions
from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.language import event_speaks, for_everybody
from resultsq.web.node import node

FRESH_S = 15
"""How long a copy of the page may be shown without asking."""

NOT_SHOWN = frozenset({State.REJECTED, State.WITHDRAWN, State.SUPERSEDED})
"""The master refused it, or the team itself took it back or replaced it: it is no longer said to be true. Where
a refused correction stands on a published sheet, that one is shown; where it replaced one that was never published,
nothing is, for the team has said that the older one is wrong."""


@blueprint.get("/results/<slug>/<day>")
@rule.public
def results(slug: str, day: str) -> Answer:
    """The latest sheet that its team stands by, marked provisional until it is published."""
    for_everybody()
    with node().database.read() as conn:
        event = events.find(conn, slug)
        found = versions.of_date(conn, event.id, day) if event is not None and event.shows_results else []
        shown = next((one for one in found if one.state not in NOT_SHOWN), None)
        body = queries.body(conn, shown.seq) if shown is not None else None
    if event is None or shown is None or body is None:
        raise NotThere(_("There are no results to show here."))
    event_speaks(event.language)
    page = render_template(
        "public.html",
        event=event,
        day=date.fromisoformat(day).isoformat(),
        final=shown.state in (State.PUBLISHED, State.CORRECTED),
        shown=shown,
        times=[(row.position, row.time) for row in parse(body).finishers],
    )
    headers = {"X-Robots-Tag": "noindex", "Cache-Control": f"public, max-age={FRESH_S}"}
    answer = Response(page, headers=headers)
    answer.add_etag()
    return answer
