"""Accept results from the form, the API or the command line.

Every entry point calls the same functions: `from_json` or `from_files`, `with_others`, `as_given`, `submit`.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Annotated

from pydantic import FailFast, Field, JsonValue, TypeAdapter, ValidationError
from sqlalchemy import Connection

from resultsq.app import submissions
from resultsq.app.context import AppContext
from resultsq.app.duplicates import find_elsewhere
from resultsq.app.event_day import Calendar
from resultsq.domain import cldr
from resultsq.domain.errors import NotJson, SheetRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.invalid import first, is_no_json
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.problem import Problem, Severity, Where
from resultsq.domain.sheet import Finisher, Rows, Volunteer, parse, rows_of
from resultsq.domain.submission import State
from resultsq.kinds.results.check import Report, report
from resultsq.kinds.results.checks import check_rows
from resultsq.kinds.results.corrections_files import AS_GIVEN
from resultsq.kinds.results.days import with_days_of_files
from resultsq.kinds.results.kind import ResultsKind, ResultsPayload, payload_of
from resultsq.kinds.results.plausible import Occasion
from resultsq.kinds.results.quick import read_quickly
from resultsq.kinds.results.rules import BAD_VALUE, DAY_LONG_AGO, TOO_MANY_ROWS
from resultsq.kinds.results.volunteers import VolunteerList, read_volunteers
from resultsq.readers import MAX_ROWS
from resultsq.readers.text import digest_of
from resultsq.store import outbox
from resultsq.store.admin import events
from resultsq.store.engine.session import Database
from resultsq.store.views import queries
from resultsq.store.views.queries import SubmissionView

VOLUNTEERS = "volunteers"
"""The name of a multipart body's part that is no file of times or scans; the kind of such a file in the store."""

MOST_FILES = 50
"""Files in one request, or in one draft."""

MOST_VALUES = 12 * MAX_ROWS
"""Commas and brackets in a JSON body: the largest sheet has fewer."""

_KIND = ResultsKind()
KIND = _KIND.name
_VOLUNTEERS: TypeAdapter[tuple[Volunteer, ...]] = TypeAdapter(
    Annotated[tuple[Volunteer, ...], Field(max_length=MAX_ROWS), FailFast()]
)
_ANY: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_LINE_AND_COLUMN = re.compile(r"line (\d+) column (\d+)")


@dataclass(frozen=True, slots=True)
class CheckedResults:
    """Rows for an event and a date, with all their problems, and the files they came in. They may still be refused: an
    `Entry` is made of them once no problem blocks."""

    event: str
    date: date
    rows: Rows
    problems: tuple[Problem, ...]
    files: tuple[outbox.File, ...] = ()


def json_value(body: bytes) -> object:
    """The value in a JSON body, bounded as a sheet's.

    :raises NotJson: it is not JSON.
    :raises SheetRefused: it has more values than any sheet."""
    demand_few_values(body, "")
    try:
        return _ANY.validate_json(body)
    except ValidationError as error:
        return _values(body, error, "")


def from_json(
    body: bytes, max_rows: int, calendar: Calendar, plausible_at: Callable[[str], Plausible] = lambda event: FIVE_K
) -> CheckedResults:
    """A submission's JSON body. `plausible_at` says what a run takes at the event that the body names.

    :raises NotJson: it is not JSON.
    :raises SheetRefused: with a JSON pointer for each value that cannot be taken."""
    demand_few_values(body, "")
    good = read_quickly(body, plausible_at)
    if good is not None and max(good.rows.finishers, good.volunteers) <= max_rows:
        return CheckedResults(good.event, good.date, good.rows, problems=calendar.judge(good.date))
    try:
        # straight from the bytes: half the time of going through Python's own objects
        given = ResultsPayload.model_validate_json(body)
    except ValidationError as error:
        value = _values(body, error, "")
        if not isinstance(value, dict):
            raise _bad("", gettext("The body"), gettext("it must be one JSON object")) from None
        given = payload_of(value)
    _few(given.finishers, given.volunteers, max_rows)
    return CheckedResults(
        event=given.event,
        date=given.date,
        rows=rows_of(given.finishers, given.volunteers),
        problems=(
            *calendar.judge(given.date),
            *check_rows(given.finishers, given.volunteers, plausible_at(given.event)),
        ),
    )


