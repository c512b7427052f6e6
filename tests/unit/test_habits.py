"""The habits of this code base, held by tools and by reading the tree: the plan is in resultsq/README.md."""

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for room in ("resultsq", "tests") for path in (ROOT / room).rglob("*.py"))

TOOLS = {
    "ruff": ["-m", "ruff", "check", "--quiet", "."],
    "format": ["-m", "ruff", "format", "--check", "--quiet", "--diff", "."],
    "mypy": ["-m", "mypy", "--no-error-summary"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
}
TOP_LEVEL = {"pyproject.toml", "resultsq", "tests", "docker-compose.yml", "config", "README.md"}
LONGEST_FUNCTION, LONGEST_MODULE, MEDIAN_FUNCTION = 60, 400, 6
MEASURED = ("resultsq", "tests/support")
MIGRATIONS = "resultsq/store/engine/migrations/versions/"
"""A migration is never written anew once it is out, so its length is left as it is."""
LONGER_MODULES = {
    "tests/support/masters.py",  # one file that a person can run, and read beside the contract
}
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc"}
LEFT_TO_DO = re.compile(r"\b(TODO|FIXME|XXX)\b")
CLOCKS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"),
}  # fmt: skip


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), path)


def _none(found: Iterable[str]) -> None:
    """Fail with all that was found, a line each."""
    if lines := "\n".join(found):
        pytest.fail(lines, pytrace=False)


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return listed.stdout.rstrip("\0").split("\0")


@pytest.mark.long
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_finds_nothing_when_it_reads_the_whole_tree(tool: str) -> None:
    done = subprocess.run([sys.executable, *TOOLS[tool]], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{tool}:\n{done.stdout}{done.stderr}", pytrace=False)


def test_a_module_says_what_it_is_for_when_its_first_line_is_read() -> None:
    def says_it(module: ast.Module) -> bool:
        return bool(ast.get_docstring(module)) and module.body[0].lineno == 1

    _none(_name(path) for path in MODULES if not says_it(_tree(path)))


def test_a_module_is_called_for_what_it_holds_when_it_is_looked_for() -> None:
    _none(_name(path) for path in MODULES if path.stem in NAMES_THAT_SAY_NOTHING)


def _measured() -> list[Path]:
    """The modules whose length counts."""
    rooms = tuple(ROOT / room for room in MEASURED)
    return [path for path in MODULES if any(map(path.is_relative_to, rooms)) and not _name(path).startswith(MIGRATIONS)]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module, and how many lines it has."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{_name(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_are_short_when_they_are_measured() -> None:
    lengths = [one for path in _measured() for one in _functions(path)]
    longer = {name: length for name, length in lengths if length > LONGEST_FUNCTION}
    assert median(length for _, length in lengths) <= MEDIAN_FUNCTION
    _none(f"{name} has {length} lines" for name, length in longer.items())


def test_modules_are_short_when_they_are_measured() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in _measured()}
    longer = {name: length for name, length in lengths.items() if length > LONGEST_MODULE}
    _none(f"{name} has {length} lines" for name, length in longer.items() if name not in LONGER_MODULES)
    _none(f"{name} is short now: take it off the list" for name in LONGER_MODULES - longer.keys())


def _clock_readings(path: Path) -> Iterator[int]:
    for node in ast.walk(_tree(path)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                if (owner, name) in CLOCKS:
                    yield node.lineno
            case ast.ImportFrom(module="time", names=names):
                if any(("time", alias.name) in CLOCKS for alias in names):
                    yield node.lineno
            case _:
                pass


def test_nobody_else_reads_the_wall_clock_when_there_is_a_clock() -> None:
    readers = [path for path in MODULES if path.is_relative_to(ROOT / "resultsq") and any(_clock_readings(path))]
    assert [_name(path) for path in readers] == ["resultsq/clock.py"]


def _shortcuts(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        match node:
            case ast.Attribute(value=ast.Attribute(attr="mark"), attr="skip" | "skipif" | "xfail" as mark):
                yield f"{_name(path)}:{node.lineno}: a test that is marked {mark}"
            case ast.Name(id="NotImplementedError"):
                yield f"{_name(path)}:{node.lineno}: something that is not implemented"
            case ast.Assert(test=ast.Constant()):
                yield f"{_name(path)}:{node.lineno}: an assertion that cannot fail"
            case ast.ExceptHandler(type=None | ast.Name(id="Exception" | "BaseException"), body=[ast.Pass()]):
                yield f"{_name(path)}:{node.lineno}: every exception is swallowed"
            case _:
                pass
    if LEFT_TO_DO.search(path.read_text()) is None:  # most have not even the word
        return
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT and LEFT_TO_DO.search(token.string):
                yield f"{_name(path)}:{token.start[0]}: something is left to do"


def test_a_process_tells_all_that_it_said_when_its_end_is_another_than_expected() -> None:
    cut = re.compile(r"assert \w+\.wait\(.*, [a-z_]+$")  # pytest writes 240 characters of what is no text
    _none(
        f"{_name(path)}:{number}: str(…) is left out"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if cut.search(line)
    )


def test_nothing_is_left_undone_when_it_is_handed_on() -> None:
    _none(shortcut for path in MODULES for shortcut in _shortcuts(path))


def test_the_other_master_shares_no_code_when_it_stands_for_somebody_elses() -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(_tree(ROOT / "tests/support/masters.py"))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported <= sys.stdlib_module_names


def test_the_top_level_is_small_when_the_repository_is_opened() -> None:
    top = {path.partition("/")[0] for path in _tracked()}
    _none(name for name in sorted(top - TOP_LEVEL) if not name.startswith("."))


def test_no_tracked_file_is_large_when_the_repository_is_cloned() -> None:
    there = (ROOT / name for name in _tracked() if (ROOT / name).exists())
    _none(_name(path) for path in there if path.stat().st_size > 400_000)
