"""A relay over HTTP: the upload contract's section on relays, from the side of the node that hands over."""

from collections.abc import Sequence
from urllib.parse import quote

from resultsq.delivery.masters import answers
from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.http import HttpMaster, pack, put_headers
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Accepted, Conflict, Rejected
from resultsq.domain.ports import Parcel
from resultsq.domain.relay import InCustody, Known, NoAnswer, NotKnown, RefusedThere, RelayAnswer
from resultsq.kinds.registry import KINDS

_SETTLED = frozenset({409, 410, 412, 422})
_DOES_NOT_TAKE = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 508})


class HttpRelay(HttpMaster):
    """A relay, for any number of threads. It is spoken to as the master is, and answers with custody."""

    def hand_over(self, parcel: Parcel, via: Sequence[str]) -> RelayAnswer:
        """Give it this submission, which came through these nodes."""
        asked, packed = KINDS[parcel.kind].request(parcel), pack(parcel)
        headers = {**put_headers(parcel), **asked.conditions, "Via": ", ".join(f"1.1 {name}" for name in via)}
        with self._watch.call(self._limits.for_sheet_s(len(packed))) as call:
            try:
                answer = self._ask(call, asked.method, asked.path, headers, packed)
            except Failed as failed:
                return NoAnswer(failed.detail, sent=call.sent)
            if answer.status in _SETTLED and answers.problem_of(answer) is not None:
                # the master's refusal, or the relay's own: the question about the id tells which
                found = self._look(call, parcel)
                return RefusedThere(_said(answer)) if isinstance(found, NotKnown) else found
            return self._meaning(answer, parcel)

    def longest_s(self, parcel: Parcel, only_asks: bool) -> float:
        """The longest that a call about it lasts, also if its bytes cannot be packed."""
        return self._limits.receipt_s if only_asks else self._limits.for_sheet_s(len(parcel.body))

    def look(self, parcel: Parcel) -> RelayAnswer:
        """How it stands there."""
        with self._watch.call(self._limits.receipt_s) as call:
            return self._look(call, parcel)

    def _look(self, call: Call, parcel: Parcel) -> RelayAnswer:
        try:
            answer = self._ask(call, "GET", f"/v1/submissions/{quote(parcel.submission, safe='')}")
        except Failed as failed:
            return NoAnswer(failed.detail, sent=True)
        if answer.status == 404 and answers.problem_of(answer) is not None:
            return NotKnown()
        if answer.status in _SETTLED - {410} and answers.problem_of(answer) is not None:
            return self._known(answer, parcel)
        return self._meaning(answer, parcel)

    def _meaning(self, answer: Answer, parcel: Parcel) -> RelayAnswer:
        if answer.status == 202 and _is_custody(answer, parcel):
            return InCustody()
        if answer.status in (200, 201):
            return self._known(answer, parcel)
        if answer.status in _DOES_NOT_TAKE and answers.problem_of(answer) is not None:
            return RefusedThere(_said(answer), gone=answer.status == 410)
        return NoAnswer(f"It answered {answer.status}, and not as a relay does.", sent=True)

    def _known(self, answer: Answer, parcel: Parcel) -> RelayAnswer:
        outcome = answers.of_put(answer, parcel, self._clock.now())
        if not isinstance(outcome, Accepted | Rejected | Conflict):
            return NoAnswer(f"It answered {answer.status}, and not as a relay does.", sent=True)
        return Known(outcome, same_rows=(answer.object or {}).get("same_rows") is True)


def _is_custody(answer: Answer, parcel: Parcel) -> bool:
    found = answer.object or {}
    own = (parcel.submission, parcel.digest)
    return isinstance(found.get("custody"), str) and own == (found.get("submission"), found.get("digest"))


def _said(answer: Answer) -> str:
    found = (answers.problem_of(answer) or {}).get("detail")
    return f"{answer.status} {found}"[:200] if isinstance(found, str) else str(answer.status)
