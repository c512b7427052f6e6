"""Bootstrap's stylesheet for languages that are written from right to left: its package brings the other alone.

Every left becomes a right. Our own stylesheet needs none of this: it says start and end.
"""

import re
from functools import cache
from pathlib import Path

from flask import Response, current_app, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import NotFound

from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.form.compression import YEAR_S, asset, mark_of

_SHEET, _ENDPOINT = "css/bootstrap.min.css", "bootstrap.static"
_DECLARATION = re.compile(r"(?<=[{;])(?P<name>[a-z-]+):(?P<value>(?:[^;{}\"']|\"[^\"]*\"|'[^']*')+)(?=[;}])")
_SIDES = re.compile(r"\b(left|right)\b")
_OTHER = {"left": "right", "right": "left"}
_WITH_SIDES = frozenset({"text-align", "float", "clear", "background-position", "transform-origin"})
_FOUR = frozenset({"margin", "padding", "border-width", "border-color", "border-style", "inset"})
_ACROSS = re.compile(r"(translate(?:X|3d)?\()(-?)([\d.]+)")
_BRACKETS = re.compile(r"\s+(?![^(]*\))")


def mirror(css: str) -> str:
    """A stylesheet with its sides exchanged. Plain CSS as a minifier writes it."""
    return _DECLARATION.sub(lambda found: f"{_name(found['name'])}:{_value(found['name'], found['value'])}", css)


def _name(name: str) -> str:
    return name if name.startswith("--") else _SIDES.sub(lambda side: _OTHER[side[0]], name)


def _value(name: str, value: str) -> str:
    if name in _WITH_SIDES:
        return _SIDES.sub(lambda side: _OTHER[side[0]], value)
    if name == "transform":
        return _ACROSS.sub(lambda move: f"{move[1]}{'' if move[2] or float(move[3]) == 0 else '-'}{move[3]}", value)
    parts = _BRACKETS.split(value)
    if name in _FOUR and len(parts) == 4:
        return " ".join((parts[0], parts[3], parts[2], parts[1]))
    if name == "border-radius" and len(parts) == 4:
        return " ".join((parts[1], parts[0], parts[3], parts[2]))
    return value


@blueprint.record_once
def _equip(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals.update(bootstrap=bootstrap)


def bootstrap(direction: str) -> str:
    """The address of the stylesheet for pages of that direction."""
    if direction == "ltr":
        return asset(_SHEET, _ENDPOINT)
    return url_for("form.mirrored", mark=mark_of(_SHEET, _ENDPOINT))


@blueprint.get("/static/mirrored/<mark>.css")
@rule.public
def mirrored(mark: str) -> Response:
    """The mirrored stylesheet, which may be kept for ever: its address changes with it."""
    if mark != mark_of(_SHEET, _ENDPOINT):
        raise NotFound
    headers = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}
    folder = current_app.blueprints["bootstrap"].static_folder
    return Response(_mirrored(Path(folder or "") / _SHEET), mimetype="text/css", headers=headers)


@cache
def _mirrored(path: Path) -> str:
    return mirror(path.read_text())
