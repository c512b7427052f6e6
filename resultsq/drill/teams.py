"""The event teams: they send their files over HTTP, each at its time, some twice, and some correct them."""

import heapq
import itertools
import random
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import requests

from resultsq.clock import Clock
from resultsq.domain.sheet import rows_digest
from resultsq.drill.files import Upload
from resultsq.drill.posts import Place, RefusedPost, RehearsalPhase, Taken

CLIENTS = 6
_PATIENCE_S = (5.0, 60.0)
"""Seconds to connect and to answer; what takes longer counts as refused."""

_SAID = 300
"""Characters of a refusal that are kept."""


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """One team's files and its token, as they will travel, so that nothing is made while the clock runs. `rows` is the
    digest of what they say; `twice`: it does not trust the first answer and sends them again; `then`: its next version,
    so many seconds after the answer (None: after the link's return)."""

    place: Place
    token: str
    body: bytes
    content_type: str
    rows: str
    twice: bool
    version: int = 1
    then: "PlannedPost | None" = None
    then_after_s: float | None = None


def planned_post(upload: Upload, token: str, twice: bool, **more: Any) -> PlannedPost:
    """What the team of `upload` will post; `more` are the further fields of the post."""
    place = upload.event, upload.date.isoformat()
    form = requests.Request(
        "POST",
        "http://node/",
        data={"event": place[0], "date": place[1]},
        files=[("files", (name, content, "text/csv")) for name, content in upload.files],
    ).prepare()
    assert isinstance(form.body, bytes)  # noqa: S101 - files in memory are
    kind = form.headers["Content-Type"]
    return PlannedPost(place, token, form.body, kind, rows_digest(upload.finishers, ()), twice, **more)


def spread(count: int, over_s: float) -> list[float]:
    """So many moments at equal distances, the last at the end of `over_s` seconds."""
    return [over_s * (number + 1) / count for number in range(count)]


class Teams:
    """Sends in threads, to one address after the other, and remembers the answers; a context manager. `taken` and
    `refused` only ever grow. `phase` is that of all later sheets."""

    def __init__(
        self, addresses: Sequence[str], clock: Clock, clients: int = CLIENTS, path: str = "/api/v1/submissions"
    ) -> None:
        self._urls = itertools.cycle([f"{address}{path}" for address in addresses])
        self._clock = clock
        self._due: list[tuple[float, int, PlannedPost, str | None]] = []
        self._later: list[tuple[PlannedPost, str]] | None = []
        self._numbers = itertools.count()
        self._work = threading.Condition()
        self._busy = 0
        self._leaving = False
        self._threads = [threading.Thread(target=self._run, name=f"team-{n}", daemon=True) for n in range(clients)]
        self.phase = RehearsalPhase.BEFORE
        self.taken: list[Taken] = []
        self.refused: list[RefusedPost] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._work:
            self._leaving = True
            self._work.notify_all()
        for thread in self._threads:
            thread.join(1.0)  # one that waits for an answer ends with the node

    @property
    def answered(self) -> int:
        """How many planned posts were answered."""
        return len(self.taken) + len(self.refused)

    @property
    def done(self) -> bool:
        """Whether every planned post was answered, but for those that wait for the return."""
        with self._work:
            return not self._due and not self._busy

    def send(self, posts: Iterable[PlannedPost], over_s: float = 0.0) -> None:
        """Send these, evenly spread over the next `over_s` seconds; returns at once."""
        posts = list(posts)
        self.send_at(zip(spread(len(posts), over_s), posts, strict=True))

    def send_at(self, timetable: Iterable[tuple[float, PlannedPost]]) -> None:
        """Send each so many seconds from now; returns at once."""
        start = self._clock.monotonic()
        with self._work:
            for after_s, each in timetable:
                self._put(start + after_s, each, None)

    def send_the_rest(self, over_s: float, rng: random.Random) -> None:
        """The link is back: send the sheets that wait for that, spread over the next `over_s` seconds."""
        start = self._clock.monotonic()
        with self._work:
            for each, corrects in self._later or []:
                self._put(start + rng.uniform(0, over_s), each, corrects)
            self._later = None

    def _put(self, at_s: float, what: PlannedPost, corrects: str | None) -> None:
        heapq.heappush(self._due, (at_s, next(self._numbers), what, corrects))
        self._work.notify()

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no .netrc between the teams and a node on loopback
            while (next_one := self._next()) is not None:
                try:
                    self._carry_out(session, *next_one)
                finally:
                    with self._work:
                        self._busy -= 1

    def _next(self) -> tuple[float, PlannedPost, str | None] | None:
        """The next planned post whose time has come; None: it is time to leave."""
        with self._work:
            while not self._leaving:
                wait_s = self._due[0][0] - self._clock.monotonic() if self._due else None
                if wait_s is None or wait_s > 0:
                    self._work.wait(wait_s)
                    continue
                self._busy += 1
                at_s, _, what, corrects = heapq.heappop(self._due)
                if self._due:
                    self._work.notify()  # another thread has to wait for the one that is next now
                return at_s, what, corrects
        return None

    def _carry_out(self, session: requests.Session, at_s: float, what: PlannedPost, corrects: str | None) -> None:
        key, phase = str(uuid.uuid4()), self.phase
        try:
            began = self._clock.monotonic()
            answer = self._post(session, what, key, corrects)
            answered = self._clock.monotonic()
            answers = [answer, self._post(session, what, key, corrects)] if what.twice else [answer]
        except _NotTaken as refusal:
            self.refused.append(RefusedPost(what.place, phase, str(refusal)))
            return
        ids = frozenset(str(each["id"]) for each in answers)
        numbers = frozenset(str(each["number"]) for each in answers if each.get("number"))
        took_s, late_s = answered - began, began - at_s
        digest = answer["digest"]
        self.taken.append(Taken(what.place, phase, ids, digest, what.rows, took_s, what.version, late_s, numbers))
        if what.then is not None:
            with self._work:
                if what.then_after_s is None and self._later is not None:
                    self._later.append((what.then, answer["id"]))
                else:
                    self._put(answered + (what.then_after_s or 0.0), what.then, answer["id"])

    def _post(self, session: requests.Session, what: PlannedPost, key: str, corrects: str | None) -> dict[str, Any]:
        """The node's answer to one POST.

        :raises _NotTaken: it is not a 201 (or 200 for a repeat)"""
        headers = {
            "Authorization": f"Bearer {what.token}",
            "Idempotency-Key": f'"{key}"',
            "Content-Type": what.content_type,
            "As-Given": "day-long-ago",  # a rehearsal plays a Saturday of the past
        }
        if corrects is not None:
            headers["If-Match"] = f'"{corrects}"'
        try:
            response = session.post(next(self._urls), data=what.body, headers=headers, timeout=_PATIENCE_S)
            if response.status_code not in (200, 201):
                raise _NotTaken(f"answered {response.status_code}: {response.text[:_SAID]}")
            answer: dict[str, Any] = response.json()
        except requests.RequestException as error:
            raise _NotTaken(f"no answer: {type(error).__name__}") from None
        return answer


class _NotTaken(Exception):
    pass
