"""The calls that are the same for every kind of submission: the probe, and receipts."""

from uuid import UUID

from flask import Flask, Response, request

from resultsq.domain.errors import InputRefused
from resultsq.master import parsing
from resultsq.master.answers import json_answer, receipt_content, refused, utc
from resultsq.master.context import MasterContext
from resultsq.master.kinds import KINDS


def add_routes(app: Flask, context: MasterContext) -> None:
    @app.get("/v1/health")
    def health() -> Response:
        latest = context.ledger.latest()
        newest = None if latest.received_at is None else utc(latest.received_at)
        return json_answer(
            {
                "service": "results-master",
                "contract": "1.1",
                "kinds": ["results", *sorted(KINDS)],
                "latest": {"received_at": newest, "count": latest.count},
            }
        )

    @app.get("/v1/submissions/<uuid:submission>")
    def receipt(submission: UUID) -> Response:
        rule = context.credentials.of_request()
        found = context.ledger.receipt(str(submission))
        if found is None or (found.event and not rule.covers(found.event)):
            raise refused(404, "This submission was not committed here so far.")
        return json_answer(receipt_content(found))

    @app.get("/v1/receipts")
    def receipts() -> Response:
        rule = context.credentials.of_request()
        since, until, cursor = parsing.moment("since"), parsing.moment("until"), request.args.get("cursor")
        try:
            page = context.ledger.receipts(rule.node, since, until, cursor, parsing.limit(), rule.events)
        except InputRefused as error:
            raise refused(400, str(error)) from error
        return json_answer({"receipts": [receipt_content(each) for each in page.receipts], "next": page.next_cursor})
