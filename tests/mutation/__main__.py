"""Change the code in small ways and see which tests notice: `python -m tests.mutation --of domain kinds --sample 150`,
or `--changed main` for the lines that differ from a commit. The exit status is 1 where more survive than `--most`.

The tests of a package run once on the code as it is. A mutant of a function is then judged by the tests that enter that
function; one of what a module does as it is loaded, by those that enter any function of the module, and by the unit
tests of its package: a value's fields are read, and no function is entered. All judge a function that is called as
modules are loaded."""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.mutants import Mutant, changed, mutants
from tests.mutation.reasons import ROOT, can_be_seen, path_of, reason_of
from tests.mutation.session import Session, Told, end_of, name_of, silently

PARTS = ROOT / "tests" / "simulate" / "parts"
TESTS = {
    "domain": ("tests/unit",),
    "kinds": ("tests/unit",),
    "store/outbox": ("tests/integration/store", "tests/integration/bundle"),
    "delivery": (
        "tests/unit/delivery",
        "tests/unit/delivery_masters",
        "tests/integration/delivery",
        "tests/integration/masters",
        "tests/integration/mail",
        "tests/integration/bundle",
    ),
}
"""A package, and the tests that are to notice its mutants. The store's are asked on SQLite."""

NOT_ASKED = ("habits", "names", "kinds_alone", "recipes", "translations", "mutation")
"""Files of tests that read the tree, which is as it was."""

LONGEST_S = 300.0
ENOUGH = 100
"""Fewer mutants than this make no score."""


@dataclass
class Tally:
    """The mutants of one run. `every`: how many there were to choose from."""

    every: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    survived: list[Mutant] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.ends.total()

    @property
    def unseen(self) -> int:
        """How many survivors no test could notice. The score leaves them out."""
        return len(self.survived) - sum(map(can_be_seen, self.survived))

    def add(self, mutant: Mutant, end: str) -> None:
        self.ends[end] += 1
        if end == "survived":
            self.survived.append(mutant)
            print(mutant, flush=True)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant in place of its module."""

    def __init__(self, mutant: Mutant, path: Path) -> None:
        self._mutant = mutant
        self._path = path

    def find_spec(self, name: str, _path: object, _target: object = None) -> ModuleSpec | None:
        if name != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        code = compile(changed(self._path.read_text(), self._mutant), str(self._path), "exec")
        exec(code, module.__dict__)


class _Only:
    """A plugin of pytest's: these tests alone."""

    def __init__(self, ids: set[str]) -> None:
        self._ids = ids

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [one for one in items if one.nodeid in self._ids]


def main() -> int:
    asked = command_line().parse_args()
    until = time.monotonic() + asked.minutes * 60 if asked.minutes else None
    tallies: dict[str, Tally] = {}
    for package in asked.of:
        chosen = list(_mutants(package, asked.changed))
        tally = tallies[package] = Tally(len(chosen))
        if asked.sample is not None and asked.sample < len(chosen):
            chosen = random.Random(f"{asked.seed} {package}").sample(chosen, asked.sample)
        if chosen and not _judge(package, chosen, tally, until, asked.at_once):
            return 2
        print(_line(package, tally), flush=True)
        if asked.write:
            words = " ".join(["--of", package, *_without_packages(sys.argv[1:])])
            PARTS.mkdir(exist_ok=True)
            (PARTS / f"mutation-{package.replace('/', '-')}.md").write_text(page(words, package, tally))
    tried = sum(one.tried - one.unseen for one in tallies.values())
    survived = sum(len(one.survived) - one.unseen for one in tallies.values())
    return 1 if tried and survived / tried > asked.most else 0


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--of", nargs="+", choices=list(TESTS), default=list(TESTS))
    parser.add_argument("--sample", type=int, help="so many of each package, by chance; all, where it is not said")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--changed", metavar="COMMIT", help="only on lines that differ from that commit")
    parser.add_argument("--minutes", type=float, help="begin no more after so long")
    parser.add_argument("--most", type=float, default=0.1, help="the share that may survive")
    parser.add_argument("--at-once", type=int, default=1, help="so many side by side")
    parser.add_argument("--write", action="store_true", help="write a file for each package into tests/simulate/parts")
    return parser


