"""One process that has collected the tests: it runs them once, notes which functions each enters, and forks a child for
each mutant. The child runs those tests only that enter the changed function, the quickest first, up to the first that
fails."""

import gc
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any, NoReturn

import pytest

from tests.mutation.live import Place, Swap, answers_kept, functions, place_of
from tests.mutation.mutants import Mutant

LONGEST = 10.0
"""So many times as long as without the change, and so many seconds more, may the tests of a mutant take."""

MEMORY = "/dev/shm"

Told = tuple[str, Any, Any]
"""A message to the main process: its kind, the mutant or tests that it is about, and the details."""


@dataclass
class Baseline:
    """The tests on the code as it is. `failed`: which, or why they came to no end; `entered`: of each function the
    tests that enter it, and how many seconds each takes."""

    failed: list[str] = field(default_factory=list)
    entered: dict[Place, dict[int, float]] = field(default_factory=dict)


@dataclass(eq=False)  # pytest asks for the hash of a plugin
class Session:
    """A plugin of pytest's, whose loop of tests this is. `tell` is told which tests failed, and the end of each mutant,
    or by which tests it is to be judged elsewhere."""

    package: Path
    chosen: Sequence[tuple[Path, Mutant]]
    tell: Callable[[Told], None]
    at_once: int = 1
    _noted: list[str] = field(default_factory=list)
    _at_load: set[Place] = field(default_factory=set)

    def note_loading(self) -> None:
        """Note the functions that are entered from now until the first test: what they made is kept by modules."""
        sys.settrace(partial(self._note, self._at_load))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._noted.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        sys.settrace(None)
        gc.unfreeze()
        base = self._baseline(session.items)
        if base.failed:
            self.tell(("failed", base.failed, None))
        else:
            self._judge_all(session.items, base)
        return True

    @property
    def _own_tests(self) -> str:
        return f"tests/unit/{self.package.name}/"

    def _baseline(self, items: Sequence[pytest.Item]) -> Baseline:
        """In a child, so that whatever the tests leave in a process is not there for the mutants."""
        with tempfile.NamedTemporaryFile() as kept:

            def work() -> int:
                try:
                    found = self._run_noting(items)
                except BaseException:  # it has to be told, and this process has no output
                    found = Baseline([traceback.format_exc()])
                Path(kept.name).write_bytes(pickle.dumps(found))
                return 0

            child, folder = _forked(work)
            os.waitpid(child, 0)
            shutil.rmtree(folder, ignore_errors=True)
            content = Path(kept.name).read_bytes()
        found: Baseline = pickle.loads(content) if content else Baseline(["their process was killed"])
        return found

    def _run_noting(self, items: Sequence[pytest.Item]) -> Baseline:
        entered: defaultdict[Place, dict[int, float]] = defaultdict(dict)
        now_there = set[Place]()
        note = partial(self._note, now_there)
        caches = [one for one in answers_kept() if one.__module__ and one.__module__.startswith("resultsq.")]
        for number, item in enumerate(items):
            following = items[number + 1] if number + 1 < len(items) else None
            now_there.clear()
            for one in caches:  # or only the first test that asks would be seen to enter the function
                one.cache_clear()
            began = time.monotonic()
            sys.settrace(note)  # only entries: it gives no tracer for the lines within
            threading.settrace(note)
            _run_one(item, following)
            sys.settrace(None)
            for place in tuple(now_there):  # threads of the test may go on for a moment
                entered[place][number] = time.monotonic() - began
        return Baseline(self._noted, dict(entered))

    def _note(self, there: set[Place], frame: FrameType, event: str, _argument: Any) -> None:
        if frame.f_code.co_filename.startswith(str(self.package)):
            there.add(place_of(frame.f_code))

    def _judge_all(self, items: Sequence[pytest.Item], base: Baseline) -> None:
        live, running = functions(), dict[int, tuple[Mutant, str]]()
        for path, mutant in self.chosen:
            swap = Swap(path, mutant)
            if swap.place in self._at_load:
                self.tell(("elsewhere", name_of(mutant), set()))  # by all: any may use what it made
                continue
            tests = base.entered.get(swap.place, {}) if swap.place else {}
            if not tests:
                near = {number for place, those in base.entered.items() if place[0] == str(path) for number in those}
                asked = {items[number].nodeid for number in near}
                if asked:  # else all are
                    asked |= {one.nodeid for one in items if one.nodeid.startswith(self._own_tests)}
                self.tell(("elsewhere", name_of(mutant), asked))
                continue
            child, folder = _forked(partial(self._run_changed, swap, live, items, tests))
            running[child] = (mutant, folder)
            if len(running) >= self.at_once:
                self._wait(running)
        while running:
            self._wait(running)

    def _run_changed(
        self,
        swap: Swap,
        live: Mapping[object, list[FunctionType]],
        items: Sequence[pytest.Item],
        tests: dict[int, float],
    ) -> int:
        signal.alarm(int(LONGEST * (sum(tests.values()) + 1)))
        swap.make(live)
        return self._fails([items[number] for number in sorted(tests, key=tests.__getitem__)])

    def _wait(self, running: dict[int, tuple[Mutant, str]]) -> None:
        child, status = os.wait()
        mutant, folder = running.pop(child)
        shutil.rmtree(folder, ignore_errors=True)
        self.tell(("end", name_of(mutant), end_of(status)))

    def _fails(self, items: Sequence[pytest.Item]) -> int:
        """1 once a test fails."""
        for number, item in enumerate(items):
            _run_one(item, items[number + 1] if number + 1 < len(items) else None)
            if self._noted:
                item.session._setupstate.teardown_exact(None)
                return 1
        return 0


def name_of(mutant: Mutant) -> str:
    return f"{mutant.number}{mutant.module}"


def end_of(status: int) -> str:
    """What became of a child: found, survived, or endless, which is found, too."""
    if os.WIFSIGNALED(status):
        return "endless"
    return "survived" if os.WEXITSTATUS(status) == 0 else "found"


def _run_one(item: pytest.Item, following: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _forked(work: Callable[[], int]) -> tuple[int, str]:
    """A child that does this, silently, and a folder for what its tests write."""
    folder = tempfile.mkdtemp(dir=MEMORY if Path(MEMORY).is_dir() else None)
    Path(folder).chmod(0o755)  # root's PostgreSQL runs as another user, who has to come to its own folder in it
    child = os.fork()
    if child == 0:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = folder
        silently(work)
    return child, folder


def silently(work: Callable[[], int]) -> NoReturn:
    """Do it and end this process."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        status = work()
    except BaseException:  # whatever a mutant does, its process ends here
        status = 1
    finally:
        os._exit(status)
