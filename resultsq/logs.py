"""Structured logging: one line an attempt, no personal data.

Every line that a module writes goes through `get`; the keys below never leave the process whatever a caller
passes, and whatever other libraries log is reduced to its logger and level where it could carry a request.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal


@contextmanager
def _not_loaded(name: str) -> Iterator[None]:
    """Within it, an import of this library fails as if it were not installed."""
    loaded = name in sys.modules
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: importlib's own sign for it
    yield
    if not loaded:
        del sys.modules[name]


# it draws structlog's tracebacks in colour, which no line of ours has, and is a tenth of what every process loads
with _not_loaded("rich"):
    import structlog

NEVER_LOGGED = frozenset(
    {
        "athlete",
        "athletes",
        "name",
        "names",
        "token",
        "file",
        "file_name",
        "authorization",
        "password",
        "body",
    }
)


def _drop_personal(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in NEVER_LOGGED & event.keys():
        del event[key]
    return event


def configure(log_format: Literal["console", "json"], level: str) -> None:
    """Set up logging for this process; call it once, from the command line."""
    renderer = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    _configure(renderer, level, structlog.WriteLoggerFactory(file=sys.stderr), cached=True)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s", force=True
    )
    # a broker that is away is reported once, by the bell and by the worker; not with a stack each second
    for chatty in ("urllib3", "kombu", "celery.worker.consumer", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def is_set_up() -> bool:
    """Whether this is a process that stays, with a log. A command that ends has its answer on the standard output."""
    return structlog.get_config()["logger_factory"] is not _to_standard_error


def begin() -> None:
    """Logging before it is set up, and of a command that never does: warnings on the standard error. Without this the
    library would print each line on the standard output, and with a traceback all variables, people's names among
    them."""
    _configure(structlog.dev.ConsoleRenderer(colors=False), "warning", _to_standard_error, cached=False)


def _to_standard_error(*_args: object) -> structlog.WriteLogger:
    return structlog.WriteLogger(sys.stderr)


def _configure(renderer: Any, level: str, factory: Any, cached: bool) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _drop_personal,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=cached,
    )


def get(room: str) -> structlog.stdlib.BoundLogger:
    """A logger; events are called `room.what_happened`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(room=room)
    return logger


begin()
