"""What builds the addresses of routes, compiled once a process: Werkzeug compiles it for each route of each
application, which is most of what an application costs, and a run of all tests makes two thousand."""

import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from werkzeug.routing import Rule

_compile = Rule._compile_builder
_kept: dict[tuple[Any, ...], Any] = {}


def _builder(rule: Rule, append_unknown: bool = True) -> Any:
    """A function of the rule's text alone: what else it needs it asks the rule that it is called for."""
    if rule.defaults:
        return _compile(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _kept:
        _kept[key] = _compile(rule, append_unknown)
    return _kept[key]


@cache
def compile_once() -> None:
    """From now on a route takes what was compiled for another with the same text."""
    Rule._compile_builder = _builder  # type: ignore[method-assign, assignment]


def compile_all() -> None:
    """What a node's web process needs, before it is forked: by making one."""
    from resultsq.clock import SystemClock
    from resultsq.settings import Settings
    from resultsq.store.engine.session import Database
    from resultsq.wakeup import Bell
    from resultsq.web.factory import create_app

    compile_once()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        with closing(Database(settings.store_url)) as database:
            create_app(settings, database, clock=SystemClock(), bell=Bell(""))
