"""The feed of athletes."""

import base64

from flask import Flask, Response, request

from resultsq.domain.athletes import Athlete, ListPage, ListQuestion, MustRefetch, NoList
from resultsq.master import parsing
from resultsq.master.answers import json_answer, refused
from resultsq.master.context import MasterContext
from resultsq.master.credentials import TokenRule


def add_routes(app: Flask, context: MasterContext) -> None:
    @app.get("/v1/athletes")
    def athletes() -> Response:
        rule = context.credentials.of_request()
        question = ListQuestion(request.args.get("handle", ""), request.args.get("after", ""), _events(rule))
        match context.ledger.athletes.page(question, parsing.limit(most=parsing.MAX_ATHLETES), rule.mail_key):
            case NoList():
                raise refused(404, "This master has no list of athletes.")
            case MustRefetch():
                raise refused(409, "This place in the list is gone: begin again.", code="must-refetch")
            case ListPage() as page:
                return _answer(page)


def _events(rule: TokenRule) -> tuple[str, ...]:
    """The events that are asked for, as far as the credentials cover them."""
    asked = {one for one in request.args.get("events", "").split(",") if one}
    if any(not rule.covers(event) for event in asked):
        raise refused(403, "These credentials do not cover one of these events. Ask the master's operators.")
    return tuple(sorted(asked or rule.events or ()))


def _answer(page: ListPage) -> Response:
    tag = request.if_none_match
    if page.up_to_date and not page.athletes and page.etag in tag:
        answer = Response(status=304)
    else:
        lines = [_line(athlete) for athlete in page.athletes]
        content = {"handle": page.handle, "athletes": lines, "next": page.after, "up_to_date": page.up_to_date}
        answer = json_answer(content)
    answer.set_etag(page.etag)
    return answer


def _line(athlete: Athlete) -> dict[str, object]:
    if athlete.name is None:
        return {"athlete": athlete.number, "gone": True}
    line: dict[str, object] = {
        "athlete": athlete.number,
        "name": athlete.name,
        "club": athlete.club,
        "home_event": athlete.home_event,
        "runs": athlete.runs,
    }
    return line if athlete.mail is None else {**line, "mail": base64.b64encode(athlete.mail).decode()}