def from_files(
    event: str,
    day: str,
    files: Sequence[tuple[str, bytes]],
    volunteers: str | tuple[str, bytes] | None,
    max_rows: int,
    calendar: Calendar,
    plausible: Plausible = FIVE_K,
    time_zone: str = "UTC",
) -> CheckedResults:
    """A team's own files, each as name and content; `volunteers` as JSON rows or as a file.

    :raises NotJson, SheetRefused: as `from_json`; blocking problems in the files are in `problems`."""
    on = iso_date(day)
    clock = calendar.judge(on)
    if not files:
        raise _bad("", gettext("The body"), gettext("there is no file in it"))
    helpers = helpers_of(volunteers)
    found = report(files, occasion=Occasion(on.isoformat(), plausible, time_zone))
    _few(found.finishers, helpers.volunteers, max_rows)
    kept = _originals(files, found)
    if isinstance(volunteers, tuple):
        kept = (*kept, original(*volunteers, VOLUNTEERS))
    problems = tuple(with_days_of_files([*clock, *found.problems, *helpers.problems]))
    return CheckedResults(event, on, rows_of(found.finishers, helpers.volunteers), problems, kept)


def check(
    database: Database,
    files: Sequence[tuple[str, bytes]],
    occasion: Occasion,
    event_id: int | None,
    may_see: Callable[[int], bool],
) -> Report:
    """The report on these files, as far as the event and its day are known. Stores nothing."""
    found = report(files, occasion=occasion)
    if event_id is None or not occasion.day:
        return found
    with database.read() as conn:
        again = find_elsewhere(conn, event_id, occasion.day, rows_of(found.finishers, ()), may_see)
    return found if again is None else found.model_copy(update={"problems": (again, *found.problems)})


def with_day(found: Report, of_the_day: Sequence[Problem]) -> Report:
    """The report with the problems of the chosen day before its own."""
    return found.model_copy(update={"problems": tuple(with_days_of_files([*of_the_day, *found.problems]))})


def with_others(
    conn: Connection, sent: CheckedResults, event_id: int, may_see: Callable[[int], bool]
) -> CheckedResults:
    """With the problem, where there is one, that the same finishers are here for another date or event."""
    again = find_elsewhere(conn, event_id, sent.date.isoformat(), sent.rows, may_see)
    return sent if again is None else replace(sent, problems=(again, *sent.problems))


def as_given(sent: CheckedResults, codes: Sequence[str], corrects: str | None = None) -> CheckedResults:
    """A person has looked: problems of these codes block no more. A sheet that `corrects` another keeps its date.

    :raises SheetRefused: one of them cannot be taken as given."""
    for code in codes:
        if code not in AS_GIVEN:
            known = cldr.listed(sorted(AS_GIVEN))
            raise _bad("", gettext("As-Given"), gettext("{code} is not one of {known}", code=code, known=known))
    said = codes if corrects is None else (*codes, DAY_LONG_AGO.code)
    return replace(sent, problems=tuple(_warning(one) if one.code in said else one for one in sent.problems))


def _warning(problem: Problem) -> Problem:
    return problem.model_copy(update={"severity": Severity.WARNS})


def submit(
    ctx: AppContext,
    sent: CheckedResults,
    *,
    event_id: int,
    submitted_by: str,
    if_match: str | None = None,
    client_key: str | None = None,
    request_id: str = "",
) -> outbox.Acknowledgement:
    """Store it: when this returns it is committed, and it will be published automatically.

    The bell is rung after the commit, which is the last thing that is waited for.

    :raises SheetRefused: it has problems that block publication; nothing was stored.
    :raises KeyReused, HeadMoved: as `outbox.accept`.
    :raises QuotaReached: the event has handed in as much today as it may; nothing was stored.
    :raises StoreUnavailable: nothing was stored."""
    now = ctx.clock.now()
    prepared = _KIND.prepare_rows(
        sent.event,
        sent.date,
        sent.rows,
        problems=sent.problems,
        submitted_by=submitted_by,
        submitted_at=now.replace(microsecond=0),
    )
    entry = replace(
        prepared,
        event_id=event_id,
        if_match=if_match,
        client_key=client_key,
        files=sent.files,
        request_id=request_id,
    )
    return submissions.keep(ctx, now, entry)


_PRUNED = Problem(
    code="pruned",
    severity=Severity.WARNS,
    message="The rows and files of these results were removed from this node after their time; the receipt is kept.",
)


