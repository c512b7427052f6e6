"""The wheel as it is handed out: installed where there is nothing else, it rehearses an outage."""

import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.deploy.closure import runtime
from tests.support.processes import ROOT, Process

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*build, "-w", str(folder), str(ROOT)], check=True, timeout=120)
    [built] = folder.glob("*.whl")
    return built


def _empty_environment(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel, what it declares to need, and nothing else; its folder of programs.

    Nothing is fetched: the dependencies are those of this environment, each laid in by itself."""
    venv.create(folder, with_pip=False, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    for one in runtime().values():
        for top in {Path(file).parts[0] for file in one.files or () if Path(file).parts[0] != ".."}:
            if not (site / top).exists() and top != "__pycache__":
                (site / top).symlink_to(str(one.locate_file(top)))
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, timeout=120)
    return folder / "bin"


def test_the_wheel_holds_all_that_is_no_code_and_no_tests_when_it_is_built(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packed = {path.relative_to(ROOT).as_posix() for path in (ROOT / "resultsq").rglob("*") if path.is_file()}
    sources = (".po", ".pot", "GLOSSARY.md")  # of sentences: the compiled catalogues are there
    assert {name for name in packed if "__pycache__" not in name and not name.endswith(sources)} <= names
    assert "resultsq/py.typed" in names
    assert not [name for name in names if not name.startswith("resultsq")]


def test_the_wheel_says_what_an_installation_brings_along_when_it_is_built(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        [name] = [name for name in packed.namelist() if ".dist-info/sboms/" in name]
        bill = json.loads(packed.read(name))
    product, brought = bill["metadata"]["component"], bill["components"]
    assert name == f"resultsq-{product['version']}.dist-info/sboms/resultsq.cdx.json"
    assert (bill["bomFormat"], bill["specVersion"], product["name"]) == ("CycloneDX", "1.6", "resultsq")
    # nothing of the tests, and nothing left out
    installed = {name: one.version for name, one in runtime().items()}
    assert {one["name"]: one["version"] for one in brought} == installed
    assert all(one["purl"] == one["bom-ref"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in brought)
    [own] = bill["dependencies"]
    declared = {canonicalize_name(Requirement(line).name) for line in _declared()}
    assert own["ref"] == product["bom-ref"]
    assert {one.removeprefix("pkg:pypi/").partition("@")[0] for one in own["dependsOn"]} == declared


def _declared() -> list[str]:
    lines: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return lines


def test_a_rehearsal_is_good_when_nothing_but_the_wheel_is_installed(wheel: Path, tmp_path: Path) -> None:
    programs = _empty_environment(tmp_path / "environment", wheel)
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    env = {"PYTHONPATH": "", "HOME": str(nowhere)}
    words = ["drill", "--backlog", "10", "--outage", "3", "--json"]
    with Process(*words, program=[str(programs / "resultsq")], env=env, cwd=nowhere) as drill:
        assert drill.wait(180) == 0, str(drill)
        assert json.loads(drill.stdout)["ok"] is True
    with Process("-c", "import resultsq; print(resultsq.__file__)", program=[str(programs / "python")], env=env,
                 cwd=nowhere) as where:  # fmt: skip
        assert where.wait(30) == 0
        assert where.stdout.startswith(str(tmp_path))
    assert list(nowhere.iterdir()) == []
