"""Keeps the copy of the master's list of athletes up to date: a whole copy first, and then the changes of each minute.

Results go first: it asks nothing of the master while any are due. It works for a few seconds at a time and can stop
anywhere, because the place in the list is stored with the rows before it."""

import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from resultsq import disk, logs
from resultsq.clock import Clock
from resultsq.delivery.masters import open_configured
from resultsq.delivery.pages_ahead import AskedPage, PagesAhead
from resultsq.delivery.periodic import PeriodicTask
from resultsq.domain.athletes import Athlete, ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.clock_steps import passed
from resultsq.domain.outcome import Deferred, Outcome, Unauthorised
from resultsq.domain.ports import Master
from resultsq.settings import Settings
from resultsq.store.admin import events
from resultsq.store.athletes import copies, rows
from resultsq.store.athletes.copies import Copy, LeaseLost, Place
from resultsq.store.athletes.rows import Piece
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links

LOOK_S = 2.0
EVERY_S = 60.0
NO_LIST_S = 600.0
AT_ONCE_S = 10.0
"""How long it works before other periodic tasks have their turn."""

GATHER_S = 5.0
"""How long pages are gathered before they are written: well within the lease."""

MOST_OF_A_PAGE = 2000

PATIENCE_S = 300.0
"""How long results that are due, and do not go, may hold the list up."""

MOST_EVENTS = 100
_log = logs.get("athletes")


def periodic_task(settings: Settings, database: Database, clock: Clock) -> PeriodicTask:
    """Keep the list up to date as the settings say; forget a list that was not confirmed for weeks."""
    keeper = ListKeeper(settings, database, clock)
    return PeriodicTask("resultsq.athletes", LOOK_S, keeper.work, keeper.due)


@dataclass(frozen=True, slots=True)
class _End:
    """Why a run ended: the next is due in `wait_s`, or at once (None)."""

    wait_s: float | None
    error: str | None = None


