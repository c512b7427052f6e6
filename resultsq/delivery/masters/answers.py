"""What an answer of the master means: the table of the upload contract (master/CONTRACT.md) as functions without
any I/O.

Only an answer that is certainly the master's own settles anything. A captive portal, a proxy or a parked domain can
answer with any status, so a 2xx counts with a receipt for this very sheet, and a refusal with problem details.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Exchange,
    Head,
    Outcome,
    Reason,
    Receipt,
    Rejected,
    Scope,
    Unauthorised,
    plain,
)
from resultsq.domain.ports import Latest, Parcel, ReceiptPage
from resultsq.kinds.registry import KINDS

SERVICE = "results-master"
REGISTERED_ALREADY = "already-registered"

_REFUSALS = {
    400: "bad-request",
    404: "not-found",
    410: "gone",
    413: "too-large",
    415: "unsupported-type",
    422: "invalid-sheet",
}
_OURS = frozenset({"application/json", "application/problem+json"})
NO_SUCH_ADDRESS = frozenset({404, 405, 501})
"""What is answered where a call is not there, by the master or by what stands in front of it."""

_KNOWS_NOTHING = frozenset({400, 404, 405, 410, 501})
_LATER = frozenset({408, 425, 429})
_SAYS_WHEN = frozenset({429, 503})
_STRANGERS_WAIT_S = 15.0  # where Retry-After is not the master's: a proxy says an hour, and is back in seconds
_PORTAL = 511
_MOST_REASONS = 100
_LONGEST_SENTENCE = 2000
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")  # RFC 6901
_LONGEST_POINTER = 200
_LONGEST_NUMBER = re.compile(r"[0-9]{10}", re.ASCII)  # no row has such a number
_SECONDS = re.compile(r"[0-9]+", re.ASCII)
_TAG = re.compile(r'(?:W/)?"([!#-~]{1,36})"')  # a proxy that packs an answer weakens its tag


class _Latest(BaseModel):
    count: int = Field(ge=0, lt=2**53, strict=True)
    received_at: AwareDatetime | None = None


_RECEIPTS = TypeAdapter(list[Receipt])


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Names of headers are in lower case; `body` is unpacked."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    exchange: Exchange = field(default_factory=Exchange)
    sent_bytes: int = 0
    """Size of the request's body, as it travelled."""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def object(self) -> dict[str, Any] | None:
        """The body as a JSON object; None where it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    @property
    def speaks_json(self) -> bool:
        """Whether it speaks as the master does, whatever it says."""
        return self.media_type in _OURS and self.object is not None

    @property
    def date(self) -> datetime | None:
        """The sender's own clock."""
        return _http_date(self.headers.get("date", ""))


def of_put(answer: Answer, parcel: Parcel, now: datetime) -> Outcome:
    """What the answer to a PUT means for the parcel. `now` stands in where the answer has no Date of its own.

    A Conflict comes without the sheet that is published there: fetching it is another call."""
    status = answer.status
    if status in (200, 201):
        receipt = _receipt(answer)
        if receipt is None:
            return stranger(answer, "it carries no receipt")
        if not KINDS[parcel.kind].accepts(parcel, receipt):
            return stranger(answer, "its receipt is not for this sheet")
        return Accepted(receipt, answer.exchange)
    if status == 412:
        if not KINDS[parcel.kind].request(parcel).conditions:
            return stranger(answer, "it speaks of a condition that nobody made")
        return _moved(answer, parcel)
    if (later := _later(answer, now)) is not None:
        return later
    problem = problem_of(answer)
    if problem is None:
        return _refused_by_proxy(answer) or stranger(answer, "it carries no problem details")
    if (refused := _credentials(answer, problem)) is not None:
        return refused
    if status == 409 and problem.get("code") == REGISTERED_ALREADY:
        return Conflict(None, None, exchange=answer.exchange, code=REGISTERED_ALREADY, detail=_said(problem))
    if status == 409:
        return Rejected("id-reused", _said(problem), _reasons(problem), answer.exchange)
    if status in _REFUSALS:
        return Rejected(_REFUSALS[status], _said(problem), _reasons(problem), answer.exchange)
    return stranger(answer, "the master has no such answer")


def of_receipt(answer: Answer, submission: str, now: datetime) -> Receipt | Outcome | None:
    """What the answer to GET /v1/submissions/{id} says; None: not committed there so far."""
    if answer.status in _KNOWS_NOTHING:
        return None  # it settles nothing, whatever sent it: the sheet is sent again
    if answer.status != 200:
        return no_answer(answer, now)
    receipt = _receipt(answer)
    if receipt is None or receipt.submission != submission:
        return stranger(answer, "it carries no receipt of this submission")
    return receipt


def of_head(answer: Answer, now: datetime, kind: str) -> tuple[str, bytes | None] | Outcome:
    """Which submission is published there, and its bytes; None: they are none of this kind that could be shown, which
    another version of this program may have made."""
    if answer.status != 200:
        return no_answer(answer, now)
    tag = _TAG.fullmatch(answer.headers.get("etag", ""))
    if tag is None:
        return stranger(answer, "it names no submission")
    if answer.object is None:
        return stranger(answer, "it carries no sheet")
    return tag[1], answer.body if _is_readable(answer.body, kind) else None


def of_receipts(answer: Answer, now: datetime) -> ReceiptPage | Outcome:
    """A page of receipts."""
    if answer.status != 200:
        return no_answer(answer, now)
    page = answer.object or {}
    try:
        receipts = _RECEIPTS.validate_python(page.get("receipts"))
    except ValidationError:
        return stranger(answer, "it carries no receipts")
    following = page.get("next")
    return ReceiptPage(tuple(receipts), following if isinstance(following, str) and following else None)


