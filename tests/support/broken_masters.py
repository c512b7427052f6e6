"""Masters by other hands, each with one fault: what the conformance kit has to find."""

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support import masters
from tests.support.leasing_masters import ForgetsKeys, LeasesNumbers, LeasesTwice, TakesNodesForOne
from tests.support.masters import Answer, Commit, Conversation, Ledger, Refused, as_json, digest, problem
from tests.support.registering_masters import GivesAnew, Registers, TakesAnyNumber
from tests.support.reminding_masters import Reminds, RemindsTwice, SendsAddresses, TakesWhatIsLate

HOST = "127.0.0.1"


class Fault:
    """A fault: in the ledger, or in what is answered. This one is none."""

    ledger: type[Ledger] = Ledger

    def asked(self, call: Conversation, on: str, asked: Callable[[], Answer]) -> Answer:
        """What is answered to a call; `on` is its kind, as in a script's step."""
        try:
            answer = asked()
        except Refused as refused:
            answer = refused.answer
        return self.changed(call, on, answer)

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        return answer


class _Conversation(Conversation):
    fault = Fault()

    def _act(
        self, on: str, asked: Callable[[], Answer], submission: str | None = None, event: str | None = None
    ) -> int | None:
        return super()._act(on, lambda: self.fault.asked(self, on, asked), submission, event)

    def do_PUT(self) -> None:
        ledger, (*_, place, submission) = self.server.ledger, ("", *self.path.split("/"))
        if place == "registrations" and isinstance(ledger, Registers):
            raw = self._read()
            self._act("registration", lambda: ledger.register(self._node(), submission, self._plain(raw)))
        elif place == "reminders" and isinstance(ledger, Reminds):
            self._act("reminder", lambda: ledger.remind(submission, self._plain(self._read())))
        else:
            super().do_PUT()


@contextmanager
def broken(fault: Fault, folder: Path, *tokens: str) -> Iterator[str]:
    """Such a master on a socket; its URL."""
    server = masters.Master((HOST, 0), folder / "journal.jsonl", frozenset(tokens), frozenset(), 0.0, 1000)
    server.ledger._journal.close()
    server.ledger = fault.ledger(folder / "ledger.jsonl")
    server.RequestHandlerClass = type("_Faulty", (_Conversation,), {"fault": fault})
    loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    loop.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        loop.join(5)
        server.ledger._journal.close()


def _sent(answer: Answer) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(answer.body)
    return value


def _with(answer: Answer, **changes: object) -> Answer:
    """The JSON answer with other members; None leaves one out."""
    value = {name: one for name, one in {**_sent(answer), **changes}.items() if one is not None}
    return replace(answer, body=json.dumps(value).encode())


class ForgetsIds(Fault):
    """Looks for the id nowhere, so a repeat meets its own sheet."""

    class ledger(Ledger):
        def publish(self, submission: str, *rest: Any) -> Answer:
            known = self.commits.pop(submission, None)
            answer = super().publish(submission, *rest)
            if known is not None:
                self.commits[submission] = known
            return answer


class PreconditionFirst(Fault):
    """Looks at the precondition before the id."""

    class ledger(Ledger):
        def publish(self, submission: str, event: str, day: str, body: bytes, on_top_of: Any, node: str) -> Answer:
            there = self.heads.get((event, day))
            if there is not None and there.submission not in (submission, on_top_of):
                told = {"submission": there.submission, "revision": there.revision}
                return problem(412, "Another sheet is published there.", head=told)
            return super().publish(submission, event, day, body, on_top_of, node)


class TakesAnyContent(Fault):
    """Knows the id and does not compare the digest."""

    class ledger(Ledger):
        def publish(self, submission: str, *rest: Any) -> Answer:
            known = self.commits.get(submission)
            return super().publish(submission, *rest) if known is None else as_json(200, known.receipt())