class ListKeeper:
    """What one worker does for the list. Only one of several workers loads at a time."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._pulls = settings.athletes != "off" and bool(settings.master_url.get_secret_value())
        self._keep = timedelta(weeks=settings.athletes_keep_weeks)

    def due(self) -> bool:
        """Whether there is anything to do."""
        now = self._clock.now()
        with self._database.read() as conn:
            found = copies.state(conn)
            if found.current is not None and _older(found.current.as_of, now - self._keep):
                return True
            return copies.has_old(conn, found) or (self._pulls and _is_due(conn, found, now))

    def work(self) -> None:
        """Forget, delete and pull, for some seconds at most."""
        ends = self._clock.monotonic() + AT_ONCE_S
        before = self._clock.now() - self._keep
        if self._database.write(lambda conn: copies.forget(conn, before)):
            _log.warning("athletes.forgotten", weeks=self._settings.athletes_keep_weeks)
        while self._clock.monotonic() < ends and self._database.write(rows.delete_some):
            continue
        if self._pulls:
            self._pull(ends)

    def _pull(self, ends: float) -> None:
        now = self._clock.now()
        with self._database.read() as conn:
            if not _is_due(conn, copies.state(conn), now):
                return  # another worker did it meanwhile
        if not self._database.write(lambda conn: copies.take_lease(conn, now, self._holder)):
            return
        end = _End(EVERY_S, "A fault of resultsq itself: the log has it.")
        try:
            with closing(open_configured(self._settings.renewed(), self._clock)) as master:
                end = self._go_on(master, ends)
        except LeaseLost:
            _log.info("athletes.taken_over")
        finally:
            self._end(end)

    def _end(self, end: _End) -> None:
        now = self._clock.now()
        self._database.write(lambda conn: copies.give_lease_back(conn, now, self._holder, end.wait_s, end.error))
        if end.error:
            _log.info("athletes.not_pulled", why=end.error)

    def _go_on(self, master: Master, ends: float) -> _End:
        """Read page after page, from where the last run ended, until the list or the time ends."""
        with self._database.read() as conn:
            wanted = _events(conn) if self._settings.athletes == "events" else ()
            found = copies.state(conn)
        if len(wanted) > MOST_EVENTS:
            return _End(NO_LIST_S, f"More than {MOST_EVENTS} events are here: set RESULTSQ_ATHLETES to all.")
        copy, began = self._to_go_on_with(found, wanted), 0
        while self._clock.monotonic() < ends:
            if copy is None:
                copy, began = self._begin(wanted), began + 1
            gathered = GatheredPages(copy, self._clock.monotonic())
            with closing(PagesAhead(master.athletes, self._clock, gathered.question(wanted))) as pages:
                end = self._gather(pages, gathered, ends)
            if isinstance(end, _End):
                if not gathered.is_stored:
                    self._store(gathered)
                return end
            if began > 1:
                return _End(EVERY_S, "The master voids its list of athletes again and again.")
            copy = None
        return _End(None)

    def _gather(self, pages: PagesAhead, gathered: "GatheredPages", ends: float) -> _End | MustRefetch:
        """Gather page after page, and write what was gathered where it is enough, until the list or the time ends."""
        while True:
            if (full := self._disk_is_full()) is not None:
                return full
            if (read := pages.take()) is None:
                return _End(None)
            if (end := self._add(gathered, read)) is not None:
                return end
            if self._clock.monotonic() >= ends:
                pages.stop()  # what was read ahead is still used

    def _add(self, gathered: "GatheredPages", read: AskedPage) -> _End | MustRefetch | None:
        """Add a page; None: go on."""
        match read.answer:
            case ListPage() as page if gathered.is_of_another(page):
                return MustRefetch()
            case ListPage() as page if gathered.stands_still(page):
                return _End(EVERY_S, "The master's list of athletes does not come to an end.")
            case ListPage() as page:
                gathered.add(page)
                if page.up_to_date:
                    self._store(gathered, read.asked_at)
                    return _End(EVERY_S)
                if gathered.is_enough(self._clock.monotonic()):
                    self._store(gathered)
                return None
            case MustRefetch() as void:
                return void
            case answer:
                return _not_now(answer)

    def _to_go_on_with(self, found: copies.ListState, wanted: Sequence[str]) -> Copy | None:
        """The copy that the next page belongs to; None: begin one. A copy is made anew after some weeks, so that it
        keeps no one whom the master no longer lists."""
        oldest = self._clock.now() - self._keep
        for copy in (found.loading, found.current):
            if copy is not None and (copy.source, copy.events) == (copies.FEED, tuple(wanted)):
                return None if _older(copy.begun_at, oldest) else copy
        return None

    def _begin(self, wanted: Sequence[str]) -> Copy:
        now = self._clock.now()
        return self._database.write(lambda conn: copies.begin(conn, now, copies.FEED, wanted))

    def _store(self, gathered: "GatheredPages", as_of: datetime | None = None) -> None:
        """Write what was gathered, a piece in each transaction, and then where the next page begins. `as_of`: the list
        was whole then."""

        def put(conn: Connection, piece: Piece) -> None:
            copies.renew_lease(conn, self._clock.now(), self._holder)
            piece(conn)

        def advance(conn: Connection) -> Copy:
            copies.renew_lease(conn, self._clock.now(), self._holder)
            return copies.advance(conn, gathered.copy, gathered.place, as_of)

        def write(piece: Piece) -> None:
            self._database.write(partial(put, piece=piece))

        rows.write_all(write, gathered.copy.generation, gathered.lines, alone=self._database.is_sqlite)
        gathered.begin_anew(self._database.write(advance), self._clock.monotonic())

    def _disk_is_full(self) -> _End | None:
        """The room that is left is for results."""
        if not self._database.is_sqlite:
            return None
        left = disk.space(disk.nearest(self._settings.data_dir)).bytes
        return _End(EVERY_S, "The disk has little room, which is for results.") if (
            left < self._settings.disk_low_bytes
        ) else None  # fmt: skip


class GatheredPages:
    """Pages that were read and are not written yet: lines of many pages are sorted and written together, which costs a
    fraction of writing each alone. If the process dies, they are read again."""

    def __init__(self, copy: Copy, now_s: float) -> None:
        self.begin_anew(copy, now_s)

    def begin_anew(self, copy: Copy, now_s: float) -> None:
        """From the place to which the copy is written."""
        self.copy = copy
        self.place = Place(copy.handle, copy.after, copy.etag)
        self.lines: list[Athlete] = []
        self.is_stored = True
        self._ends = now_s + GATHER_S

    def question(self, wanted: tuple[str, ...]) -> ListQuestion:
        return ListQuestion(self.place.handle, self.place.after, wanted, self.place.etag)

    def is_of_another(self, page: ListPage) -> bool:
        """Whether the page is of another list than the ones before it."""
        return bool(self.place.handle) and page.handle != self.place.handle

    def stands_still(self, page: ListPage) -> bool:
        return not page.up_to_date and page.after == self.place.after

    def add(self, page: ListPage) -> None:
        self.lines += page.athletes
        self.place = Place(page.handle, page.after, page.etag if page.up_to_date else "")
        self.is_stored = False

    def is_enough(self, now_s: float) -> bool:
        """Whether to write: there is as much as is sorted at once, or the lease is to be renewed."""
        return len(self.lines) + MOST_OF_A_PAGE > rows.AT_MOST or now_s >= self._ends


def _is_due(conn: Connection, found: copies.ListState, now: datetime) -> bool:
    """Whether the master is asked now: each minute, and at once after the link's return, when no results are due."""
    if found.leased_by is not None and not passed(found.leased_until, copies.LEASE_S, now):
        return False
    link = links.at_rest(conn, now)
    if link is None:
        return False
    returned = link.returned_at is not None and (found.tried_at is None or link.returned_at > found.tried_at)
    if not (returned or passed(found.next_at, found.wait_s, now)):
        return False
    patience = found.next_at is not None and (now - found.next_at).total_seconds() > PATIENCE_S
    return not link.results_are_due or patience


def _older(moment: datetime | None, than: datetime) -> bool:
    return moment is not None and moment < than


def _events(conn: Connection) -> tuple[str, ...]:
    return tuple(sorted(event.slug for event in events.every(conn)))


def _not_now(answer: NoList | Outcome) -> _End:
    match answer:
        case NoList():
            return _End(NO_LIST_S, "This master has no list of athletes.")
        case Deferred(detail=detail, retry_after_s=later):
            return _End(max(EVERY_S, min(later or 0.0, 3600.0)), detail)
        case Unauthorised(detail=detail):
            return _End(NO_LIST_S, detail)
        case _:
            return _End(NO_LIST_S, "The master refuses its list of athletes.")
