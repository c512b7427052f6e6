"""Runs two writers in every order of their statements that can make a difference.

What a transaction writes is seen by others after its commit alone, so an order is given by the writer that commits
first, and by how far the other one had come by then: the other pauses before each of its statements in turn, and
before its commit. Where the first has to wait for a lock, the paused one goes on, and the first comes behind it.

Two pauses are one order where the statements between them touch nothing that the other writer writes or locks, and
where the other one comes to wait at the same statement in both. One kind of order is left out: a writer passes over
rows that are locked (a claim, a hand-over), and comes to a stop itself until the other one's commit."""

import difflib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from resultsq.domain.errors import Conflicting, NotThere
from resultsq.store.engine.session import Database
from tests.races.footprint import Footprint, footprint, footprint_of
from tests.races.judge import Broken, Judge
from tests.races.race import Found, Race
from tests.races.stage import Stage
from tests.races.writers import OF_ONE_WORKER, SIBLINGS, WRITERS, Writer

WAIT_S = 60.0
LOOK_S = 0.003


def name_of(one: Any) -> str:
    return str(one.__name__)


@dataclass(frozen=True)
class Alone:
    """What a writer does that meets nobody."""

    statements: list[str]
    did_something: bool
    end: str

    @property
    def footprint(self) -> Footprint:
        return footprint_of(self.statements)


@dataclass
class Walked:
    """The orders of one pair in one state. `orders`: how many there are; `schedules`: how many of them were run."""

    orders: int = 0
    schedules: int = 0
    waited: int = 0
    ends: set[str] = field(default_factory=set)
    serial: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def add(self, other: "Walked") -> None:
        self.orders += other.orders
        self.schedules += other.schedules
        self.waited += other.waited
        self.ends |= other.ends
        self.broken += other.broken


class _Turn:
    """One writer's thread: what it has sent, and before which statement it pauses."""

    def __init__(self, writer: str, pause_at: int = 0) -> None:
        self.writer = writer
        self.statements: list[str] = []
        self.pause_at = pause_at
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.pid = 0
        self.tries_to_begin = 0

    def before(self, statement: str) -> None:
        self.statements.append(statement)
        if len(self.statements) == self.pause_at:
            self.reached.set()
            assert self.go_on.wait(WAIT_S)


def _meet(a: Writer, b: Writer) -> bool:
    return SIBLINGS.get(b, a) is a and a not in SIBLINGS


COMMIT = "COMMIT"


