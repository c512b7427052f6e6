"""What a page says of a submission of any kind: its summary, and its content by the kind's own template.

A kind's template lies in its package, in the folder `templates`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flask import Flask
from jinja2 import ChoiceLoader, PackageLoader
from werkzeug.routing import BaseConverter, Map

from resultsq.domain.destinations import MASTER
from resultsq.domain.entry import Slip
from resultsq.domain.i18n import gettext
from resultsq.domain.ports import Form
from resultsq.kinds import registry
from resultsq.kinds.registry import KINDS


@dataclass(frozen=True, slots=True)
class Detail:
    """`template` None: there is nothing to show, or its kind has pages of its own. `content`: the body's JSON."""

    summary: str
    template: str | None
    content: Mapping[str, object]


class _Name(BaseConverter):
    """The name of a kind that is for the master: the others the node writes itself. Any other name is 404."""

    def __init__(self, of: Map) -> None:
        super().__init__(of)
        self.regex = "|".join(name for name, kind in KINDS.items() if kind.destination == MASTER)


def install(app: Flask) -> None:
    """The templates of kinds are found after the application's own, and an address may have a kind's name in it."""
    app.url_map.converters["kind"] = _Name
    own = app.jinja_loader
    packages = [type(kind).__module__.rpartition(".")[0] for kind in KINDS.values() if kind.template is not None]
    app.add_template_filter(gettext, "sentence")
    app.add_template_filter(registry.title, "kind")
    app.add_template_filter(registry.counted, "counted")
    app.jinja_loader = ChoiceLoader([*([own] if own else []), *map(PackageLoader, packages)])


def detail(kind: str, count: int, body: bytes | None, slip: Slip | None = None) -> Detail:
    """The detail to show: of a personal submission the `slip` alone. A kind that this version does not know is its
    own summary."""
    known = KINDS.get(kind)
    if known is None:
        return Detail(kind, None, {})
    if slip is not None:
        return Detail(known.summary(count), known.template, asdict(slip))
    content = None if body is None or known.template is None else json.loads(body)
    return Detail(known.summary(count), None if content is None else known.template, content or {})


def is_shown_whole(kind: str) -> bool:
    """Whether its bytes may be given to people: what the node itself writes has addresses in it."""
    return kind not in KINDS or KINDS[kind].destination == MASTER


def forms() -> dict[str, Form]:
    """The kinds that a team writes here, and their forms."""
    return {name: kind.form for name, kind in KINDS.items() if kind.form is not None}
