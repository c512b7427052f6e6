"""The calls of kinds that have no versions: keep a submission under its id."""

from collections.abc import Callable
from uuid import UUID

from flask import Flask, Response

from resultsq.master import parsing
from resultsq.master.answers import refused
from resultsq.master.context import MasterContext
from resultsq.master.kinds import KINDS, Body
from resultsq.master.routes.results import answer_of


def add_routes(app: Flask, context: MasterContext) -> None:
    for kind in KINDS:
        app.add_url_rule(f"/v1/{kind}/<uuid:submission>", f"keep_{kind}", _keep(context, kind), methods=["PUT"])


def _keep(context: MasterContext, kind: str) -> Callable[[UUID], Response]:
    def keep(submission: UUID) -> Response:
        rule = context.credentials.of_request()
        if parsing.idempotency_key() != str(submission):
            raise refused(400, "The header Idempotency-Key must be the id that the address ends in.")
        body = parsing.body(context.max_body_bytes)
        read = KINDS[kind](body)
        if isinstance(read, Body) and read.event:
            context.rule_for(read.event)
        return answer_of(context.ledger.keep(kind, body, str(submission), rule.node, context.clock.now()))

    return keep