class ComparesContent(Fault):
    """Takes two bodies for one when their JSON is equal."""

    class ledger(Ledger):
        def publish(self, submission: str, event: str, day: str, body: bytes, *rest: Any) -> Answer:
            known = self.commits.get(submission)
            if known is not None and json.loads(base64.b64decode(known.sheet)) == json.loads(body):
                return as_json(200, known.receipt())
            return super().publish(submission, event, day, body, *rest)


class NoChain(Fault):
    """Takes a correction of whatever is there."""

    class ledger(Ledger):
        def publish(self, submission: str, event: str, day: str, body: bytes, on_top_of: Any, node: str) -> Answer:
            there = self.heads.get((event, day))
            on_top_of = there.submission if there and on_top_of else on_top_of
            return super().publish(submission, event, day, body, on_top_of, node)


class SecondFirst(Fault):
    """Takes a first sheet where one is."""

    class ledger(Ledger):
        def publish(self, submission: str, event: str, day: str, body: bytes, on_top_of: Any, node: str) -> Answer:
            there = self.heads.get((event, day))
            on_top_of = on_top_of or (there.submission if there else None)
            return super().publish(submission, event, day, body, on_top_of, node)


class NoLock(Fault):
    """Looks and commits in two steps: no unique key holds what happens between. The first commit of a day waits for
    another that has looked, however late a busy machine lets it come."""

    class ledger(Ledger):
        def __init__(self, journal: Path) -> None:
            super().__init__(journal)
            self.lock: Any = nullcontext()
            self._others: dict[str, threading.Event] = {}

        def _remember(self, commit: Commit) -> None:
            ours = threading.Event()
            if (another := self._others.setdefault(commit.date, ours)) is ours:
                ours.wait(10.0)
            else:
                another.set()
            super()._remember(commit)


class CountsNothing(Fault):
    """Each revision is 1."""

    class ledger(Ledger):
        def _remember(self, commit: Commit) -> None:
            super()._remember(replace(commit, revision=1))

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        return _with(answer, revision=1) if answer.status == 201 else answer


class CommitsWhatItRefuses(Fault):
    """Has a receipt for a sheet that it refused."""

    class ledger(Ledger):
        def publish(self, submission: str, event: str, day: str, body: bytes, on_top_of: Any, node: str) -> Answer:
            answer = super().publish(submission, event, day, body, on_top_of, node)
            if answer.status == 422:
                self._remember(Commit(submission, event, day, 1, digest(body), "2026-01-01T00:00:00Z", node, ""))
            return answer


class _Changes(Fault):
    """Changes the answers to one kind of call."""

    def __init__(self, on: str, change: Callable[[Conversation, Answer], Answer]) -> None:
        self._on, self._change = on, change

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        return self._change(call, answer) if on == self._on else answer


class TakesAnyToken(Fault):
    """Asks for a token and takes each."""

    def asked(self, call: Conversation, on: str, asked: Callable[[], Answer]) -> Answer:
        call.server.tokens = frozenset()
        return super().asked(call, on, asked)


class TellsAllNodes(Fault):
    """Lists the receipts of all nodes for each."""

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        if on != "receipts":
            return answer
        return as_json(200, {"receipts": [one.receipt() for one in call.server.ledger.commits.values()], "next": None})


class ReadsWhatIsCutOff(Fault):
    """Unpacks a body that has no end."""

    def asked(self, call: Conversation, on: str, asked: Callable[[], Answer]) -> Answer:
        call._plain = lambda raw: zlib.decompressobj(47).decompress(raw)  # type: ignore[method-assign]
        return super().asked(call, on, asked)


