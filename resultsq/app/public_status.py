"""The public page: what it says now, and the posts that an operator releases for it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from resultsq.app import heard
from resultsq.app.context import AppContext, Transaction
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.isolates import without_isolates
from resultsq.domain.link import LinkState
from resultsq.domain.public_status import PublicFacts, PublicIncident, PublicStatus, judge
from resultsq.store.admin import posts
from resultsq.store.admin.posts import PostView
from resultsq.store.views import outages, overview_data
from resultsq.store.views.overview_data import LiveStatus

SHOWN = timedelta(days=30)
"""How long an incident stays on the page."""

MOST_INCIDENTS = 20
SHORTEST = timedelta(minutes=1)
"""A shorter absence of the link is not shown once it is over, unless there is a post about it."""

POST_MAX = 4000


def look(ctx: AppContext) -> PublicStatus:
    """What the public page says now."""
    heard.ask(ctx.database, ctx.clock)
    now = ctx.clock.now()
    with ctx.database.read() as conn:
        return judge(_facts(overview_data.live_status(conn, now)), now, _incidents(conn, now))


def of_outage(ctx: AppContext, outage: int) -> PostView | None:
    """The post about it that the public reads; None: there is none."""
    with ctx.database.read() as conn:
        return posts.of(conn, [outage]).get(outage)


def put_post(tx: Transaction, outage: int, text: str) -> None:
    """Let the public read this about the outage.

    :raises NotThere: there was no such outage
    :raises InputRefused: the text is empty or too long, or has unprintable characters"""
    text = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))
    if not text:
        raise InputRefused(gettext("A post has some text. Nothing was changed."))
    if len(text) > POST_MAX:
        raise InputRefused(gettext("A post has at most {most} characters. Nothing was changed.", most=POST_MAX))
    if not without_isolates(text).replace("\n", " ").isprintable():  # a draft in Arabic has isolates
        raise InputRefused(gettext("A post is plain text. Nothing was changed."))
    outages.report(tx.conn, outage)
    posts.put(tx.conn, tx.now, tx.who, outage, text)
    tx.note("post", {"outage": outage})


def remove_post(tx: Transaction, outage: int) -> None:
    """Let the public read it no more.

    :raises NotThere: there is no post about that outage"""
    if not posts.remove(tx.conn, outage):
        raise NotThere(gettext("There is no post about that outage."))
    tx.note("remove post", {"outage": outage})


def _facts(pulse: LiveStatus) -> PublicFacts:
    link, hold = pulse.link, pulse.destination_hold
    hindered_since: datetime | None = None
    if link is not None:
        if link.state is not LinkState.UP or link.stalled:
            hindered_since = link.word_since
        elif link.refused_at is not None:
            hindered_since = link.refused_at
    if hindered_since is None and not pulse.workers_alive:
        hindered_since = pulse.oldest_waiting_at
    return PublicFacts(
        hindered_since=hindered_since,
        held_since=None if hold is None else hold.placed_at,
        oldest_at=pulse.oldest_waiting_at if pulse.to_send else None,
        waiting=pulse.to_send,
    )


def _incidents(conn: Connection, now: datetime) -> list[PublicIncident]:
    found = overview_data.outages(conn, now - SHOWN)
    posted = posts.of(conn, [one.id for one in found])
    shown = [
        one for one in found if one.id in posted or one.ended_at is None or one.ended_at - one.began_at >= SHORTEST
    ]
    incidents = []
    for one in shown[:MOST_INCIDENTS]:
        post = posted.get(one.id)
        text = () if post is None else tuple(part.strip() for part in post.text.split("\n\n") if part.strip())
        posted_at = None if post is None else post.posted_at
        incidents.append(PublicIncident(one.id, one.began_at, one.ended_at, text, posted_at))
    return incidents
