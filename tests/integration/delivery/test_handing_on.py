"""A laptop hands its results to a second node while the master is away, and is right about them afterwards."""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from resultsq import doctor
from resultsq.clock import SystemClock
from resultsq.delivery import handing_on
from resultsq.doctor import CheckTarget, Level
from resultsq.domain import sheet
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.store.admin import tokens
from resultsq.store.engine.tables import Custody, Handover, Submission
from resultsq.store.outbox import handovers
from resultsq.store.views import overview_data
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.conftest import give_up
from tests.support.clocks import OwnClock
from tests.support.nodes import DATE
from tests.support.processes import OtherMaster, Process
from tests.support.relays import Relay
from tests.support.services import Missing
from tests.support.waiting import wait_until

LONG_AGO = timedelta(days=3)
SLOW_S = 0.3


class SecondNode:
    """The node that keeps what the laptop hands to it: its web process, its own link to the same master."""

    def __init__(self, node: Relay, folder: Path, start: Callable[..., Process]) -> None:
        self.node, self._folder, self._start = node, folder, start
        self.token_file = folder / "token"
        self.kill: Callable[[], object] = lambda: None
        self.more: Mapping[str, str] = {}

    @contextmanager
    def running(self, port: int = 0) -> Iterator[int]:
        """Its web process, and the port on which it listens."""
        env = {**self.node.environment(DATA_DIR=self._folder), **self.more}
        process = self._start("web", "--port", str(port), env=env)
        process.wait_for("web.ready", 30)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr)
        assert found is not None
        self.kill = process.kill
        try:
            yield int(found[1])
        finally:
            process.kill()

    def let_in(self) -> None:
        """Issue the laptop's token, and write it into the laptop's file."""
        database, now = self.node.database, SystemClock().now()
        self.token_file.write_text(database.write(lambda conn: tokens.issue(conn, now, "laptop", Role.NODE)))

    def kept(self) -> int:
        with self.node.database.read() as conn:
            return int(conn.execute(select(func.count(Custody.seq))).scalar_one())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that refused is tried again soon, and the looks follow each other closely."""
    monkeypatch.setattr(handing_on, "REST_S", 0.3)
    monkeypatch.setattr(handing_on, "LOOK_S", 0.2)


@pytest.fixture
def second(tmp_path: Path, other_master: OtherMaster, start_process: Callable[..., Process]) -> Iterator[SecondNode]:
    folder = tmp_path / "second"
    folder.mkdir()
    made = SecondNode(Relay(f"sqlite:///{folder / 'resultsq.db'}", other_master), folder, start_process)
    with made.node:
        made.let_in()
        yield made


def _at_relay(laptop: Relay) -> int:
    with laptop.database.read() as conn:
        return int(conn.execute(select(func.count()).where(Handover.kept_at.is_not(None))).scalar_one())


def _ask_now(laptop: Relay) -> None:
    """As if the time had come at which the relay is asked again."""
    past = SystemClock().now() - LONG_AGO
    laptop.database.write(
        lambda conn: conn.execute(update(Handover).where(Handover.due_at.is_not(None)).values(due_at=past))
    )


def _rows(laptop: Relay, *columns: Any) -> list[Any]:
    with laptop.database.read() as conn:
        return list(conn.execute(select(*columns).order_by(Submission.seq)))


def _knows_of(laptop: Relay, count: int) -> bool:
    """Whether it knows that so many are published; it asks again."""
    _ask_now(laptop)
    return laptop.published() == count


def _roads(second: SecondNode, port: int) -> dict[str, str]:
    return {"RELAYS": f"http://127.0.0.1:{port} {second.token_file}", "RELAY_AFTER_S": "0"}


def test_the_relay_publishes_what_was_handed_on_and_the_laptop_learns_it(relay: Relay, second: SecondNode) -> None:
    laptop = relay
    laptop.proxy.refuse()
    ids = laptop.accept(12)
    with second.running() as port, laptop.worker(**_roads(second, port)):
        wait_until(lambda: _at_relay(laptop) == 12, 30, "custody")
        assert second.kept() == 12
        assert {state for (state,) in _rows(laptop, Submission.state)} == {State.QUEUED}
        assert all(doubt for (doubt,) in _rows(laptop, Submission.in_doubt))
        with second.node.worker():
            second.node.wait_until_published(12)
        _ask_now(laptop)
        laptop.wait_until_published(12, 30)
    laptop.assert_all_there_once(ids)
    assert laptop.node.link().state == "down", "its own way to the master was never there"


def test_operators_see_what_is_at_a_relay_and_whether_it_can_be_used(
    sqlite_relay: Relay, second: SecondNode, tmp_path: Path
) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    laptop.accept(2)
    with second.running() as port:
        settings = laptop.settings(DATA_DIR=str(tmp_path), **_roads(second, port))
        target = CheckTarget(settings, laptop.database, SystemClock())

        def found() -> list[tuple[Level, str]]:
            return [(one.level, one.text) for one in doctor.examine(target, parts=["relays"])]

        name = f"127.0.0.1:{port}"
        takes = (Level.OK, f"The relay {name} answers, and takes this node's token.")
        assert found() == [takes, (Level.OK, "Nothing waits at a relay.")]
        with laptop.worker(**_roads(second, port)):
            wait_until(lambda: _at_relay(laptop) == 2, 30, "custody")
        assert found() == [takes, (Level.OK, "2 waiting submissions are at a relay, too.")]
        with laptop.database.read() as conn:
            assert overview_data.live_status(conn, SystemClock().now()).at_relays == 2
        app = create_app(settings, laptop.database, clock=SystemClock(), bell=Bell(""))
        assert "resultsq_at_relays 2.0" in app.test_client().get("/metrics", headers={"Host": "localhost"}).text
        second.token_file.write_text("wrong")
        assert found()[0] == (Level.BAD, f"The relay {name} does not take this node's token: "
                                         "`resultsq node add` there makes one.")  # fmt: skip
        second.token_file.unlink()
        assert found()[0][1] == f"The token for the relay {name} is missing: there is no file {second.token_file}."
    second.token_file.write_text("x")
    assert found()[0][0] is Level.WARN


def test_the_laptop_may_be_closed_and_opened_days_later(sqlite_relay: Relay, second: SecondNode) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    ids = laptop.accept(3)
    with second.running() as port:
        with laptop.worker(**_roads(second, port)):
            wait_until(lambda: _at_relay(laptop) == 3, 30, "custody")
        with second.node.worker():
            second.node.wait_until_published(3)
        with laptop.worker("w2", **_roads(second, port)):
            laptop.wait_until_published(3, 30)
    laptop.assert_all_there_once(ids)


def test_both_publish_at_once_when_the_master_is_back(sqlite_relay: Relay, second: SecondNode) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    second.node.proxy.refuse()
    ids = laptop.accept(20)
    with second.running() as port, laptop.worker(**_roads(second, port)), second.node.worker("r1"):
        wait_until(lambda: _at_relay(laptop) == 20, 30, "custody")
        assert laptop.master.receipts() == {}
        laptop.proxy.restore()
        second.node.proxy.restore()
        laptop.wait_until_published(20)
        second.node.wait_until_published(20)
    laptop.assert_all_there_once(ids)
    second.node.assert_all_there_once(ids)


def test_a_relay_that_lost_its_disk_is_given_the_results_again(
    sqlite_relay: Relay, second: SecondNode, tmp_path: Path, other_master: OtherMaster, start_process: Any
) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    ids = laptop.accept(3)
    with second.running() as port, laptop.worker(**_roads(second, port)):
        wait_until(lambda: _at_relay(laptop) == 3, 30, "custody")
    (tmp_path / "new").mkdir()
    store = Relay(f"sqlite:///{tmp_path / 'new' / 'resultsq.db'}", other_master)
    empty = SecondNode(store, tmp_path / "new", start_process)
    with empty.node:
        empty.let_in()
        with empty.running(port), laptop.worker("w2", **_roads(empty, port)):
            _ask_now(laptop)
            wait_until(lambda: empty.kept() == 3, 30, "custody again")
            with empty.node.worker():
                empty.node.wait_until_published(3)
            _ask_now(laptop)
            laptop.wait_until_published(3, 30)
    laptop.assert_all_there_once(ids)


def test_a_wrong_token_costs_nothing_and_the_right_one_is_taken_up(sqlite_relay: Relay, second: SecondNode) -> None:
    laptop, right = sqlite_relay, second.token_file.read_text()
    second.token_file.write_text("rq_wrong")
    laptop.proxy.refuse()
    laptop.accept(3)
    with second.running() as port, laptop.worker(**_roads(second, port)):
        wait_until(lambda: laptop.node.link().state == "down", 15, "the link is down")
        wait_until(lambda: any(count for (count,) in _rows(laptop, Submission.attempts)), 15, "a try")
        wait_until(lambda: not any(doubt for (doubt,) in _rows(laptop, Submission.in_doubt)), 15, "the try's end")
        assert (second.kept(), _at_relay(laptop)) == (0, 0)
        assert sum(count > 0 for (count,) in _rows(laptop, Submission.attempts)) == 1, "one at a time is tried"
        second.token_file.write_text(right)
        wait_until(lambda: _at_relay(laptop) == 3, 30, "custody")


def test_results_wait_while_master_and_relay_are_away_and_go_by_the_one_that_is_back_first(
    relay: Relay, second: SecondNode
) -> None:
    laptop = relay
    laptop.proxy.refuse()
    second.node.proxy.refuse()
    with second.running() as port:
        pass  # from now on nothing listens there
    ids = laptop.accept(3)
    with laptop.worker(**_roads(second, port)):
        laptop.wait_for_link("down")
        wait_until(lambda: any(count for (count,) in _rows(laptop, Submission.attempts)), 15, "a try")
        with second.running(port):
            wait_until(lambda: _at_relay(laptop) == 3, 30, "custody")
            later = laptop.accept(1)
            wait_until(lambda: _at_relay(laptop) == 4, 30, "custody of a later one")
        laptop.proxy.restore()  # the master is back, the relay with all that it keeps is away
        laptop.wait_until_published(4, 60)
    laptop.assert_all_there_once([*ids, *later])


def test_corrections_go_by_the_relay_in_their_order(relay: Relay, second: SecondNode) -> None:
    laptop = relay
    laptop.proxy.refuse()
    first = laptop.node.accept(rows=3).id
    with second.running() as port, laptop.worker(**_roads(second, port)):
        wait_until(lambda: _at_relay(laptop) == 1, 30, "custody of the first")
        later = laptop.node.accept(rows=4, corrects=first).id
        wait_until(lambda: _at_relay(laptop) == 2, 30, "custody of both")
        with second.node.worker():
            second.node.wait_until_published(2)
        wait_until(lambda: _knows_of(laptop, 2), 30, "the laptop knows of both")
    assert _rows(laptop, Submission.id, Submission.state, Submission.revision) == [
        (first, State.CORRECTED, 1),
        (later, State.PUBLISHED, 2),
    ]
    laptop.assert_all_there_once([first, later])


def test_what_the_master_refused_at_the_relay_is_refused_at_the_laptop(sqlite_relay: Relay, second: SecondNode) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    (id_,) = laptop.accept(1)
    problem = {"title": "No", "status": 422, "detail": "Not like this.", "errors": [{"detail": "Bad row."}]}
    headers = {"Content-Type": "application/problem+json"}
    laptop.master.script({"on": "put", "submission": id_, "status": 422, "headers": headers, "body": problem})
    with second.running() as port, laptop.worker(**_roads(second, port)):
        wait_until(lambda: _at_relay(laptop) == 1, 30, "custody")
        with second.node.worker():
            wait_until(lambda: second.node.node.count(state=State.REJECTED) == 1, 30, "the master's refusal")
        _ask_now(laptop)
        wait_until(lambda: laptop.node.count(state=State.REJECTED) == 1, 30, "the laptop knows")
    assert _rows(laptop, Submission.detail, Submission.in_doubt) == [("Not like this.", False)]


def test_two_nodes_that_are_each_others_relays_hand_nothing_round(
    sqlite_relay: Relay, second: SecondNode, tmp_path: Path, start_process: Any
) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    second.node.proxy.refuse()
    (tmp_path / "laptop").mkdir()
    with ExitStack() as stack:
        laptop_web = SecondNode(laptop, tmp_path / "laptop", start_process)
        laptop_web.let_in()
        port, back = stack.enter_context(second.running()), stack.enter_context(laptop_web.running())
        ids = laptop.accept(3)
        stack.enter_context(laptop.worker(**_roads(second, port)))
        stack.enter_context(second.node.worker("r1", **_roads(laptop_web, back)))
        wait_until(lambda: _at_relay(laptop) == 3, 30, "custody")
        tried = lambda: any(count for (count,) in _rows(second.node, Submission.attempts))  # noqa: E731
        wait_until(tried, 30, "the second node has tried to hand them back")
        assert _at_relay(second.node) == 0, "508"
        assert laptop_web.kept() == 0
        second.node.proxy.restore()
        second.node.wait_until_published(3)
        _ask_now(laptop)
        laptop.wait_until_published(3, 30)
    laptop.assert_all_there_once(ids)


def test_a_relay_that_is_killed_before_its_commit_has_promised_nothing(sqlite_relay: Relay, second: SecondNode) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    with second.running() as port:
        with laptop.worker(**_roads(second, port)), second.node.database.alone():  # its commit has to wait
            ids = laptop.accept(1)
            wait_until(lambda: any(count for (count,) in _rows(laptop, Submission.attempts)), 15, "a call to the relay")
            second.kill()
        assert _at_relay(laptop) == 0
        assert second.kept() == 0
    with second.running(port), laptop.worker("w2", **_roads(second, port)), second.node.worker():
        _ask_now(laptop)
        wait_until(lambda: _at_relay(laptop) == 1, 30, "custody")
        second.node.wait_until_published(1)
        wait_until(lambda: _knows_of(laptop, 1), 30, "the laptop knows")
    laptop.assert_all_there_once(ids)


def test_a_chain_of_two_relays_works(
    sqlite_relay: Relay, second: SecondNode, tmp_path: Path, other_master: OtherMaster, start_process: Any
) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    second.node.proxy.refuse()
    (tmp_path / "third").mkdir()
    third = SecondNode(
        Relay(f"sqlite:///{tmp_path / 'third' / 'resultsq.db'}", other_master), tmp_path / "third", start_process
    )
    ids = laptop.accept(3)
    with third.node, ExitStack() as stack:
        third.let_in()
        near, far = stack.enter_context(second.running()), stack.enter_context(third.running())
        stack.enter_context(laptop.worker(**_roads(second, near)))
        stack.enter_context(second.node.worker("r1", **_roads(third, far)))
        wait_until(lambda: third.kept() == 3, 30, "custody at the far end")
        stack.enter_context(third.node.worker("r2"))
        third.node.wait_until_published(3)
        wait_until(lambda: _knows_of(second.node, 3), 30, "the relay in the middle knows")
        wait_until(lambda: _knows_of(laptop, 3), 30, "the laptop knows")
    laptop.assert_all_there_once(ids)


class _OldNode(BaseHTTPRequestHandler):
    """A node of the version before: it has no such calls, and says so."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"title": "Not Found", "status": 404, "detail": "There is nothing here."}'
        self.send_response(404)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


