"""The public page: whether results are delayed, for runners and teams, as a page, as JSON and as an Atom feed.

It needs no log-in and names no person. Each answer is made once for all its readers. `resultsq status --publish` writes
the same three files for another host.
"""

from collections.abc import Callable
from datetime import datetime
from typing import cast
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, json, render_template, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import get_locale
from werkzeug.wrappers import Response as Answer

from resultsq.app import public_status
from resultsq.domain import cldr
from resultsq.domain.errors import NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.public_status import PublicIncident, PublicState, PublicStatus, sentence, title
from resultsq.domain.why import spell
from resultsq.web.auth import rule
from resultsq.web.form.compression import asset
from resultsq.web.language import for_everybody
from resultsq.web.node import node
from resultsq.web.single_flight import SingleFlightCache

FRESH_S = 2
"""How old an answer may be before it is made again."""

PAGE, DATA, FEED, STYLE = "index.html", "status.json", "status.atom", "status.css"
"""The names of the files in a published folder."""

_CACHE = "resultsq.public_status"
_ATOM = "http://www.w3.org/2005/Atom"
_TONES = {PublicState.WORKS: "works", PublicState.DELAYED: "delayed", PublicState.HELD: "held"}

blueprint = Blueprint("status", __name__)


@blueprint.record_once
def _equip(state: BlueprintSetupState) -> None:
    state.app.extensions[_CACHE] = SingleFlightCache(state.app.extensions["resultsq"].clock)


@blueprint.get("/status")
@rule.public
def page() -> Answer:
    """Whether results are delayed, in words."""
    links = {"css": asset(STYLE), "data": url_for("status.data"), "feed": url_for("status.feed")}
    return _answer("page", "text/html; charset=utf-8", lambda found: render(found, links, others=True))


@blueprint.get("/status.json")
@rule.public
def data() -> Answer:
    """The same for programs."""
    return _answer("data", "application/json", as_json)


@blueprint.get("/status.atom")
@rule.public
def feed() -> Answer:
    """The incidents as a feed, for readers and for other pages."""
    address = url_for("status.page", _external=True)
    return _answer("feed", "application/atom+xml", lambda found: as_atom(found, address))


def _answer(name: str, content_type: str, make: Callable[[PublicStatus], bytes]) -> Answer:
    if not node().settings.public_status:
        raise NotThere(gettext("There is nothing at this address."))
    for_everybody()
    cache = cast(SingleFlightCache, current_app.extensions[_CACHE])
    body = cache.get((name, str(get_locale())), FRESH_S, lambda: make(public_status.look(node())))[0]
    headers = {"Cache-Control": f"public, max-age={FRESH_S}", "Vary": "Accept-Language"}
    answer = Response(body, headers=headers, content_type=content_type)
    answer.add_etag()
    return answer


# the three forms


def render(found: PublicStatus, links: dict[str, str], *, others: bool = False) -> bytes:
    """The page. `links` has the addresses of its stylesheet (`css`), of the JSON (`data`) and of the feed (`feed`).
    `others`: the page is there in other languages."""
    return render_template(
        "status.html",
        it=found,
        tone=_TONES[found.state],
        title=title(found.state),
        sentence=sentence(found.state),
        at=_moment,
        lasted=_lasted,
        wait=spell(found.longest_wait_s),
        zone=node().settings.time_zone,
        links=links,
        others=others,
    ).encode()


def as_json(found: PublicStatus) -> bytes:
    """The status as JSON; times are UTC, `longest_wait_s` is in seconds."""
    value = {
        "at": _utc(found.at),
        "state": found.state,
        "since": found.since and _utc(found.since),
        "waiting": found.waiting,
        "longest_wait_s": round(found.longest_wait_s),
        "title": title(found.state),
        "text": sentence(found.state),
        "incidents": [
            {
                "id": one.id,
                "began_at": _utc(one.began_at),
                "ended_at": one.ended_at and _utc(one.ended_at),
                "post": list(one.post),
            }
            for one in found.incidents
        ],
    }
    return json.dumps(value).encode()


def as_atom(found: PublicStatus, address: str) -> bytes:
    """The incidents as an Atom feed (RFC 4287). `address` is that of the page, which names the feed and its entries."""
    root = Element("feed", xmlns=_ATOM)
    _child(root, "id", address)
    _child(root, "title", gettext("Results: delays"))
    SubElement(root, "link", href=address)
    _child(SubElement(root, "author"), "name", "resultsq")
    _child(root, "updated", _utc(max((one.changed_at for one in found.incidents), default=found.at)))
    for one in found.incidents:
        entry = SubElement(root, "entry")
        _child(entry, "id", f"{address}#outage-{one.id}-{one.began_at:%Y%m%d}")
        _child(entry, "title", gettext("Results were delayed: {when}", when=_moment(one.began_at)))
        SubElement(entry, "link", href=f"{address}#outage-{one.id}")
        _child(entry, "published", _utc(one.began_at))
        _child(entry, "updated", _utc(one.changed_at))
        _child(entry, "content", "\n\n".join([_lasted(one), *one.post]), type="text")
    return bytes(tostring(root, "utf-8", xml_declaration=True))


def _child(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = text


def _lasted(one: PublicIncident) -> str:
    if one.ended_at is None:
        return gettext("Since {time}, and still going on.", time=_moment(one.began_at))
    lasted = spell((one.ended_at - one.began_at).total_seconds())
    return gettext(
        "From {began} to {ended} ({lasted}).", began=_moment(one.began_at), ended=_moment(one.ended_at), lasted=lasted
    )


def _moment(moment: datetime) -> str:
    """Day, time and zone, in the node's own zone."""
    local = moment.astimezone(ZoneInfo(node().settings.time_zone))
    return gettext("{day}, {time}", day=cldr.full_day(local), time=f"{local:%H:%M %Z}")


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
