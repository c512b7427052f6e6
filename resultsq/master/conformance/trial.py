"""One run against a master: the sheets that it sends, and its test of a good answer."""

import base64
import gzip
import hashlib
import json
import random
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from resultsq.domain.errors import ResultsqError
from resultsq.master.conformance.client import Client, Reply

SUBMITTED_BY = "resultsq conformance kit"
_FIRST_DAY, _DAYS = date(1970, 1, 1), 10_957
_LOOKS_FOR_A_DAY = 50


class RuleBroken(Exception):
    """The master broke the rule: its answer, and the fault."""

    def __init__(self, came: object, why: str) -> None:
        super().__init__(why)
        self.came, self.why = str(came), why


class Skipped(Exception):
    """The rule cannot be checked here; the text says why."""


class Stopped(ResultsqError):
    """Nothing more can be checked; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class TrialEntry:
    """A sheet as it is sent: its id, day and bytes."""

    submission: str
    event: str
    day: str
    body: bytes

    @property
    def digest(self) -> str:
        return f"sha-256=:{base64.b64encode(hashlib.sha256(self.body).digest()).decode()}:"

    @property
    def path(self) -> str:
        return f"/v1/events/{self.event}/results/{self.day}"

    def headers(self, on_top_of: str | None) -> dict[str, str]:
        """The headers of its PUT, on top of that submission or as the first."""
        precondition = {"If-None-Match": "*"} if on_top_of is None else {"If-Match": f'"{on_top_of}"'}
        return {"Content-Type": "application/json", "Idempotency-Key": f'"{self.submission}"', **precondition}


@dataclass(slots=True)
class Trial:
    """`other_token`: of another node. `uncovered_event`: one that is not for the token. `first_day`: the day to begin
    with; None: each day is drawn at random from the years 1970 to 1999."""

    client: Client
    event: str
    other_token: str = ""
    uncovered_event: str = ""
    first_day: date | None = None

    def day(self) -> str:
        """A day for which nothing is published."""
        for _ in range(_LOOKS_FOR_A_DAY):
            day = self._next_day().isoformat()
            reply = self.client.get(f"/v1/events/{self.event}/results/{day}")
            self.stop_if_shut_out(reply)
            if reply.status == 404:
                return day
        raise Stopped("No free day was found for this event. Name one with --date from which on nothing is published.")

    def _next_day(self) -> date:
        if self.first_day is None:
            return _FIRST_DAY + timedelta(days=random.randrange(_DAYS))
        self.first_day += timedelta(days=1)
        return self.first_day - timedelta(days=1)

    def entry(self, day: str | None = None, rows: int = 3, **changes: object) -> TrialEntry:
        """A new sheet; another number of rows is another sheet. `changes` replace its members."""
        day = day or self.day()
        finishers: list[dict[str, object]] = [
            {"position": n, "athlete": f"A{1000 + n}" if n % 2 else None, "time": f"00:20:{n:02}" if n > 1 else None}
            for n in range(1, rows + 1)
        ]
        sheet = {
            "schema": "resultsq.results/1",
            "event": self.event,
            "date": day,
            "submitted_by": SUBMITTED_BY,
            "submitted_at": f"{day}T10:42:11Z",
            "finishers": finishers,
            "volunteers": [{"athlete": "A2001", "role": "Timekeeper"}],
            **changes,
        }
        body = json.dumps(sheet, separators=(",", ":")).encode()
        return TrialEntry(str(uuid.uuid4()), self.event, day, body)

    def put(
        self, entry: TrialEntry, on_top_of: str | None = None, *, packed: bool = True, token: str | None = None
    ) -> Reply:
        headers = entry.headers(on_top_of)
        if packed:
            return self.client.put(
                entry.path, gzip.compress(entry.body), {**headers, "Content-Encoding": "gzip"}, token=token
            )
        return self.client.put(entry.path, entry.body, headers, token=token)

    def put_with(self, entry: TrialEntry, changes: Mapping[str, str | None], body: bytes | None = None) -> Reply:
        """A PUT of a first sheet whose headers are changed; None leaves one out."""
        headers = {name: value for name, value in {**entry.headers(None), **changes}.items() if value is not None}
        return self.client.put(entry.path, entry.body if body is None else body, headers)

    def publish(self, entry: TrialEntry, on_top_of: str | None = None, *, packed: bool = True) -> dict[str, Any]:
        """The receipt of a sheet that must be committed now."""
        reply = self.put(entry, on_top_of, packed=packed)
        self.stop_if_shut_out(reply)
        if reply.status == 404:
            raise Stopped(f"The master knows no event {self.event}. Name one for tests with --event.")
        return receipt(reply, entry, (201,))

    def stop_if_shut_out(self, reply: Reply) -> None:
        """:raises Stopped: the token is not good for this event"""
        if reply.status == 401:
            raise Stopped("The master does not know this token. Give one with --token.")
        if reply.status == 403:
            raise Stopped(f"The token does not cover the event {self.event}. Name another with --event.")

    def not_committed(self, entry: TrialEntry) -> None:
        """:raises Broken: the master has this sheet"""
        reply = self.client.get(f"/v1/submissions/{entry.submission}")
        if reply.status != 404:
            raise RuleBroken(reply, "It refused the sheet and has a receipt for it.")

    def current(self, entry: TrialEntry) -> None:
        """:raises Broken: another sheet than this is published for its day"""
        reply = self.client.get(entry.path)
        if reply.status != 200 or tag(reply) != entry.submission:
            raise RuleBroken(reply, "Another sheet is published there than before.")


def tag(reply: Reply) -> str:
    """The submission id in the ETag."""
    return reply.headers.get("ETag", "").removeprefix("W/").strip('"')


def receipt(reply: Reply, entry: TrialEntry, statuses: Collection[int] = (200,)) -> dict[str, Any]:
    """The receipt in the answer.

    :raises Broken: it is not this sheet's"""
    if reply.status not in statuses:
        raise RuleBroken(reply, f"The status is not {' or '.join(map(str, statuses))}.")
    if reply.media_type != "application/json":
        raise RuleBroken(reply, "A receipt is application/json.")
    check_receipt(reply.object, entry, reply)
    return reply.object