def test_the_next_relay_is_used_when_one_is_of_the_version_before(sqlite_relay: Relay, second: SecondNode) -> None:
    laptop = sqlite_relay
    laptop.proxy.refuse()
    ids = laptop.accept(3)
    with ThreadingHTTPServer(("127.0.0.1", 0), _OldNode) as old, second.running() as port, second.node.worker("r1"):
        serving = threading.Thread(target=old.serve_forever)
        serving.start()
        relays = f"http://127.0.0.1:{old.server_port} {second.token_file}, http://127.0.0.1:{port} {second.token_file}"
        try:
            with laptop.worker(RELAYS=relays, RELAY_AFTER_S="0"):
                wait_until(lambda: _at_relay(laptop) == 3, 30, "custody at the other one")
                second.node.wait_until_published(3)
                wait_until(lambda: _knows_of(laptop, 3), 30, "the laptop knows")
        finally:
            old.shutdown()
            serving.join()
    laptop.assert_all_there_once(ids)


def test_a_relays_clock_makes_no_difference(sqlite_relay: Relay, second: SecondNode, tmp_path: Path) -> None:
    try:
        clock = OwnClock(tmp_path)
    except Missing as missing:
        give_up(missing)
    clock.set(timedelta(hours=1))
    second.more = clock.environment
    laptop = sqlite_relay
    laptop.proxy.refuse()
    ids = laptop.accept(3)
    with second.running() as port, laptop.worker(**_roads(second, port)):
        wait_until(lambda: _at_relay(laptop) == 3, 30, "custody")
        with second.node.worker("r1"):
            second.node.wait_until_published(3)
            wait_until(lambda: _knows_of(laptop, 3), 30, "the laptop knows")
    laptop.assert_all_there_once(ids)


