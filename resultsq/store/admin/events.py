"""The events that may submit here."""

import difflib
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from resultsq import languages
from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.sheet import SLUG
from resultsq.readers.ranges import RUN, TIMES, read_plausible
from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.tables import NO_EVENT, Event

_NAME_MAX = 200
_COLUMNS = frozenset({"slug", "name", "timezone", "country", "language", RUN, *TIMES})


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event. `slug` is its name in URLs, `time_zone` an IANA name; `shows_results`: its provisional
    results are public; `plausible`: what a run takes there; `language`: of its pages and mails, for a reader who has
    chosen none; `is_copy`: another node's, and changed there alone."""

    id: int
    slug: str
    name: str
    time_zone: str
    country: str
    shows_results: bool
    plausible: Plausible = FIVE_K
    language: str | None = None
    is_copy: bool = False


def add(
    conn: Connection,
    now: datetime,
    slug: str,
    name: str,
    time_zone: str,
    country: str = "",
    plausible: Plausible = FIVE_K,
    language: str = "",
) -> int:
    """A new event; its id.

    :raises InputRefused: the slug, the name, the time zone or the language is not valid, or the slug is taken."""
    _check(slug, name, time_zone, country)
    spoken = _language(language)
    if find(conn, slug) is not None:
        raise InputRefused(gettext("There is already an event called {slug}. Nothing was changed.", slug=slug))
    return _insert(conn, now, NewEvent(slug, name, time_zone, country, plausible, spoken))


