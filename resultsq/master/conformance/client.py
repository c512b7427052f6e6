"""A small HTTP client: one connection for each call, so that no call depends on the one before."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

from resultsq.domain.destinations import Address, check_token_is_private

_LONGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_PAUSE_S = 10.0
_PAUSES = 3
_SHOWN = 100
_HANGS_UP_AFTER_S = 0.25
"""Long enough for a master to begin with the request, so that the repeat does not overtake it."""


class NoReply(Exception):
    """No whole answer came; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def object(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is not one."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def problem(self) -> dict[str, Any]:
        """The body as problem details; empty where it is not. Plain JSON counts if it has their members."""
        given = self.object
        if self.media_type == "application/problem+json":
            return given
        looks_so = isinstance(given.get("title"), str) and given.get("status") == self.status
        return given if self.media_type == "application/json" and looks_so else {}

    def __str__(self) -> str:
        text = self.body.decode(errors="replace")
        text = "".join(one if one.isprintable() else " " for one in text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")
        return f"{self.status} {self.media_type or 'without a type'} {text}".strip()


@dataclass(slots=True)
class Client:
    """Calls the master at `url` with `token`. Credentials and proxies of the environment are not used.

    :raises SettingsError: it is not a URL, or others could read the token on the way"""

    url: str
    token: str
    ca_file: str | None = None
    timeout_s: float = 20.0
    told_to_wait: list[Reply] = field(default_factory=list)
    """Answers 429 and 503 so far."""

    def __post_init__(self) -> None:
        check_token_is_private(self.url, None)
        self.url = Address.parse(self.url).url

    def get(self, path: str, *, token: str | None = None, **query: str) -> Reply:
        """`token`: another than the own one; empty: none."""
        return self._call("GET", path, self._headers(token), query=query)

    def get_unless(self, tag: str, path: str, **query: str) -> Reply:
        """A GET that is answered 304 where this is still the ETag."""
        return self._call("GET", path, {**self._headers(None), "If-None-Match": tag}, query=query)

    def put(self, path: str, body: bytes, headers: Mapping[str, str], *, token: str | None = None) -> Reply:
        return self._call("PUT", path, {**self._headers(token), **headers}, body)

    def post(self, path: str, body: bytes, headers: Mapping[str, str], *, token: str | None = None) -> Reply:
        return self._call("POST", path, {**self._headers(token), **headers}, body)

    def delete(self, path: str, body: bytes, headers: Mapping[str, str], *, token: str | None = None) -> Reply:
        return self._call("DELETE", path, {**self._headers(token), **headers}, body)

    def put_and_hang_up(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a request and close the connection without waiting for its answer."""
        with suppress(NoReply):  # that is what a lost answer looks like
            self._once("PUT", path, {**self._headers(None), **headers}, body, reads_for_s=_HANGS_UP_AFTER_S)

    def _headers(self, token: str | None) -> dict[str, str]:
        token = self.token if token is None else token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call, and call again when the master asks for a pause."""
        for _ in range(_PAUSES):
            reply = self._once(method, path, headers, body, query)
            pause = reply.headers.get("Retry-After", "")
            if reply.status not in (429, 503):
                return reply
            self.told_to_wait.append(reply)
            if not (pause.isascii() and pause.isdigit()):
                return reply
            time.sleep(min(float(pause), _LONGEST_PAUSE_S))
        return self._once(method, path, headers, body, query)

    def _once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        reads_for_s: float | None = None,
    ) -> Reply:
        waits = (self.timeout_s, reads_for_s or self.timeout_s)
        try:
            with requests.Session() as session:
                session.trust_env = False
                session.verify = self.ca_file or True
                with session.request(
                    method, self.url + path, query, body, headers, timeout=waits, allow_redirects=False, stream=True
                ) as answer:
                    return Reply(answer.status_code, answer.headers, _read(answer, self.timeout_s))
        except requests.RequestException as error:
            raise NoReply(f"no answer ({type(error).__name__})") from error


def _read(answer: requests.Response, within_s: float) -> bytes:
    """The body, bounded in size and time."""
    ends, body = time.monotonic() + within_s, b""
    for piece in answer.iter_content(64 * 1024):
        body += piece
        if len(body) > _LONGEST_ANSWER or time.monotonic() > ends:
            raise NoReply("an answer without end")
    return body
