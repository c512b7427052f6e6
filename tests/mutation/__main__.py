"""Change the code in small ways and see which tests notice: `python -m tests.mutation --of domain kinds --sample 150`,
or `--changed main` for the lines that differ from a commit. The exit status is 1 where more survive than `--most`."""

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
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.mutants import Mutant, changed, mutants

ROOT = Path(__file__).parents[2]
PART = ROOT / "tests" / "simulate" / "parts" / "mutation.md"
TESTS = {
    "domain": ("tests/unit/domain", "tests/unit/kinds"),
    "kinds": ("tests/unit/kinds",),
    "store/outbox": ("tests/integration/store",),
    "delivery": ("tests/unit/delivery", "tests/unit/delivery_masters", "tests/integration/store"),
}
"""A package, and the tests that are to notice its mutants. The store's are asked on SQLite."""

LONGEST_S = 300.0
ENOUGH = 100
"""Fewer mutants than this make no score."""


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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--of", nargs="+", choices=list(TESTS), default=["domain", "kinds"])
    parser.add_argument("--sample", type=int, help="so many, by chance; all, where it is not said")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--changed", metavar="COMMIT", help="only on lines that differ from that commit")
    parser.add_argument("--minutes", type=float, help="begin no more after so long")
    parser.add_argument("--most", type=float, default=0.1, help="the share that may survive")
    parser.add_argument("--write", action="store_true", help=f"write {PART.name}")
    asked = parser.parse_args()
    chosen = [(package, one) for package in asked.of for one in _mutants(package, asked.changed)]
    every = len(chosen)
    if asked.sample is not None and asked.sample < every:
        chosen = random.Random(asked.seed).sample(chosen, asked.sample)
    for package in asked.of:
        if judge(None, TESTS[package]) != "survived":
            print(f"The tests of {package} fail on the code as it is, so they tell nothing of its mutants.")
            return 2
    began, ends, survived = time.monotonic(), Counter[str](), list[Mutant]()
    for package, mutant in chosen:
        if asked.minutes and time.monotonic() - began > asked.minutes * 60:
            break
        end = judge(mutant, TESTS[package])
        ends[end] += 1
        if end == "survived":
            survived.append(mutant)
            print(mutant, flush=True)
    tried = ends.total()
    print(f"{tried - len(survived)} of {tried} mutants were found, of {every}: {dict(ends)}")
    if asked.write:
        words = " ".join(one for one in sys.argv[1:] if one != "--write")
        PART.parent.mkdir(exist_ok=True)
        PART.write_text(page(words, every, ends, survived))
    return 1 if tried and len(survived) / tried > asked.most else 0


def _mutants(package: str, commit: str | None) -> list[Mutant]:
    found = []
    for path in sorted((ROOT / "resultsq" / package).rglob("*.py")):
        lines = None if commit is None else changed_lines(path, commit)
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found += [one for one in mutants(module, path.read_text()) if lines is None or one.line in lines]
    return found


def changed_lines(path: Path, commit: str) -> set[int]:
    """The lines of a file that differ from that commit."""
    command = ["git", "diff", "--unified=0", commit, "--", str(path)]
    diff = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hunks = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", diff, re.MULTILINE)
    return {int(first) + n for first, count in hunks for n in range(int(count or 1))}


def judge(mutant: Mutant | None, tests: Sequence[str]) -> str:
    """found, survived, or endless: a loop that does not end is found, too. In a process of its own. None: the code as
    it is, which has to survive."""
    child = os.fork()
    if child == 0:
        signal.alarm(int(LONGEST_S))
        os._exit(_run(mutant, tests))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "endless"
    return "survived" if os.WEXITSTATUS(status) == 0 else "found"


def _run(mutant: Mutant | None, tests: Sequence[str]) -> int:
    if mutant is not None:
        path = ROOT / Path(*mutant.module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        sys.meta_path.insert(0, _Changed(mutant, file))
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    words = ["-x", "-q", "-n", "0", "-k", "not postgresql"]
    try:
        return int(pytest.main([*words, *(str(ROOT / one) for one in tests)]))
    except BaseException:
        return 1


def page(asked: str, every: int, ends: Counter[str], survived: Sequence[Mutant]) -> str:
    """The part of tests/simulate/RESULTS.md."""
    tried = ends.total()
    score = f", which is {100 * (tried - len(survived)) / tried:.0f} %" if tried >= ENOUGH else "; too few for a score"
    return "\n".join(
        [
            "## Mutants",
            "",
            f"Written by `python -m tests.mutation {asked} --write`.",
            "",
            f"{tried:,} of {every:,} small changes to the code were tried, chosen by chance: the tests found "
            f"{tried - len(survived):,}{score}. {len(survived) or 'None'} survived.",
            "",
            *(f"- `{one}`" for one in survived),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
