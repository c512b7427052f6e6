"""Who may call a route. Each route says so with one decorator, and one hook holds everybody to it.

    @rule.public                          anybody
    @rule(Role.TEAM, Role.VIEWER)         a person who is logged in and is at least one of these
    @rule.bearer(Role.TEAM)               a program with a token of at least that role; cookies count for nothing
    @rule.loopback(Role.VIEWER)           this machine itself, else a program with such a token
    @rule.opened(Role.TEAM)               such a person, or the browser that opened the mailed link to this athlete; if
                                          public_profiles says so, anybody
    @rule.secret                          what has the secret that is in the address: a mail program, without a token

A route without a rule is an error when the app is made. Mutating calls of people carry a CSRF token; programs'
need none, because nothing that a browser sends by itself lets them in.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from hashlib import sha256
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect
from markupsafe import escape
from werkzeug.exceptions import BadRequest

from resultsq.app import people
from resultsq.app.alerting import teller
from resultsq.domain.errors import NotAllowed
from resultsq.domain.i18n import gettext
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, alerts, tokens
from resultsq.store.admin.accounts import AccountView
from resultsq.store.admin.tokens import Bearer
from resultsq.web import bounds
from resultsq.web.cache import TTLCache
from resultsq.web.errors import ApiProblem
from resultsq.web.login_limits import LoginLimits, known_device, remember_device
from resultsq.web.node import node
from resultsq.web.opened_profile import is_open_here

TOKEN_CACHE_S = 3.0
"""How long a token is believed without asking the store: a revoked one is good for at most this long."""

LOGIN_VIEW = "form.login"
"""The endpoint of the login page."""

V = TypeVar("V", bound=Callable[..., Any])

_BEGAN = "began"
"""In the session: the time of the login, in seconds since 1970."""

_ID = "id"
"""In the session: its own name, by which the server knows that it was ended."""

_ATTRIBUTE = "resultsq_rule"
_csrf = CSRFProtect()


class Audience(Enum):
    """Which kind of caller a rule is about."""

    ANYBODY = "anybody"
    PERSON = "person"
    PROGRAM = "program"
    MACHINE = "machine"
    HOLDER = "holder"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who may call a route; any one of `roles` will do. `opened`: so will a mailed link that this browser opened, for
    the athlete whose `number` is in the address."""

    who: Audience
    roles: tuple[Role, ...] = ()
    opened: bool = False

    def __call__(self, view: V) -> V:
        if hasattr(view, _ATTRIBUTE):
            raise TypeError(f"{view.__name__} has two rules.")
        setattr(view, _ATTRIBUTE, self)
        return view


class _Rules:
    def __call__(self, *roles: Role) -> AccessRule:
        return AccessRule(Audience.PERSON, roles)

    def opened(self, *roles: Role) -> AccessRule:
        return AccessRule(Audience.PERSON, roles, opened=True)

    def bearer(self, *roles: Role) -> AccessRule:
        return AccessRule(Audience.PROGRAM, roles)

    def loopback(self, *roles: Role) -> AccessRule:
        return AccessRule(Audience.MACHINE, roles)

    public = AccessRule(Audience.ANYBODY)
    secret = AccessRule(Audience.HOLDER)


rule = _Rules()


class _User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    def __init__(self, account: AccountView) -> None:
        self.account = account

    def get_id(self) -> str:
        return f"{self.account.id}:{self.account.salt}"


@dataclass(frozen=True, slots=True)
class _AuthState:
    """What the process remembers of callers."""

    bearers: TTLCache[str, Bearer | None]
    log_ins: LoginLimits


def install(app: Flask) -> None:
    """Hold every request to its route's rule. Call it before any blueprint adds hooks of its own."""
    clock = app.extensions["resultsq"].clock
    app.extensions["resultsq.doors"] = _AuthState(
        bearers=TTLCache(clock, TOKEN_CACHE_S),
        log_ins=LoginLimits(clock, _tell_of_guesses),
    )
    manager = LoginManager()
    manager.init_app(app, add_context_processor=False)  # a page that tells of a store that is gone must not ask it
    manager.session_protection = None  # a phone changes its address all the time
    manager.user_loader(_load_user)
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # checked below, by rule
    _csrf.init_app(app)
    app.before_request(_enforce)


