"""The calls of results: publish a sheet, and read the one that is published."""

from flask import Flask, Response

from resultsq.master import parsing
from resultsq.master.answers import json_answer, receipt_content, refused
from resultsq.master.context import MasterContext
from resultsq.master.credentials import TokenRule
from resultsq.master.ledger import (
    Committed,
    Expired,
    HeadConflict,
    IdReused,
    Invalid,
    Publication,
    RegisteredAlready,
    UnreadableSheet,
)


def add_routes(app: Flask, context: MasterContext) -> None:
    @app.put("/v1/events/<event>/results/<day>")
    def publish(event: str, day: str) -> Response:
        rule = _allowed(context, event, day)
        submission = parsing.idempotency_key()
        precondition = parsing.precondition()
        body = parsing.body(context.max_body_bytes)
        now = context.clock.now()
        return answer_of(context.ledger.publish(body, submission, event, day, precondition, rule.node, now))

    @app.get("/v1/events/<event>/results/<day>")
    def published(event: str, day: str) -> Response:
        _allowed(context, event, day)
        head = context.ledger.head(event, day)
        if head is None:
            raise refused(404, "Nothing is published for this event and date so far.")
        answer = Response(head.body, mimetype="application/json")
        answer.set_etag(head.submission)
        return answer


def _allowed(context: MasterContext, event: str, day: str) -> TokenRule:
    """The caller's rule, where it covers an event that is here and a date that is one."""
    rule = context.rule_for(event)
    if not parsing.is_date(day):
        raise refused(404, "The address ends in a date, YYYY-MM-DD.")
    return rule


def answer_of(publication: Publication) -> Response:
    match publication:
        case Committed(receipt, new):
            return json_answer(receipt_content(receipt), 201 if new else 200)
        case IdReused():
            raise refused(409, "This id was committed before with another sheet. Nothing was changed.")
        case Expired():
            raise refused(410, "It has expired, and nothing was kept.")
        case RegisteredAlready():
            raise refused(409, "This person may be registered already. Nothing was changed.", code="already-registered")
        case HeadConflict(head, revision):
            there = None if head is None else {"submission": head, "revision": revision}
            raise refused(412, "Another sheet is published there than the one that was named.", head=there)
        case Invalid(reasons):
            errors = [{"pointer": reason.pointer, "detail": reason.detail} for reason in reasons]
            raise refused(422, "The sheet cannot be published as it is.", errors=errors)
        case UnreadableSheet(detail):
            raise refused(400, detail)