def problems_of(conn: Connection, found: SubmissionView) -> tuple[Problem, ...]:
    """The warnings with which a submission was accepted."""
    if found.kind != KIND:
        return ()  # no other kind has warnings
    body = queries.body(conn, found.seq)
    if body is None:
        return (_PRUNED,)
    sheet = parse(body)
    files = [(file.name, file.content) for file in queries.files(conn, found.seq) if file.kind != VOLUNTEERS]
    event = events.find(conn, found.event)
    occasion = Occasion(found.date) if event is None else Occasion(found.date, event.plausible, event.time_zone)
    again = report(files, occasion=occasion) if files else None
    if again is not None and again.finishers == sheet.finishers:
        said = again.problems
    else:
        said = check_rows(
            sheet.finishers, sheet.volunteers, occasion.plausible
        )  # sent as rows, or mended by hand since
    clock = Calendar(found.accepted_at.date()).problems(date.fromisoformat(found.date))
    # what would block was accepted with a person's word
    return tuple(map(_warning, (*clock, *said)))


def masters_reasons(found: SubmissionView) -> tuple[Problem, ...]:
    """The master's reasons against a submission that it rejected."""
    if found.state is not State.REJECTED:
        return ()
    where = [Where(pointer=reason["pointer"]) for reason in found.reasons if reason.get("pointer")]
    said = "; ".join(str(reason["detail"]) for reason in found.reasons if reason.get("detail")) or found.detail
    return (
        Problem(
            code="rejected-by-master",
            severity=Severity.BLOCKS,
            message=gettext("The master will not publish this: {reason}", reason=said),
            where=tuple(where),
        ),
    )


def name_of(given: str) -> str:
    """A file's name as it is kept: without what cannot be shown, and not endless."""
    return "".join(filter(str.isprintable, given)).strip()[:255]


def iso_date(text: str) -> date:
    """:raises SheetRefused: the text is no date."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise _bad("/date", gettext("The date"), gettext("it is written YYYY-MM-DD"))
    return day


def _values(text: bytes | str, error: ValidationError, pointer: str) -> object:
    """The JSON as Python's own values, so that its mistakes can be explained."""
    place = _LINE_AND_COLUMN.search(first(error).message) if is_no_json(error) else None
    if place is None:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            place = None
    line, column = (int(place[1]), int(place[2])) if place else (None, None)
    message = "This is no JSON, so nothing was stored. It may have been cut off on its way."
    raise NotJson(message, pointer, line, column)


def demand_few_values(body: bytes, pointer: str) -> None:
    """Count before parsing: a parsed value costs a hundred times its bytes."""
    if len(body) <= MOST_VALUES:
        return
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise _refused(
            TOO_MANY_ROWS.broken([Where(pointer=pointer)], count=gettext("far too many"), limit=cldr.number(MAX_ROWS))
        )


def helpers_of(given: str | tuple[str, bytes] | None) -> VolunteerList:
    """The volunteers of JSON rows or of a file.

    :raises NotJson, SheetRefused, FileRefused: they cannot be read"""
    if isinstance(given, str):
        return VolunteerList(_volunteers(given))
    return VolunteerList(()) if given is None else read_volunteers(*given)


def _volunteers(text: str) -> tuple[Volunteer, ...]:
    demand_few_values(text.encode(), f"/{VOLUNTEERS}")
    try:
        return _VOLUNTEERS.validate_json(text)
    except ValidationError as error:
        _values(text, error, f"/{VOLUNTEERS}")
        pointer = f"/{VOLUNTEERS}{first(error).pointer}"
        reason = gettext("volunteers are a JSON list of objects with an athlete, like A1234567, and a role")
        raise _bad(pointer, pointer, reason) from None


def _few(finishers: Sequence[Finisher], volunteers: Sequence[Volunteer], most: int) -> None:
    for name, rows in (("finishers", finishers), ("volunteers", volunteers)):
        if len(rows) > most:
            raise _refused(
                TOO_MANY_ROWS.broken([Where(pointer=f"/{name}")], count=cldr.number(len(rows)), limit=cldr.number(most))
            )


def _originals(files: Sequence[tuple[str, bytes]], found: Report) -> tuple[outbox.File, ...]:
    kinds = {one.digest: one.kind or "" for one in found.files}
    return tuple(original(name, content, kinds.get(digest_of(content), "")) for name, content in files)


def original(name: str, content: bytes, kind: str) -> outbox.File:
    """A file as it is stored with a submission."""
    return outbox.File(name=name, kind=kind, digest=sha256(content).hexdigest(), content=content)


def _bad(pointer: str, place: str, reason: str) -> SheetRefused:
    return _refused(BAD_VALUE.broken([Where(pointer=pointer)], place=place, reason=reason))


def _refused(problem: Problem) -> SheetRefused:
    return SheetRefused(gettext("This cannot be accepted as it is. Nothing was stored."), (problem,))
