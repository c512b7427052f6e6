"""The JSON API, version 1: submit, look, withdraw, check. Every error is a problem detail (RFC 9457)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal, cast

from flask import Blueprint, Response, current_app, g, json, request

from resultsq.app import intake, known_athletes, submissions
from resultsq.app.event_day import calendar_of
from resultsq.app.intake import MOST_FILES, VOLUNTEERS, name_of
from resultsq.app.known_athletes import ListFindings
from resultsq.domain.entry import NO_EVENT
from resultsq.domain.errors import NotThere, TooLarge
from resultsq.domain.i18n import gettext
from resultsq.domain.outcome import Cause
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.problem import Problem
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.kinds.results.plausible import Occasion
from resultsq.store.admin import events
from resultsq.store.admin.tokens import Bearer
from resultsq.store.views import queries
from resultsq.store.views.queries import LinkView, NodeStatus, SubmissionView
from resultsq.web import as_of
from resultsq.web.auth import bearer, rule
from resultsq.web.bounds import JSON, bound
from resultsq.web.cache import TTLCache
from resultsq.web.errors import ApiProblem, problems_json
from resultsq.web.node import node
from resultsq.web.single_flight import SingleFlightCache

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

_VALUE = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
"""A header's one value, in quotes (as the standards write it) or plain."""


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _At:
    """An event that the caller may submit for, the times that a run takes there, and its time zone."""

    id: int
    plausible: Plausible = FIVE_K
    time_zone: str = "UTC"


@blueprint.post("/submissions")
@rule.bearer(Role.TEAM)
@bound.files
def submit() -> Response:
    """Accept results: 201 when they are committed here, 200 when these very ones were here before."""
    who = bearer()
    client_key, if_match = one_value("Idempotency-Key"), one_value("If-Match")
    event = cache(lambda slug: _event(who, slug))  # asked before the rows are judged, and again to store them
    sent = _sent(event)
    event_id = event(sent.event).id
    held = node()
    with held.database.glance() as conn:  # once for all that is asked: each opening takes as long as two questions
        sent = intake.with_others(conn, sent, event_id, lambda other: who.event_id is None)
        sent = intake.as_given(sent, _values(request.headers.get("As-Given", "")), if_match)
        listed = known_athletes.of_rows(conn, sent.event, sent.rows, held.clock.now())
    accepted = intake.submit(
        held,
        sent,
        event_id=event_id,
        submitted_by=who.who,
        if_match=if_match,
        client_key=client_key,
        request_id=g.request_id,
    )
    of_athletes, names_as_of = _told(listed)
    problems = (*sent.problems, *of_athletes)
    answer = _submission(
        accepted.id, sent.event, sent.date.isoformat(), accepted.state, accepted.digest, problems, names_as_of
    )
    answer.status_code = 201 if accepted.created else 200
    answer.headers["Location"] = f"{blueprint.url_prefix}/submissions/{accepted.id}"
    return answer


@blueprint.post("/<kind:kind>")
@rule.bearer(Role.TEAM)
@bound.files
def submit_of_kind(kind: str) -> Response:
    """Accept a submission of any kind, as JSON. An `id` that the client made, in the header Idempotency-Key, is its id
    where it is a UUID: the same again is the same submission."""
    if kind == intake.KIND:
        return submit()
    if _media_type() != JSON:
        raise ApiProblem(415, "This is sent as application/json. Nothing was stored.", headers={"Accept-Post": JSON})
    who, client_key = bearer(), one_value("Idempotency-Key")
    accepted, entry = submissions.submit(
        node(),
        KINDS[kind],
        intake.json_value(request.get_data(cache=False)),
        lambda slug: _event_or_none(who, slug),
        submitted_by=who.who,
        submission=client_key if client_key is not None and _UUID.fullmatch(client_key) else None,
        client_key=client_key,
        request_id=g.request_id,
    )
    answer = _submission(accepted.id, entry.event, entry.date, accepted.state, accepted.digest, entry.problems)
    answer.status_code = 201 if accepted.created else 200
    answer.headers["Location"] = f"{blueprint.url_prefix}/submissions/{accepted.id}"
    return answer


def _event_or_none(who: Bearer, slug: str) -> int:
    """The id of the event that `who` may submit for; what belongs to none is an operator's to submit."""
    if slug:
        return _event(who, slug).id
    if who.event_id is not None:
        raise ApiProblem(403, "This token is good for one event, and this belongs to none. Nothing was stored.")
    return NO_EVENT


@blueprint.get("/submissions/<submission>")
@rule.bearer(Role.TEAM, Role.VIEWER)
def look(submission: str) -> Response:
    """A submission with its live state. Another event's is not there."""
    found = _mine(submission)
    return _view(found, found.state)


