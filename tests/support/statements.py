"""SQLAlchemy's compiled statements, kept once a process: each test has a database of its own, whose engine would
compile all of them anew, and that takes longer than to execute them."""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

_MOST = 5_000


class _Compiled(LRUCache[Any, Any]):
    """An engine's cache for all engines whose dialects write the same: the dialect is the first part of its keys."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_of_any(key), value)


def _of_any(key: Any) -> Any:
    dialect, *more = key
    kind = (
        type(dialect),
        dialect.statement_compiler,
        dialect.loaded_dbapi,
        dialect.paramstyle,
        dialect.server_version_info,
    )
    return (kind, *more)


_kept = _Compiled(_MOST)


def compile_once() -> None:
    """From now on an engine takes what another has compiled."""
    Engine._compiled_cache = property(lambda _: _kept, lambda _engine, _own: None)  # type: ignore[assignment]
