"""Each recipe of resultsq/README.md is right: what it names is there, and what it makes works when it is followed."""

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resultsq.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "resultsq"
README = PACKAGE / "README.md"
MOST_LINES = 150
MOST_STEPS = 10

_QUOTED = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_HERE = {"pip": "pip makes the list of pins"}
"""Commands of others."""


def _section(heading: str) -> str:
    return README.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _rows() -> dict[str, str]:
    """What is added → its recipe."""
    lines = [line.strip("| ") for line in _section("Recipes").splitlines() if line.startswith("| ")]
    cells = [line.partition(" | ") for line in lines[1:]]
    return {what: recipe for what, _, recipe in cells}


RECIPES = _rows()


def _found(path: str) -> Path | None:
    """A path of a recipe: from the package, or from the repository."""
    return next((base / path for base in (PACKAGE, ROOT) if (base / path).exists()), None)


def _wrong(recipe: str) -> Iterator[str]:
    """What a recipe names that is not there."""
    quoted = [one.replace("<code>/", "").replace("LC_MESSAGES/messages.po", "") for one in _QUOTED.findall(recipe)]
    files = [found for one in quoted if (found := _found(one)) is not None and found.is_file()]
    folders = [found for one in quoted if (found := _found(one)) is not None and found.is_dir()]
    text = "".join(file.read_text() for file in files)
    text += "".join(one.read_text() for folder in folders for one in folder.glob("*.py"))
    for one in quoted:
        words = one.split()
        if words[0] in _NOT_HERE:
            continue
        if words[:2] == ["python", "-m"]:
            importlib.import_module(words[2])
        elif words[0] == "resultsq":
            if words[1] not in COMMANDS or (">" in one and _found(one.partition(">")[2]) is None):
                yield one
        elif _NAME.fullmatch(one):
            if not re.search(rf"\b{one}\b", text):
                yield one
        elif "(" not in one and _found(one) is None:
            yield one


@pytest.mark.parametrize("what", RECIPES)
def test_what_a_recipe_names_is_there(what: str) -> None:
    assert list(_wrong(RECIPES[what])) == []


@pytest.mark.parametrize(
    "recipe",
    [
        "a module in `nowhere/`",
        "its line in `READINGS` of `readers/__init__.py`",
        "`resultsq unheard-of`",
        "`settings.py` | `resultsq settings --page >config/nothing.md`",
    ],
)
def test_a_recipe_is_wrong_when_it_names_what_is_not_there(recipe: str) -> None:
    assert list(_wrong(recipe))


def test_the_page_is_short_and_the_way_has_few_steps() -> None:
    assert len(README.read_text().splitlines()) < MOST_LINES
    steps = re.findall(r"^(\d+)\. ", _section("The way of a submission"), re.MULTILINE)
    assert [int(step) for step in steps] == list(range(1, len(steps) + 1))
    assert 0 < len(steps) <= MOST_STEPS


def test_every_link_of_a_page_leads_somewhere() -> None:
    pages = [README, ROOT / "README.md", ROOT / ".github/CONTRIBUTING.md", PACKAGE / "master/CONTRACT.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A scratch copy of the package."""
    skipped = shutil.ignore_patterns("__pycache__", "static", "translations")
    shutil.copytree(PACKAGE, tmp_path / "resultsq", ignore=skipped)
    return tmp_path


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name}: {old}"
    file.write_text(text.replace(old, new))


def _in(copy: Path, program: str) -> str:
    """What a program prints that imports the copy."""
    found = f"import sys; sys.path.insert(0, {str(copy)!r})\n"
    check = f"import resultsq; assert resultsq.__file__.startswith({str(copy)!r})\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", found + check + program], capture_output=True, text=True, timeout=120, cwd=copy
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_reader_is_one_module_one_line_and_one_sample(copy: Path) -> None:
    (copy / "resultsq/readers/sundial.py").write_text(
        '"""Files of a sundial: `shadow 1 00:17:31`."""\n\n'
        "from typing import Final\n\n"
        "from resultsq.domain.event_files import FileKind, StopwatchFile, Text, TimeRow\n"
        "from resultsq.readers.marks import read_time\n\n"
        "KIND: Final = FileKind.STOPWATCH\n\n\n"
        "def recognises(line: str) -> bool:\n"
        '    return line.startswith("shadow ")\n\n\n'
        "def read(text: Text) -> StopwatchFile:\n"
        "    rows = [TimeRow(at, read_time(line.split()[2])) for at, line in enumerate(text.lines, 1) if line]\n"
        "    return StopwatchFile(name=text.name, digest=text.digest, lines=len(rows), idle=0, rows=tuple(rows))\n"
    )
    (copy / "sample.txt").write_text("shadow 1 00:17:31\nshadow 2 00:18:02\n")
    _change(
        copy / "resultsq/readers/__init__.py", '    "table": table,\n', '    "table": table,\n    "sundial": sundial,\n'
    )
    _change(
        copy / "resultsq/readers/__init__.py", "startofevent, table, webfms", "startofevent, sundial, table, webfms"
    )
    read = "from resultsq.readers import read; file = read('sample.txt', open('sample.txt', 'rb').read())\n"
    assert _in(copy, f"{read}print(type(file).__name__, len(file.rows))") == "StopwatchFile 2"


def test_a_column_of_the_list_is_one_field(copy: Path) -> None:
    _change(
        copy / "resultsq/store/views/listing.py",
        "    blocked: bool\n",
        "    blocked: bool\n    fingerprint: str | None\n",
    )
    shown = _in(
        copy,
        "from resultsq.store.views import listing\n"
        "from resultsq.web import schemas\n"
        "schema = schemas.SubmissionsResponse.model_json_schema(mode='serialization')\n"
        "print('fingerprint' in listing.SHOWN, 'fingerprint' in schema['$defs']['ListedSubmission']['properties'], "
        "'submissions.fingerprint' in str(listing._LINES))",
    )
    assert shown == "True True True"  # the CSV, the API's schema, the query


def test_a_setting_is_one_field_and_its_lines(copy: Path) -> None:
    _change(
        copy / "resultsq/settings.py",
        "    master_token: Hidden",
        '    sundial: bool = Field(False, description="Read the time from a sundial.")\n    master_token: Hidden',
    )
    page = _in(copy, "from resultsq.settings_page import page; print(page())")
    assert "| `RESULTSQ_SUNDIAL` | `false` | Read the time from a sundial. |" in page


def test_a_kind_is_one_package_one_template_and_one_line(copy: Path) -> None:
    """The package is the toy's, which tests/integration/deploy/test_kinds.py takes the whole way."""
    shutil.copytree(
        ROOT / "tests/support/toy", copy / "resultsq/kinds/kites", ignore=shutil.ignore_patterns("__pycache__")
    )
    registry = copy / "resultsq/kinds/registry.py"
    _change(registry, "    MessagesKind(),\n", "    MessagesKind(),\n    KitesKind(),\n")
    registry.write_text(f"from resultsq.kinds.kites.kind import KitesKind\n{registry.read_text()}")
    shown = _in(
        copy,
        "from flask import Flask, render_template\n"
        "from resultsq.web import kinds\n"
        "app = Flask('any')\n"
        "kinds.install(app)\n"
        "with app.app_context():\n"
        "    said = kinds.detail('kites', 1, b'{\"colours\": [\"red\"]}')\n"
        "    print(said.summary, render_template(said.template, said=said))",
    )
    assert shown == 'A kite of 1 colours <ul class="kite"><li>red</li></ul>'
