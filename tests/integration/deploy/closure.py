"""What an installation of the product brings along: its dependencies and theirs, on this machine."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement

from tests.support.processes import ROOT


def runtime() -> dict[str, Distribution]:
    """Name → distribution, of everything that pyproject.toml's dependencies lead to; extras for tests left out."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    open_ends = list(_needed(declared, frozenset()))
    while open_ends:
        wanted = open_ends.pop()
        key = (_normal(wanted.name), frozenset(wanted.extras))
        if key not in found:
            found[key] = distribution(wanted.name)
            open_ends += _needed(found[key].requires or (), key[1])
    return {name: one for (name, _), one in found.items()}


def _needed(requirements: Iterable[str], extras: frozenset[str]) -> Iterable[Requirement]:
    for one in map(Requirement, requirements):
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield one


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
