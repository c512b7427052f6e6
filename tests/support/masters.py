"""Another master: the upload contract once more, by other hands, with the standard library alone.

It shares no code with the product, so that a mistake cannot be made the same way on both sides. It records
every PUT and can be told what to answer:

    python -m tests.support.masters --port 8400 --state journal.jsonl [--token T …] [--event SLUG …]

    GET  /__report            {"puts": [...], "receipts": [...], "max_in_flight", "probes", "lookups": n}
    GET  /__report?puts=no    the same without the list of PUTs
    POST /__script            a list of steps, put behind those that still wait
    POST /__settings          {"delay": seconds, "slots": n, "patient": bool}: how long a PUT takes, how many are
                              worked on, and whether the others wait for their turn or are sent away with a 503;
                              a shorter delay holds for the PUTs that are at work already, a longer one for new ones
    POST /__forget            the steps that still wait are dropped

A step answers the next call that it fits, instead of the master:
    on           "put" (default), "probe", "sheet", "receipt" or "receipts"
    submission, event    only for this one
    times        how often, 1 if left out; null: from now on
    status, headers, body    the answer; a body that is no text is sent as JSON; any header can be overruled
    commit       true: the master first does what it was asked, so that only the answer is another
    delay        seconds before the answer
    interim      a list of statuses (1xx) that are sent before the answer, each with a header
    cut          true: no answer at all, the connection is closed
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

MOST_BYTES = 16 * 1024 * 1024
Json = Any


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def as_json(status: int, value: Json, **headers: str) -> Answer:
    kind = "application/problem+json" if status >= 400 else "application/json"
    return Answer(status, json.dumps(value).encode(), {"Content-Type": kind, **headers})


def problem(status: int, title: str, errors: list[dict[str, str]] | None = None, **more: Json) -> Answer:
    return as_json(status, {"type": "about:blank", "status": status, "title": title,
                            **({"errors": errors} if errors else {}), **more})  # fmt: skip


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


class Refused(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Commit:
    """A sheet that was taken, for ever; a message has no event, date and revision."""

    submission: str
    event: str
    date: str
    revision: int
    digest: str
    received_at: str
    node: str
    sheet: str  # base64 of the uncompressed body
    base: str | None = None  # what it went on top of

    def receipt(self) -> dict[str, Json]:
        return {key: value for key, value in asdict(self).items() if value and key not in {"node", "sheet", "base"}}


@dataclass
class Put:
    """A PUT as it was seen, whatever came of it. `status` None: still at work, or its answer was cut."""

    submission: str | None
    event: str
    date: str
    digest: str | None
    precondition: str | None
    node: str
    in_flight: int
    began: float
    status: int | None = None
    ended: float | None = None


class Ledger:
    """What was committed, in order; each commit is on disk before anybody hears of it."""

    athletes: tuple[dict[str, Json], ...] = ()
    notices: tuple[dict[str, Json], ...] = ()
    leases_numbers = False
    takes_messages = False

    def __init__(self, journal: Path) -> None:
        self.lock = threading.Lock()
        self.commits: dict[str, Commit] = {}
        self.heads: dict[tuple[str, str], Commit] = {}
        self.blocks: dict[tuple[str, str], dict[str, Json]] = {}
        if journal.exists():
            for line in journal.read_text().splitlines(keepends=True):
                if line.endswith("\n"):  # a line that was cut off by a kill was never answered
                    self._remember(Commit(**json.loads(line)))
        self._journal = journal.open("a")

    def _remember(self, commit: Commit) -> None:
        self.commits[commit.submission] = commit
        if commit.revision:
            self.heads[commit.event, commit.date] = commit

    def publish(self, submission: str, event: str, day: str, body: bytes, on_top_of: str | None, node: str) -> Answer:
        """`on_top_of`: the submission that has to be published there now; None where nothing may be."""
        fingerprint = digest(body)
        with self.lock:
            if known := self.commits.get(submission):
                if (known.digest, known.event, known.date) == (fingerprint, event, day):
                    return as_json(200, known.receipt())
                return problem(409, "This id was committed with another sheet.")
            if errors := complaints(body, event, day):
                return problem(422, "The sheet cannot be taken.", errors)
            head = self.heads.get((event, day))
            if (head.submission if head else None) != on_top_of:
                told = {"submission": head.submission, "revision": head.revision} if head else None
                return problem(412, "Another sheet is published there.", head=told)
            revision = head.revision + 1 if head else 1
            return self._commit(submission, event, day, revision, fingerprint, node, body, on_top_of)

    def take_message(self, submission: str, body: bytes, node: str) -> Answer:
        """A message stands alone, under its own id."""
        fingerprint = digest(body)
        with self.lock:
            if known := self.commits.get(submission):
                if known.digest == fingerprint:
                    return as_json(200, known.receipt())
                return problem(409, "This id was committed with something else.")
            return self._commit(submission, "", "", 0, fingerprint, node, body, None)

    def _commit(
        self, submission: str, event: str, day: str, revision: int, fingerprint: str, node: str, body: bytes,
        on_top_of: str | None,
    ) -> Answer:  # fmt: skip
        received_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        kept = base64.b64encode(body).decode()
        commit = Commit(submission, event, day, revision, fingerprint, received_at, node, kept, on_top_of)
        self._journal.write(json.dumps(asdict(commit)) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._remember(commit)
        return as_json(201, commit.receipt())

    def lease(self, node: str, key: str, size: int) -> dict[str, Json]:
        with self.lock:
            first = 1 + max((block["last"] for block in self.blocks.values()), default=5000)
            block = {"block": f"n{first}", "first": first, "last": first + size - 1, "expires_at": "2099-01-01T00:00Z"}
            return self.blocks.setdefault((node, key), block)


def complaints(body: bytes, event: str, day: str) -> list[dict[str, str]]:
    """What is wrong with a sheet, each with a JSON pointer."""
    found: list[dict[str, str]] = []

    def check(good: bool, pointer: str, detail: str) -> None:
        if not good:
            found.append({"pointer": pointer, "detail": detail})

    def has_shape(value: Json, shape: str) -> bool:
        return isinstance(value, str) and re.fullmatch(shape, value, re.ASCII) is not None

    sheet = json.loads(body)
    check(sheet.get("schema") == "resultsq.results/1", "/schema", "is not resultsq.results/1")
    check(sheet.get("event") == event, "/event", "is not the event of the address")
    check(sheet.get("date") == day, "/date", "is not the date of the address")
    check(bool(sheet.get("submitted_by")), "/submitted_by", "is missing")
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
    check(has_shape(sheet.get("submitted_at"), moment), "/submitted_at", "is no moment in UTC")
    finishers, volunteers = sheet.get("finishers"), sheet.get("volunteers")
    check(isinstance(finishers, list), "/finishers", "is no list")
    check(isinstance(volunteers, list), "/volunteers", "is no list")
    for index, row in enumerate(finishers if isinstance(finishers, list) else []):
        at = f"/finishers/{index}"
        check(row.get("position") == index + 1, f"{at}/position", f"is not {index + 1}")
        athlete, elapsed = row.get("athlete", ""), row.get("time", "")
        check(athlete is None or has_shape(athlete, r"A[1-9]\d*"), f"{at}/athlete", "is no barcode")
        check(elapsed is None or has_shape(elapsed, r"\d\d:[0-5]\d:[0-5]\d"), f"{at}/time", "is no time")
    for index, row in enumerate(volunteers if isinstance(volunteers, list) else []):
        at = f"/volunteers/{index}"
        check(has_shape(row.get("athlete"), r"A[1-9]\d*"), f"{at}/athlete", "is no barcode")
        check(bool(row.get("role")), f"{at}/role", "is missing")
    return found


class Script:
    """Steps that wait for a call that fits them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: list[dict[str, Json]] = []

    def add(self, steps: list[dict[str, Json]]) -> None:
        with self._lock:
            self._steps += steps

    def forget(self) -> None:
        with self._lock:
            self._steps.clear()

    def take(self, on: str, submission: str | None = None, event: str | None = None) -> dict[str, Json]:
        """The first step that fits; an empty one where none does."""
        with self._lock:
            for step in self._steps:
                if (
                    step.get("on", "put") == on
                    and step.get("submission") in (None, submission)
                    and step.get("event") in (None, event)
                ):
                    if step.get("times", 1) is not None:
                        step["times"] = step.get("times", 1) - 1
                        if step["times"] <= 0:
                            self._steps.remove(step)
                    return dict(step)
        return {}


