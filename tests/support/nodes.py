"""A node without processes: its database, a clock that is moved by hand, and workers' turns taken one by one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, func, insert, select, text

from resultsq.delivery import sender
from resultsq.domain import sheet
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Exchange, Outcome, Receipt, Rejected
from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.settlement import Settlement
from resultsq.domain.sheet import Finisher, Sheet
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.admin import actions, holding
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MASTER, Attempt, Base, Event, Link, Outage, Submission
from resultsq.store.outbox import Entry, Lease, cycle, links
from resultsq.store.outbox.cycle import Cycle
from tests.support.stores import migrated as migrated

NOW = datetime(2013, 12, 7, 12, 5, tzinfo=UTC)
DATE = "2013-12-07"
EVENTS = ("bushy", "richmond", "wimbledon")
CEILING = 8
PROBE_S = 0.01


def finishers(count: int) -> tuple[Finisher, ...]:
    """So many lines; another count is other rows."""
    return tuple(
        Finisher(position=n, athlete=f"A{1_000_000 + n * 7919}", time=f"00:{17 + n // 60:02}:{n % 60:02}")
        for n in range(1, count + 1)
    )


def entry(event_id: int, slug: str, rows: int = 3, *, date: str = DATE, by: str = "team", **more: Any) -> Entry:
    """A version with so many finishers, as the API would make it."""
    lines = finishers(rows)
    body = sheet.canonical_bytes(Sheet(event=slug, date=date, submitted_by=by, submitted_at=NOW, finishers=lines))
    return Entry(
        "results", event_id, date, body, sheet.digest(body), sheet.rows_digest(lines, ()), rows, by, **more
    )  # fmt: skip


def receipt_for(lease: Lease, revision: int = 1, submission: str | None = None) -> Receipt:
    return Receipt(
        submission=submission or lease.submission,
        event=lease.event,
        date=lease.date,
        revision=revision,
        digest=lease.digest,
        received_at=NOW,
    )


def accepted(lease: Lease, revision: int = 1) -> Accepted:
    return Accepted(receipt_for(lease, revision), Exchange(status=201))


def lost(cause: Cause = Cause.RESET) -> Deferred:
    """The answer was lost: the master may have it."""
    return Deferred(cause, "The connection was cut.", in_doubt=True)


def unsent(cause: Cause = Cause.REFUSED) -> Deferred:
    """Not a byte left."""
    return Deferred(cause, "Nothing listens there.", in_doubt=False)


def rejected() -> Rejected:
    return Rejected("invalid-sheet", "The master does not take it.", (), Exchange(status=422))


def moved(head: str | None, revision: int | None = None, head_sheet: bytes | None = None) -> Conflict:
    return Conflict(head, revision, head_sheet, exchange=Exchange(status=412))


def tell_nothing(_conn: Connection, _now: datetime, _subject: str, _text: str) -> None:
    """Alerts are raised, and reach people by no channel."""


class StoreNode:
    """`now` is the wall clock. Each call is one committed transaction."""

    def __init__(self, database: Database, events: Iterable[str] = EVENTS) -> None:
        self.database = database
        self.now = NOW

        def prepare(conn: Any) -> list[Any]:
            links.ensure(conn, self.now, CEILING)
            made = [{"slug": slug, "name": slug, "time_zone": "Europe/London", "created_at": NOW} for slug in events]
            return list(conn.execute(insert(Event).returning(Event.slug, Event.id), made))

        self.events: dict[str, int] = dict(database.write(prepare))

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # the team

    def entry(self, event: str = "bushy", rows: int = 3, **more: Any) -> Entry:
        return entry(self.events[event], event, rows, **more)

    def accept(
        self, event: str = "bushy", rows: int = 3, corrects: str | None = None, **more: Any
    ) -> outbox.Acknowledgement:
        made = self.entry(event, rows, if_match=corrects, **more)
        return self.database.write(lambda conn: outbox.accept(conn, self.now, made))

    def accept_many(self, count: int, event: str = "bushy", first: int = 0) -> None:
        """As many first versions, each of a day of its own."""
        days = [(datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=first + n)).date().isoformat() for n in range(count)]
        made = [self.entry(event, 1, date=day) for day in days]
        self.database.write(lambda conn: [outbox.accept(conn, self.now, one) for one in made])

    def withdraw(self, submission: str) -> outbox.Acknowledgement:
        return self.database.write(lambda conn: outbox.withdraw(conn, self.now, submission))

    def undo_withdrawal(self, submission: str) -> outbox.Acknowledgement:
        return self.database.write(lambda conn: outbox.undo_withdrawal(conn, self.now, submission))

    def publish_over(self, submission: str) -> outbox.Acknowledgement:
        return self.database.write(lambda conn: outbox.publish_over(conn, self.now, submission))

    def act(self, verb: str, *submissions: str, release_at: datetime | None = None) -> None:
        """What an operator does to submissions: retry, hold, release, withdraw."""
        action = actions.start(self.database, self.now, "op", verb, submissions, "a test", release_at)
        while self.database.write(lambda conn: actions.advance(conn, self.now, action)):
            continue

    def hold(self, event: str | None = None, release_at: datetime | None = None) -> int:
        """Hold an event, or the destination."""
        number = None if event is None else self.events[event]
        return self.database.write(
            lambda conn: holding.place_hold(conn, self.now, "op", number, "a test", release_at)
        )  # fmt: skip

    def release(self, hold: int) -> None:
        self.database.write(lambda conn: holding.release_hold(conn, self.now, "op", hold))

    # the workers

    def probe(self, cause: Cause | None = None, **more: Any) -> links.LinkChange:
        """A probe from its start to its answer, 10 ms later."""
        number = self.start_probe()
        self.pass_time(PROBE_S)
        return self.probe_answered(number, cause, **more)

    def start_probe(self) -> int:
        return self.database.write(lambda conn: links.start_probe(conn, self.now, 0.5))

    def probe_answered(self, number: int, cause: Cause | None = None, **more: Any) -> links.LinkChange:
        answer = ProbeAnswer(cause, "", **{"duration_s": PROBE_S, **more})
        return self.database.write(lambda conn: links.probe_answered(conn, self.now, number, answer, CEILING, 0.5))

    def turn(self, *ends: Settlement, worker: str = "w1", free: int = CEILING) -> Cycle:
        return self.database.write(
            lambda conn: cycle.run_cycle(conn, self.now, worker, ends, free, CEILING, kinds=KINDS)
        )

    def claim(self, worker: str = "w1", free: int = CEILING) -> Sequence[Lease]:
        return self.turn(worker=worker, free=free).leases

    def claim_one(self) -> Lease:
        (lease,) = self.claim(free=1)
        return lease

    def settle(self, lease: Lease, outcome: Outcome, jitter: float = 0.5) -> Cycle:
        """Bring an outcome back and claim nothing."""
        return self.turn(sender.settlement(lease, outcome, 0.1, jitter), free=0)

    def stall(self) -> datetime:
        """The master answers each probe and takes nothing of what waits, for 20 s; when it began."""
        began = self.now
        for _ in range(20):
            self.probe()
            for lease in self.claim():
                self.settle(lease, Deferred(Cause.MASTER_DOWN, "503", in_doubt=True))
            self.pass_time(1)
        return began

    def try_one(self, outcome: Outcome, jitter: float = 0.5) -> Lease:
        """Claim one, and it ends so."""
        lease = self.claim_one()
        self.settle(lease, outcome, jitter)
        return lease

    def publish_one(self, revision: int = 1) -> Lease:
        lease = self.claim_one()
        self.settle(lease, accepted(lease, revision))
        return lease

    # what there is

    def row(self, submission: str) -> Row[Any]:
        with self.database.read() as conn:
            return conn.execute(select(Submission).where(Submission.id == submission)).one()

    def state(self, submission: str) -> State:
        return State(self.row(submission).state)

    def link(self) -> Row[Any]:
        with self.database.read() as conn:
            return conn.execute(select(Link).where(Link.name == MASTER)).one()

    def outages(self) -> Sequence[Row[Any]]:
        with self.database.read() as conn:
            return conn.execute(select(Outage).order_by(Outage.id)).all()

    def attempts(self, submission: str) -> Sequence[Row[Any]]:
        with self.database.read() as conn:
            return conn.execute(
                select(Attempt).join(Submission, Submission.seq == Attempt.seq).where(Submission.id == submission)
                .order_by(Attempt.number)
            ).all()  # fmt: skip

    def count(self, **columns: Any) -> int:
        """Submissions whose columns have these values."""
        with self.database.read() as conn:
            query = select(func.count()).select_from(Submission).filter_by(**columns)
            return int(conn.execute(query).scalar_one())


def empty(database: Database) -> None:
    """Take everything out of a PostgreSQL database, whose tables stay."""
    tables: list[Table] = Base.metadata.sorted_tables
    empties = "; ".join(f"DELETE FROM {table.name}" for table in reversed(tables))  # TRUNCATE makes files anew
    # without triggers, for the audit's refuses it
    database.write(lambda conn: conn.execute(text(f"SET LOCAL session_replication_role = replica; {empties}")))
