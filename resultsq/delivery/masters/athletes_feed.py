"""The feed of athletes over HTTP: its requests, and the meaning of each answer. Without any I/O."""

import base64
import re
import sys
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from resultsq.delivery.masters.answers import Answer, no_answer, problem_of, stranger
from resultsq.domain.athletes import (
    LONGEST_TEXT,
    MAIL_BYTES,
    Athlete,
    ListPage,
    ListQuestion,
    MustRefetch,
    NoList,
    can_hold,
)
from resultsq.domain.outcome import Outcome

PAGE = 2000
"""Lines that are asked for at once: some hundred kilobytes."""

_VOID, _NONE, _UNCHANGED = 409, frozenset({404, 405, 410, 501}), 304
_TAG = re.compile(r'(?:W/)?"[!#-~]{0,200}"')

_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Place = Annotated[str, msgspec.Meta(max_length=1000)]


class _Line(msgspec.Struct):
    athlete: Annotated[str, msgspec.Meta(pattern=r"^A[1-9][0-9]{0,30}$")]
    name: _Text | None = None
    club: _Text | None = None
    home_event: Annotated[str, msgspec.Meta(max_length=63)] | None = None
    runs: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None = None
    mail: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    gone: bool = False


class _Page(msgspec.Struct):
    handle: _Place
    athletes: list[_Line]
    next: _Place
    up_to_date: bool


_DECODER = msgspec.json.Decoder(_Page)


def path(question: ListQuestion) -> str:
    """The address of the next page."""
    asked = {"handle": question.handle, "after": question.after, "limit": str(PAGE)}
    if question.events:
        asked["events"] = ",".join(question.events)
    return f"/v1/athletes?{urlencode(asked)}"


def read(answer: Answer, question: ListQuestion, now: datetime) -> ListPage | MustRefetch | NoList | Outcome:
    """What the answer says. Only problem details can void a copy: anything may answer 409."""
    problem = None if answer.status == 200 else problem_of(answer)  # a page is large, and is read once
    if answer.status == _UNCHANGED and question.etag:
        return ListPage(question.handle, (), question.after, True, question.etag)
    if answer.status == _VOID and problem is not None and problem.get("code") == "must-refetch":
        return MustRefetch()
    if answer.status in _NONE and problem is not None:
        return NoList()
    if answer.status != 200:
        return no_answer(answer, now)
    try:
        page = _DECODER.decode(answer.body)
        lines = [_athlete(line) for line in page.athletes if can_hold(line.athlete)]
    except ValueError:
        return stranger(answer, "it carries no list of athletes")
    tag = answer.headers.get("etag", "")
    etag = tag if _TAG.fullmatch(tag) else ""
    return ListPage(page.handle, lines, page.next, page.up_to_date, etag, len(page.athletes) - len(lines))


def _athlete(line: _Line) -> Athlete:
    """:raises ValueError: it has no name, and is not gone"""
    if line.gone:
        return Athlete(line.athlete, None)
    if not line.name or not f"{line.name}{line.club}{line.home_event}".isprintable():
        raise ValueError(line.athlete)
    # a hundred thousand lines wait to be written: many have the same club or event, which is kept once
    club, home = line.club and sys.intern(line.club), line.home_event and sys.intern(line.home_event)
    return Athlete(line.athlete, line.name, club, home, line.runs or 0, _mail(line.mail))


def _mail(text: str | None) -> bytes | None:
    """:raises ValueError: it is no base64 of 16 bytes"""
    if text is None:
        return None
    mail = base64.b64decode(text, validate=True)
    if len(mail) != MAIL_BYTES:
        raise ValueError("mail")
    return mail
