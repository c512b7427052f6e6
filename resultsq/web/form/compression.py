"""What travels is small and travels once: gzip for text, and files whose address changes with their content."""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Response, current_app, request, url_for

SMALLEST = 1024
"""Bytes below which gzip gains nothing."""

_TEXT = frozenset({"text/html", "text/css", "text/javascript", "application/javascript", "image/svg+xml", "text/csv"})
YEAR_S = 365 * 86_400


def asset(filename: str, endpoint: str = "static") -> str:
    """The address of a static file, with a mark of its content: it may be kept for ever."""
    return url_for(endpoint, filename=filename, v=mark_of(filename, endpoint))


def mark_of(filename: str, endpoint: str = "static") -> str:
    """What changes with a static file's content."""
    return _mark(_folder(endpoint), filename)


def slim(response: Response) -> Response:
    """Compress text for those who take it, and let marked files be kept."""
    static = request.endpoint is not None and request.endpoint.rpartition(".")[2] == "static"
    if static and response.status_code in (200, 304) and request.args.get("v"):
        response.cache_control.clear()
        response.cache_control.public = True
        response.cache_control.max_age = YEAR_S
        response.cache_control.immutable = True
    if response.mimetype not in _TEXT or response.status_code != 200 or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    if not request.accept_encodings["gzip"] or request.method == "HEAD":
        return response
    response.direct_passthrough = False
    plain = response.get_data()
    if len(plain) < SMALLEST:
        return response
    response.set_data(_packed(plain) if static else gzip.compress(plain, 5, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    if (tag := response.get_etag()[0]) is not None:
        response.set_etag(tag, weak=True)  # the same content in other bytes
    return response


@lru_cache(maxsize=64)
def _packed(plain: bytes) -> bytes:
    return gzip.compress(plain, 9, mtime=0)


@lru_cache(maxsize=256)
def _mark(folder: Path, filename: str) -> str:
    return hashlib.sha256((folder / filename).read_bytes()).hexdigest()[:12]


def _folder(endpoint: str) -> Path:
    blueprint = endpoint.rpartition(".")[0]
    folder = current_app.blueprints[blueprint].static_folder if blueprint else current_app.static_folder
    return Path(folder or "")
