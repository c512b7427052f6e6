"""The master over HTTP: the node's side of the upload contract (master/CONTRACT.md)."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal
from urllib.parse import quote, urlencode

import requests
from requests.structures import CaseInsensitiveDict

from resultsq.clock import Clock
from resultsq.delivery.masters import answers, athletes_feed, blocks_call, notices_feed
from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.connections import Lines, MasterConnections
from resultsq.delivery.masters.dial import Lookup, system_lookup
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.delivery.masters.watch import Call, Failed, Watch
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.destinations import MAIL, SHOWN_TO_ALL, is_private
from resultsq.domain.errors import SettingsError
from resultsq.domain.notices import MOST, NoNotices, NoticeList, OfficeNotice
from resultsq.domain.outcome import (
    NO_SUCH_CALL,
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Outcome,
    Receipt,
    Redirected,
    Rejected,
)
from resultsq.domain.ports import Parcel, ProbeAnswer, ReceiptPage
from resultsq.domain.proxy import Proxy
from resultsq.kinds.registry import KINDS
from resultsq.threads import Threads

_HEALTH = "/v1/health"
_UNAUTHORISED = 401
_SMALL = 64 * 1024
_LARGE = 16 * 1024 * 1024
_PAGE = 500
_PACKING = 6


class HttpMaster:
    """`Master` over HTTP, for any number of senders at once.

    :param url: http(s)://host[:port][/prefix]
    :param token: bearer token; never sent over plain http except to loopback, or where `allow_plain_http`
    :param ca_file: authorities to trust instead of the usual ones
    :param proxy: what every connection goes through
    :param reread_token: the token as it is now, asked for when the master refuses the one in use
    :param lookup: resolves names; may hang
    :param lines: the connections to `url`, where they are not to be made here
    :param threads: what the thread that bounds calls is made with
    :param by_mail: the office reads mails, so what the master has no call for goes to it by mail
    :raises SettingsError: the URL, the CA file or a token over plain http makes no sense"""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        clock: Clock,
        ca_file: str | None = None,
        allow_plain_http: bool = False,
        proxy: Proxy | None = None,
        reread_token: Callable[[], str] | None = None,
        lookup: Lookup = system_lookup,
        limits: CallTimeouts | None = None,
        lines: Lines | None = None,
        threads: Threads | None = None,
        by_mail: bool = False,
    ) -> None:
        self._by_mail = by_mail
        self.on_stalled: Callable[[], None] = lambda: None
        self._clock = clock
        self._limits = limits or CallTimeouts()
        self._lines = lines or MasterConnections(url, clock=clock, ca_file=ca_file, proxy=proxy, lookup=lookup)
        self._may_carry_token = allow_plain_http or is_private(self._lines.address, proxy.host if proxy else None)
        self._reread_token = reread_token
        self.use_token(token)
        self._watch = Watch(clock, lambda: self.on_stalled(), threads)

    def use_token(self, token: str) -> None:
        if token and not self._may_carry_token:
            raise SettingsError(SHOWN_TO_ALL)
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}

    def probe(self) -> ProbeAnswer:
        began = self._clock.monotonic()
        asked_at = self._clock.now()
        offset_s = latest = None
        try:
            with self._watch.call(self._limits.probe_s) as call:
                answer = self._ask(call, "GET", _HEALTH, fresh=True, keep=False)
        except Failed as failed:
            trouble: Deferred | None = _deferred(failed, in_doubt=False)
        else:
            trouble, latest = answers.of_probe(answer, self._clock.now()), answers.latest(answer)
            if answer.date is not None:
                # the header is cut to the second: in the middle, it is half a second later than it says
                offset_s = (answer.date - asked_at).total_seconds() + 0.5
        duration_s = self._clock.monotonic() - began
        if trouble is None:
            return ProbeAnswer(None, "The master answers.", duration_s, master_time_offset_s=offset_s, latest=latest)
        return ProbeAnswer(trouble.cause, trouble.detail, duration_s, trouble.retry_after_s, offset_s)

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        packed = pack(parcel)
        asked = KINDS[parcel.kind].request(parcel)
        with self._watch.call(self._limits.for_sheet_s(len(packed)), patience_s) as call:
            if parcel.in_doubt and (settled := self._settled(call, parcel)) is not None:
                return settled
            try:
                headers = {**put_headers(parcel), **asked.conditions}
                answer = self._ask(call, asked.method, asked.path, headers, packed, fresh=parcel.in_doubt)
            except Failed as failed:
                return _deferred(failed, in_doubt=call.sent or parcel.in_doubt)
            outcome = answers.of_put(answer, parcel, self._clock.now())
            if isinstance(outcome, Conflict) and outcome.head is not None:
                return self._with_head(call, parcel, outcome)
            if answer.status in answers.NO_SUCH_ADDRESS and not asked.conditions:
                return self._without_call(call, parcel, outcome)
            return outcome

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        with self._watch.call(self._limits.receipt_s) as call:
            return self._receipt(call, submission)

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        asked = {"since": since, "until": until, "cursor": cursor, "limit": str(_PAGE)}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        try:
            with self._watch.call(self._limits.page_s) as call:
                answer = self._ask(call, "GET", f"/v1/receipts?{query}", limit=_LARGE)
        except Failed as failed:
            return _deferred(failed, in_doubt=False)
        return answers.of_receipts(answer, self._clock.now())

    def athletes(self, question: ListQuestion) -> ListPage | MustRefetch | NoList | Outcome:
        headers = {"If-None-Match": question.etag} if question.etag else {}
        try:
            with self._watch.call(self._limits.page_s) as call:
                answer = self._ask(call, "GET", athletes_feed.path(question), headers, limit=_LARGE)
        except Failed as failed:
            return _deferred(failed, in_doubt=False)
        return athletes_feed.read(answer, question, self._clock.now())

    def notices(self, etag: str) -> NoticeList | NoNotices | Outcome:
        found: list[OfficeNotice] = []
        page, after = self._page_of_notices("", etag)
        tag = page.etag if isinstance(page, NoticeList) else ""
        while isinstance(page, NoticeList) and page.notices is not None:
            found += page.notices
            if not after:
                return NoticeList(found, tag)
            if not page.notices or len(found) > MOST:
                return Deferred(Cause.NOT_OUR_MASTER, "The master's notices have no end.", in_doubt=False)
            page, after = self._page_of_notices(after, "")
        return page

    def _page_of_notices(self, after: str, etag: str) -> tuple[NoticeList | NoNotices | Outcome, str]:
        headers = {"If-None-Match": etag} if etag else {}
        try:
            with self._watch.call(self._limits.page_s) as call:
                answer = self._ask(call, "GET", notices_feed.path(after), headers, limit=_LARGE)
        except Failed as failed:
            return _deferred(failed, in_doubt=False), ""
        return notices_feed.read(answer, etag, self._clock.now())

    def lease_block(self, key: str, size: int) -> LeasedBlock | NoBlocks | Outcome:
        try:
            with self._watch.call(self._limits.receipt_s) as call:
                answer = self._ask(call, "POST", blocks_call.PATH, blocks_call.headers(key), blocks_call.body(size))
        except Failed as failed:
            return _deferred(failed, in_doubt=False)
        return blocks_call.read(answer, size, self._clock.now())

    def abort_stalled(self, began_before: float) -> int:
        return self._watch.abort_stalled(began_before)

    def refresh(self) -> None:
        self._lines.refresh()

    def close(self) -> None:
        self._lines.refresh()
        self._watch.close()

    def _settled(self, call: Call, parcel: Parcel) -> Outcome | None:
        """The end of an earlier attempt, without sending the sheet again; None: it must be sent again."""
        match self._receipt(call, parcel.submission, fresh=True):
            case None:
                return None
            case Receipt() as receipt:
                # another sheet under our id: send the PUT, whose answer is the 409
                return Accepted(receipt) if KINDS[parcel.kind].accepts(parcel, receipt) else None
            case outcome:
                return outcome

    def _with_head(self, call: Call, parcel: Parcel, conflict: Conflict) -> Outcome:
        """The conflict with the sheet that is published there, which may settle it without a person."""
        try:
            answer = self._ask(call, "GET", KINDS[parcel.kind].request(parcel).path, limit=_LARGE)
        except Failed as failed:
            return _deferred(failed, in_doubt=parcel.in_doubt)
        found = answers.of_head(answer, self._clock.now(), parcel.kind)
        if isinstance(found, Deferred):
            return replace(found, in_doubt=parcel.in_doubt)  # the 412 itself was an answer to the PUT
        if not isinstance(found, tuple):
            return found
        head, sheet = found
        receipt = self._receipt(call, head)
        if not isinstance(receipt, Receipt):
            receipt = None
        if receipt is not None and KINDS[parcel.kind].accepts(parcel, receipt):
            return Accepted(receipt, conflict.exchange)  # our own earlier PUT landed in between
        revision = conflict.revision if head == conflict.head else receipt.revision if receipt else None
        return Conflict(head, revision, sheet, receipt, conflict.exchange)

    def _without_call(self, call: Call, parcel: Parcel, outcome: Outcome) -> Outcome:
        """What such an answer means: a refusal from a master that says in its probe that it takes this kind, and
        else that it has no call for it. Where the probe is not answered either, nothing is known."""
        try:
            answer = self._ask(call, "GET", _HEALTH)
        except Failed as failed:
            return _deferred(failed, in_doubt=parcel.in_doubt)
        if answers.of_probe(answer, self._clock.now()) is not None or answers.takes(answer, parcel.kind):
            return outcome
        said = "The master has no call for this."
        if self._by_mail and KINDS[parcel.kind].office_letter(parcel.body) is not None:
            return Redirected(MAIL, f"{said} It goes to the office by mail.", outcome.exchange)
        return Rejected(NO_SUCH_CALL, said, exchange=outcome.exchange)

    def _receipt(self, call: Call, submission: str, *, fresh: bool = False) -> Receipt | Outcome | None:
        try:
            answer = self._ask(call, "GET", f"/v1/submissions/{quote(submission, safe='')}", fresh=fresh)
        except Failed as failed:
            return _deferred(failed, in_doubt=True)
        return answers.of_receipt(answer, submission, self._clock.now())

    def _ask(
        self,
        call: Call,
        method: Literal["GET", "PUT", "POST"],
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        fresh: bool = False,
        keep: bool = True,
        limit: int = _SMALL,
    ) -> Answer:
        request = self._prepared(method, path, headers, body)
        authorization = {} if path == _HEALTH else self._authorization
        request.headers.update(authorization)
        answer = self._lines.fetch(call, request, limit, fresh=fresh, keep=keep)
        if answer.status == _UNAUTHORISED and authorization and self._has_another_than(authorization):
            request.headers.update(self._authorization)
            answer = self._lines.fetch(call, request, limit, fresh=fresh, keep=keep)
        return answer

    def _prepared(
        self, method: str, path: str, headers: Mapping[str, str] | None, body: bytes | None
    ) -> requests.PreparedRequest:
        # Prepared by hand: every part is known to be well-formed, and the usual way costs as much as the call.
        request = requests.PreparedRequest()
        request.method = method
        request.url = self._lines.address.url + path
        request.headers = CaseInsensitiveDict({"Accept-Encoding": "gzip", "User-Agent": "resultsq", **(headers or {})})
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
            request.body = body
        return request

    def _has_another_than(self, refused: Mapping[str, str]) -> bool:
        """Whether there is another token by now than the one that was refused: it is asked for again."""
        if self._reread_token is not None:
            self.use_token(self._reread_token())
        return bool(self._authorization) and self._authorization != refused


def pack(parcel: Parcel) -> bytes:
    """The body as it travels."""
    return gzip.compress(parcel.body, _PACKING, mtime=0)


def put_headers(parcel: Parcel) -> dict[str, str]:
    """The headers of every PUT."""
    return {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Idempotency-Key": f'"{parcel.submission}"',
    }


def _deferred(failed: Failed, *, in_doubt: bool) -> Deferred:
    return Deferred(failed.cause, failed.detail, in_doubt=in_doubt, exchange=failed.exchange)
