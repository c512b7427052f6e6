"""Accounts: find, add, import and end them, and hand out links with which their owners choose a password."""

from operator import attrgetter

from flask import flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Answer

from resultsq.address import public_address
from resultsq.app import people as use_cases
from resultsq.app.people import NewPerson
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.role import PEOPLE, Role
from resultsq.store.admin import accounts, events, people_copies
from resultsq.web.auth import me, rule
from resultsq.web.bounds import bound
from resultsq.web.dashboard.base import blueprint, confirm, must_be_writable, page
from resultsq.web.dashboard.imports import ImportPreview, asked_list, qr_code, searched
from resultsq.web.node import node

SHOWN = 100


@blueprint.get("/people")
@rule(Role.ADMIN)
def people() -> str:
    """The accounts that fit a search."""
    return _people()


@blueprint.post("/people")
@rule(Role.ADMIN)
def add_account() -> str | tuple[str, int]:
    """Add an account, and show the link with which its owner chooses a password."""
    must_be_writable()
    form = request.form
    name, slugs = form.get("name", "").strip(), form.get("events", "").split()
    try:
        mail = use_cases.mail_address(form.get("mail", ""))
        person = NewPerson(name, use_cases.role_of(form.get("role", "")), tuple(slugs), mail)
        secret = node().transact(me().name, lambda tx: use_cases.invite(tx, person))
    except (InputRefused, NotThere) as refused:
        return _people(refused=str(refused)), 422
    return _people(links=[(name, _link(secret))])


@blueprint.post("/people/import")
@rule(Role.ADMIN)
@bound.list
def import_accounts() -> str | tuple[str, int]:
    """Show what a list would add, then add it: each new account's link is shown once."""
    must_be_writable()
    try:
        text = asked_list()
        given = use_cases.people_of(use_cases.rows_of(text.encode()))
        if "sure" not in request.form:
            with node().database.read() as conn:
                known = accounts.known_names(conn, [one.name for one in given])
            lines = [
                (one.name, one.role.value, " ".join(one.events), one.mail or "", one.name in known) for one in given
            ]
            return _people(draft=ImportPreview(text, lines, new=sum(not line[-1] for line in lines)))
        made = node().transact(me().name, lambda tx: use_cases.import_accounts(tx, given))
    except (InputRefused, NotThere) as refused:
        return _people(import_refused=str(refused)), 422
    return _people(links=[(name, _link(secret)) for name, secret in made])


@blueprint.post("/people/link")
@rule(Role.ADMIN)
def password_link() -> str:
    """A one-time link for a new password: shown once, to this admin alone."""
    must_be_writable()
    name = request.form.get("name", "")
    secret = node().transact(me().name, lambda tx: use_cases.make_password_link(tx, name))
    return _people(links=[(name, _link(secret))])


@blueprint.post("/people/mail")
@rule(Role.ADMIN)
def set_mail() -> Answer | tuple[str, int]:
    """Mail the account's owner at this address from now on."""
    must_be_writable()
    name, address = request.form.get("name", ""), request.form.get("mail", "")
    try:
        node().transact(me().name, lambda tx: use_cases.set_mail(tx, name, address))
    except InputRefused as refused:
        return _people(mail_refused=str(refused)), 422
    flash(_("The mail address of %(name)s is saved.", name=name), "success")
    return redirect(url_for("dashboard.people"), 303)


@blueprint.post("/people/ask")
@rule(Role.ADMIN)
def ask_disable() -> str:
    """The question before an account ends."""
    must_be_writable()
    name = request.form.get("name", "")
    return confirm(
        _("End the account %(name)s?", name=name),
        _("It is logged out on every device and cannot log in again. What it did stays. You can restore it."),
        url_for("dashboard.disable"),
        _("End this account"),
        url_for("dashboard.people"),
        [("name", name)],
    )


@blueprint.post("/people/disable")
@rule(Role.ADMIN)
def disable() -> Answer:
    """Disable an account; its submissions stay."""
    must_be_writable()
    name = request.form.get("name", "")
    node().transact(me().name, lambda tx: use_cases.end_account(tx, name))
    flash(_("%(name)s can no longer log in. You can restore the account in the list.", name=name), "success")
    return redirect(url_for("dashboard.people"), 303)


@blueprint.post("/people/restore")
@rule(Role.ADMIN)
def restore() -> Answer:
    """Undo the end of an account."""
    must_be_writable()
    name = request.form.get("name", "")
    node().transact(me().name, lambda tx: use_cases.restore_account(tx, name))
    flash(_("%(name)s can log in again, with the password that it had.", name=name), "success")
    return redirect(url_for("dashboard.people"), 303)


def _people(links: list[tuple[str, str]] | None = None, **values: object) -> str:
    listed = searched(accounts.search, SHOWN, attrgetter("name"))
    with node().database.read() as conn:
        slugs = {event.id: event.slug for event in events.every(conn)}
        copies = people_copies.state(conn)
    shown = [(name, link, qr_code(link)) for name, link in links or []]
    if links:
        flash(ngettext("%(num)s link was made.", "%(num)s links were made.", len(links)), "success")
    return page(
        "people.html",
        belongs={one.name: sorted(slugs[event] for event in one.events) for one in listed["found"]},
        copies=copies,
        roles=PEOPLE,
        myself=me().name,
        links=shown,
        **listed,
        **values,
    )


def _link(secret: str) -> str:
    # not from the request: its Host is the caller's word, and this link is worth an account
    return f"{public_address(node().settings)}{url_for('form.password', secret=secret)}"