class RefusesWhileAtWork(Fault):
    """Says 409 to a repeat as long as the first time is not through."""

    def __init__(self) -> None:
        self._at_work: set[str] = set()

    def asked(self, call: Conversation, on: str, asked: Callable[[], Answer]) -> Answer:
        key = call.headers.get("Idempotency-Key", "")
        if on != "put" or not key:
            return super().asked(call, on, asked)
        if key in self._at_work:
            return problem(409, "This is being worked on.")
        self._at_work.add(key)
        time.sleep(2.0)  # the repeat has to come within it, on a busy machine as well
        try:
            return super().asked(call, on, asked)
        finally:
            self._at_work.discard(key)


class _HasAthletes(Ledger):
    athletes = (
        {"athlete": "A101", "name": "Jane SMITH", "club": None, "home_event": "bushy", "runs": 3},
        {"athlete": "A102", "name": "Tom BROWN", "club": None, "home_event": None, "runs": 0},
        {"athlete": "A103", "gone": True},
    )


class _FeedChanges(Fault):
    """A feed that is answered otherwise: as `change` says of the answer."""

    ledger = _HasAthletes

    def __init__(self, change: Callable[[Answer], Answer]) -> None:
        self._change = change

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        return self._change(answer) if on == "athletes" else answer


class _HasNotices(Ledger):
    notices = (
        {"id": "n1", "event": None, "title": "Cold", "text": "Ice.", "at": "2013-12-07T08:00:00Z",
         "until": "2999-12-07T13:00:00Z"},
    )  # fmt: skip


