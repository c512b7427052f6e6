"""What the audit's codes are called on a page. The store, the CSV file and the API keep the codes."""

import re

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from resultsq.domain.collation import ordered
from resultsq.domain.isolates import isolated
from resultsq.store.outbox.repairs import REPAIRS
from resultsq.store.views.submission_detail import AuditView
from resultsq.web.dashboard.labels import state_label

ACTIONS = {
    "add event": _l("Event added"),
    "change event": _l("Event changed"),
    "import events": _l("Events added from a list"),
    "show results": _l("Results made public"),
    "hide results": _l("Results no longer public"),
    "add account": _l("Account added"),
    "set mail address": _l("Mail address set"),
    "remove mail address": _l("Mail address removed"),
    "set language": _l("Language chosen"),
    "end account": _l("Account ended"),
    "restore account": _l("Account restored"),
    "set password": _l("Password changed"),
    "make password link": _l("Password link made"),
    "use password link": _l("Password link used"),
    "end sessions": _l("Logged out on all devices"),
    "issue token": _l("Token issued"),
    "revoke token": _l("Token revoked"),
    "copy people": _l("Accounts, events and tokens copied"),
    "adopt people": _l("Accounts, events and tokens made this node's own"),
    "notice": _l("Notice shown"),
    "end notice": _l("Notice ended"),
    "post": _l("Post put on the public page"),
    "remove post": _l("Post taken off the public page"),
    "refresh-athletes": _l("List of athletes asked for"),
    "import-athletes": _l("List of athletes imported"),
    "start with settings": _l("Started with changed settings"),
    "correct": _l("Correction submitted"),
    "take over": _l("Taken over from another node"),
    "retry": _l("Tried again at once"),
    "hold": _l("Put on hold"),
    "release": _l("Released from hold"),
    "withdraw": _l("Withdrawn"),
    "resend": _l("Lost version sent again"),
    "publish over": _l("Published over the master's version"),
    "undo": _l("Withdrawal undone"),
    "retry skipped": _l("Skipped when trying again"),
    "hold skipped": _l("Skipped when putting on hold"),
    "release skipped": _l("Skipped when releasing"),
    "withdraw skipped": _l("Skipped when withdrawing"),
    "resend skipped": _l("Skipped when sending again"),
    "undo skipped": _l("Skipped when undoing a withdrawal"),
    "cancel": _l("Rest of an action cancelled"),
    "mend": _l("Damage mended"),
}
"""The code of each action, and its sentence."""

_NAMES = {
    "account": _l("account"),
    "accounts": _l("accounts"),
    "action": _l("action"),
    "a run takes": _l("a run takes"),
    "changed": _l("changed"),
    "country": _l("country"),
    "from": _l("copied from"),
    "hold": _l("hold"),
    "ids": _l("submissions"),
    "kept": _l("kept"),
    "language": _l("language"),
    "name": _l("name"),
    "notice": _l("notice"),
    "outage": _l("outage"),
    "repair": _l("damage"),
    "role": _l("role"),
    "scope": _l("scope"),
    "source": _l("source"),
    "time zone": _l("time zone"),
    "title": _l("title"),
    "token": _l("access token"),
    "tokens": _l("access tokens"),
}
"""What an action was done to. Parts of a filter have their words in labels.py."""

_LONGEST = 200
_MORE = re.compile(r"and (\d+) more")
_UNSHOWN = frozenset({"filter", "of", "settings"})


def action_label(code: str) -> str:
    """The action in words; one of another version stands for itself."""
    return str(ACTIONS.get(code, isolated(code)))


def actions() -> list[tuple[str, str]]:
    """Code and words of each, in the order of the words."""
    return ordered([(code, str(said)) for code, said in ACTIONS.items()], lambda one: one[1])


def target(entry: AuditView) -> list[tuple[str, str]]:
    """The target of an audit's line: its parts by name, cut where together they are long."""
    parts = [("", str(_("everything")))] if entry.target.get("filter") == {} else []
    named = {**entry.target.get("filter", {}), **entry.target}
    left = _LONGEST
    for name, value in named.items():
        if name in _UNSHOWN or value in (None, [], "") or left <= 0:
            continue
        text = _value(name, value)
        parts.append((str(_NAMES.get(name) or state_label(name)), text if len(text) <= left else f"{text[:left]}…"))
        left -= len(text)
    return parts


def _value(name: str, value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(name, one) for one in value)
    text = str(value)
    if name == "repair":
        return _damage(text)
    if name in ("role", "scope", "states"):
        return state_label(text)
    more = _MORE.fullmatch(text) if name in ("events", "accounts") else None
    return str(_("and %(n)s more", n=more[1])) if more is not None else text


def _damage(name: str) -> str:
    if name == "hidden hold":
        return str(_("a hold behind another one"))
    return next((one.sentence(1) for one in REPAIRS if one.name == name), name)