class Explorer:
    """Two writers on one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.judge = Judge(stage)
        self._pool = ThreadPoolExecutor(2)
        self._turns: dict[int, _Turn] = {}
        self.rewrite: Callable[[str, str], str] = lambda _writer, statement: statement
        """What is sent instead of a writer's statement: for races that are planted."""
        self.found: Found | None = None
        self._race: Race | None = None
        self._known: dict[Writer, Alone] = {}

    # what is heard of a thread

    def _statement(self, conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        turn = self._turns.get(threading.get_ident())
        if turn is None:
            self.stage.written(footprint(statement).written)
            return statement, parameters
        if not self.stage.is_sqlite:
            turn.pid = turn.pid or conn.connection.dbapi_connection.info.backend_pid
        statement = self.rewrite(turn.writer, statement)
        turn.before(statement)
        return statement, parameters

    def _commit(self, _conn: Any) -> None:
        turn = self._turns.get(threading.get_ident())
        if turn is not None:
            turn.before(COMMIT)

    def _trace(self, connection: Any, *_: Any) -> None:
        if self.stage.is_sqlite:
            connection.set_trace_callback(self._traced)

    def _traced(self, statement: str) -> None:
        turn = self._turns.get(threading.get_ident())
        if turn is not None and statement.startswith("BEGIN"):
            turn.tries_to_begin += 1

    @contextmanager
    def listening(self) -> Iterator["Explorer"]:
        engines = {one.engine for one in self.stage.databases}
        for engine in engines:
            event.listen(engine, "before_cursor_execute", self._statement, retval=True)
            event.listen(engine, "commit", self._commit)
            event.listen(engine, "checkout", self._trace)
        try:
            yield self
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", self._statement)
                event.remove(engine, "commit", self._commit)
                event.remove(engine, "checkout", self._trace)
            self._pool.shutdown()

    # one state

    def enter(self, found: Found) -> None:
        """Go on with this state."""
        self.found, self._race = found, self.stage.find(found)
        self.judge.enter(found)
        self._known = {}

    def able(self) -> list[Writer]:
        """The writers that find something to do."""
        return [writer for writer in WRITERS if self.alone(writer).did_something]

    def pairs(self) -> list[tuple[Writer, Writer]]:
        """Those of two that find something to do, and that can be under way at once."""
        able = self.able()
        pairs = [(a, b) for at, a in enumerate(able) for b in able[at:]]
        return [(a, b) for a, b in pairs if not {a, b} <= OF_ONE_WORKER and _meet(a, b)]

    def _begin(self) -> Race:
        assert self._race is not None
        return self.stage.put_back(self._race)

    def alone(self, writer: Writer) -> Alone:
        """What it does in this state."""
        if writer not in self._known:
            self._known[writer] = self._alone(writer)
        return self._known[writer]

    def _alone(self, writer: Writer) -> Alone:
        race, turn = self._begin(), _Turn(name_of(writer))
        done = self._write(self.stage.databases[0], race, writer, turn)
        end = self.stage.end(race)
        self.judge.look(race, end, f"{name_of(writer)} alone")
        return Alone(turn.statements, bool(done), end)

    def _write(self, database: Database, race: Race, writer: Writer, turn: _Turn) -> object:
        """What a writer did; nothing where it was refused."""
        self._turns[threading.get_ident()] = turn
        before = list(race.parted)

        def work(conn: Any) -> tuple[object, Race]:
            view = race.view()
            return writer(conn, view), view

        try:
            done, view = database.write(work)
        except (Conflicting, NotThere):
            return None
        finally:
            del self._turns[threading.get_ident()]
            self.stage.written({one for sent in turn.statements for one in footprint(sent).written})
            turn.reached.set()
        race.keep(view, before)
        return done

    # two of them

    def walk(self, first: Writer, second: Writer, until_broken: bool = False) -> Walked:
        """Both ways round. Each end is that of one after the other, or of one alone where the other one was refused."""
        ways = ((first, second), (second, first))[: 1 if first is second else 2]
        walked = Walked(serial={self.alone(first).end, self.alone(second).end})
        waits = [self.run(one, 1, other, walked) for one, other in ways]
        for (one, other), waited_at in zip(ways, waits, strict=True):
            walked.orders += len(self.alone(one).statements)
            if not (until_broken and walked.broken) and waited_at is None:
                self._walk_one_way(one, other, walked, until_broken)
        return walked

    def _walk_one_way(self, paused: Writer, other: Writer, walked: Walked, until_broken: bool) -> None:
        statements, theirs = self.alone(paused).statements, self.alone(other).footprint
        last = len(statements)
        for at in range(2, last + 1):
            if at < last and footprint(statements[at - 2]).is_free_of(theirs):
                continue  # the same as the pause before
            waited_at = self.run(paused, at, other, walked)
            if until_broken and walked.broken:
                return
            if waited_at is not None:
                if waited_at > 1 and at < last:  # nobody waits earlier than at the first
                    self._between(paused, other, walked, (at, waited_at), (last, self.run(paused, last, other, walked)))
                return

    def _between(
        self, paused: Writer, other: Writer, walked: Walked, low: tuple[int, int | None], high: tuple[int, int | None]
    ) -> None:
        """The longer one pauses the more it has locked, and the earlier the other one waits."""
        middle = (low[0] + high[0]) // 2
        if low[1] != high[1] and middle not in (low[0], high[0]):
            between = (middle, self.run(paused, middle, other, walked))
            self._between(paused, other, walked, low, between)
            self._between(paused, other, walked, between, high)

    def run(self, paused: Writer, at: int, other: Writer, walked: Walked) -> int | None:
        """One pauses before its statement of that number until the other is done, or waits for a lock: at which of its
        statements it waits."""
        race = self._begin()
        ours, theirs = _Turn(name_of(paused), at), _Turn(name_of(other))
        one = self._pool.submit(self._write, self.stage.databases[0], race, paused, ours)
        assert ours.reached.wait(WAIT_S)
        two = self._pool.submit(self._write, self.stage.databases[1], race, other, theirs)
        waited_at = self._until_it_waits(two, theirs)
        ours.go_on.set()
        walked.schedules += 1
        walked.waited += waited_at is not None
        what = f"{name_of(self.found)}: {ours.writer}, paused before statement {at}, and {theirs.writer}"
        try:
            wait_for([one, two], WAIT_S)
            one.result(0)
            two.result(0)
            self._look(race, at, walked, what)
        except Exception as broken:  # an error of the store, or a promise
            walked.broken.append(f"{what}: {type(broken).__name__}: {broken}")
        return waited_at

    def _look(self, race: Race, at: int, walked: Walked, what: str) -> None:
        end = self.stage.end(race)
        walked.ends.add(end)
        self.judge.look(race, end, what)
        if at == 1:
            walked.serial.add(end)
        elif end not in walked.serial:
            nearest = min(walked.serial, key=lambda one: len(set(one.split("\n")) ^ set(end.split("\n"))))
            more = difflib.unified_diff(nearest.split("\n"), end.split("\n"), "one after the other", "now", n=0)
            raise Broken("\n".join(("not as one after the other", *more)))

    def _until_it_waits(self, other: Future[object], turn: _Turn) -> int | None:
        for _ in range(int(WAIT_S / LOOK_S)):
            if wait_for([other], LOOK_S).done:
                return None
            waits = (
                turn.tries_to_begin > 1 if self.stage.is_sqlite else turn.pid and self.stage.waits_for_a_lock(turn.pid)
            )
            if waits and not other.done():
                return len(turn.statements)
        raise AssertionError(f"{turn.writer} neither waits nor ends")
