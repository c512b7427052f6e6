"""The witness at the master: it asks the master itself, past the link, which sheets were published and when."""

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Self

import requests

from resultsq.clock import Clock
from resultsq.domain import sheet as sheets
from resultsq.domain.outcome import Receipt
from resultsq.drill.compare import SeenSheet
from resultsq.drill.posts import Place

LOOK_EVERY_S = 0.05
_TIMEOUT_S = 10.0
_PAGE = "250"
"""Receipts in one answer: the master keeps the memory of the largest, which would be measured as its growth."""

_OVERLAP = timedelta(seconds=10)
"""A receipt's time is taken before its commit: one that is seen later may be a little older."""


class MasterObserver:
    """Looks every `look_every_s`; a context manager. `seen_s`: when (monotonic) each receipt's id was first seen."""

    def __init__(self, address: str, token: str, clock: Clock, look_every_s: float = LOOK_EVERY_S) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        self._clock = clock
        self._look_every_s = look_every_s
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self.seen_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join(_TIMEOUT_S)

    def receipts(self) -> list[Receipt]:
        """Every receipt that the master has."""
        with self._session() as session:
            return list(self._receipts(session, None))

    def published(self, places: Iterable[Place]) -> dict[Place, SeenSheet]:
        """What the master publishes for these places; those without a sheet are left out."""
        found = {}
        with self._session() as session:
            for event, day in places:
                answer = session.get(f"{self._address}/v1/events/{event}/results/{day}", timeout=_TIMEOUT_S)
                if answer.status_code == 200:
                    sheet = sheets.parse(answer.content)
                    found[event, day] = SeenSheet(
                        submission=answer.headers["ETag"].strip('"'),
                        digest=sheets.digest(answer.content),
                        rows=sheets.rows_digest(sheet.finishers, sheet.volunteers),
                    )
        return found

    def _run(self) -> None:
        since: datetime | None = None
        with self._session() as session:
            while not self._leaving.wait(self._look_every_s):
                try:
                    receipts = list(self._receipts(session, since))
                except requests.RequestException:
                    continue  # the wait for its receipts reports a master that is busy or gone
                now = self._clock.monotonic()
                for receipt in receipts:
                    self.seen_s.setdefault(receipt.submission, now)
                    since = max(since or receipt.received_at, receipt.received_at)

    def _receipts(self, session: requests.Session, since: datetime | None) -> Iterator[Receipt]:
        asked: dict[str, str] = {"limit": _PAGE}
        if since is not None:
            asked["since"] = (since - _OVERLAP).isoformat()
        while True:
            answer = session.get(f"{self._address}/v1/receipts", params=asked, timeout=_TIMEOUT_S)
            answer.raise_for_status()
            page: dict[str, Any] = answer.json()
            yield from map(Receipt.model_validate, page["receipts"])
            if page["next"] is None:
                return
            asked["cursor"] = page["next"]

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers.update(self._headers)
        return session
