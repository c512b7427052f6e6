"""What `up --demo` shows: a Saturday of made-up results that wait, with one refused, one in conflict and one held."""

import random
import secrets
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from resultsq.app import intake, people
from resultsq.app.context import AppContext, Transaction
from resultsq.app.event_day import Calendar
from resultsq.app.people import EventDetails, NewPerson
from resultsq.clock import Clock
from resultsq.domain import sheet as sheets
from resultsq.domain.role import Role
from resultsq.drill import files
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from resultsq.settings import Settings
from resultsq.store.admin import accounts, events, holding
from resultsq.store.engine.session import Database
from resultsq.supervisor.demo import DEMO_EVENTS, DEMO_UNKNOWN_EVENT
from resultsq.supervisor.folder import MASTER_DATABASE
from resultsq.wakeup import Bell

TEAM = "team"
_SEED = 2013
_FINISHERS = 60


def fill(settings: Settings, database: Database, clock: Clock) -> str | None:
    """Fill an empty node; the password of its team, or None where the demo was filled before."""
    with database.read() as conn:
        if events.every(conn):
            return None
    password = secrets.token_urlsafe(9)
    hashed = accounts.hash_password(password)
    now = clock.now()
    ids = database.write(lambda conn: _add_people(conn, now, hashed))
    day = _last_saturday(now.date())
    _publish_by_another_node(settings, day, now)
    rng = random.Random(_SEED)
    ctx = AppContext(settings, database, clock, Bell(""))
    for slug, event_id in ids.items():
        _submit(ctx, event_id, files.upload(rng, slug, day, _FINISHERS))
    held = ids[list(DEMO_EVENTS)[-1]]
    reason = "checking the length of the course"
    database.write(lambda conn: holding.place_hold(conn, now, "admin", held, reason))
    return password


def _add_people(conn: Connection, now: datetime, hashed: str) -> dict[str, int]:
    """The events, and a team of them all; each event's slug and id."""
    known = {**DEMO_EVENTS, **dict([DEMO_UNKNOWN_EVENT])}
    tx = Transaction(conn, now, "demo")
    ids = {slug: people.add_event(tx, EventDetails(slug, name, "Europe/London")) for slug, name in known.items()}
    people.add_account(tx, NewPerson(TEAM, Role.TEAM, tuple(known)), hashed)
    return ids


def _last_saturday(today: date) -> date:
    return today - timedelta(days=(today.weekday() - 5) % 7)


def _publish_by_another_node(settings: Settings, day: date, now: datetime) -> None:
    """Results that are at the master already: a conflict for the first event of the demo."""
    slug = next(iter(DEMO_EVENTS))
    given = files.upload(random.Random(_SEED + 1), slug, day, _FINISHERS)
    body = sheets.canonical_bytes(
        sheets.Sheet(
            event=slug,
            date=day,
            submitted_by="another node",
            submitted_at=now.replace(microsecond=0),
            finishers=given.finishers,
        )
    )
    engine = open_engine(f"sqlite:///{settings.data_dir / MASTER_DATABASE}")
    try:
        ledger = Ledger(engine)
        ledger.create_tables()
        ledger.publish(body, "00000000-0000-4000-8000-000000000001", slug, day.isoformat(), None, "another node", now)
    finally:
        engine.dispose()


def _submit(ctx: AppContext, event_id: int, given: files.Upload) -> None:
    today = ctx.clock.now().date()
    sent = intake.from_files(
        given.event, given.date.isoformat(), given.files, None, ctx.settings.max_rows, Calendar(today)
    )
    intake.submit(ctx, sent, event_id=event_id, submitted_by=TEAM)
