"""The office's notices over HTTP: the request, and the meaning of the answer. Without any I/O."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from resultsq.delivery.masters.answers import Answer, no_answer, problem_of, stranger
from resultsq.domain.notices import MOST, TEXT_MAX, TITLE_MAX, NoNotices, NoticeList, OfficeNotice, is_plain
from resultsq.domain.outcome import Outcome

_NONE, _UNCHANGED = frozenset({404, 405, 410, 501}), 304

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _ListedNotice(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_MAX)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_MAX)]
    at: _Moment
    until: _Moment
    event: Annotated[str, msgspec.Meta(max_length=63)] | None = None


class _NoticesPage(msgspec.Struct):
    notices: Annotated[list[_ListedNotice], msgspec.Meta(max_length=MOST)]
    next: Annotated[str, msgspec.Meta(max_length=1000)] | None = None


_DECODER = msgspec.json.Decoder(_NoticesPage)


def path(after: str) -> str:
    """The address of the page behind that place; empty: the first."""
    return f"/v1/notices?{urlencode({'after': after})}"


def read(answer: Answer, etag: str, now: datetime) -> tuple[NoticeList | NoNotices | Outcome, str]:
    """What the answer says, and the place of the next page, empty where there is none."""
    if answer.status == _UNCHANGED and etag:
        return NoticeList(None, etag), ""
    if answer.status in _NONE and problem_of(answer) is not None:
        return NoNotices(), ""
    if answer.status != 200:
        return no_answer(answer, now), ""
    try:
        page = _DECODER.decode(answer.body)
        notices = [_checked(one) for one in page.notices]
    except ValueError:
        return stranger(answer, "it carries no notices"), ""
    return NoticeList(notices, answer.headers.get("etag", "")[:200]), page.next or ""


def _checked(one: _ListedNotice) -> OfficeNotice:
    """:raises ValueError: it has characters that no page shows"""
    if not (one.title.isprintable() and is_plain(one.text) and one.id.isprintable()):
        raise ValueError(one.id)
    return OfficeNotice(one.id, one.event, one.title, one.text, one.at, one.until)
