"""For the machines that watch this one: alive, ready, alerts, and figures for Prometheus."""

from collections.abc import Iterator
from typing import cast

from flask import Blueprint, Response, current_app, json, request
from prometheus_client import CONTENT_TYPE_LATEST

from resultsq import disk
from resultsq.app.context import AppContext
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import alerts
from resultsq.store.engine import migrate, write_check
from resultsq.web import exposition, schemas
from resultsq.web.auth import is_this_machine, rule
from resultsq.web.cache import TTLCache
from resultsq.web.errors import ApiProblem
from resultsq.web.node import node

blueprint = Blueprint("ops", __name__)


@blueprint.get("/healthz")
@rule.public
def alive() -> Response:
    """The process answers. Nothing else is asked, so that a slow disk does not get it restarted."""
    return _json(200, {"status": "alive"})


@blueprint.get("/readyz")
@rule.public
def ready() -> Response:
    """Whether results would be accepted now. The master and the broker have no say in that."""
    checks = _ready().get("", lambda: dict(_checks(node()))) if not is_this_machine() else dict(_checks(node()))
    fit = all(verdict == "ok" for verdict in checks.values())
    return _json(200 if fit else 503, {"status": "ready" if fit else "not ready", "checks": checks})


@blueprint.get("/metrics")
@rule.loopback(Role.VIEWER)
def metrics() -> Response:
    """The figures of the queue and of the link, in Prometheus' text format."""
    return Response(exposition.of(node()).text(), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/alerts")
@rule.loopback(Role.VIEWER)
def standing_alerts() -> Response:
    """The alerts that stand, for monitors; with `?fail=1` the answer is a 503 while any does."""
    if (fail := request.args.get("fail", "0")) not in ("0", "1"):
        raise ApiProblem(422, "`fail` is 0 or 1.")
    with node().database.read() as conn:
        found = [one for one in alerts.standing(conn) if one.ended_at is None]
    answer = schemas.AlertsResponse.model_validate({"alerts": found})
    return Response(answer.model_dump_json(), 503 if found and fail == "1" else 200, mimetype="application/json")


def _ready() -> TTLCache[str, dict[str, str]]:
    """The answer to strangers: the check writes, and is made for them once a second at most."""
    memory = TTLCache[str, dict[str, str]](node().clock, life_s=1)
    return cast(TTLCache[str, dict[str, str]], current_app.extensions.setdefault("resultsq.ready", memory))


def _checks(ctx: AppContext) -> Iterator[tuple[str, str]]:
    try:
        ctx.database.write(write_check.check_writable)
        yield "store", "ok"
        behind = migrate.is_behind(migrate.current(ctx.database))
        yield (
            "schema",
            "Its schema is older than this version: run `resultsq db upgrade`." if behind else "ok",
        )
    except StoreUnavailable as error:
        yield "store", error.cause
    yield "disk", _disk_trouble(ctx.settings) or "ok"


def _disk_trouble(settings: Settings) -> str | None:
    """As the disk tells it: nothing is written, for strangers may ask."""
    left = disk.space(settings.data_dir)
    if left.read_only:
        return "The disk is read-only."
    if left.inodes == 0:
        return "The disk has no inodes left."
    # the largest body once in the store and once in its journal
    return None if left.bytes > 2 * settings.max_body_bytes else "There is hardly any room on the disk."


def _json(status: int, content: object) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")
