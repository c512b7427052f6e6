"""docker-compose.yml as an engine would read it: anchors merged, variables filled in, and no engine needed."""

import re
from collections.abc import Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.support.processes import ROOT

FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?P<dollar>\$)|\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The whole file with these variables.

    :raises KeyError: one that it needs is not among them"""
    return fill(FILE.read_text(), environ)


def fill(text: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """YAML with these variables; two dollars are one.

    :raises KeyError: one that it needs is not among them"""
    filled: dict[str, Any] = _fill(parse(text), environ)
    return filled


def parse(text: str) -> dict[str, Any]:
    """YAML as it stands."""
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def environment_file(name: str) -> dict[str, str]:
    """The variables of a file in config/."""
    lines = (ROOT / "config" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _fill(value: Any, environ: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _value(found, environ), value)
        case list():
            return [_fill(one, environ) for one in value]
        case dict():
            return {key: _fill(one, environ) for key, one in value.items()}
        case _:
            return value


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    if value := environ.get(found["name"]):
        return value
    if found["kind"] == "-":
        return found["rest"]
    raise KeyError(found["name"])
