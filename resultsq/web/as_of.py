"""As of when names are: in words on each page that shows them, and in headers of each answer that used the list."""

from datetime import datetime

from flask import Response, g
from flask_babel import gettext as _
from sqlalchemy import Connection
from werkzeug.http import http_date

from resultsq.domain.link import LinkState
from resultsq.store.outbox import links
from resultsq.web.node import node


def used(conn: Connection, at: datetime, shown: str) -> str:
    """The sentence that says as of when the list is, and whether the master is away; the answer gets headers that say
    it, too. `shown` is the time as people read it."""
    g.list_as_of = at
    link = links.facts(conn)
    sentence = str(_("Names are as of %(time)s.", time=shown))
    if link is None or link.state is LinkState.UP:
        return sentence
    return " ".join((sentence, _("The master cannot be reached now, so what changed since then is not here.")))


def add_headers(response: Response) -> Response:
    """Say the age of the figures shown."""
    at: datetime | None = g.get("list_as_of")
    if at is not None:
        response.headers["Last-Modified"] = http_date(at)
        response.headers["Age"] = str(max(0, int((node().clock.now() - at).total_seconds())))
    return response
