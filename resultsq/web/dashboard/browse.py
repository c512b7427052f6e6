"""The list with its filters, all in the URL, its CSV, and one submission."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from resultsq.app.comparison import difference, parsed
from resultsq.domain.collation import ordered
from resultsq.domain.errors import NotThere
from resultsq.domain.filter import Filter
from resultsq.domain.role import Role
from resultsq.domain.why import why
from resultsq.kinds.registry import KINDS, title
from resultsq.store.engine.whole import spoiled
from resultsq.store.views import listing, queries, submission_detail
from resultsq.store.views.listing import ListedSubmission, Order, Sort
from resultsq.web.auth import me, rule
from resultsq.web.csv_cells import safe_cell
from resultsq.web.dashboard import timeline
from resultsq.web.dashboard.base import blueprint, latest_pulse, now, page, zone
from resultsq.web.kinds import detail, is_shown_whole
from resultsq.web.node import node

SIZES = (25, 50, 100, 200)
USUAL_SIZE = 50
SHEET_ROWS = 1000
"""Rows of a sheet that a page shows; the whole of it is in the download."""


@blueprint.get("/submissions")
@rule(Role.VIEWER)
def submissions() -> str:
    """The list."""
    filter_, order = asked(), Order.parse(request.args.get("sort", ""))
    size = request.args.get("size", USUAL_SIZE, type=int)
    size = size if size in SIZES else USUAL_SIZE
    after, before = request.args.get("after"), request.args.get("before")
    with node().database.read() as conn:
        found = listing.page(conn, filter_, order, size, after, before)
        # a page that holds everything has counted it
        alone = found.before is None and found.after is None and not before
        total, more = (len(found.lines), False) if alone else listing.count(conn, filter_)
        everything, events = queries.held_scopes(conn, now())

    def address(**changed: object) -> str:
        """This list with another order, size or page; a change of order begins anew."""
        kept: dict[str, object] = {"sort": str(order) if order != Order() else None}
        kept["size"] = size if size != USUAL_SIZE else None
        return url_for("dashboard.submissions", **query(filter_), **{**kept, **changed})  # type: ignore[arg-type]

    return page(
        "submissions.html",
        counts=latest_pulse()[0].counts,
        filter=filter_,
        order=order,
        size=size,
        SIZES=SIZES,
        SORTS=Sort,
        KINDS=ordered(KINDS, title),
        NAMED={name for name, kind in KINDS.items() if kind.template is not None},
        found=found,
        total=total,
        more=more,
        parts=_parts(filter_),
        address=address,
        csv=url_for("dashboard.submissions_csv", **query(filter_), sort=str(order)),  # type: ignore[arg-type]
        pairs=filter_.pairs(),
        local=_local,
        held=lambda line: everything or line.hold_id is not None or line.event_id in events,
    )


@blueprint.get("/submissions.csv")
@rule(Role.VIEWER)
def submissions_csv() -> Response:
    """The whole list in its order. A cell that a spreadsheet would run is made text."""
    filter_, order = asked(), Order.parse(request.args.get("sort", ""))
    database = node().database

    def lines() -> Iterator[Sequence[object]]:
        yield listing.SHOWN
        with database.read() as conn:
            for piece in listing.every(conn, filter_, order):
                for line in piece:
                    yield _cells(line)

    return as_csv(lines(), "submissions.csv")


@blueprint.get("/submissions/<submission>")
@rule(Role.VIEWER)
def submission(submission: str) -> str:
    """Why it waits, and everything else about it."""
    at = now()
    with node().database.read() as conn:
        found = submission_detail.load_detail(conn, at, submission)
    if found is None:
        raise NotThere(_("There is no such submission here."))
    # names of runners are for those who settle their registrations with the office
    slip = found.slip if me().role.at_least(Role.OPERATOR) else None
    mine = parsed(found.body)
    other = parsed(found.clash.other) if found.clash is not None else None
    return page(
        "submission.html",
        it=found.view,
        detail=found,
        why=why(at, found.standing),
        timeline=timeline.draw(at, found.view, found.attempts),
        sheet=mine,
        other=other,
        rows=difference(mine.finishers, mine.volunteers, other) if mine and other else None,
        SHEET_ROWS=SHEET_ROWS,
        shown_whole=is_shown_whole(found.view.kind),
        said=detail(found.view.kind, found.view.finishers, found.body, slip),
    )


@blueprint.get("/submissions/<submission>/sheet.json")
@rule(Role.VIEWER)
def sheet_bytes(submission: str) -> Response:
    """The very bytes that travel."""
    with node().database.read() as conn:
        found = submission_detail.load_detail(conn, now(), submission)
    if found is not None and found.damaged:
        raise spoiled()
    if found is None or found.body is None or not is_shown_whole(found.view.kind):
        raise NotThere(_("This sheet is not kept here."))
    headers = {
        "Content-Disposition": f'attachment; filename="{found.view.event or found.view.kind}-{found.view.date}.json"'
    }
    return Response(found.body, mimetype="application/json", headers=headers)


# filters and addresses


def asked(values: MultiDict[str, str] | None = None) -> Filter:
    """The filter in this request's address, or in `values`; several events in one field are parted by blanks.

    :raises InputRefused: it makes no sense."""
    given = request.args if values is None else values
    pairs = [
        (name, one)
        for name, value in given.items(multi=True)
        for one in (value.replace(",", " ").split() if name == "events" else [value])
    ]
    return Filter.parse(pairs, zone())


def query(filter_: Filter) -> dict[str, list[str]]:
    """The filter for `url_for`."""
    found: dict[str, list[str]] = {}
    for name, value in filter_.pairs():
        found.setdefault(name, []).append(value)
    return found


def _parts(filter_: Filter) -> list[tuple[str, str, str]]:
    """Each part of the filter: its name, its value, and the list's address without it."""
    pairs = filter_.pairs()
    found = []
    for n, (name, value) in enumerate(pairs):
        rest: dict[str, Any] = {}
        for other, kept in pairs[:n] + pairs[n + 1 :]:
            rest.setdefault(other, []).append(kept)
        found.append((name, value, url_for("dashboard.submissions", **rest)))
    return found


def _local(moment: Any) -> str:
    """For a field of the type datetime-local."""
    return "" if moment is None else moment.astimezone(zone()).strftime("%Y-%m-%dT%H:%M")


# CSV


def _cells(line: ListedSubmission) -> list[object]:
    values = (getattr(line, name) for name in listing.SHOWN)
    return [value.isoformat() if hasattr(value, "isoformat") else value for value in values]


def as_csv(lines: Iterator[Sequence[object]], name: str) -> Response:
    """A download that is written as it is read."""

    def text() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)  # or a spreadsheet that parts at semicolons finds formulas
        for line in lines:
            writer.writerow([safe_cell(cell) for cell in line])
            if buffer.tell() > 64_000:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text(), content_type="text/csv; charset=utf-8", headers=headers)