def _line(package: str, tally: Tally) -> str:
    found = tally.tried - len(tally.survived)
    return f"{package}: {found} of {tally.tried} mutants were found, of {tally.every}: {dict(tally.ends)}"


def _judge(package: str, chosen: Sequence[Mutant], tally: Tally, until: float | None, at_once: int) -> bool:
    """Each mutant gets its end; False: the tests fail on the code as it is, so they tell nothing."""
    words = [*_WORDS, *(str(ROOT / one) for one in TESTS[package])]
    by_id = {name_of(one): one for one in chosen}
    here, there = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        silently(lambda: _run_session(package, chosen, there, at_once, words))
    there.close()
    elsewhere: list[tuple[Mutant, set[str]]] = []
    for what, about, more in _messages(here):
        if what == "failed":
            print(f"The tests of {package} fail on the code as it is, so they tell nothing of its mutants:", *about)
            return False
        if what == "elsewhere":
            elsewhere.append((by_id[about], more))
        else:
            tally.add(by_id[about], more)
        if until is not None and time.monotonic() > until:
            os.kill(child, signal.SIGTERM)
            break
    os.waitpid(child, 0)
    for mutant, tests in elsewhere:
        if until is not None and time.monotonic() > until:
            break
        tally.add(mutant, judge(mutant, words, tests))
    return True


# the terminal's words go nowhere; output of tests need not be kept
_WORDS = ["-q", "-n", "0", "-s", "-k", "not postgres", *(f"--ignore-glob=*/test_{one}.py" for one in NOT_ASKED)]


def _messages(pipe: Connection) -> Iterator[Told]:
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return


def _run_session(package: str, chosen: Sequence[Mutant], pipe: Connection, at_once: int, words: list[str]) -> int:
    paths = {one.module: path_of(one.module) for one in chosen}
    session = Session(ROOT / "resultsq" / package, [(paths[one.module], one) for one in chosen], pipe.send, at_once)
    session.note_loading()
    return int(pytest.main(words, plugins=[session]))


def _without_packages(words: Sequence[str]) -> list[str]:
    return [one for one in words if one not in ("--write", "--of", *TESTS)]


def _mutants(package: str, commit: str | None) -> list[Mutant]:
    found = []
    for path in sorted((ROOT / "resultsq" / package).rglob("*.py")):
        lines = None if commit is None else changed_lines(path, commit)
        if lines is not None and not lines:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found += [one for one in mutants(module, path.read_text()) if lines is None or one.line in lines]
    return found


def changed_lines(path: Path, commit: str) -> set[int]:
    """The lines of a file that differ from that commit."""
    command = ["git", "diff", "--unified=0", commit, "--", str(path)]
    diff = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hunks = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", diff, re.MULTILINE)
    return {int(first) + n for first, count in hunks for n in range(int(count or 1))}


def judge(mutant: Mutant, words: Sequence[str], tests: set[str]) -> str:
    """Its end, by these tests or by all, in a process that loads the mutant in place of its module."""
    child = os.fork()
    if child == 0:
        silently(lambda: _run(mutant, words, tests))
    return end_of(os.waitpid(child, 0)[1])


def _run(mutant: Mutant, words: Sequence[str], tests: set[str]) -> int:
    signal.alarm(int(LONGEST_S))
    sys.meta_path.insert(0, _Changed(mutant, path_of(mutant.module)))
    return int(pytest.main(["-x", *words], plugins=[_Only(tests)] if tests else []))


def page(asked: str, package: str, tally: Tally) -> str:
    """The part of tests/simulate/RESULTS.md."""
    found = tally.tried - len(tally.survived)
    score = "Too few for a score."
    if (seen := tally.tried - tally.unseen) >= ENOUGH:
        score = (
            f"No test could notice {tally.unseen} of these, "
            f"so the score is {found} of {seen}, {100 * found / seen:.0f} %."
        )
    return "\n".join(
        [
            f"## Mutants of {package}",
            "",
            f"Written by `python -m tests.mutation {asked}`.",
            "",
            f"{tally.tried:,} of {tally.every:,} small changes to the code were tried: the tests found "
            f"{found:,}, and {len(tally.survived) or 'none'} survived. {score}",
            "",
            *(f"- `{one}`: {reason_of(one) or 'a test is missing'}" for one in tally.survived),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