def rules(app: Flask) -> dict[str, AccessRule]:
    """The rule of each endpoint.

    :raises RuntimeError: a route has none."""
    found: dict[str, AccessRule] = {}
    for route in app.url_map.iter_rules():
        declared: AccessRule | None = getattr(app.view_functions[route.endpoint], _ATTRIBUTE, None)
        if declared is None and route.endpoint.rpartition(".")[2] == "static":
            declared = rule.public
        if declared is None:
            raise RuntimeError(f"The route {route.rule} does not say who may call it: give {route.endpoint} a rule.")
        found[route.endpoint] = declared
    return found


def close_the_list(app: Flask) -> None:
    """All routes are there: note their rules. A route that comes later is refused."""
    app.extensions["resultsq.rules"] = rules(app)


# in a request


def bearer() -> Bearer:
    """Whose token this request came with, on a route for programs."""
    return cast(Bearer, g.bearer)


def account() -> AccountView | None:
    """Who is logged in."""
    return cast(AccountView, current_user.account) if current_user.is_authenticated else None


def account_if_known() -> AccountView | None:
    """Who is logged in, where this request has asked for it already: it costs no look into the database."""
    found = g.get("_login_user")
    return found.account if isinstance(found, _User) else None


def me() -> AccountView:
    """Who is logged in, on a route for people."""
    found = account()
    if found is None:
        raise NotAllowed(gettext("Log in first."))
    return found


def log_in(name: str, password: str) -> AccountView | None:
    """Log in with a password; None where name and password do not fit.

    :raises TooManyRequests: too many tries were refused, of this name or from this address."""
    app, name = current_app, name.strip()
    attempt = _auth_state().log_ins.begin(name, request.remote_addr, known_device(app, name))
    with node().database.read() as conn:
        found = accounts.verify(conn, name, password)
    if found is None:
        return None
    attempt.was_right()
    start_session(found)
    remember_device(app, name)
    return found


def _tell_of_guesses(name: str) -> None:
    """An alert, once a day for each account that there is."""
    held = node()
    now = held.clock.now()
    with held.database.read() as conn:
        if not accounts.known_names(conn, [name]):
            return
    about = sha256(f"{now.date()} {name}".encode()).hexdigest()[:40]
    text = gettext(
        "Many addresses try passwords for the account {name}. New devices cannot log in with it for a while; known "
        "ones can. A password that is used nowhere else is safe.",
        name=name,
    )
    tell = teller(held.settings)
    held.database.write(lambda conn: alerts.tell_once(conn, now, "log-in refused often", about, text, tell))


def start_session(who: AccountView) -> None:
    """This browser is `who` from here on; nothing of an earlier session stays."""
    session.clear()
    login_user(_User(who))
    session.permanent = True
    session[_BEGAN] = _seconds()
    session[_ID] = secrets.token_hex(16)


def log_out() -> None:
    """End this browser's session, for a copy of its cookie as well."""
    held, ended = node(), session.get(_ID, "")
    now, until = held.clock.now(), datetime.fromtimestamp(_ends_s(), UTC)
    if ended:
        held.database.write(lambda conn: accounts.end_session(conn, now, ended, until))
    logout_user()
    session.clear()


def log_out_elsewhere() -> None:
    """End every session of this person but this browser's."""
    who, held = me(), node()
    held.transact(who.name, lambda tx: people.end_sessions(tx, who.name))
    with held.database.read() as conn:
        found = accounts.load(conn, who.id)
    if found is not None:
        start_session(found)


def is_for_anybody() -> bool:
    """Whether profiles are public, and this is no team's browser, which sees more of its athletes."""
    if not node().settings.public_profiles:
        return False
    who = account()
    return who is None or not who.role.at_least(Role.TEAM)


# the hook


