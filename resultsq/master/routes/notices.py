"""The office's notices to teams."""

from datetime import UTC

from flask import Flask, Response, request

from resultsq.domain.notices import OfficeNotice
from resultsq.master.answers import json_answer
from resultsq.master.context import MasterContext


def add_routes(app: Flask, context: MasterContext) -> None:
    @app.get("/v1/notices")
    def notices() -> Response:
        rule = context.credentials.of_request()
        found = context.ledger.notices.current(context.clock.now(), rule.events)
        if found.etag.strip('"') in request.if_none_match:
            answer = Response(status=304)
        else:
            answer = json_answer({"notices": [_line(one) for one in found.notices or ()], "next": None})
        answer.headers["ETag"] = found.etag
        return answer


def _line(one: OfficeNotice) -> dict[str, object]:
    at, until = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (one.at, one.until))
    return {"id": one.id, "event": one.event, "title": one.title, "text": one.text, "at": at, "until": until}