class Slots:
    """At most so many at work at once; the others wait for their turn, or are sent away."""

    def __init__(self, number: int) -> None:
        self._changed = threading.Condition()
        self._number = number
        self._busy = 0
        self.patient = True

    def set(self, number: int) -> None:
        with self._changed:
            self._number = number
            self._changed.notify_all()

    @contextmanager
    def one(self) -> Iterator[None]:
        """
        :raises Refused: when there is none and nobody is to wait"""
        with self._changed:
            if not self.patient and self._busy >= self._number:
                busy = {"title": "All slots are taken.", "status": 503}
                raise Refused(as_json(503, busy, **{"Retry-After": "1"}))
            self._changed.wait_for(lambda: self._busy < self._number)
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify()


class Master(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        journal: Path,
        tokens: frozenset[str],
        events: frozenset[str],
        delay_s: float,
        slots: int,
    ) -> None:
        self.ledger = Ledger(journal)
        self.script = Script()
        self.tokens, self.events, self.slots = tokens, events, Slots(slots)
        self._delay_s, self._delay_changed = delay_s, threading.Condition()
        self.counting = threading.Lock()
        self.puts: list[Put] = []
        self.in_flight = self.max_in_flight = self.probes = self.lookups = 0
        super().__init__(address, Conversation)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may leave when it likes
            super().handle_error(request, client_address)

    def set_delay(self, delay_s: float) -> None:
        with self._delay_changed:
            self._delay_s = delay_s
            self._delay_changed.notify_all()

    def work(self) -> None:
        """As long as a PUT takes, or less where that gets shorter meanwhile."""
        began = time.monotonic()
        with self._delay_changed:
            takes_s = self._delay_s
            while (left_s := began + takes_s - time.monotonic()) > 0:
                self._delay_changed.wait(left_s)
                takes_s = min(takes_s, self._delay_s)

    def report(self, with_puts: bool) -> dict[str, Json]:
        with self.counting, self.ledger.lock:
            return {
                "puts": [asdict(put) for put in self.puts] if with_puts else [],
                "receipts": [commit.receipt() for commit in self.ledger.commits.values()],
                "max_in_flight": self.max_in_flight,
                "probes": self.probes,
                "lookups": self.lookups,
            }


class Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet: two of them cost a client 40 ms
    disable_nagle_algorithm = True
    server: Master

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the report tells more."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        match [unquote(part) for part in parts.path.split("/")[1:]]:
            case ["__report"]:
                self._send(as_json(200, self.server.report(query.get("puts") != "no")))
            case ["v1", "health"]:
                with self.server.counting:
                    self.server.probes += 1
                self._act("probe", lambda: as_json(200, {"service": "results-master", "contract": 1}))
            case ["v1", "events", event, "results", day]:
                self._act("sheet", lambda: self._sheet(event, day), event=event)
            case ["v1", "submissions", submission]:
                self._act("receipt", lambda: self._receipt(submission), submission)
            case ["v1", "receipts"]:
                self._act("receipts", lambda: self._receipts(query))
            case ["v1", "athletes"]:
                self._act("athletes", lambda: self._athletes(query))
            case ["v1", "notices"]:
                self._act("notices", self._notices)
            case _:
                self._send(problem(404, "There is nothing here."))

    def do_POST(self) -> None:
        value = json.loads(self._read())
        match self.path:
            case "/__script":
                self.server.script.add(value)
            case "/__forget":
                self.server.script.forget()
            case "/__settings":
                if "delay" in value:
                    self.server.set_delay(value["delay"])
                if "slots" in value:
                    self.server.slots.set(value["slots"])
                self.server.slots.patient = value.get("patient", self.server.slots.patient)
            case "/v1/athlete-blocks" if self.server.ledger.leases_numbers:
                self._act("lease", lambda: self._lease(value["size"]))
                return
            case _:
                self._send(problem(404, "There is nothing here."))
                return
        self._send(as_json(200, {}))

    def do_DELETE(self) -> None:
        self._read()
        self._act("return", self._take_back)

    def do_PUT(self) -> None:
        raw = self._read()
        match [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]:
            case ["v1", "events", event, "results", day]:
                submission = unquoted(self.headers.get("Idempotency-Key"))
                self._take(raw, submission, event, day, partial(self._put, raw, submission, event, day))
            case ["v1", "messages", submission] if self.server.ledger.takes_messages:
                self._take(raw, submission, "", "", partial(self._message, raw, submission))
            case _:
                self._send(problem(404, "There is nothing here."))

    def _take(self, raw: bytes, submission: str | None, event: str, day: str, asked: Callable[[], Answer]) -> None:
        seen = self._put_seen(raw, submission, event, day)
        with self._counted(seen):
            try:
                with self.server.slots.one():  # for the work alone: who has the answer may ask again
                    self.server.work()
            except Refused as refused:
                seen.status = self._send(refused.answer)
            else:
                seen.status = self._act("put", asked, submission, event)

    def _put_seen(self, raw: bytes, submission: str | None, event: str, day: str) -> Put:
        try:
            fingerprint: str | None = digest(self._plain(raw))
        except Refused:
            fingerprint = None
        precondition = self.headers.get("If-Match") or self.headers.get("If-None-Match")
        return Put(submission, event, day, fingerprint, precondition, self._node_or_stranger(), 0, time.monotonic())

    @contextmanager
    def _counted(self, put: Put) -> Iterator[None]:
        server = self.server
        with server.counting:
            server.in_flight += 1
            put.in_flight = server.in_flight
            server.max_in_flight = max(server.max_in_flight, server.in_flight)
            server.puts.append(put)
        try:
            yield
        finally:
            with server.counting:
                server.in_flight -= 1
                put.ended = time.monotonic()

    # what the master does

    def _put(self, raw: bytes, submission: str | None, event: str, day: str) -> Answer:
        node = self._node()
        if self.server.events and event not in self.server.events:
            return problem(403, "These credentials are not for this event.")
        if submission is None or not is_uuid(submission):
            return problem(400, "Idempotency-Key is missing or is no quoted UUID.")
        if self.headers.get_content_type() != "application/json":
            return problem(415, "The sheet has to be application/json.")
        if not is_day(day):
            return problem(404, "There is no such day.")
        if len(raw) > MOST_BYTES:
            return problem(413, "The sheet is too large.")
        body = self._plain(raw)
        try:
            if not isinstance(json.loads(body), dict):
                return problem(400, "The body is no JSON object.")
        except ValueError:
            return problem(400, "The body is no JSON.")
        first, after = self.headers.get("If-None-Match"), unquoted(self.headers.get("If-Match"))
        if (first == "*") == (after is not None):
            return problem(400, "One of If-None-Match: * and If-Match has to be there.")
        return self.server.ledger.publish(submission, event, day, body, after, node)

    def _message(self, raw: bytes, submission: str) -> Answer:
        node = self._node()
        if unquoted(self.headers.get("Idempotency-Key")) != submission or not is_uuid(submission):
            return problem(400, "Idempotency-Key is not the id of the address.")
        return self.server.ledger.take_message(submission, self._plain(raw), node)

    def _sheet(self, event: str, day: str) -> Answer:
        self._node()
        with self.server.ledger.lock:
            head = self.server.ledger.heads.get((event, day))
        if head is None:
            return problem(404, "Nothing is published there.")
        headers = {"Content-Type": "application/json", "ETag": f'"{head.submission}"'}
        return Answer(200, base64.b64decode(head.sheet), headers)

    def _receipt(self, submission: str) -> Answer:
        self._node()
        with self.server.counting:
            self.server.lookups += 1
        with self.server.ledger.lock:
            commit = self.server.ledger.commits.get(submission)
        return as_json(200, commit.receipt()) if commit else problem(404, "Not committed here so far.")

    def _receipts(self, query: dict[str, str]) -> Answer:
        node = self._node()
        try:
            since, until = (moment(query[key]) if key in query else None for key in ("since", "until"))
            start, limit = int(query.get("cursor", "0")), int(query.get("limit", "100"))
        except ValueError:
            return problem(400, "since and until are moments, cursor is what `next` said, limit is a number.")
        with self.server.ledger.lock:
            commits = list(self.server.ledger.commits.values())
        fitting = [
            commit.receipt()
            for commit in commits
            if commit.node == node
            and (since is None or since <= moment(commit.received_at))
            and (until is None or moment(commit.received_at) < until)
        ]
        after = start + max(1, min(limit, 1000))
        following = str(after) if after < len(fitting) else None
        return as_json(200, {"receipts": fitting[start:after], "next": following})

    def _athletes(self, query: dict[str, str]) -> Answer:
        self._node()
        listed = self.server.ledger.athletes
        if not listed:
            return problem(404, "There is no list of athletes here.")
        if query.get("handle", "") not in ("", "h1"):
            return problem(409, "Begin again.", code="must-refetch")
        start, limit = int(query.get("after") or "0"), int(query.get("limit", "100"))
        after = min(start + limit, len(listed))
        lines: Json = list(listed[start:after])
        told = {"handle": "h1", "athletes": lines, "next": str(after), "up_to_date": after == len(listed)}
        return as_json(200, told)

    def _notices(self) -> Answer:
        self._node()
        if not self.server.ledger.notices:
            return problem(404, "There are no notices here.")
        return as_json(200, {"notices": list(self.server.ledger.notices), "next": None})

    def _lease(self, size: int) -> Answer:
        key = unquoted(self.headers.get("Idempotency-Key")) or ""
        return as_json(201, self.server.ledger.lease(self._node(), key, size))

    def _take_back(self) -> Answer:
        self._node()
        return Answer(204) if self.server.ledger.leases_numbers else problem(404, "There is nothing here.")

    # how it speaks

    def _node_or_stranger(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    def _node(self) -> str:
        token = self._node_or_stranger()
        if not token or (self.server.tokens and token not in self.server.tokens):
            raise Refused(problem(401, "These credentials are not known here."))
        return token

    def _read(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return body

    def _plain(self, raw: bytes) -> bytes:
        match self.headers.get("Content-Encoding", "identity").lower():
            case "identity":
                return raw
            case "gzip":
                try:
                    return gzip.decompress(raw)
                except (OSError, EOFError, zlib.error):
                    raise Refused(problem(400, "The body is no gzip.")) from None
            case _:
                raise Refused(problem(415, "The body has to be plain or gzip."))

    def _act(
        self, on: str, asked: Callable[[], Answer], submission: str | None = None, event: str | None = None
    ) -> int | None:
        """Do what was asked and answer, unless the script knows better; the status that went out."""
        step = self.server.script.take(on, submission, event)
        try:
            answer = asked() if step.get("commit") or not ({"status", "cut"} & step.keys()) else Answer(200)
        except Refused as refused:
            answer = refused.answer
        time.sleep(step.get("delay", 0))
        for status in step.get("interim", ()):
            self.wfile.write(f"HTTP/1.1 {status} Wait\r\nLink: </style.css>; rel=preload\r\n\r\n".encode())
        if step.get("cut"):
            self.close_connection = True
            return None
        if "status" in step:
            body = step.get("body", "")
            if isinstance(body, str):
                answer = Answer(step["status"], body.encode(), {"Content-Type": "text/html"})
            else:
                answer = as_json(step["status"], body)
        return self._send(Answer(answer.status, answer.body, {**answer.headers, **step.get("headers", {})}))

    def _send(self, answer: Answer) -> int:
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        if headers["Content-Length"] != str(len(answer.body)):
            self.close_connection = True  # what was promised and does not come ends with the connection
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        return answer.status


def unquoted(header: str | None) -> str | None:
    """What stands between the quotes of an Idempotency-Key or entity tag; None if it has another shape."""
    found = re.fullmatch(r'"([^"\\]+)"', (header or "").strip())
    return found[1] if found else None


def is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(text)
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description="Another master, for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="the journal of what was committed")
    parser.add_argument("--token", action="append", default=[], help="a node's token; none: any is good")
    parser.add_argument("--event", action="append", default=[], help="an event that is taken; none: any is")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds of work on each PUT")
    parser.add_argument("--slots", type=int, default=1000, help="how many PUTs it works on at once")
    parser.add_argument("--messages", action="store_true", help="it has the call for messages")
    parser.add_argument("--certificate", type=Path, help="speak TLS, with this chain and its key in one file")
    chosen = parser.parse_args()
    master = Master(
        (chosen.host, chosen.port),
        chosen.state,
        frozenset(chosen.token),
        frozenset(chosen.event),
        chosen.delay,
        chosen.slots,
    )
    master.ledger.takes_messages = chosen.messages
    if chosen.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.certificate)
        # the handshake is the conversation's, so that a silent client keeps nobody else waiting
        master.socket = context.wrap_socket(master.socket, server_side=True, do_handshake_on_connect=False)
    master.serve_forever()


if __name__ == "__main__":
    main()
