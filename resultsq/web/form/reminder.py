"""Where a runner asks for the barcode by mail. The page says the same of every address, and takes the same time."""

import hashlib
import hmac
import re

from flask import current_app, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response as Answer

from resultsq.app import reminders
from resultsq.domain.destinations import MAIL_ADDRESS
from resultsq.domain.errors import NotAllowed, NotThere
from resultsq.web.auth import rule
from resultsq.web.form.base import blueprint
from resultsq.web.limits import RateLimiter, network
from resultsq.web.node import node

MOST, WITHIN_S = 30, 600.0
"""Reminders that one caller may ask for in ten minutes: at an event many runners share one address."""

LONGEST = 254


@blueprint.get("/reminder")
@rule.public
def reminder() -> str:
    """The form."""
    _demand_switch()
    return render_template("reminder.html", refusal="")


@blueprint.post("/reminder")
@rule.public
def ask_reminder() -> Answer | tuple[str, int]:
    """Keep the request. Nothing is looked up here."""
    _demand_switch()
    _count()
    address = request.form.get("email", "").strip()
    if len(address) > LONGEST or not re.fullmatch(MAIL_ADDRESS, address):
        refusal = _("That is not a mail address. An address looks like name@example.org.")
        return render_template("reminder.html", refusal=refusal), 422
    if not request.form.get("website"):  # people do not see that field: a program filled it in
        try:
            reminders.ask(node(), address, _mark(address), str(get_locale()))
        except NotAllowed as refused:
            return render_template("reminder.html", refusal=str(refused)), 503
    return redirect(url_for("form.reminder_asked"), 303)


@blueprint.get("/reminder/asked")
@rule.public
def reminder_asked() -> str:
    """The answer, whatever was asked for."""
    _demand_switch()
    return render_template("reminder_asked.html")


def _demand_switch() -> None:
    if not node().settings.reminder:
        raise NotThere(_("There is nothing at this address."))


def _mark(address: str) -> bytes:
    """By which requests for one address are counted; it cannot be guessed without this node's key."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.digest(key, b"reminder " + address.lower().encode(), hashlib.sha256)


def _count() -> None:
    """:raises TooManyRequests: this caller has asked for too many"""
    name = "resultsq.reminders"
    tries = current_app.extensions.get(name) or RateLimiter(node().clock, MOST, WITHIN_S)
    wait_s = current_app.extensions.setdefault(name, tries).take(network(request.remote_addr))
    if wait_s > 0:
        raise TooManyRequests(
            _("Many reminders were asked for from here. Wait a few minutes and try again."), retry_after=int(wait_s) + 1
        )
