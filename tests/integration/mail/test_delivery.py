"""A worker sends mails beside results: each once, and neither waits for the other."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy import Connection, insert, select, update

from resultsq import doctor
from resultsq.app import mails
from resultsq.app.alerting import teller
from resultsq.backup import backup, restore
from resultsq.clock import SystemClock
from resultsq.doctor import CheckTarget, Level
from resultsq.domain.link import LinkState
from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.admin import addresses, alerts
from resultsq.store.engine.tables import MAIL, Account, Link, Submission
from resultsq.store.outbox import Lease, cycle, links
from resultsq.store.views import mail_link, overview_data
from resultsq.store.views.mail_link import MailLink
from resultsq.wakeup import Bell
from resultsq.watch.messenger import evaluate_alerts
from resultsq.web.factory import create_app
from tests.support.manual_clock import ManualClock
from tests.support.nodes import migrated
from tests.support.office import Office, office
from tests.support.processes import Process
from tests.support.relays import Relay
from tests.support.services import HOST
from tests.support.waiting import wait_until

ADDRESS = "team@bushy.example"


class Mailing:
    """A relay with a mail server beside its master."""

    def __init__(self, relay: Relay, port: int) -> None:
        self.relay, self.port = relay, port
        self.more = {"SMTP_URL": f"smtp://{HOST}:{port}", "ALERT_MAIL_FROM": "node@results.example"}
        account = {"name": "bushy", "password_hash": "x", "role": "team", "session_salt": "s", "mail": ADDRESS}
        made = {**account, "created_at": relay.node.now}
        relay.database.write(lambda conn: conn.execute(insert(Account), made))

    def put(self, count: int = 1, **said: Any) -> list[str]:
        now = SystemClock().now()
        said = {"account": "bushy", "text": "Published at 12:04.", **said}
        return self.relay.database.write(
            lambda conn: [mails.queue(conn, now, subject=f"Mail {n}", **said) for n in range(count)]
        )

    def states(self, ids: list[str]) -> dict[str, int]:
        found = [self.relay.node.state(one).value for one in ids]
        return {state: found.count(state) for state in found}

    def wait_until_sent(self, ids: list[str], timeout_s: float = 30.0) -> None:
        wait_until(lambda: self.states(ids) == {"published": len(ids)}, timeout_s, "the mails are sent")

    def link(self) -> Any:
        with self.relay.database.read() as conn:
            return conn.execute(select(Link).where(Link.name == MAIL)).first()

    def wait_for_link(self, state: str) -> None:
        wait_until(lambda: (row := self.link()) is not None and row.state == state and not row.suspect, 20, state)

    def probe_once(self, now: datetime) -> None:
        """The mail server has answered a probe."""

        def work(conn: Connection) -> None:
            number = links.start_probe(conn, now, 0.5, MAIL)
            links.probe_answered(conn, now, number, ProbeAnswer(None, "", 0.0), 4, 0.5, MAIL)

        self.relay.database.write(work)

    def depart(self, lease: Lease) -> bool:
        return self.relay.database.write(lambda conn: outbox.note_departure(conn, lease.submission, lease.lease))

    def worker(self) -> Any:
        return self.relay.worker(**self.more)

    @contextmanager
    def office(self) -> Iterator[Office]:
        with office(self.port) as there:
            yield there


class StuckOffice:
    """Lets the first client hand over one mail and never answers it; of the others it takes nothing."""

    def __init__(self, listening: socket.socket) -> None:
        self.taken = 0
        self._listening = listening
        self._first = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(ConnectionError), client.makefile("rb") as file:
            client.sendall(b"220 here\r\n")
            while not (line := file.readline()).startswith(b"DATA"):
                if not line:
                    return
                if line.startswith(b"RCPT") and not self._first.acquire(blocking=False):
                    self._over.wait(60)
                    return
                client.sendall(b"250 fine\r\n")
            client.sendall(b"354 go on\r\n")
            while file.readline() not in (b".\r\n", b""):
                pass
            self.taken += 1
            self._over.wait(60)


@pytest.fixture
def mailing(relay: Relay, free_port: Callable[[], int]) -> Mailing:
    return Mailing(relay, free_port())


def test_mails_wait_for_their_server_and_results_do_not(mailing: Mailing) -> None:
    ids = mailing.put(5)
    results = mailing.relay.accept(5)
    with mailing.worker():
        mailing.relay.wait_until_published(5)
        mailing.wait_for_link("down")
        assert mailing.states(ids) == {"queued": 5}
        with mailing.office() as there:
            mailing.wait_until_sent(ids)
            assert sorted(there.recipients) == [ADDRESS] * 5
        mailing.relay.proxy.refuse()
        mailing.relay.accept()
        mailing.relay.wait_for_link("down")
        with mailing.office():
            late = mailing.put()
            mailing.wait_until_sent(late)
    assert {mailing.relay.node.state(one) for one in results} == {State.PUBLISHED}
    outages = {row.link for row in mailing.relay.node.outages()}
    assert outages == {"master", "mail"}


def test_operators_see_that_no_mail_leaves_and_why(mailing: Mailing, tmp_path: Path) -> None:
    mailing.put(2)
    now = SystemClock().now()
    database = mailing.relay.database
    database.write(lambda conn: links.ensure(conn, now, 4, MAIL))
    database.write(lambda conn: conn.execute(update(Link).where(Link.name == MAIL).values(state="down", since=now)))
    settings = mailing.relay.settings(DATA_DIR=str(tmp_path), **mailing.more)
    with database.read() as conn:
        assert mail_link.look(conn) == MailLink(LinkState.DOWN, now, None, None, 2)
        assert overview_data.live_status(conn, now).mail == mail_link.look(conn)
    target = CheckTarget(settings, database, SystemClock())
    (finding,) = doctor.examine(target, parts=["mail"])
    assert finding.level is Level.WARN
    assert "The mail server cannot be used" in finding.text
    assert "2 mails wait." in finding.text
    evaluate_alerts(settings, database, ManualClock(now + timedelta(minutes=6)))
    with database.read() as conn:
        assert [one.rule for one in alerts.standing(conn) if one.rule == "mail-down"] == ["mail-down"]
    with mailing.office():
        (finding,) = doctor.examine(target, parts=["mail"])
    assert (finding.level, "2 mails wait." in finding.text) == (Level.OK, True)
    app = create_app(settings, database, clock=SystemClock(), bell=Bell(""))
    assert "resultsq_mail_link_up 0.0" in app.test_client().get("/metrics", headers={"Host": "localhost"}).text


def test_every_mail_is_sent_once_through_refusals_and_lost_answers(mailing: Mailing) -> None:
    with mailing.office() as there:
        there.say("RCPT", "451 4.7.1 greylisted", "450 4.2.0 later")
        there.say("MAIL", "421 4.3.2 closing")
        ids = mailing.put(6, expires_at=_in(hours=1))
        with mailing.worker():
            mailing.wait_until_sent(ids)
            there.lose_answers = 1
            (lost,) = mailing.put()
            wait_until(lambda: mailing.relay.node.state(lost) is State.REJECTED, 20, "it is given up")
            row = mailing.relay.node.row(lost)
            assert (row.cause, len(there.mails)) == ("perhaps-sent", 7)
            time.sleep(1.5)  # a sweep and more: it is not sent again
    assert len(there.mails) == 7
    found = [text for text, _ in there.mails]
    assert len({line for text in found for line in text.splitlines() if line.startswith("Message-ID:")}) == 7


def test_a_mail_says_that_it_expired_and_one_to_an_address_that_bounced_is_not_sent(mailing: Mailing) -> None:
    (late,) = mailing.put(expires_at=_in(hours=-1))
    with mailing.office() as there, mailing.worker():
        wait_until(lambda: mailing.relay.node.state(late) is State.REJECTED, 20, "it has expired")
        assert mailing.relay.node.row(late).detail == "Expired, not sent."
        there.say("RCPT", "550 5.1.1 no such user")
        (first,) = mailing.put()
        wait_until(lambda: mailing.relay.node.state(first) is State.REJECTED, 20, "it bounced")
        (second,) = mailing.put()
        wait_until(lambda: mailing.relay.node.state(second) is State.REJECTED, 20, "it is not sent")
        assert mailing.relay.node.row(second).cause == "suppressed"
        assert there.mails == []
    with mailing.relay.database.read() as conn:
        assert addresses.is_suppressed(conn, ADDRESS.upper(), notice=False)


def test_a_mail_of_a_worker_that_died_is_not_sent_twice_unless_it_is_an_alert(mailing: Mailing) -> None:
    settings = mailing.relay.settings(**mailing.more, ALERT_MAIL_TO="ops@results.example")
    now = SystemClock().now()
    (once,) = mailing.put()
    mailing.relay.database.write(lambda conn: teller(settings)(conn, now, "resultsq: disk-low", "Little room."))
    with mailing.relay.database.read() as conn:
        (alert,) = conn.execute(select(Submission.id).where(Submission.id != once)).scalars()
    mailing.relay.database.write(lambda conn: links.ensure(conn, now, 4, MAIL))
    mailing.probe_once(now)
    for lease in _claim_and_die(mailing, now, 2):
        assert mailing.depart(lease)
    with mailing.office() as there, mailing.worker():
        mailing.wait_until_sent([alert])
        wait_until(lambda: mailing.relay.node.state(once) is State.REJECTED, 20, "it is given up")
        assert there.recipients == ["ops@results.example"]
    assert mailing.relay.node.row(once).cause == "perhaps-sent"


def test_the_mails_that_a_killed_worker_had_not_begun_are_sent(
    mailing: Mailing, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    environment = mailing.relay.environment(DATA_DIR=tmp_path, **mailing.more)
    stuck = socket.create_server((HOST, mailing.port))
    with stuck, StuckOffice(stuck) as there:
        ids = mailing.put(8)
        worker = start_process("worker", "--name", "w1", env=environment)
        wait_until(lambda: there.taken and mailing.states(ids).get("sending", 0) > there.taken, 30, "some have begun")
        worker.kill()
        worker.wait(60)
        begun = there.taken
    with mailing.office() as open_again:
        start_process("worker", "--name", "w1", env=environment)
        wait_until(lambda: mailing.states(ids) == {"published": 8 - begun, "rejected": begun}, 30, "all have ended")
        assert len(open_again.mails) == 8 - begun
    given_up = [one for one in ids if mailing.relay.node.state(one) is State.REJECTED]
    assert {mailing.relay.node.row(one).cause for one in given_up} == {"perhaps-sent"}


def test_a_restored_node_sends_the_mails_that_waited(mailing: Mailing, tmp_path: Path) -> None:
    (waits,) = mailing.put()
    now = SystemClock().now()
    mailing.relay.database.write(lambda conn: links.ensure(conn, now, 4, MAIL))
    mailing.probe_once(now)
    (begun,) = _claim_and_die(mailing, now, 1)
    assert mailing.depart(begun)
    (late,) = mailing.put()
    backup(mailing.relay.database, tmp_path / "copy.db")
    with closing(migrated(f"sqlite:///{tmp_path / 'other.db'}")) as target:
        restore(target, tmp_path / "copy.db", SystemClock())
        with target.read() as conn:
            doubts = {one.id: one.in_doubt for one in conn.execute(select(Submission.id, Submission.in_doubt))}
    assert doubts == {waits: True, late: False}


def _claim_and_die(mailing: Mailing, now: datetime, count: int) -> Sequence[Lease]:
    claimed = mailing.relay.database.write(
        lambda conn: cycle.run_cycle(conn, now, "w1", [], 4, 4, kinds=KINDS, destination=MAIL)
    )
    assert len(claimed.leases) == count
    return claimed.leases


def _in(hours: int) -> datetime:
    return (SystemClock().now() + timedelta(hours=hours)).replace(microsecond=0)
