"""The first steps of a new node: those done, and where to do the rest."""

from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import Connection

from resultsq.address import is_elsewhere, public_address
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, events, tokens
from resultsq.web.auth import rule
from resultsq.web.dashboard.base import blueprint, page
from resultsq.web.dashboard.imports import qr_code
from resultsq.web.node import node


@dataclass(frozen=True, slots=True)
class WelcomeFacts:
    """What a new node has. `reachable`: another device can open `address`."""

    events: bool
    teams: bool
    tokens: bool
    master: bool
    address: str
    reachable: bool
    qr: Markup


@blueprint.get("/welcome")
@rule(Role.ADMIN)
def welcome() -> str:
    """The first steps."""
    settings = node().settings
    address = public_address(settings)
    with node().database.read() as conn:
        facts = WelcomeFacts(
            events=not is_new(conn),
            teams=accounts.has_team(conn),
            tokens=bool(tokens.search(conn, "", 1)),
            master=bool(settings.master_url.get_secret_value()),
            address=address,
            reachable=is_elsewhere(address),
            qr=qr_code(address),
        )
    return page("welcome.html", facts=facts)


def is_new(conn: Connection) -> bool:
    """Whether the node has no event yet."""
    return not events.search(conn, "", 1)