@blueprint.delete("/submissions/<submission>")
@rule.bearer(Role.TEAM)
def withdraw(submission: str) -> Response:
    """Take back what the master cannot have; a published one can only be corrected."""
    found = _mine(submission)
    withdrawn = submissions.decide(node(), submissions.withdraw, bearer().who, found.id)
    return _view(found, withdrawn.state)


@blueprint.post("/check")
@rule.bearer(Role.TEAM, Role.VIEWER)
@bound.files
def check() -> Response:
    """What would come of these files. Stores nothing. A team's token names the event; others may send `event`. With a
    `date` it also says whether the files are another day's, or here already."""
    if _media_type() != "multipart/form-data":
        raise ApiProblem(415, "Files to be checked are sent as multipart/form-data.")
    files, volunteers = _files()
    helpers = intake.helpers_of(volunteers)
    who, held = bearer(), node()
    named = who.event_slug or _field_if_any("event")
    event = _event(who, named) if named else None
    day, clock = _day_to_check()
    occasion = Occasion(day) if event is None else Occasion(day, event.plausible, event.time_zone)
    event_id = None if event is None else event.id
    found = intake.check(held.database, files, occasion, event_id, lambda other: who.event_id is None)
    found = intake.with_day(found, clock)
    listed = None
    if named and who.role.at_least(Role.TEAM):  # names are for teams
        with held.database.read() as conn:
            listed = known_athletes.findings(conn, named, found.finishers, helpers.volunteers, held.clock.now())
    of_athletes, names_as_of = _told(listed)
    problems = (*found.problems, *of_athletes, *helpers.problems)
    result = found.model_copy(update={"problems": problems, "names_as_of": names_as_of})
    return Response(result.model_dump_json(), mimetype="application/json")


def _told(found: ListFindings | None) -> tuple[tuple[Problem, ...], str]:
    """Numbers that the list of athletes lacks, and as of when it is in words; the answer's headers say it, too."""
    if found is None:
        return (), ""
    return found.problems, as_of.sentence(found.at, found.said, is_away=found.is_away)


def _day_to_check() -> tuple[str, tuple[Problem, ...]]:
    """The chosen day, if any, and its problems."""
    text = _field_if_any("date")
    if text is None:
        return "", ()
    held, on = node(), intake.iso_date(text)
    return text, calendar_of(held.database, held.clock.now()).judge(on)


@blueprint.get("/status")
@rule.bearer(Role.TEAM, Role.VIEWER)
def status() -> Response:
    """The queue at a glance; a team's token sees its own event's."""
    who = bearer()
    seen = _queue(who.event_id) if who.event_id is not None else _shared().get("status", 0.0, _queue)[0]
    return _json(
        {
            "event": who.event_slug,
            "counts": seen.counts,
            "waiting": seen.waiting,
            "held": seen.held,
            "waiting_by_kind": seen.waiting_by_kind,
            "oldest_waiting_at": _time(seen.oldest_waiting_at),
            "link": _link(seen.link),
            "holds": [
                {
                    "scope": hold.scope,
                    "event": hold.event,
                    "reason": hold.reason,
                    "since": _time(hold.placed_at),
                    "until": _time(hold.release_at),
                }
                for hold in seen.holds
            ],
        }
    )


def _queue(event_id: int | None = None) -> NodeStatus:
    with node().database.read() as conn:
        return queries.status(conn, node().clock.now(), event_id)


def _shared() -> SingleFlightCache:
    """Of the whole node one caller counts for all: it takes the longer the more wait."""
    made = SingleFlightCache(node().clock)
    return cast(SingleFlightCache, current_app.extensions.setdefault("resultsq.api_status", made))


def _link(link: LinkView | None) -> dict[str, object]:
    if link is None:
        return {"state": "unknown"}  # no worker has ever run here
    return {
        "state": link.word,
        "since": _time(link.word_since),
        "cause": Cause.TAKES_NOTHING if link.stalled else link.cause,
        "suspect": link.suspect,
        "next_probe_at": _time(link.next_probe_at),
        "credentials_refused_since": _time(link.refused_at),
    }


def _sent(event: Callable[[str], _At]) -> intake.CheckedResults:
    """The results in the request's body."""
    held = node()
    most, calendar = held.settings.max_rows, calendar_of(held.database, held.clock.now())
    match _media_type():
        case "application/json":
            body = request.get_data(cache=False)
            return intake.from_json(body, most, calendar, lambda slug: event(slug).plausible)
        case _:
            files, volunteers = _files()
            slug, day = _field("event"), _field("date")
            at = event(slug)
            return intake.from_files(slug, day, files, volunteers, most, calendar, at.plausible, at.time_zone)


