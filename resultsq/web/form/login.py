"""Log in and out without the master, a new password by a one-time link, and where everybody starts."""

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response as Answer

from resultsq.app import people
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, people_copies
from resultsq.web import auth
from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint, by_name, events_of
from resultsq.web.node import node


@blueprint.get("/")
@rule.public
def start() -> Answer:
    """On to where this person works."""
    who = auth.account()
    if who is None:
        return redirect(url_for("form.login"), 303)
    if who.role.at_least(Role.VIEWER):
        return redirect(f"{request.script_root}/admin", 303)
    return redirect(url_for("form.choose"), 303)


@blueprint.get("/login")
@rule.public
def login() -> Answer:
    """The login page; who is logged in already goes on."""
    return redirect(_onward(), 303) if auth.account() is not None else _page(200)


@blueprint.post("/login")
@rule.public
def log_in() -> Answer:
    """Log in, as often as the limiter allows."""
    try:
        found = auth.log_in(request.form.get("name", ""), request.form.get("password", ""))
    except TooManyRequests as refusal:
        answer = _page(429, refusal.description or "")
        answer.retry_after = refusal.retry_after
        return answer
    if found is None:
        return _page(422, _("That name and password do not match. Capital letters matter in both."))
    return redirect(_onward(), 303)


@blueprint.post("/logout")
@rule(*Role)
def logout() -> Answer:
    """End this browser's session; work in progress stays on the server."""
    auth.log_out()
    return redirect(url_for("form.login"), 303)


@blueprint.get("/account")
@rule(*Role)
def account() -> str:
    """Who is logged in here, an end to it elsewhere, and another password."""
    return _account_page()


def _account_page(refusal: str = "") -> str:
    with node().database.read() as conn:
        mine, source = by_name(events_of(conn, auth.me())), people_copies.state(conn).address
    return render_template("account.html", mine=mine, source=source, refusal=refusal, least=accounts.PASSWORD_MIN)


@blueprint.post("/account/password")
@rule(*Role)
def change_password() -> Answer | tuple[str, int]:
    """Change the password, given the present one; guesses are limited as at the login."""
    who, held = auth.me(), node()
    try:
        if auth.log_in(who.name, request.form.get("present", "")) is None:
            return _account_page(_("That isn't your password now. Nothing was changed.")), 422
        hashed = accounts.hash_password(request.form.get("chosen", ""))
    except TooManyRequests as refusal:
        return _account_page(refusal.description or ""), 429
    except InputRefused as refusal:
        return _account_page(str(refusal)), 422
    held.transact(who.name, lambda tx: people.set_password(tx, who.name, hashed))
    with held.database.read() as conn:
        found = accounts.load(conn, who.id)
    if found is not None:
        auth.start_session(found)
    flash(_("Your password is changed. All other devices are logged out."), "success")
    return redirect(url_for("form.account"), 303)


@blueprint.post("/logout/elsewhere")
@rule(*Role)
def logout_elsewhere() -> Answer:
    """End this person's sessions on all other devices: a phone was lost, or a shared laptop left logged in."""
    auth.log_out_elsewhere()
    flash(_("All other devices are logged out. Work in progress is kept."), "success")
    return redirect(url_for("form.account"), 303)


@blueprint.get("/password/<secret>")
@rule.public
def password(secret: str) -> Answer:
    """The page of a one-time link; to look at it does not use it up."""
    try:
        _demand_good(secret)
    except NotThere as refusal:
        return _dead_link(refusal)
    return _password_page(200, secret)


@blueprint.post("/password/<secret>")
@rule.public
def set_password(secret: str) -> Answer:
    """Take the new password and log in with it."""
    held = node()
    chosen = request.form.get("password", "")
    try:
        _demand_good(secret)  # before a tenth of a second is spent on the hash
        hashed = accounts.hash_password(chosen)
        now = held.clock.now()
        name = held.database.write(lambda conn: people.use_password_link(conn, now, secret, hashed))
    except InputRefused as refusal:
        return _password_page(422, secret, str(refusal))
    except NotThere as refusal:
        return _dead_link(refusal)
    with held.database.read() as conn:
        found = accounts.verify(conn, name, chosen)
    if found is not None:
        auth.start_session(found)
    flash(_("Your new password is set. From now on you log in as %(name)s with it.", name=name), "success")
    return redirect(url_for("form.start"), 303)


def _demand_good(secret: str) -> None:
    held = node()
    with held.database.read() as conn:
        accounts.demand_password_link(conn, held.clock.now(), secret)


def _page(status: int, refusal: str = "") -> Response:
    onward = request.values.get("next", "")
    return Response(render_template("login.html", refusal=refusal, onward=onward), status)


def _password_page(status: int, secret: str, refusal: str = "") -> Response:
    page = render_template("password.html", secret=secret, refusal=refusal, least=accounts.PASSWORD_MIN)
    return Response(page, status, {"Cache-Control": "no-store"})


def _dead_link(refusal: NotThere) -> Response:
    page = render_template("password.html", dead=str(refusal))
    return Response(page, 404, {"Cache-Control": "no-store"})


def _onward() -> str:
    """The page that asked for a login, if it is one of ours: an address from outside leads nowhere else."""
    target = request.values.get("next", "")
    ours = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if ours else url_for("form.start")