class _NoticesChange(Fault):
    """Notices that are listed otherwise: as `change` says of each."""

    ledger = _HasNotices

    def __init__(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._change = change

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        if on != "notices" or answer.status != 200:
            return answer
        return _with(answer, notices=[self._change(one) for one in _sent(answer)["notices"]])


class _Leases(Fault):
    """Leases athlete numbers as this ledger does, and takes none back if `keeps`."""

    def __init__(self, ledger: type[Ledger], keeps: bool = False) -> None:
        self.ledger, self._keeps = ledger, keeps

    def changed(self, call: Conversation, on: str, answer: Answer) -> Answer:
        return problem(404, "There is no such block.") if self._keeps and on == "return" else answer


def _never_up_to_date(answer: Answer) -> Answer:
    return _with(answer, up_to_date=False) if answer.status == 200 else answer


def _always_the_last_line(answer: Answer) -> Answer:
    line = _HasAthletes.athletes[-1]
    return _with(answer, athletes=_sent(answer)["athletes"] or [line]) if answer.status == 200 else answer


def _void_in_other_words(answer: Answer) -> Answer:
    return _with(answer, code="gone") if answer.status == 409 else answer


def _page(_call: Conversation, answer: Answer) -> Answer:
    return Answer(answer.status, b"<h1>No</h1>", {"Content-Type": "text/html"}) if answer.status >= 400 else answer


def _another_moment(_call: Conversation, answer: Answer) -> Answer:
    return _with(answer, received_at="2026-01-01T00:00:00Z") if answer.status == 200 else answer


def _digest_as_sent(call: Conversation, answer: Answer) -> Answer:
    return _with(answer, digest=digest(b"packed")) if answer.status in (200, 201) else answer


def _written_anew(_call: Conversation, answer: Answer) -> Answer:
    return replace(answer, body=json.dumps(_sent(answer)).encode()) if answer.status == 200 else answer


def _first_page_again(call: Conversation, answer: Answer) -> Answer:
    told = _sent(answer)
    return _with(answer, receipts=told["receipts"][:1] * 2) if len(told.get("receipts", ())) > 1 else answer


def _accepts(_call: Conversation, answer: Answer) -> Answer:
    return as_json(200, {"submission": "taken"}) if answer.status in (400, 415) else answer


FAULTS: dict[str, tuple[Fault, frozenset[str]]] = {
    "looks for no id": (ForgetsIds(), frozenset({"repeat"})),
    "looks at the precondition first": (PreconditionFirst(), frozenset({"late repeat"})),
    "takes any content for a known id": (TakesAnyContent(), frozenset({"id used again", "digest of bytes"})),
    "compares content and not bytes": (ComparesContent(), frozenset({"digest of bytes"})),
    "takes a stale correction": (NoChain(), frozenset({"stale correction"})),
    "takes a second first sheet": (SecondFirst(), frozenset({"place is taken"})),
    "has no unique key": (NoLock(), frozenset({"equal at once", "rivals at once"})),
    "counts no revisions": (CountsNothing(), frozenset({"correction"})),
    "commits what it refuses": (CommitsWhatItRefuses(), frozenset({"positions", "address", "rows"})),
    "takes any token": (TakesAnyToken(), frozenset({"unknown credentials"})),
    "lists all nodes' receipts": (TellsAllNodes(), frozenset({"two nodes"})),
    "reads what is cut off": (ReadsWhatIsCutOff(), frozenset({"cut off"})),
    "refuses a repeat while it works": (RefusesWhileAtWork(), frozenset({"lost answer", "equal at once"})),
    "refuses with a page": (_Changes("put", _page), frozenset({"place is taken", "no JSON", "no credentials"})),
    "has no page for a missing sheet": (_Changes("sheet", _page), frozenset({"no sheet"})),
    "has no page for a missing receipt": (_Changes("receipt", _page), frozenset({"no receipt"})),
    "dates each receipt anew": (_Changes("put", _another_moment), frozenset({"repeat"})),
    "digests the packed body": (_Changes("put", _digest_as_sent), frozenset({"first sheet", "plain body"})),
    "writes the sheet anew": (_Changes("sheet", _written_anew), frozenset({"current sheet"})),
    "lists a receipt twice": (_Changes("receipts", _first_page_again), frozenset({"list of receipts"})),
    "names no head": (
        _Changes("put", lambda _call, answer: _with(answer, head=None) if answer.status == 412 else answer),
        frozenset({"nothing to correct", "rivals at once"}),
    ),
    "accepts what it cannot read": (
        _Changes("put", _accepts),
        frozenset({"no id", "no precondition", "two preconditions", "media type", "coding", "no JSON", "bomb"}),
    ),
    "wants credentials for the probe": (
        _Changes("probe", lambda _call, _answer: problem(401, "Who asks?")),
        frozenset({"probe"}),
    ),
    "has another receipt to read": (
        _Changes("receipt", lambda _call, answer: _with(answer, revision=7) if answer.status == 200 else answer),
        frozenset({"receipt"}),
    ),
    "has a list of athletes without end": (_FeedChanges(_never_up_to_date), frozenset({"list of athletes"})),
    "sends addresses": (_Leases(SendsAddresses), frozenset({"hashes of addresses"})),
    "repeats the end of its list": (_FeedChanges(_always_the_last_line), frozenset({"unchanged list"})),
    "has a notice without an end": (_NoticesChange(lambda one: {**one, "until": None}), frozenset({"notices"})),
    "leases another block for a known key": (_Leases(ForgetsKeys), frozenset({"athlete block"})),
    "leases its numbers again": (_Leases(LeasesTwice), frozenset({"two blocks", "blocks of two nodes"})),
    "takes two nodes for one": (_Leases(TakesNodesForOne), frozenset({"blocks of two nodes"})),
    "takes no block back": (_Leases(LeasesNumbers, keeps=True), frozenset({"athlete block", "two blocks"})),
    "takes a number of no block": (_Leases(TakesAnyNumber), frozenset({"number outside its block"})),
    "gives a number at each repeat": (_Leases(GivesAnew), frozenset({"registration", "number to give"})),
    "takes a late reminder": (_Leases(TakesWhatIsLate), frozenset({"late reminder"})),
    "takes a reminder twice": (_Leases(RemindsTwice), frozenset({"reminder"})),
    "voids a handle in other words": (_FeedChanges(_void_in_other_words), frozenset({"void handle"})),
}
"""What is wrong with each → the rules that must find it."""
