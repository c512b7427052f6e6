"""Asks a WSGI application one question. What test clients do beside that takes longer than most answers."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from wsgiref.types import WSGIApplication

WRITTEN_WITHOUT_HTTP = ("content-type", "content-length")


@dataclass(frozen=True)
class Said:
    """An answer. `headers`: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """:returns: what it says; None where it is no JSON"""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def ask(app: WSGIApplication, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Said:
    """One request and its answer, whole."""
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
        told[:] = [int(status.split()[0]), {name.lower(): value for name, value in headers}]
        return told.append

    parts = app(_environ(method, url, headers, body), start)
    try:
        said = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return Said(told[0], told[1], said)


def _environ(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = url.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        prefix = "" if name.lower() in WRITTEN_WITHOUT_HTTP else "HTTP_"
        environ[prefix + name.upper().replace("-", "_")] = value
    return environ
