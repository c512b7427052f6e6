"""Small changes to the code, of which `python -m tests.mutation` asks whether the tests notice."""

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.__main__ import _WORDS, NOT_ASKED
from tests.mutation.live import Swap, functions
from tests.mutation.mutants import changed, mutants
from tests.mutation.reasons import CHOICES, REASONS, key_of, line_of, mutants_of

SOURCE = '''
@dataclass(frozen=True)
class Toy:
    pass

def may_go(waits: int, held: bool) -> bool:
    """Whether."""
    return waits > 0 and not held
'''


def test_each_change_is_one_and_annotations_stay() -> None:
    found = list(mutants("toy", SOURCE))
    assert [(one.was, one.now) for one in found] == [
        ("0", "1"),
        ("waits > 0", "waits >= 0"),
        ("not held", "held"),
        ("waits > 0 and (not held)", "waits > 0 or not held"),
        ("return waits > 0 and (not held)", "return None"),
    ]
    assert {one.line for one in found} == {8}


def test_a_change_alone_is_made() -> None:
    bound = next(one for one in mutants("toy", SOURCE) if one.now == "waits >= 0")
    assert "return waits >= 0 and (not held)" in ast.unparse(changed(SOURCE, bound))


LOADED = """
from functools import cache

MOST = 3

def may_go(waits: int) -> bool:
    return any(n > MOST for n in range(waits))

@cache
def doubled(n: int) -> int:
    return n + n
"""


@pytest.fixture
def toy(tmp_path: Path) -> ModuleType:
    (tmp_path / "toy.py").write_text(LOADED)
    spec = importlib.util.spec_from_file_location("toy", tmp_path / "toy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def swap(toy: ModuleType, was: str) -> Swap:
    return Swap(Path(str(toy.__file__)), next(one for one in mutants("toy", LOADED) if one.was == was))


def test_a_function_that_is_loaded_is_changed_in_place(toy: ModuleType) -> None:
    assert not toy.may_go(4)
    inner = swap(toy, "n > MOST")
    assert inner.place is not None
    assert inner.place[1] == "may_go.<locals>.<genexpr>", "the tests that enter it judge the mutant"
    inner.make(functions())
    assert toy.may_go(4)


def test_no_answer_of_the_code_as_it_was_is_remembered(toy: ModuleType) -> None:
    assert toy.doubled(2) == 4
    swap(toy, "n + n").make(functions())
    assert toy.doubled(2) == 0


def test_what_is_done_once_as_a_module_is_loaded_needs_a_process_of_its_own(toy: ModuleType) -> None:
    assert swap(toy, "3").place is None


def test_each_change_that_may_survive_is_one_of_the_code_as_it_is() -> None:
    asked = {(module, line) for module, line, _ in REASONS | CHOICES}
    there = [one for module in {module for module, _ in asked} for one in mutants_of(module)]
    found = {key_of(one) for one in there if (one.module, line_of(one)) in asked}
    assert found >= REASONS.keys() | CHOICES.keys()
    assert not REASONS.keys() & CHOICES.keys()


def test_only_files_that_read_the_tree_are_not_asked() -> None:
    ignored = [one.removeprefix("--ignore-glob=") for one in _WORDS if one.startswith("--ignore-glob=")]
    files = [one for one in Path(__file__).parents[1].rglob("test_*.py") if any(one.match(glob) for glob in ignored)]
    assert {one.parent for one in files} == {Path(__file__).parent}
    assert len(files) == len(ignored) == len(NOT_ASKED)
    assert _WORDS[_WORDS.index("-k") + 1] == "not postgres", "tests of other files may be called as these are"
