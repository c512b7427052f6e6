"""Another node that publishes at the same master: the same results as ours, which went both ways, or better ones."""

import gzip
import json
from random import Random
from uuid import UUID

import requests
from sqlalchemy import select

from resultsq.delivery.masters import http
from resultsq.domain.ports import Parcel
from resultsq.kinds.registry import KINDS
from resultsq.store.engine.tables import Payload, Submission
from tests.simulate.network import URL, Network
from tests.simulate.plan import Plan
from tests.simulate.workshop import OTHER_TOKEN, Workshop
from tests.support.nodes import DATE

SHARE = 0.3
"""On how many mornings there is one."""


class Stranger:
    """What it does is drawn from the seed beside everything else, so a morning without it stays as it is."""

    def __init__(self, plan: Plan, workshop: Workshop, network: Network, slugs: list[str]) -> None:
        self._plan = plan
        self._workshop = workshop
        self._network = network
        self._slugs = slugs
        self._random = Random(f"{plan.seed} another node")
        self.is_there = self._random.random() < SHARE and plan.has("another node publishes")

    def work(self) -> None:
        while self.is_there:
            self._network.scheduler.sleep(self._random.expovariate(1 / 12.0))
            if self._network.scheduler.now_s >= self._plan.until_s:
                return
            self._publish(self._random.choice(self._slugs))

    def _publish(self, slug: str) -> None:
        same = self._lines_of(slug) if self._random.random() < 0.5 else None
        time = f"00:{20 + self._random.randrange(30)}:00"
        lines = same or [{"position": 1, "athlete": "A1007919", "time": time}]
        id_ = str(UUID(int=self._random.getrandbits(128), version=4))
        kind, now = KINDS["results"], self._workshop.clock.now()
        sheet = {"event": slug, "date": DATE, "finishers": lines}
        made = kind.prepare(sheet, submission=id_, submitted_by="another node", submitted_at=now)
        head = self._workshop.ledger.head(slug, DATE)
        parcel = Parcel("results", id_, slug, DATE, made.body, made.digest, head.submission if head else None)
        asked = kind.request(parcel)
        headers = {**http.put_headers(parcel), **asked.conditions, "Authorization": f"Bearer {OTHER_TOKEN}"}
        request = requests.Request(asked.method, URL + asked.path, headers, data=gzip.compress(made.body)).prepare()
        if self._network.deliver(request, other=True).status == 201:
            self._network.met["another node publishes"] += 1
            self._network.sometimes(f"another node publishes {'the same as ours' if same else 'other results'}")

    def _lines_of(self, slug: str) -> list[dict[str, object]] | None:
        """The newest that this node was given."""
        newest = (
            select(Payload.body)
            .join(Submission, Submission.seq == Payload.seq)
            .where(Submission.event_id == self._workshop.events[slug])
            .order_by(Submission.seq.desc())
        )
        with self._workshop.plain.read() as conn:
            body = conn.execute(newest.limit(1)).scalar()
        return None if body is None else json.loads(body)["finishers"]
