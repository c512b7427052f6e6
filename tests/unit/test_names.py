"""Names and words: one word for one thing, and no private words where the field has its own."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted((ROOT / "resultsq").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "resultsq").rglob("*.md"))]

PRIVATE_WORDS = (
    r"courier",
    r"whoever",
    r"chores?",
    r"dossier",
    r"life-?line",
    r"leash",
    r"roads",
    r"household",
    r"errand",
    r"look_out",
)
WRITES = {"insert", "update", "delete"}


def _classes() -> dict[str, list[str]]:
    found = defaultdict(list)
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_bytes(), path)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_a_class_name_stands_for_one_class() -> None:
    twice = {name: places for name, places in _classes().items() if len(places) > 1}
    assert twice == {}


@pytest.mark.parametrize("word", PRIVATE_WORDS)
def test_no_private_word_stands_where_the_field_has_its_own(word: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*PRODUCT, *DOCUMENTS]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(rf"\b{word}\b", line, re.IGNORECASE)
    ]
    assert found == []


def test_views_never_write() -> None:
    found = []
    for path in (ROOT / "resultsq/store/views").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes(), path)):
            if isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy":
                found += [f"{path.name}: {a.name}" for a in node.names if a.name in WRITES]
            if isinstance(node, ast.Attribute) and node.attr in {"write", *WRITES}:
                found.append(f"{path.name}:{node.lineno}: {node.attr}")
    assert found == []


def test_a_module_that_a_text_names_is_there() -> None:
    modules = {path.name for folder in ("resultsq", "tests", "config") for path in (ROOT / folder).rglob("*.py")}
    found = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in [*PRODUCT, *DOCUMENTS]
        if path.name != "CHANGES.md"  # it tells of the past
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for name in re.findall(r"\b([a-z]\w+\.py)\b", line)
        if name not in modules
    ]
    assert found == []


def test_a_docstring_describes_only_parameters_that_are_there() -> None:
    found = []
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_bytes(), path)):
            if isinstance(node, ast.FunctionDef):
                given = node.args
                names = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
                described = set(re.findall(r":param (\w+)", ast.get_docstring(node) or ""))
                found += [f"{path.relative_to(ROOT)}:{node.lineno}: {name}" for name in sorted(described - names)]
    assert found == []
