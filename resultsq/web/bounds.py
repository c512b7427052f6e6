"""How much a request may bring. Each route has a bound: one that declares none takes no more than a form's few fields.

    @bound.files       files, up to the node's largest body
    @bound.entry       a device's entry, with its files in one JSON document
    @bound.rows        a typed table: many fields, no files
    @bound.list        a list of events or people, as a file or as text

A body over its bound is refused from its head, before any of it is parsed. Each parsed value costs a hundred times its
bytes, so fields are counted in the raw bytes, which costs a millisecond. `app.intake` counts a JSON body likewise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from flask import Flask, current_app, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, TooManyRequests, UnsupportedMediaType

from resultsq.app.intake import MOST_FILES
from resultsq.domain.i18n import gettext
from resultsq.readers import MAX_ROWS
from resultsq.web.limits import ConcurrencyLimit

MOST_CHECKS = 2
"""Requests with files of one account or token that are worked on at once in a process."""

MOST_NUMBER = 2**31 - 1
"""The largest number of a row that an address or a form may name."""

JSON = "application/json"

V = TypeVar("V", bound=Callable[..., Any])

_ATTRIBUTE = "resultsq_bound"
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a route takes. `body_bytes` None: the setting `max_body_bytes`. `checks`: it brings files in
    whatever form it has."""

    body_bytes: int | None
    fields: int
    multipart: bool = False
    checks: bool = False

    def __call__(self, view: V) -> V:
        setattr(view, _ATTRIBUTE, self)
        return view

    def bytes_of(self, largest: int) -> int:
        """The most bytes of a body where the node takes `largest`."""
        return largest if self.body_bytes is None else min(self.body_bytes, largest)


class _Bounds:
    nothing = Bound(1024, fields=0)
    form = Bound(64 * 1024, fields=300)
    files = Bound(None, fields=MOST_FILES + 50, multipart=True)
    entry = Bound(None, fields=0, checks=True)
    rows = Bound(4 * 1024 * 1024, fields=2 * MAX_ROWS + 50)
    list = Bound(2 * 1024 * 1024, fields=50, multipart=True)


bound = _Bounds()


def install(app: Flask) -> None:
    """Hold every request to its route's bound. Call it before anything that reads a body adds a hook."""
    app.extensions["resultsq.checks"] = ConcurrencyLimit(MOST_CHECKS)
    app.before_request(_enforce)
    app.teardown_request(_end_check)


def of_endpoint(app: Flask, endpoint: str | None, method: str) -> Bound:
    """What a route takes; an address without a route takes nothing."""
    if endpoint is None or method in _BODILESS:
        return bound.nothing
    return cast(Bound, getattr(app.view_functions.get(endpoint), _ATTRIBUTE, bound.form))


def most_bytes(app: Flask, method: str, path: str) -> int:
    """The largest body that is taken at an address, for a server that has only read the head."""
    try:
        endpoint, _values = app.url_map.bind("").match(path, method)
    except HTTPException:
        endpoint = None
    return of_endpoint(app, endpoint, method).bytes_of(app.config["MAX_CONTENT_LENGTH"])


def row_number(text: str) -> int:
    """A row's number in a query, for `args.get(…, type=row_number)`.

    :raises ValueError: it is not a number, or larger than any."""
    number = int(text)
    if not 0 <= number <= MOST_NUMBER:
        raise ValueError("no row has that number")
    return number


def begin_check(who: str) -> None:
    """Where this request brings files: it is one of the few that `who` may have checked at once.

    :raises TooManyRequests: there are as many already."""
    found = of_endpoint(current_app, request.endpoint, request.method)
    if not found.checks and (not found.multipart or request.mimetype == JSON):
        return
    if not _checks().begin(who):
        raise TooManyRequests(
            gettext("Files of yours are being checked already. Try again in a moment."), retry_after=1
        )
    g.checking = who


def _end_check(_error: BaseException | None) -> None:
    if (who := g.pop("checking", None)) is not None:
        _checks().end(who)


def _checks() -> ConcurrencyLimit:
    return cast(ConcurrencyLimit, current_app.extensions["resultsq.checks"])


def _enforce() -> None:
    found = of_endpoint(current_app, request.endpoint, request.method)
    most = found.bytes_of(current_app.config["MAX_CONTENT_LENGTH"])
    request.max_content_length = request.max_form_memory_size = most
    request.max_form_parts = found.fields
    if (request.content_length or 0) > most:
        raise RequestEntityTooLarge
    if request.mimetype == "multipart/form-data" and not found.multipart and request.content_length:
        raise UnsupportedMediaType(gettext("Files are not taken at this address. Nothing was changed."))
