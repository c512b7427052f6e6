"""Tokens that programs submit and ask with: issue them, and revoke them."""

from flask import flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.app import people as use_cases
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.role import PEOPLE, Role
from resultsq.store.admin import tokens as stored
from resultsq.web.auth import me, rule
from resultsq.web.dashboard.base import blueprint, confirm, must_be_writable, page
from resultsq.web.dashboard.imports import searched
from resultsq.web.node import node

SHOWN = 200


@blueprint.get("/tokens")
@rule(Role.ADMIN)
def tokens() -> str:
    """The tokens that fit a search, but not the tokens themselves."""
    return _tokens()


@blueprint.post("/tokens")
@rule(Role.ADMIN)
def issue_token() -> str | tuple[str, int]:
    """A new token: shown once, to this admin alone."""
    must_be_writable()
    form = request.form
    slug, label = form.get("event", "").strip() or None, form.get("label", "").strip()
    try:
        role = use_cases.role_of(form.get("role", ""))
        made = node().transact(me().name, lambda tx: use_cases.issue_token(tx, role, slug, label or None))
    except (InputRefused, NotThere) as refused:
        return _tokens(refused=str(refused)), 422
    return _tokens(made=made)


@blueprint.post("/tokens/<int:number>/ask")
@rule(Role.ADMIN)
def ask_revoke(number: int) -> str:
    """The question before a token is revoked."""
    must_be_writable()
    return confirm(
        _("Revoke token %(n)s?", n=number),
        _("Programs that use it are refused from now on. It cannot be undone: issue a new one instead."),
        url_for("dashboard.revoke_token", number=number),
        _("Revoke"),
        url_for("dashboard.tokens"),
    )


@blueprint.post("/tokens/<int:number>/revoke")
@rule(Role.ADMIN)
def revoke_token(number: int) -> Answer:
    """It is refused from now on."""
    must_be_writable()
    node().transact(me().name, lambda tx: use_cases.revoke_token(tx, number))
    flash(_("Token %(n)s is revoked.", n=number), "success")
    return redirect(url_for("dashboard.tokens"), 303)


def _tokens(**values: object) -> str:
    return page("tokens.html", roles=PEOPLE, **searched(stored.search, SHOWN), **values)