def import_rows(
    conn: Connection, now: datetime, rows: Iterable[Mapping[str, str]], default_zone: str = "Europe/London"
) -> tuple[int, int]:
    """Add the events of a CSV file, as `csv.DictReader` gives its rows: `slug`, `name`, and optionally
    `timezone`, `country`, `language` and what a run takes (readers/ranges.py). How many were added, and how many were
    known and left as they are.

    :raises InputRefused: a row cannot be taken; the message names its line. Then none is added."""
    known = set(conn.execute(select(Event.slug)).scalars())
    added = skipped = 0
    for one in check_rows(rows, default_zone):
        if one.slug in known:
            skipped += 1
            continue
        _insert(conn, now, one)
        known.add(one.slug)
        added += 1
    return added, skipped


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event of a list."""

    slug: str
    name: str
    time_zone: str
    country: str
    plausible: Plausible = FIVE_K
    language: str | None = None


def check_rows(rows: Iterable[Mapping[str, str]], default_zone: str) -> list[NewEvent]:
    """The events of a list, whether they are known or not.

    :raises InputRefused: as `import_rows`."""
    found = []
    for line, row in enumerate(rows, start=2):
        others = cldr.listed(f"`{name}`" for name in ("timezone", "country", "language", RUN, *TIMES))
        if not {"slug", "name"} <= row.keys():
            raise InputRefused(
                gettext("The list's first line must be `slug,name`, with {others} if you like.", others=others)
            )
        if strange := [f"`{str(key)[:80]}`" for key in row if key not in _COLUMNS]:
            raise InputRefused(
                ngettext(
                    "The list's first line has a column that is not known here: {strange}. It may have `slug`, `name`, "
                    "{others}. No event was added.",
                    "The list's first line has columns that are not known here: {strange}. It may have `slug`, `name`, "
                    "{others}. No event was added.",
                    len(strange),
                    strange=cldr.listed(strange),
                    others=others,
                )
            )
        try:
            one = NewEvent(
                (row["slug"] or "").strip(),
                (row["name"] or "").strip(),
                (row.get("timezone") or "").strip() or default_zone,
                (row.get("country") or "").strip(),
                read_plausible(row),
                _language((row.get("language") or "").strip()),
            )
            _check(one.slug, one.name, one.time_zone, one.country)
        except InputRefused as refused:
            raise InputRefused(
                gettext("Line {line}: {refused} No event was added.", line=line, refused=refused)
            ) from None
        found.append(one)
    return found


def change(
    conn: Connection,
    slug: str,
    name: str,
    time_zone: str,
    country: str,
    plausible: Plausible | None = None,
    language: str | None = None,
) -> EventRow:
    """Another name, time zone, country, or other times that a run takes (None: as they are), or another language
    (None: as it is; empty: none); what the event was before.

    :raises NotThere: there is no such event.
    :raises InputRefused: the name, the time zone, the country or the language cannot be taken."""
    before = find(conn, slug)
    if before is None:
        raise NotThere(gettext("There is no event called {slug} here.", slug=slug))
    _check(slug, name, time_zone, country)
    values = {
        "name": name,
        "time_zone": time_zone,
        "country": country,
        "language": before.language if language is None else _language(language),
        **_seconds(plausible or before.plausible),
    }
    conn.execute(update(Event).where(Event.id == before.id).values(values))
    return before


def find(conn: Connection, slug: str) -> EventRow | None:
    """The event of that slug."""
    row = conn.execute(_SELECT.where(Event.slug == slug)).first()
    return None if row is None else _event(row)


def every(conn: Connection) -> list[EventRow]:
    """All events, by slug."""
    return [_event(row) for row in conn.execute(_SELECT.order_by(by_code_point(Event.slug)))]


def search(conn: Connection, text: str, most: int) -> list[EventRow]:
    """The first events by slug whose slug or name has `text` in it."""
    query = _SELECT.order_by(by_code_point(Event.slug)).limit(most)
    if text:
        part = text.lower()
        named = func.lower(Event.name).contains(part, autoescape=True)
        query = query.where(or_(Event.slug.contains(part, autoescape=True), named))
    return [_event(row) for row in conn.execute(query)]


def like(conn: Connection, slug: str, most: int = 3) -> list[str]:
    """Slugs that `slug` may be a misspelling of, the nearest first."""
    known = list(conn.execute(select(Event.slug)).scalars())
    return difflib.get_close_matches(slug.lower(), known, most, cutoff=0.5)


def show_results(conn: Connection, event_id: int, shown: bool) -> None:
    """Make the event's provisional results public, or not.

    :raises NotThere: there is no such event."""
    if not conn.execute(update(Event).where(Event.id == event_id).values(shows_results=shown)).rowcount:
        raise NotThere(gettext("There is no such event here."))


RUN_COLUMNS = (Event.first_least_s, Event.first_most_s, Event.shortest_s, Event.longest_s)
_OWN_COLUMNS = (
    Event.id,
    Event.slug,
    Event.name,
    Event.time_zone,
    Event.country,
    Event.shows_results,
    Event.language,
    Event.is_copy,
)
_COLUMNS_OF_ROW = (*_OWN_COLUMNS, *RUN_COLUMNS)
_SELECT = select(*_COLUMNS_OF_ROW).where(Event.id != NO_EVENT)


def _event(row: Any) -> EventRow:
    return EventRow(
        row.id,
        row.slug,
        row.name,
        row.time_zone,
        row.country,
        row.shows_results,
        plausible=plausible_in(row),
        language=row.language,
        is_copy=row.is_copy,
    )


def plausible_in(row: Any) -> Plausible:
    """What a run takes, from a row with `RUN_COLUMNS`."""
    return Plausible(row.first_least_s, row.first_most_s, row.shortest_s, row.longest_s)


def _seconds(plausible: Plausible) -> dict[str, int]:
    return {f"{name}_s": seconds for name, seconds in asdict(plausible).items()}


def _insert(conn: Connection, now: datetime, one: NewEvent) -> int:
    values = {
        "slug": one.slug,
        "name": one.name,
        "time_zone": one.time_zone,
        "country": one.country,
        "language": one.language,
        **_seconds(one.plausible),
        "shows_results": True,
        "created_at": now,
    }
    return conn.execute(insert(Event).returning(Event.id), values).scalar_one()


def _language(text: str) -> str | None:
    """:raises InputRefused: the product does not speak it."""
    if not text:
        return None
    if (found := languages.known(text)) is None:
        raise InputRefused(
            gettext(
                "“{language}” is not a language of these pages: {known}.",
                language=text[:80],
                known=cldr.listed(map(languages.tag, languages.available())),
            )
        )
    return found


def _check(slug: str, name: str, time_zone: str, country: str) -> None:
    if not SLUG.fullmatch(slug):
        raise InputRefused(
            gettext(
                "“{slug}” cannot be an event's name in addresses: "
                "1 to 63 lower-case letters, digits and inner hyphens.",
                slug=slug[:80],
            )
        )
    if not 0 < len(name) <= _NAME_MAX:
        raise InputRefused(
            gettext("The event {slug} needs a name of 1 to {most} characters.", slug=slug, most=_NAME_MAX)
        )
    if len(country) > 64:
        raise InputRefused(gettext("The country of {slug} is longer than 64 characters.", slug=slug))
    try:
        zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InputRefused(
            gettext(
                "“{time_zone}” is not a time zone. A time zone is written like Europe/London or Australia/Perth.",
                time_zone=time_zone[:80],
            )
        ) from None
