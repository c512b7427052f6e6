"""The profile that a mailed link opened to this browser, for an hour: it is in the browser's session."""

from flask import session

from resultsq.web.node import node

OPEN_S = 3600
_KEY = "profile"


def open_here(number: str) -> None:
    """This browser may see this athlete's profile for an hour."""
    session[_KEY] = {"number": number, "until": _now_s() + OPEN_S}


def is_open_here(number: str) -> bool:
    """Whether this browser opened the mailed link to this athlete's profile in the last hour."""
    found = session.get(_KEY) or {}
    return bool(number) and found.get("number") == number and _now_s() < found.get("until", 0)


def _now_s() -> int:
    return int(node().clock.now().timestamp())