def check_receipt(given: Mapping[str, Any], entry: TrialEntry, came: object) -> None:
    """:raises Broken: this is no receipt of this sheet"""
    own = {"submission": entry.submission, "digest": entry.digest, "event": entry.event, "date": entry.day}
    for name, value in own.items():
        if given.get(name) != value:
            raise RuleBroken(came, f"The receipt's {name} is not the sheet's.")
    revision = given.get("revision")
    if isinstance(revision, bool) or not isinstance(revision, int) or revision < 1:
        raise RuleBroken(came, "The receipt's revision is no number from 1.")
    moment(given.get("received_at"), came)


def moment(text: object, came: object) -> datetime:
    """:raises Broken: the text is no moment with a zone"""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise RuleBroken(came, "A moment is written with its zone, like 2026-03-14T10:42:11Z.")
    return found


def refused(reply: Reply, *statuses: int) -> dict[str, Any]:
    """The problem details of the answer.

    :raises Broken: it has another status, or none of them"""
    if reply.status not in statuses:
        raise RuleBroken(reply, f"The status is not {' or '.join(map(str, statuses))}.")
    if not reply.problem:
        raise RuleBroken(reply, "It carries no problem details, so a node takes it for a stranger's.")
    return reply.problem


def head(reply: Reply) -> tuple[str, int] | None:
    """The current sheet that a 412 names: its id and revision; None: there is none.

    :raises Broken: it does not say"""
    given = refused(reply, 412)
    there = given.get("head", "missing")
    if there is None:
        return None
    if not isinstance(there, dict) or not isinstance(there.get("submission"), str):
        raise RuleBroken(reply, "A 412 names the current sheet as head: {submission, revision}, or null.")
    if not isinstance(there.get("revision"), int):
        raise RuleBroken(reply, "The head of a 412 has a revision.")
    return there["submission"], there["revision"]


def each(pages: Iterator[Reply]) -> Iterator[dict[str, Any]]:
    """The receipts of all pages.

    :raises Broken: a page is not one"""
    for page in pages:
        receipts = page.object.get("receipts")
        if page.status != 200 or not isinstance(receipts, list):
            raise RuleBroken(page, "A page of receipts is 200 with a list: receipts.")
        yield from receipts