class LaterClock(SystemClock):
    """The machine's clock after the laptop lay closed for so long."""

    def now(self) -> datetime:
        return super().now() + LONG_AGO


def _publish_another(laptop: Relay, day: str) -> str:
    """Another node publishes other results of that day; their id."""
    made = laptop.node.entry(rows=9, by="another node", date=day)
    headers = {
        "Authorization": "Bearer relay-secret",
        "Content-Type": "application/json",
        "Idempotency-Key": f'"{made.id}"',
        "If-None-Match": "*",
    }
    answer = requests.put(f"{laptop.master.url}/v1/events/bushy/results/{day}", made.body, headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
    return made.id


def test_a_laptop_that_is_opened_after_three_days_is_right_about_everything(relay: Relay, second: SecondNode) -> None:
    laptop = relay
    laptop.proxy.refuse()
    second.node.proxy.refuse()
    published, refused, met = laptop.accept(3)
    corrected = laptop.node.accept(rows=3, date=DATE).id
    (day,) = [row.date for row in _rows(laptop, Submission.id, Submission.date) if row.id == met]
    other = _publish_another(laptop, day)
    problem = {"title": "No", "status": 422, "detail": "Not like this."}
    headers = {"Content-Type": "application/problem+json"}
    laptop.master.script({"on": "put", "submission": refused, "status": 422, "headers": headers, "body": problem})
    with second.running() as port:
        with laptop.worker(**_roads(second, port)):
            wait_until(lambda: _at_relay(laptop) == 4, 30, "custody")
            correction = laptop.node.accept(rows=4, corrects=corrected, date=DATE).id
            wait_until(lambda: _at_relay(laptop) == 5, 30, "custody of the correction")
        late = laptop.node.accept(rows=5, date="2013-12-14").id  # just before the lid is closed
        second.node.proxy.restore()
        with second.node.worker("r1"):
            second.node.wait_until_published(3)
            wait_until(lambda: second.node.node.count(state=State.REJECTED) == 1, 30, "the master's refusal")
            wait_until(lambda: second.node.node.count(state=State.CONFLICT) == 1, 30, "the conflict")
        waiting = {state for (state,) in _rows(laptop, Submission.state)}
        assert waiting == {State.QUEUED}, "the laptop is closed, and knows nothing yet"
        # its own way to the master is still dead: it learns all from the relay
        with laptop.worker("w2", LaterClock(), **_roads(second, port)):
            wait_until(lambda: laptop.node.count(state=State.QUEUED) == 1, 30, "the laptop knows")
    seen = (Submission.in_doubt, Submission.revision, Submission.conflict_head, Submission.detail)
    found = {row.id: row for row in _rows(laptop, Submission.id, Submission.state, *seen)}
    assert {id_: row.state for id_, row in found.items()} == {
        published: State.PUBLISHED,
        refused: State.REJECTED,
        met: State.CONFLICT,
        corrected: State.CORRECTED,
        correction: State.PUBLISHED,
        late: State.QUEUED,
    }
    assert not any(row.in_doubt for id_, row in found.items() if id_ != late)
    assert (found[corrected].revision, found[correction].revision) == (1, 2)
    assert found[met].conflict_head == other
    assert found[refused].detail == "Not like this."
    laptop.proxy.restore()
    with laptop.worker("w3", LaterClock(), **_roads(second, port)):
        wait_until(lambda: laptop.node.count(state=State.PUBLISHED) == 3, 30, "what was left")
    assert set(laptop.master.receipts()) == {published, corrected, correction, late, other}


class _SlowNode(BaseHTTPRequestHandler):
    """A relay that takes its time. `look` is asked while a call waits for its answer."""

    look: Callable[[], object]

    def do_PUT(self) -> None:
        sheet_bytes = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(SLOW_S)
        type(self).look()
        custody = {"custody": "slow", "submission": self.headers["Idempotency-Key"].strip('"'),
                   "digest": sheet.digest(sheet_bytes), "received_at": "2013-12-07T12:00:00Z"}  # fmt: skip
        body = json.dumps(custody).encode()
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


def test_calls_behind_slow_ones_stay_their_workers(sqlite_relay: Relay, second: SecondNode, monkeypatch: Any) -> None:
    for module in (handing_on, handovers):
        monkeypatch.setattr(module, "CALL_S", 2 * SLOW_S)
    laptop, run_out = sqlite_relay, []
    laptop.proxy.refuse()
    laptop.accept(8)

    def look() -> None:
        overdue = select(func.count()).where(Handover.kept_at.is_(None), Handover.due_at <= SystemClock().now())
        with laptop.database.read() as conn:
            run_out.append(conn.execute(overdue).scalar_one())

    monkeypatch.setattr(_SlowNode, "look", look, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _SlowNode) as slow:
        serving = threading.Thread(target=slow.serve_forever)
        serving.start()
        try:
            with laptop.worker(RELAYS=f"http://127.0.0.1:{slow.server_port} {second.token_file}", RELAY_AFTER_S="0"):
                wait_until(lambda: _at_relay(laptop) == 8, 30, "custody")
        finally:
            slow.shutdown()
            serving.join()
    assert len(run_out) == 8
    assert not any(run_out), "another worker would have made the call, too"