def _media_type() -> Literal["application/json", "multipart/form-data"]:
    if request.headers.get("Content-Encoding", "identity") == "identity":
        match request.mimetype:
            case "application/json" | "multipart/form-data" as known:
                return known
            case _:
                pass
    raise ApiProblem(
        415,
        "Results are sent as application/json, or as multipart/form-data with the files themselves, without a "
        "Content-Encoding. Nothing was stored.",
        headers={"Accept-Post": "application/json, multipart/form-data"},
    )


def _field(name: str) -> str:
    values = request.form.getlist(name)
    if len(values) != 1:
        detail = "This is needed once." if values else "This is missing."
        raise ApiProblem(422, f"{detail} Nothing was stored.", [{"detail": detail, "pointer": f"/{name}"}])
    if not values[0].isprintable():
        detail = "This contains a control character."
        raise ApiProblem(422, f"{detail} Nothing was stored.", [{"detail": detail, "pointer": f"/{name}"}])
    return values[0]


def _field_if_any(name: str) -> str | None:
    return _field(name) if name in request.form else None


def _files() -> tuple[list[tuple[str, bytes]], str | tuple[str, bytes] | None]:
    """The files of a multipart body, as name and content, and the volunteers apart."""
    for name in request.form:
        if name not in ("event", "date", VOLUNTEERS):
            detail = "There is no field of this name. A file is a part with a file name."
            raise ApiProblem(422, f"{detail} Nothing was stored.", [{"detail": detail, "pointer": f"/{name}"}])
    volunteers: str | tuple[str, bytes] | None = request.form.get(VOLUNTEERS)
    files: list[tuple[str, bytes]] = []
    parts = list(request.files.items(multi=True))
    if len(parts) > MOST_FILES + 1:
        raise TooLarge(gettext("At most {most} files can be sent at once. Nothing was stored.", most=MOST_FILES))
    for field, part in parts:
        content = part.stream.read()
        if not part.filename and not content:
            continue  # a browser's empty file field
        named = (name_of(part.filename or "") or f"file {len(files) + 1}", content)
        if field == VOLUNTEERS:
            volunteers = named
        else:
            files.append(named)
    return files, volunteers


def _event(who: Bearer, slug: str) -> _At:
    """The event that `who` may submit for, whether there are others or not."""
    if who.event_id is not None:
        if slug == who.event_slug:
            return _At(who.event_id, who.plausible, who.time_zone)
        raise _at_event(403, "This token is good for another event, so nothing was stored. Use that event's own.")
    with node().database.read() as conn:
        found = events.find(conn, slug)
    if found is None:
        raise _at_event(422, "There is no such event on this node, so nothing was stored.")
    return _At(found.id, found.plausible, found.time_zone)


def _at_event(status: int, detail: str) -> ApiProblem:
    return ApiProblem(status, detail, [{"detail": detail, "pointer": "/event"}])


def _mine(submission: str) -> SubmissionView:
    """The submission, if there is one and the caller may see it: a stranger cannot tell the difference."""
    event_id = bearer().event_id
    with node().database.read() as conn:
        found = queries.submission(conn, submission)
    if found is None or event_id not in (None, found.event_id):
        raise NotThere(gettext("There is no such submission here."))
    return found


def _values(text: str) -> list[str]:
    """The parts of a header between its commas."""
    return [value for part in text.split(",") if (value := part.strip())]


def one_value(header: str) -> str | None:
    """What this header says, with or without quotes; None: it is not there."""
    text = request.headers.get(header)
    if text is None:
        return None
    fits = _VALUE.fullmatch(text.strip())
    if fits is None or text.strip() == "*":
        raise ApiProblem(400, f'The header {header} has one value, best in quotes: "…". Nothing was stored.')
    return fits[1] or fits[2]


def _view(found: SubmissionView, state: State) -> Response:
    said = _said().get(found.id, lambda: _said_of(found))
    problems = (*intake.masters_reasons(found), *said)
    return _submission(found.id, found.event, found.date, state, found.digest, problems)


def _said_of(found: SubmissionView) -> tuple[Problem, ...]:
    with node().database.read() as conn:
        return intake.problems_of(conn, found)


def _said() -> TTLCache[str, tuple[Problem, ...]]:
    """The warnings of an acceptance never change, and clients ask for them every second or two."""
    memory = TTLCache[str, tuple[Problem, ...]](node().clock, life_s=600)
    return cast(TTLCache[str, tuple[Problem, ...]], current_app.extensions.setdefault("resultsq.said", memory))


def _submission(
    submission: str,
    event: str,
    day: str,
    state: State,
    digest: str,
    problems: Sequence[Problem],
    names_as_of: str = "",
) -> Response:
    return _json(
        {
            "id": submission,
            "event": event,
            "date": day,
            "state": state,
            "digest": digest,
            "problems": problems_json(problems),
            **({"names_as_of": names_as_of} if names_as_of else {}),
        }
    )


def _json(content: object) -> Response:
    return Response(json.dumps(content), mimetype="application/json")


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
