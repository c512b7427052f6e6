"""The node whose accounts, events and tokens are copied, over HTTP."""

from dataclasses import dataclass

from resultsq.app import people_copies
from resultsq.delivery.masters.answers import problem_of
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.watch import Failed
from resultsq.domain.errors import InputRefused
from resultsq.domain.people_copy import PeopleList

_LARGE = 64 * 1024 * 1024
_UNCHANGED = 304


@dataclass(frozen=True, slots=True)
class Listed:
    """What the source lists. `people` None: the same as under the tag that was sent."""

    people: PeopleList | None
    etag: str


@dataclass(frozen=True, slots=True)
class NotListed:
    """Why there is no list."""

    detail: str


class HttpPeopleSource(HttpMaster):
    """The source, spoken to as the master is."""

    def people(self, etag: str) -> Listed | NotListed:
        """The list, unless it is the same as under that tag."""
        headers = {"If-None-Match": etag} if etag else {}
        try:
            with self._watch.call(self._limits.page_s) as call:
                answer = self._ask(call, "GET", "/v1/people", headers, limit=_LARGE)
        except Failed as failed:
            return NotListed(failed.detail)
        if answer.status == _UNCHANGED and etag:
            return Listed(None, etag)
        if answer.status != 200:
            why = (problem_of(answer) or {}).get("detail")
            return NotListed(f"It answered {answer.status}: {why}"[:200] if why else f"It answered {answer.status}.")
        try:
            return Listed(people_copies.read(answer.body), answer.headers.get("etag", "")[:80])
        except InputRefused:
            return NotListed("Its answer is no list of accounts.")
