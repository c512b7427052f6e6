"""Errors in groups, and the audit with its export."""

import json
from collections.abc import Iterator, Sequence

from flask import Response, request, url_for

from resultsq.domain.role import Role
from resultsq.store.views import error_groups, submission_detail
from resultsq.store.views.error_groups import ErrorGroup
from resultsq.web.auth import rule
from resultsq.web.bounds import row_number
from resultsq.web.dashboard.audit_words import action_label, actions, target
from resultsq.web.dashboard.base import blueprint, page, shared
from resultsq.web.dashboard.browse import as_csv
from resultsq.web.node import node

AT_ONCE = 100
EXPORT_PIECE = 1000


@blueprint.get("/errors")
@rule(Role.VIEWER)
def errors() -> str:
    """What fails, in groups, and what of it still waits."""

    def look() -> list[ErrorGroup]:
        with node().database.read() as conn:
            return error_groups.errors(conn)

    groups, _age_s = shared().get("errors", 2.0, look)
    return page("errors.html", groups=groups, COUNTED=error_groups.COUNTED)


@blueprint.get("/audit")
@rule(Role.VIEWER)
def audit() -> str:
    """Who did what, when, on what, how many, why."""
    who, action = request.args.get("who", "").strip(), request.args.get("action", "").strip()
    with node().database.read() as conn:
        found = submission_detail.audit(conn, AT_ONCE + 1, request.args.get("before", type=row_number), who, action)
    more = None
    if len(found) > AT_ONCE:
        more = url_for("dashboard.audit", who=who or None, action=action or None, before=found[AT_ONCE - 1].id)
    known = actions()
    if action and action not in dict(known):
        known.append((action, action_label(action)))
    values = {"who": who, "action": action, "actions": known, "more": more, "target": target}
    return page("audit.html", found=found[:AT_ONCE], **values)


@blueprint.get("/audit.csv")
@rule(Role.VIEWER)
def audit_csv() -> Response:
    """All of it, latest first."""
    who, action = request.args.get("who", "").strip(), request.args.get("action", "").strip()
    database = node().database

    def lines() -> Iterator[Sequence[object]]:
        yield ("at", "who", "action", "count", "target", "reason")
        before: int | None = None
        while True:
            with database.read() as conn:
                found = submission_detail.audit(conn, EXPORT_PIECE, before, who, action)
            for one in found:
                yield (one.at.isoformat(), one.who, one.action, one.count, json.dumps(one.target), one.reason)
            if len(found) < EXPORT_PIECE:
                return
            before = found[-1].id

    return as_csv(lines(), "audit.csv")