def of_probe(answer: Answer, now: datetime) -> Deferred | None:
    """Why the answer to the probe is not that of a master who is up; None: it is."""
    if answer.status == 200:
        if answer.media_type == "application/json" and (answer.object or {}).get("service") == SERVICE:
            return None
        return stranger(answer, "it does not say that it is a results master")
    return _later(answer, now) or stranger(answer, "the master answers the probe with 200")


def latest(answer: Answer) -> Latest | None:
    """What the answer to the probe says of the newest receipt; None where it says nothing that can be read."""
    said = (answer.object or {}).get("latest")
    try:
        found = _Latest.model_validate(said)
    except ValidationError:
        return None
    return Latest(found.received_at, found.count)


def takes(answer: Answer, kind: str) -> bool:
    """Whether the answer to the probe names this kind among those that the master takes."""
    named = (answer.object or {}).get("kinds")
    return isinstance(named, list) and kind in named


def _is_readable(body: bytes, kind: str) -> bool:
    try:
        KINDS[kind].envelope(body)
    except ValueError:
        return False
    return True


def no_answer(answer: Answer, now: datetime) -> Outcome:
    """An answer to a GET that does not fit the question."""
    if (later := _later(answer, now)) is not None:
        return later
    problem = problem_of(answer)
    refused = _credentials(answer, problem) if problem is not None else None
    return refused or stranger(answer, "it is no answer to this question")


def _later(answer: Answer, now: datetime) -> Deferred | None:
    status = answer.status
    if status == _PORTAL or (status not in _LATER and not 500 <= status <= 599):
        return None
    down = status >= 500
    return Deferred(
        Cause.MASTER_DOWN if down else Cause.BUSY,
        f"The master {'is in trouble' if down else 'is busy'} and takes it later (status {status}).",
        in_doubt=True,
        retry_after_s=_retry_after_s(answer, now) if status in _SAYS_WHEN else None,
        exchange=answer.exchange,
    )


def _retry_after_s(answer: Answer, now: datetime) -> float | None:
    """What the answer says; not all of it is obeyed where it is not the master's."""
    text = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    elif (moment := _http_date(text)) is not None:
        seconds = max(0.0, (moment - (answer.date or now)).total_seconds())
    else:
        return None
    return seconds if answer.speaks_json else min(seconds, _STRANGERS_WAIT_S)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _moved(answer: Answer, parcel: Parcel) -> Outcome:
    said = answer.object or {}
    if answer.media_type not in _OURS:
        return stranger(answer, "it is no JSON")
    if said.get("head", "missing") is None:
        if parcel.precondition is None:
            return stranger(answer, "it refuses a first sheet because nothing is published there")
        return Conflict(None, None, exchange=answer.exchange)
    try:
        head = Head.model_validate(said.get("head"), strict=True)
    except ValidationError:
        return stranger(answer, "it does not say what is published there")
    return Conflict(head.submission, head.revision, exchange=answer.exchange)


def _receipt(answer: Answer) -> Receipt | None:
    try:
        return Receipt.model_validate_json(answer.body)
    except ValidationError:
        return None


def problem_of(answer: Answer) -> dict[str, Any] | None:
    """The problem details of the answer. Plain JSON is taken for them if it has their members."""
    problem = answer.object
    if problem is None or answer.media_type == "application/problem+json":
        return problem
    if answer.media_type != "application/json":
        return None
    named = isinstance(problem.get("title"), str) and problem.get("status") == answer.status
    return problem if named or _reasons(problem) else None


def _reasons(problem: dict[str, Any]) -> tuple[Reason, ...]:
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return ()
    reasons = []
    for error in errors[:_MOST_REASONS]:
        match error:
            case {"detail": str(detail), "pointer": str(pointer)} if _is_pointer(pointer):
                reasons.append(Reason(_sentence(detail), plain(pointer)))
            case {"detail": str(detail)}:
                reasons.append(Reason(_sentence(detail)))
            case _:
                continue
    return tuple(reasons)


def _is_pointer(text: str) -> bool:
    """Whether it can point into a sheet. What points elsewhere is left out: its sentence is what people need."""
    return len(text) <= _LONGEST_POINTER and bool(_POINTER.fullmatch(text)) and not _LONGEST_NUMBER.search(text)


def _sentence(text: str) -> str:
    return plain(text[:_LONGEST_SENTENCE])


def _said(problem: dict[str, Any]) -> str:
    for member in ("detail", "title"):
        if isinstance(said := problem.get(member), str) and said:
            return _sentence(said)
    return "The master gave no reason in words."


def _credentials(answer: Answer, problem: dict[str, Any]) -> Unauthorised | None:
    if answer.status == 401:
        return Unauthorised(Scope.DESTINATION, _said(problem), answer.exchange)
    if answer.status == 403:
        return Unauthorised(Scope.EVENT, _said(problem), answer.exchange)
    return None


def _refused_by_proxy(answer: Answer) -> Deferred | None:
    """A limit of something in front of the master, named: an operator can raise it."""
    match answer.status:
        case 413:
            what = f"a body of {max(answer.sent_bytes / 1e6, 0.1):.1f} MB"
        case 414:
            what = "an address as long as this"
        case _:
            return None
    said = f"A proxy in front of the master refuses {what} (status {answer.status}). Its limit has to be raised."
    return Deferred(Cause.NOT_OUR_MASTER, said, in_doubt=True, exchange=answer.exchange)


def stranger(answer: Answer, why: str) -> Deferred:
    if answer.status == _PORTAL:
        why = "a captive portal asks for a log-in"
    return Deferred(
        Cause.NOT_OUR_MASTER,
        f"This is not our master's answer: {why} (status {answer.status}). A captive portal or a proxy?",
        in_doubt=True,
        exchange=answer.exchange,
    )
