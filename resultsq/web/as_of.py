"""As of when names are: in words on each page that shows them, and in headers of each answer that used the list."""

from datetime import datetime

from flask import Response, g
from flask_babel import gettext as _
from sqlalchemy import Connection
from werkzeug.http import http_date

from resultsq.app.known_athletes import master_is_away
from resultsq.web.node import node


def used(conn: Connection, at: datetime, said: str) -> str:
    """The sentence that says as of when the list is, and whether the master is away; the answer gets headers that say
    it, too. `said` is its first part."""
    return sentence(at, said, is_away=master_is_away(conn))


def sentence(at: datetime, said: str, *, is_away: bool) -> str:
    """As `used`, where it is known whether the master is away."""
    g.list_as_of = at
    if not is_away:
        return said
    return " ".join((said, _("The master cannot be reached now, so what changed since then is not here.")))


def add_headers(response: Response) -> Response:
    """Say the age of the figures shown."""
    at: datetime | None = g.get("list_as_of")
    if at is not None:
        response.headers["Last-Modified"] = http_date(at)
        response.headers["Age"] = str(max(0, int((node().clock.now() - at).total_seconds())))
    return response
