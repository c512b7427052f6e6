"""The event teams: they send their files over HTTP, each at its time, and some of them twice."""

import threading
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import requests

from resultsq.clock import Clock
from resultsq.domain.sheet import rows_digest
from resultsq.drill.files import Upload
from resultsq.drill.verdict import Phase, Refused, Taken

CLIENTS = 6
_PATIENCE_S = (5.0, 60.0)
"""Seconds to connect and to answer; what takes longer counts as refused."""

_SAID = 300
"""Characters of a refusal that are kept."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One team's files and its token. `twice`: it does not trust the first answer and sends them again."""

    upload: Upload
    token: str
    twice: bool


class Teams:
    """Sends in threads and remembers the answers; a context manager. `taken` and `refused` only ever grow."""

    def __init__(self, address: str, clock: Clock, clients: int = CLIENTS) -> None:
        self._url = f"{address}/api/v1/submissions"
        self._clock = clock
        self._due: deque[tuple[float, Phase, Errand]] = deque()
        self._work = threading.Condition()
        self._busy = 0
        self._leaving = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"team-{n}", daemon=True) for n in range(clients)]
        self.taken: list[Taken] = []
        self.refused: list[Refused] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        with self._work:
            self._work.notify_all()
        for thread in self._threads:
            thread.join(1.0)  # one that waits for an answer ends with the node

    @property
    def answered(self) -> int:
        """How many errands were answered."""
        return len(self.taken) + len(self.refused)

    @property
    def done(self) -> bool:
        """Whether every errand was answered."""
        with self._work:
            return not self._due and not self._busy

    def send(self, errands: Iterable[Errand], phase: Phase, over_s: float = 0.0) -> None:
        """Send these, evenly spread over the next `over_s` seconds; returns at once."""
        errands, start = list(errands), self._clock.monotonic()
        with self._work:
            for number, errand in enumerate(errands):
                self._due.append((start + over_s * number / len(errands), phase, errand))
            self._work.notify_all()

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no .netrc between the teams and a node on loopback
            while True:
                with self._work:
                    self._work.wait_for(lambda: self._due or self._leaving.is_set())
                    if self._leaving.is_set():
                        return
                    at, phase, errand = self._due.popleft()
                    self._busy += 1
                try:
                    if self._leaving.wait(max(0.0, at - self._clock.monotonic())):
                        return
                    self._carry_out(session, phase, errand)
                finally:
                    with self._work:
                        self._busy -= 1

    def _carry_out(self, session: requests.Session, phase: Phase, errand: Errand) -> None:
        upload, key = errand.upload, str(uuid.uuid4())
        place = upload.event, upload.date.isoformat()
        try:
            began = self._clock.monotonic()
            answer = self._post(session, errand, key)
            took_s = self._clock.monotonic() - began
            answers = [answer, self._post(session, errand, key)] if errand.twice else [answer]
        except _NotTaken as refusal:
            self.refused.append(Refused(place, phase, str(refusal)))
            return
        ids = frozenset(str(each["id"]) for each in answers)
        self.taken.append(Taken(place, phase, ids, answer["digest"], rows_digest(upload.finishers, ()), took_s))

    def _post(self, session: requests.Session, errand: Errand, key: str) -> dict[str, Any]:
        """The node's answer to one POST.

        :raises _NotTaken: it is not a 201 (or 200 for a repeat)"""
        try:
            response = session.post(
                self._url,
                data={"event": errand.upload.event, "date": errand.upload.date.isoformat()},
                files=[("files", (name, content, "text/csv")) for name, content in errand.upload.files],
                headers={"Authorization": f"Bearer {errand.token}", "Idempotency-Key": f'"{key}"'},
                timeout=_PATIENCE_S,
            )
            if response.status_code not in (200, 201):
                raise _NotTaken(f"answered {response.status_code}: {response.text[:_SAID]}")
            answer: dict[str, Any] = response.json()
        except requests.RequestException as error:
            raise _NotTaken(f"no answer: {type(error).__name__}") from None
        return answer


class _NotTaken(Exception):
    pass
