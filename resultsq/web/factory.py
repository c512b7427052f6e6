"""Puts the web application together: one function, from settings and a database to a WSGI app."""

import importlib.util
import io
import re
import secrets
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import structlog
from flask import Blueprint, Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from resultsq import languages, logs, secret_files
from resultsq.app.context import AppContext
from resultsq.clock import Clock
from resultsq.domain.current_language import use_language
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell
from resultsq.web import (
    api,
    auth,
    bounds,
    dashboard,
    errors,
    form,
    kinds,
    language,
    openapi,
    operator_api,
    ops,
    people_copies,
    register,
    registrations_api,
    relay,
    status_page,
)
from resultsq.web.bounds import MOST_NUMBER
from resultsq.web.forwarded import ForwardedHeaders
from resultsq.web.node import node, put

BLUEPRINTS: tuple[Blueprint, ...] = (
    api.blueprint,
    operator_api.blueprint,
    registrations_api.blueprint,
    openapi.blueprint,
    ops.blueprint,
    relay.blueprint,
    people_copies.blueprint,
    form.blueprint,
    status_page.blueprint,
    register.blueprint,
    dashboard.blueprint,
)
"""Every group of routes, a line each."""

SESSION_LIFE = timedelta(hours=18)
"""A working day from the login on: no session ends between the first finisher and the last correction."""

# nothing is fetched from elsewhere, and nothing inline runs or paints
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logs.get("web")


class _FormParser(FormDataParser):
    """Counts the fields of a form before it makes them."""

    def _parse_urlencoded(self, stream: IO[bytes], *more: Any) -> Any:
        body = stream.read()
        if self.max_form_parts is not None and body.count(b"&") >= self.max_form_parts:
            raise RequestEntityTooLarge
        return super()._parse_urlencoded(io.BytesIO(body), *more)


class _Request(Request):
    """A broken multipart body is an error, not an empty form."""

    form_data_parser_class = _FormParser

    def make_form_data_parser(self) -> FormDataParser:
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser

    def _get_file_stream(self, *about: Any, **more: Any) -> IO[bytes]:
        return self._opened.enter_context(super()._get_file_stream(*about, **more))

    def _load_form_data(self) -> None:
        try:
            with ExitStack() as self._opened:  # the files of an upload that is refused half-way are closed at once
                super()._load_form_data()
                self._opened.pop_all()
        except ValueError:
            raise BadRequest(
                gettext("This upload is broken or was cut off. Nothing was stored; send it again.")
            ) from None


class _Sessions(SecureCookieSessionInterface):
    """Programs have no session: a cookie is neither read nor sent below the API. A page that anybody may cache is the
    same for all: no cookie leaves with it, and it does not vary by one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith(errors.PROGRAMS) else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not g.get("for_everybody"):
            super().save_session(app, session, response)


class _Number(IntegerConverter):
    """A row's number in an address: no database has more bits."""

    def __init__(self, of: Map, *about: Any, **more: Any) -> None:
        super().__init__(of, *about, **{"max": MOST_NUMBER, **more})


class _App(Flask):
    request_class = _Request
    session_interface = _Sessions()


def create_app(settings: Settings, database: Database, *, clock: Clock, bell: Bell) -> Flask:
    """The WSGI application of a node whose database has been migrated.

    :raises RuntimeError: a route has no rule.
    :raises SettingsError: the key that signs sessions can be neither read nor made."""
    app = _App(__name__)
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value() or kept_secret(settings.data_dir),
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        # with that prefix a browser takes it over TLS only, from this very host and for all of it
        SESSION_COOKIE_NAME="__Host-resultsq" if settings.secure_cookies else "resultsq",
        WTF_CSRF_SSL_STRICT=False,  # or a page with a secret in its address could not hide it from the Referer
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFE,
        SESSION_REFRESH_EACH_REQUEST=False,  # or what anybody may cache would carry a person's cookie
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session, not for an hour
        BOOTSTRAP_SERVE_LOCAL=True,
        BABEL_DEFAULT_LOCALE=languages.ENGLISH,
        BABEL_TRANSLATION_DIRECTORIES=str(languages.FOLDER),
        BABEL_DEFAULT_TIMEZONE=settings.time_zone,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.url_map.converters["int"] = _Number
    app.url_map.merge_slashes = False  # or a doubled slash would be answered with an HTML redirect
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    put(app, AppContext(settings, database, clock, bell))
    app.before_request(_begin)
    app.after_request(_finish)
    bounds.install(app)
    auth.install(app)
    errors.install(app)
    kinds.install(app)
    Babel(app, locale_selector=language.select)
    use_language(language.of_request)
    Bootstrap5(app)
    app.register_blueprint(_vendor())
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    language.install(app)
    auth.close_the_list(app)
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n, x_prefix=n)  # type: ignore[method-assign]
    else:
        app.before_request(ForwardedHeaders(settings.data_dir, clock).look)
    return app


def kept_secret(data_dir: Path) -> str:
    """The key in the data folder; made at the first start, readable by this user only.

    :raises SettingsError: the folder can be neither read nor written."""
    try:
        return secret_files.kept(data_dir / "secret.key", lambda: secrets.token_urlsafe(48))
    except OSError as error:
        raise SettingsError(
            f"The key that signs sessions cannot be kept in {data_dir}: {error.strerror}. "
            "Make the folder writable, or set secret_key."
        ) from None


def _vendor() -> Blueprint:
    """htmx, from the wheel that carries it; its package needs Django, its files do not."""
    found = importlib.util.find_spec("js_lib_htmx")
    if found is None or not found.submodule_search_locations:
        raise SettingsError("The package django-js-lib-htmx is not installed, so the pages would not work.")
    folder = Path(found.submodule_search_locations[0]) / "static" / "htmx"
    return Blueprint("vendor", __name__, static_folder=folder, static_url_path="/static/vendor/htmx")


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.began = node().clock.monotonic()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    headers = response.headers
    language.finish(response)
    headers["X-Request-ID"] = g.request_id
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer" if "secret" in (request.view_args or ()) else "same-origin"
    headers["X-Frame-Options"] = "DENY"
    if "Cache-Control" not in headers:
        # what one person sees stays off the disk of a laptop that the next one borrows; figures that a page asks
        # for every few seconds carry a tag, to be asked for in vain
        personal = g.get("personal", False) and "ETag" not in headers
        headers["Cache-Control"] = (
            "no-store" if personal or request.path.startswith(errors.PROGRAMS) else "private, no-cache"
        )
    # the route's pattern, not the path: a path may hold a secret, a query a name
    of_interest = response.status_code >= 500 or (node().settings.log_requests and not _is_file())
    report = log.info if of_interest else log.debug
    report(
        "web.request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule is not None else None,
        status=response.status_code,
        ms=round((node().clock.monotonic() - g.began) * 1000, 1),
    )
    return response


def _is_file() -> bool:
    """A stylesheet, a script or an icon: not worth a line of the log."""
    return request.endpoint is not None and request.endpoint.rpartition(".")[2] == "static"