def _enforce() -> Response | None:
    if request.endpoint is None:
        return None  # no such address: the router's own refusal follows
    declared: AccessRule | None = current_app.extensions["resultsq.rules"].get(request.endpoint)
    if declared is None or "\0" in request.path:  # no text in a database has that character
        abort(404)
    match declared.who:
        case Audience.ANYBODY:
            _csrf.protect()
            _demand_text()
        case Audience.HOLDER:
            _demand_text()
        case Audience.PERSON if declared.opened and (
            is_open_here((request.view_args or {}).get("number", "")) or is_for_anybody()
        ):
            g.personal = True
        case Audience.PERSON:
            if (who := account()) is None:
                return _to_login()
            g.personal = True
            _need(who.role, declared)
            bounds.begin_check(f"account {who.id}")
            _csrf.protect()
            _demand_text()
        case Audience.PROGRAM:
            g.bearer = _bearer()
            _need(g.bearer.role, declared)
            bounds.begin_check(f"token {g.bearer.id}")
        case Audience.MACHINE:
            if not is_this_machine():
                _need(_bearer().role, declared)
    return None


def _demand_text() -> None:
    given = (text for values in (request.args, request.form) for _, text in values.items(multi=True))
    if any("\0" in text for text in given):
        raise BadRequest(gettext("A field contains a control character. Nothing was changed."))


def _need(role: Role, declared: AccessRule) -> None:
    if not any(role.at_least(needed) for needed in declared.roles):
        raise NotAllowed(gettext("This needs rights that you do not have here. Ask an operator of this node."))


def _to_login() -> Response:
    asked = request.full_path if request.method == "GET" else None
    part = "HX-Request" in request.headers
    if part and request.method != "GET":
        # the page keeps the request, and sends it again after the login
        sentence = escape(gettext("You were logged out. Log in again: what was saved is kept."))
        return Response(f"<main><p>{sentence}</p></main>", 401, {"X-Login": url_for(LOGIN_VIEW)})
    if request.accept_mimetypes.accept_json and not request.accept_mimetypes.accept_html:
        raise ApiProblem(401, gettext("You were logged out. Log in again: what was saved is kept."))
    shown = urlsplit(request.headers.get("HX-Current-URL", "") if part else request.referrer or "")
    if (part or asked is None) and shown.netloc == request.host:
        asked = shown.path  # the page, and not the part of it or the action that was asked for
    target = url_for(LOGIN_VIEW, next=asked)
    if part:
        return Response(status=204, headers={"HX-Redirect": target})
    return cast(Response, redirect(target, 303))


def _bearer() -> Bearer:
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unknown("This needs a token: send it as `Authorization: Bearer <token>`.", "")
    found = _auth_state().bearers.get(tokens.digest(token), lambda: _look_up(token))
    if found is None:
        raise _unknown("This node does not know this token, or it was revoked.", ', error="invalid_token"')
    return found


def _unknown(detail: str, more: str) -> ApiProblem:
    return ApiProblem(401, detail, headers={"WWW-Authenticate": f'Bearer realm="resultsq"{more}'})


def _look_up(token: str) -> Bearer | None:
    with node().database.read() as conn:
        return tokens.verify(conn, token)


def _load_user(user_id: str) -> _User | None:
    # the cookie is written anew, with a new date, whenever a page changes something in the session
    if _seconds() >= _ends_s():
        return None
    number, _, salt = user_id.partition(":")
    with node().database.read() as conn:
        found = accounts.load(conn, int(number)) if number.isdecimal() else None
        if found is not None and accounts.has_ended(conn, session.get(_ID, "")):
            return None
    return _User(found) if found is not None and hmac.compare_digest(found.salt, salt) else None


def _seconds() -> int:
    return int(node().clock.now().timestamp())


def _ends_s() -> float:
    """When this session ends. One of an older version, which does not say when it began, begins now."""
    began: int = session.setdefault(_BEGAN, _seconds())
    return began + current_app.permanent_session_lifetime.total_seconds()


def is_this_machine() -> bool:
    """Whether this request comes from a program on this machine, and straight."""
    # a request that a proxy on this machine passed on comes from somewhere else
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    # a page from elsewhere, whose name was made to point here, comes with that name
    return _is_loopback(request.remote_addr or "") and _is_loopback(urlsplit(f"//{request.host}").hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _auth_state() -> _AuthState:
    return cast(_AuthState, current_app.extensions["resultsq.doors"])
