"""Accounts: who may log in, a one-time link for a new password, and an end to an account."""

from flask import flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Answer

from resultsq.address import public_address
from resultsq.domain.errors import Conflicting
from resultsq.domain.role import Role
from resultsq.store import accounts, events
from resultsq.web.auth import me, rule
from resultsq.web.dashboard.frame import blueprint, must_be_writable, now, page
from resultsq.web.node import node


@blueprint.get("/people")
@rule(Role.ADMIN)
def people() -> str:
    """All accounts."""
    return _people()


@blueprint.post("/people/link")
@rule(Role.ADMIN)
def password_link() -> str:
    """A one-time link for a new password: shown once, and to nobody else."""
    must_be_writable()
    name, at = request.form.get("name", ""), now()

    secret = node().database.write(lambda conn: accounts.make_password_link(conn, at, name))
    # not from the request: its Host is the caller's word, and this link is worth an account
    link = f"{public_address(node().settings)}{url_for('form.password', secret=secret)}"
    return _people(link_for=name, link=link)


@blueprint.post("/people/disable")
@rule(Role.ADMIN)
def disable() -> Answer:
    """Nobody logs in with it any more; what it did stays."""
    must_be_writable()
    name, at = request.form.get("name", ""), now()
    if name == me().name:
        raise Conflicting(_("You cannot end your own account. Ask another admin."))
    node().database.write(lambda conn: accounts.disable(conn, at, name))
    flash(_("%(name)s can no longer log in.", name=name), "success")
    return redirect(url_for("dashboard.people"), 303)


def _people(**values: object) -> str:
    with node().database.read() as conn:
        found = accounts.every(conn)
        slugs = {event.id: event.slug for event in events.every(conn)}
    return page("people.html", found=found, slugs=slugs, myself=me().name, **values)
