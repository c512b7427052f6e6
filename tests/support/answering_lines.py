"""The way to a master without a network: each request is noted, and answered as a test says."""

import json
from dataclasses import dataclass
from typing import Any

import requests

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.destinations import Address
from resultsq.domain.outcome import Cause


@dataclass(frozen=True)
class Asked:
    """A request as it was handed over. `time_s`: what its call may take."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    limit: int
    fresh: bool
    keep: bool
    time_s: float


class AnsweringLines:
    """`Lines` that give these answers in turn, the last one again and again. `sent`: whether a request that fails may
    have left."""

    def __init__(self, *answers: Answer | Failed, sent: bool = True, url: str = "https://master.test/prefix") -> None:
        self.address = Address.parse(url)
        self.answers = list(answers)
        self.sent = sent
        self.asked: list[Asked] = []
        self.refreshed = 0

    def fetch(
        self, call: Call, request: requests.PreparedRequest, limit: int, *, fresh: bool = False, keep: bool = True
    ) -> Answer:
        assert request.method is not None
        assert request.url is not None
        assert request.url.startswith(self.address.url)
        path, body = request.url.removeprefix(self.address.url), request.body
        assert body is None or isinstance(body, bytes)
        self.asked.append(Asked(request.method, path, dict(request.headers), body, limit, fresh, keep, call.left()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        call.sent = self.sent
        if isinstance(answer, Failed):
            raise answer
        return answer

    def refresh(self) -> None:
        self.refreshed += 1

    @property
    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


def said(status: int, content: object = None, kind: str = "", **headers: str) -> Answer:
    """An answer; what is not bytes is JSON, and from 400 on problem details."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    media_type = kind or ("application/problem+json" if status >= 400 else "application/json")
    return Answer(status, {"content-type": media_type, **headers}, body)


def problem(status: int, **more: Any) -> Answer:
    return said(status, {"title": "No", "status": status, **more})


def away(cause: Cause = Cause.RESET, detail: str = "It was cut.") -> Failed:
    return Failed(cause, detail)
