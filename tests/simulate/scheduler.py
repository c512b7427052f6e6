"""Virtual time, and threads that take turns in one: a seed decides which goes first where several could.

A thread of the simulation is a greenlet. It runs until it waits; then the clock jumps to whatever comes next. Nothing
else lets time pass, so a run depends on its seed alone.
"""

import heapq
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from types import TracebackType
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from resultsq.threads import Condition, Empty, Flag, Mailbox, Pool, Thread

START = datetime(2013, 12, 7, 9, 0, tzinfo=UTC)
SLOW_WAKING = 0.05
"""How often a thread that was woken is late, as on a busy machine."""
LATE_S = 0.2


class Machine:
    """What dies or stands still as a whole: a process. Its threads share its fate."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen_until = 0.0


class Task:
    """A thread. `ticket` numbers its waits: what was to end an older one is late."""

    def __init__(self, machine: Machine, work: Callable[[], None], hub: greenlet) -> None:
        self.machine = machine
        self.ticket = 0
        self.started = False
        self.done = False
        self.ended: list[Task] = []  # those that wait for its end
        self.greenlet = greenlet(lambda _woken: work(), parent=hub)


class Scheduler:
    """Runs what is due. `steps` counts the turns."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now_s = 0.0
        self.wall_offset_s = 0.0
        self.steps = 0
        self._due: list[tuple[float, float, int, Task, int, bool]] = []
        self._pushed = 0
        self._hub = getcurrent()
        self._running: Task | None = None
        self._tasks: list[Task] = []  # kept, for a greenlet that is collected would run its `finally`
        self._ended = False

    def start(self, task: Task) -> None:
        task.started = True
        self._tasks.append(task)
        self._push(self.now_s, task, True)

    def new(self, machine: Machine, work: Callable[[], None]) -> Task:
        return Task(machine, work, self._hub)

    def spawn(self, machine: Machine, work: Callable[[], None]) -> Task:
        self.start(task := self.new(machine, work))
        return task

    def park(self, seconds: float | None) -> bool:
        """Wait; whether it was woken before the time was over."""
        if self._ended:
            raise GreenletExit
        task = self.current
        if seconds is not None:
            self._push(self.now_s + max(0.0, seconds), task, False)
        woken: bool = self._hub.switch()
        return woken

    def unpark(self, task: Task) -> None:
        late = self.random.random() * LATE_S if self.random.random() < SLOW_WAKING else 0.0
        self._push(self.now_s + late, task, True)

    def sleep(self, seconds: float) -> None:
        until = self.now_s + seconds
        while self.now_s < until:
            self.park(until - self.now_s)

    @property
    def current(self) -> Task:
        if self._running is None:
            raise RuntimeError("only a thread of the simulation can wait")
        return self._running

    @property
    def machine(self) -> Machine:
        return self.current.machine

    def run(self, done: Callable[[], bool]) -> None:
        """Until `done`, which is asked after each turn."""
        while not done():
            due, _, _, task, ticket, woken = heapq.heappop(self._due)
            if not task.machine.alive or task.ticket != ticket or task.done:
                continue
            if task.machine.frozen_until > due:
                self._push(task.machine.frozen_until, task, woken)
                continue
            self.now_s = max(self.now_s, due)
            self._turn(task, woken)

    def end(self) -> None:
        """End every thread. The collector does not see the frames of one that waits, nor what these keep alive."""
        self._ended = True
        for task in self._tasks:
            self._running = task
            while not task.greenlet.dead:
                task.greenlet.throw(GreenletExit)
        self._running = None
        self._tasks.clear()
        self._due.clear()

    def _turn(self, task: Task, woken: bool) -> None:
        self.steps += 1
        task.ticket += 1
        self._running = task
        task.greenlet.switch(woken)
        self._running = None
        if task.greenlet.dead:
            task.done = True
            for one in task.ended:
                self.unpark(one)

    def _push(self, due: float, task: Task, woken: bool) -> None:
        self._pushed += 1
        heapq.heappush(self._due, (due, self.random.random(), self._pushed, task, task.ticket, woken))


class VirtualClock:
    """The clock of every process: all run on one machine. Another morning hands it another `scheduler`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def now(self) -> datetime:
        return START + timedelta(seconds=self.scheduler.now_s + self.scheduler.wall_offset_s)

    def monotonic(self) -> float:
        return self.scheduler.now_s


class VirtualThreads:
    """`Threads` of one process."""

    def __init__(self, scheduler: Scheduler, machine: Machine) -> None:
        self._scheduler = scheduler
        self._machine = machine

    def thread(self, work: Callable[[], None], name: str) -> Thread:
        return VirtualThread(self._scheduler, self._scheduler.new(self._machine, work))

    def event(self) -> Flag:
        return VirtualEvent(self._scheduler)

    def condition(self) -> Condition:
        return VirtualCondition(self._scheduler)

    def queue(self) -> Mailbox:
        return VirtualQueue(self._scheduler)

    def pool(self, size: int, name: str) -> Pool:
        return VirtualPool(self._scheduler, self._machine, size)


class VirtualThread:
    def __init__(self, scheduler: Scheduler, task: Task) -> None:
        self._scheduler, self._task = scheduler, task

    def start(self) -> None:
        self._scheduler.start(self._task)

    def is_alive(self) -> bool:
        return self._task.started and not self._task.done

    def join(self, timeout: float | None = None) -> None:
        if not self._task.done:
            self._task.ended.append(self._scheduler.current)
            self._scheduler.park(timeout)


class Waiters:
    """Those that wait for one thing."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._tasks: list[Task] = []

    def wait(self, seconds: float | None) -> bool:
        task = self._scheduler.current
        self._tasks.append(task)
        woken = self._scheduler.park(seconds)
        if task in self._tasks:
            self._tasks.remove(task)
        return woken

    def wake(self, most: int | None = None) -> None:
        woken, self._tasks = self._tasks[:most], [] if most is None else self._tasks[most:]
        for task in woken:
            self._scheduler.unpark(task)


class VirtualEvent:
    def __init__(self, scheduler: Scheduler) -> None:
        self._waiters = Waiters(scheduler)
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._waiters.wake()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._set or self._waiters.wait(timeout)


class VirtualCondition:
    """Nothing else runs while one holds it, unless it waits."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._waiters = Waiters(scheduler)

    def __enter__(self) -> bool:
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def notify(self) -> None:
        self._waiters.wake(1)

    def wait(self, timeout: float | None = None) -> bool:
        return self._waiters.wait(timeout)


class VirtualQueue:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiters = Waiters(scheduler)
        self._items: deque[Any] = deque()

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._waiters.wake(1)

    def get(self, *, timeout: float | None = None) -> Any:
        until = None if timeout is None else self._scheduler.now_s + timeout
        while not self._items:
            left = None if until is None else until - self._scheduler.now_s
            if left is not None and left <= 0:
                raise Empty
            self._waiters.wait(left)
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(timeout=0.0)

    def empty(self) -> bool:
        return not self._items


class VirtualPool:
    """At most `size` at once; the others wait for their turn."""

    def __init__(self, scheduler: Scheduler, machine: Machine, size: int) -> None:
        self._scheduler, self._machine, self._free = scheduler, machine, size
        self._waiting: deque[Callable[[], object]] = deque()

    def submit(self, work: Callable[[], object], /) -> object:
        self._waiting.append(work)
        if self._free:
            self._free -= 1
            self._scheduler.spawn(self._machine, self._run)
        return None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self._waiting.clear()

    def _run(self) -> None:
        while self._waiting:
            self._waiting.popleft()()
        self._free += 1
