"""The feed of athletes: its pages, an unchanged list, and a place that is gone. A master need not have it."""

import base64
import binascii
import re
from collections.abc import Iterator

from resultsq.master.conformance.client import Reply
from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Trial, refused

_PATH = "/v1/athletes"
_PAGE = 2
_MOST_PAGES = 20
_HASH_BYTES = 16
_NUMBER = re.compile(r"A[1-9][0-9]{0,30}", re.ASCII)


def _pages(trial: Trial) -> Iterator[Reply]:
    """The first pages of the list, to its end where it is short."""
    place = {"handle": "", "after": ""}
    for _ in range(_MOST_PAGES):
        page = trial.client.get(_PATH, limit=str(_PAGE), **place)
        if page.status == 404:
            raise Skipped("The master has no list of athletes: it need not.")
        if page.status != 200 or page.media_type != "application/json":
            raise RuleBroken(page, "A page of the list is 200 with application/json.")
        yield page
        given = page.object
        if given.get("up_to_date") is True:
            return
        place = {"handle": given["handle"], "after": given["next"]}


def _list(trial: Trial) -> str:
    places: list[str] = []
    handles, count = set(), 0
    for page in _pages(trial):
        given = page.object
        _check_page(page)
        handles.add(given["handle"])
        if len(handles) > 1:
            raise RuleBroken(page, "The handle is another one than on the page before.")
        if not given["up_to_date"] and given["next"] in places:
            raise RuleBroken(page, "This place was there before: the list does not come to an end.")
        places.append(given["next"])
        count += len(given["athletes"])
    return f"{count} lines on {len(places)} pages"


def _check_page(page: Reply) -> None:
    given = page.object
    if not all(isinstance(given.get(name), str) for name in ("handle", "next")):
        raise RuleBroken(page, "A page has a handle and the next place, as text.")
    if not isinstance(given.get("up_to_date"), bool):
        raise RuleBroken(page, "A page says whether it is the last one now: up_to_date, true or false.")
    lines = given.get("athletes")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise RuleBroken(page, "A page has a list of objects: athletes.")
    if len(lines) > _PAGE:
        raise RuleBroken(page, "There are more lines on a page than `limit` allows.")
    for line in lines:
        _check_line(line)


def _check_line(line: dict[str, object]) -> None:
    if not isinstance(line.get("athlete"), str) or not _NUMBER.fullmatch(str(line["athlete"])):
        raise RuleBroken(line, "A line names its athlete: A and digits.")
    if line.get("gone") is not True and not (isinstance(line.get("name"), str) and line["name"]):
        raise RuleBroken(line, "A line has a name, or says that the number is gone.")


def _hashes(trial: Trial) -> str:
    count = 0
    for page in _pages(trial):
        for line in page.object["athletes"]:
            if "mail" in line:
                count += 1
                if not _is_hash(line["mail"]) or line.get("gone") is True:
                    raise RuleBroken(
                        page, "A line's `mail` is 16 bytes in base64, never an address; a number that is gone has none."
                    )
    if not count:
        raise Skipped("The master sends no hashes of addresses to this node: it need not.")
    return f"{count} hashes"


def _is_hash(mail: object) -> bool:
    try:
        return isinstance(mail, str) and len(base64.b64decode(mail, validate=True)) == _HASH_BYTES
    except (binascii.Error, ValueError):
        return False


def _unchanged(trial: Trial) -> str:
    *_, last = _pages(trial)
    if last.object.get("up_to_date") is not True:
        raise Skipped("The list is too long to be read to its end here.")
    place = {"handle": str(last.object.get("handle")), "after": str(last.object.get("next")), "limit": str(_PAGE)}
    end = trial.client.get(_PATH, **place)
    if end.status != 200 or end.object.get("athletes") != [] or end.object.get("up_to_date") is not True:
        raise RuleBroken(end, "At the end of the list there are no lines, and it is up to date.")
    again = trial.client.get_unless(end.headers.get("ETag", '"none"'), _PATH, **place)
    if again.status not in (200, 304) or (again.status == 200 and again.object.get("athletes") != []):
        raise RuleBroken(again, "What is unchanged is answered 304, or with no lines.")
    return f"{again.status}"


def _void(trial: Trial) -> str:
    if trial.client.get(_PATH, limit=str(_PAGE)).status == 404:
        raise Skipped("The master has no list of athletes: it need not.")
    reply = trial.client.get(_PATH, handle="a-handle-that-was-never-given", after="1", limit=str(_PAGE))
    if refused(reply, 409).get("code") != "must-refetch":
        raise RuleBroken(reply, "The code of a handle that is void is must-refetch.")
    return "409 must-refetch"


RULES = (
    Rule("list of athletes", "GET /v1/athletes, page by page", "one handle, lines, to the end", _list),
    Rule("hashes of addresses", "GET /v1/athletes, page by page", "mail: 16 bytes in base64, or none", _hashes),
    Rule("unchanged list", "GET /v1/athletes at its end, twice", "no lines; then 304 or no lines", _unchanged),
    Rule("void handle", "GET /v1/athletes with an unknown handle", "409, code must-refetch", _void),
)
