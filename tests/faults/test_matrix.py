"""The fault matrix: each way a link can fail, met by real processes; what became of the submissions.

Each fault strikes while all is well, teams go on submitting, it is mended, and then everything is at the master
once, with its bytes. The rows are written to .artefacts/fault-matrix.md; MATRIX.md carries those of a
whole run that was started with WRITE_FAULT_MATRIX=1.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import redis
from sqlalchemy import select, update

from resultsq.app import mails
from resultsq.clock import SystemClock
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.submission import State
from resultsq.sealed import personal_keys
from resultsq.sqlite import driver
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.wakeup import QUEUE
from tests.conftest import give_up, mounted, remount, started
from tests.history.check import Finding
from tests.support import matrix
from tests.support.certificates import write as write_certificates
from tests.support.clocks import OwnClock
from tests.support.failover import Failover
from tests.support.machines import Machine
from tests.support.netns import Cable
from tests.support.nodes import StoreNode, migrated
from tests.support.office import office
from tests.support.poolers import PgBouncer
from tests.support.processes import OtherMaster, Process, forking
from tests.support.proxy import Proxy
from tests.support.relays import DAYS, Relay
from tests.support.services import HOST, Missing, PostgreSQL, Valkey, free_port
from tests.support.waiting import wait_until

Start = Callable[..., Process]
Break = Callable[[Proxy, OtherMaster], None]
Mend = Callable[[], object]

LASTS_S = 4.0
EACH = 6
AGO = timedelta(minutes=5)
YEAR = timedelta(days=365)
BOUND_S = 30.0
"""Wide, for a busy machine: what it took is in the matrix, and the promise is a benchmark's."""


def restart(_proxy: Proxy, master: OtherMaster) -> None:
    master.kill()
    master.start()


def answer_always(**answer: object) -> Break:
    return lambda _proxy, master: master.script({"times": EACH, **answer})


def interim_answers(_proxy: Proxy, master: OtherMaster) -> None:
    """Before each answer of the master to anything."""
    asked = ("put", "probe", "receipt")
    master.script(*({"on": on, "times": EACH, "interim": [102, 103, 199]} for on in asked))


FAULTS: dict[str, Break] = {
    "connection refused": lambda proxy, _: proxy.refuse(),
    "connection reset": lambda proxy, _: proxy.reset(),
    "silent after accept": lambda proxy, _: proxy.hang(),
    "everything swallowed": lambda proxy, _: proxy.hole(),
    "old connections half-open, new ones work": lambda proxy, _: proxy.half_open(),
    "1 byte a second": lambda proxy, _: proxy.rate(1),
    "answers lost after the commit": lambda proxy, _: proxy.drop_answer(),
    "answers truncated": lambda proxy, _: proxy.cut_at(40),
    "captive portal, 200 with HTML": lambda proxy, _: proxy.portal(200),
    "captive portal, 302": lambda proxy, _: proxy.portal(302),
    "429 storm": answer_always(status=429),
    "503 with Retry-After: 3": answer_always(status=503, headers={"Retry-After": "3"}),
    "master killed and restarted": restart,
    "keep-alive closed at once after an answer": lambda proxy, _: proxy.leave_after(0),
    "keep-alive closed 3 ms after an answer": lambda proxy, _: proxy.leave_after(0.003),
    "keep-alive closed 30 ms after an answer": lambda proxy, _: proxy.leave_after(0.03),
    "keep-alive closed 200 ms after an answer": lambda proxy, _: proxy.leave_after(0.2),
    "interim answers (1xx) before each answer": interim_answers,
}

STRANGERS = {"a certificate of another name": "other.pem", "a certificate that has expired": "expired.pem"}

NAMESERVER = "a nameserver that does not answer"

CABLE_FAULTS: dict[str, Callable[[Cable], None]] = {
    "packets dropped (no SYN gets through)": Cable.drop,
    "cable unplugged": Cable.unplug,
    "30 % of packets lost": Cable.lose,
    "packets with answers lost": Cable.lose_answers,
    "1 Mbit/s with a full queue": Cable.slow,
}


@dataclass(frozen=True)
class Place:
    """A node of processes and what it stands on."""

    machine: Machine
    broker: Valkey
    folder: Path
    postgresql: PostgreSQL | None


def kill_broker(place: Place) -> Mend:
    place.broker.kill()
    return place.broker.start


def freeze_broker(place: Place) -> Mend:
    place.broker.freeze()
    return place.broker.thaw


def asked(place: Place, *command: str) -> object:
    with redis.Redis(host=HOST, port=place.broker.port) as client:
        return client.execute_command(*command)


def make_broker_read_only(place: Place) -> Mend:
    """Each command that writes is answered READONLY."""
    asked(place, "REPLICAOF", HOST, str(free_port()))
    return lambda: asked(place, "REPLICAOF", "NO", "ONE")


def leave_broker_alone(place: Place) -> Mend:
    """Each command that writes is answered NOREPLICAS."""
    asked(place, "CONFIG", "SET", "min-replicas-to-write", "1")
    return lambda: asked(place, "CONFIG", "SET", "min-replicas-to-write", "0")


def poison_queue(place: Place) -> Mend:
    """With what no worker can read, and it is mended by nobody."""
    with redis.Redis(host=HOST, port=place.broker.port) as client:
        client.lpush(QUEUE, b"x", b"[1, 2]", b"\xff\xfe\x00")
    return lambda: None


def flush_broker(place: Place) -> Mend:
    place.broker.flush()
    return lambda: None


def lock_store(place: Place) -> Mend:
    """As another program does that writes and does not come to an end."""
    other = driver.connect(str(place.folder / "store.db"), check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return lambda: other.close()


def fill_disk(place: Place) -> Mend:
    filling = place.folder / "filling"
    with filling.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filling.unlink


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
"""A program that follows sees this folder's disk as read-only; those who have files open there would not let it be."""


def refuse_to_start(place: Place, cause: str, *program: str) -> Mend:
    """Both processes are killed, and started again they say in a sentence what the disk is like."""
    kill_web(place)
    kill_worker(place)
    for command in (["web", "--port", "0"], ["worker"]):
        started_by = [*program, sys.executable, "-m", "resultsq"]
        with Process(*command, env=place.machine.environment, program=started_by) as process:
            assert process.wait(30) == 2
            assert process.stderr.strip().count("\n") == 0
            assert f"{place.folder}: {cause}" in process.stderr

    def mend() -> None:
        place.machine.replace_web()
        place.machine.replace_worker()

    return mend


def take_inodes(place: Place) -> Mend:
    there = os.statvfs(place.folder)
    remount(place.folder, f"nr_inodes={there.f_files - there.f_ffree}")
    start = refuse_to_start(place, "its disk has no inodes left")

    def mend() -> None:
        remount(place.folder, f"nr_inodes={there.f_files}")
        start()

    return mend


def make_disk_read_only(place: Place) -> Mend:
    alone = ("unshare", "-m", "sh", "-c", READ_ONLY, "sh", str(place.folder))
    return refuse_to_start(place, "its file system is read-only", *alone)


def stop_postgresql(place: Place) -> Mend:
    assert place.postgresql
    place.postgresql.stop()
    return place.postgresql.start


def make_postgresql_read_only(place: Place) -> Mend:
    """With every connection left as it is."""
    assert place.postgresql
    place.postgresql.take_no_writes()
    return partial(place.postgresql.take_no_writes, False)


def kill_worker(place: Place) -> Mend:
    place.machine.workers[0].kill()
    return place.machine.replace_worker


def kill_web(place: Place) -> Mend:
    place.machine.web.kill()
    return place.machine.replace_web


def kill_node(place: Place) -> Mend:
    mends = [kill(place) for kill in (kill_web, kill_worker, kill_broker)]
    return lambda: [mend() for mend in mends]


ON_SQLITE: dict[str, Callable[[Place], Mend]] = {
    "broker killed": kill_broker,
    "broker frozen": freeze_broker,
    "broker flushed": flush_broker,
    "broker answers READONLY": make_broker_read_only,
    "broker answers NOREPLICAS": leave_broker_alone,
    "queue holds what nobody can read": poison_queue,
    "worker killed (kill -9)": kill_worker,
    "web process killed (kill -9)": kill_web,
    "web, worker and broker killed at once": kill_node,
    "SQLite locked by another program": lock_store,
    "no room on the disk": fill_disk,
    "no inodes left on the disk, at a restart": take_inodes,
    "disk read-only, at a restart": make_disk_read_only,
}
ON_POSTGRESQL: dict[str, Callable[[Place], Mend]] = {
    "PostgreSQL restarted, four workers": stop_postgresql,
    "PostgreSQL read-only, four workers": make_postgresql_read_only,
}
FAILOVER = "PostgreSQL fails over to its standby"
POOLED = "PostgreSQL restarted behind PgBouncer, four workers"
RESTORED = "master restored from a backup"
BEHIND = "clock a year behind, from a restart on"

MAIL_AWAY = "mails: connection refused"
GREYLISTED = "mails: greylisting (451)"

ON_MACHINES = [*ON_SQLITE, *ON_POSTGRESQL, FAILOVER, POOLED, RESTORED, BEHIND]
ROWS = [*FAULTS, *STRANGERS, NAMESERVER, *CABLE_FAULTS, *ON_MACHINES, MAIL_AWAY, GREYLISTED]
Row = Callable[[str, int, int, int, int | None, float, float], None]


@pytest.fixture
def row(record_property: Callable[[str, object], None]) -> Row:
    """Puts what became of the submissions into the matrix, from whichever process the test runs in."""

    def add(
        fault: str, accepted: int, found: int, doubled: int, again: int | None, first_s: float, all_s: float
    ) -> None:
        repeated = "–" if again is None else f"{again}"
        line = (
            f"| {fault} | {accepted} | {found} | {accepted - found} | {doubled} | {repeated} "
            f"| {first_s:.1f} s | {all_s:.1f} s |"
        )
        record_property(matrix.ROW, [ROWS.index(fault), line])

    return add


@dataclass(frozen=True)
class Scene:
    """Where a fault strikes. `accept`: so many new submissions by a team; their ids. `database`: the node's.
    `at_the_master`: (id, digest) of each sheet that it ever committed. `sent`: of each PUT that it saw, whose."""

    accept: Callable[[int], list[str]]
    database: Database
    at_the_master: Callable[[], Sequence[tuple[str, str]]]
    sent: Callable[[], Sequence[str | None]] | None = None
    broken_promises: Callable[[], Sequence[Finding]] = list
    """What the judge of histories finds when the fault is over."""

    def published(self) -> int:
        with suppress(StoreUnavailable), self.database.read() as conn:
            return len(conn.execute(select(Submission.id).where(Submission.state == State.PUBLISHED)).all())
        return 0

    def wait_for(self, published: int) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        wait_until(lambda: self.published() >= published, BOUND_S, f"publication of {published}")
        return time.monotonic() - began

    def meet(self, fault: str, strike: Callable[[], Mend], row: Row) -> None:
        before = self.published() + 2
        self.accept(2)
        self.wait_for(before)
        mend = strike()
        with ThreadPoolExecutor(1) as team:
            accepting = team.submit(self.accept, EACH)
            time.sleep(LASTS_S)
            mend()
            # what got through before it was mended, as an answer that was lost does, is published by now or soon
            first_s = self.wait_for(before + 1)
            all_s = first_s + self.wait_for(before + EACH)
        accepted = accepting.result()
        committed = self.at_the_master()
        there = dict(committed)
        doubled = len(committed) - len({digest for _, digest in committed})
        with self.database.read() as conn:
            here = {row.id: row.digest for row in conn.execute(select(Submission.id, Submission.digest))}
        assert set(accepted) <= here.keys()
        assert there == here, "nothing lost, nothing changed"
        assert doubled == 0
        assert list(self.broken_promises()) == []
        again = None if self.sent is None else len([one for one in self.sent() if one in accepted]) - EACH
        row(fault, EACH, len(there.keys() & set(accepted)), doubled, again, first_s, all_s)


class AsTheMasterSees(Scene):
    """For where the node cannot know at first what is no longer published."""

    def published(self) -> int:
        return len(self.at_the_master())


def scene_of(relay: Relay, accept: Callable[[int], list[str]] | None = None) -> Scene:
    return Scene(
        accept or relay.accept,
        relay.database,
        lambda: [(receipt["submission"], receipt["digest"]) for receipt in relay.master.report()["receipts"]],
        lambda: [put["submission"] for put in relay.puts()],
        relay.broken_promises,
    )


def test_every_fault_has_its_row_in_the_committed_matrix_when_one_is_added() -> None:
    assert [line.split("|")[1].strip() for line in matrix.written().splitlines()[2:]] == ROWS


@pytest.fixture(scope="module")
def lasting_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """One relay for all faults of the proxy: what one fault leaves behind the next one meets."""
    folder = tmp_path_factory.mktemp("matrix")
    with OtherMaster() as master, Relay(f"sqlite:///{folder / 'store.db'}", master) as made:
        worker = Process("worker", env=made.environment(DATA_DIR=folder))
        try:
            made.wait_for_link("up", 60)
            yield made
        finally:
            worker.close()


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_or_doubled_when_the_link_fails_like_this(name: str, lasting_relay: Relay, row: Row) -> None:
    relay = lasting_relay

    def strike() -> Mend:
        FAULTS[name](relay.proxy, relay.master)
        return relay.proxy.restore

    scene_of(relay).meet(name, strike, row)


@pytest.mark.parametrize("name", STRANGERS)
def test_nothing_is_lost_or_doubled_when_the_way_leads_to_a_stranger(
    name: str, row: Row, tmp_path: Path, start_process: Start
) -> None:
    papers = write_certificates(tmp_path)
    with (
        OtherMaster(certificate=papers / "good.pem") as master,
        OtherMaster(certificate=papers / STRANGERS[name]) as stranger,
        Relay(f"sqlite:///{tmp_path / 'store.db'}", master) as relay,
    ):
        environment = relay.environment(
            MASTER_URL=f"https://127.0.0.1:{relay.proxy.port}",
            MASTER_CA_FILE=papers / "authority.pem",
            DATA_DIR=tmp_path,
        )
        start_process("worker", env=environment)
        relay.wait_for_link("up", 60)

        def strike() -> Mend:
            relay.proxy.lead_to(stranger.port)
            return relay.proxy.restore

        scene_of(relay).meet(name, strike, row)
        assert not stranger.report()["puts"]


class MailServer:
    """A mail server that can go away and come back, and all mails that it ever took."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._taken: list[str] = []
        self.open()

    def open(self) -> None:
        self._stack = ExitStack()
        self.office = self._stack.enter_context(office(self._port))

    def close(self) -> None:
        self._taken += [text for text, _ in self.office.mails]
        self._stack.close()
        self.office.mails.clear()

    def ids(self) -> list[str]:
        """Of each mail that it took, whose."""
        texts = [*self._taken, *(text for text, _ in self.office.mails)]
        return [found[1] for text in texts if (found := re.search(r"^Message-ID: <([^@]+)@", text, re.MULTILINE))]


def make_mail_server_leave(there: MailServer) -> Mend:
    there.close()
    return there.open


def greylist(there: MailServer) -> Mend:
    there.office.say("RCPT", *["451 4.7.1 later"] * 1_000)
    return there.office.answers.clear


MAIL_FAULTS = {MAIL_AWAY: make_mail_server_leave, GREYLISTED: greylist}


@pytest.mark.parametrize("name", MAIL_FAULTS)
def test_no_mail_is_lost_or_doubled_when_the_mail_server_fails_like_this(
    name: str, other_master: OtherMaster, row: Row, tmp_path: Path, start_process: Start
) -> None:
    there = MailServer(port := free_port())
    with Relay(f"sqlite:///{tmp_path / 'store.db'}", other_master) as relay:
        start_process("worker", env=relay.environment(SMTP_URL=f"smtp://{HOST}:{port}", DATA_DIR=tmp_path))
        sealing = Database(relay.url, partial(personal_keys, "", tmp_path))

        def accept(count: int) -> list[str]:
            said, now = {"address": "jane@bushy.example", "text": "Published."}, SystemClock().now()
            return sealing.write(
                lambda conn: [mails.queue(conn, now, subject=f"Mail {n} {now}", **said) for n in range(count)]
            )

        def taken() -> Sequence[tuple[str, str]]:
            with relay.database.read() as conn:
                digests = {row.id: row.digest for row in conn.execute(select(Submission.id, Submission.digest))}
            found = there.ids()
            assert len(found) == len(set(found)), "none is doubled"
            return [(one, digests[one]) for one in found]

        Scene(accept, relay.database, taken).meet(name, lambda: MAIL_FAULTS[name](there), row)
    there.close()


MOUNT = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
OWN_NAMES = ("unshare", "-m", "sh", "-c", MOUNT, "sh")
"""A program that follows sees these files instead of the machine's."""


def test_nothing_is_lost_or_doubled_when_the_nameserver_is_silent(
    row: Row, tmp_path: Path, start_process: Start
) -> None:
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost master.test\n")
    resolver.write_text("nameserver 127.0.99.53\n")
    program = [*OWN_NAMES, str(hosts), str(resolver)]
    if subprocess.run([*program, "true"], capture_output=True).returncode != 0:
        pytest.skip("A program with names of its own can only be started by root.")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        OtherMaster() as master,
        Relay(f"sqlite:///{tmp_path / 'store.db'}", master) as relay,
    ):
        silent.bind(("127.0.99.53", 53))
        openly = {"SEND_MY_TOKEN_OVER_PLAIN_HTTP_WHERE_ANYONE_CAN_READ_IT": "true"}
        named = relay.environment(MASTER_URL=f"http://master.test:{relay.proxy.port}", DATA_DIR=tmp_path, **openly)
        start_process("worker", env=named, program=[*program, sys.executable, "-m", "resultsq"])
        relay.wait_for_link("up", 60)

        def strike() -> Mend:
            hosts.write_text("127.0.0.1 localhost\n")
            relay.proxy.reset()  # or the old connections would not need a name

            def mend() -> None:
                relay.proxy.restore()
                hosts.write_text("127.0.0.1 localhost master.test\n")

            return mend

        scene_of(relay).meet(NAMESERVER, strike, row)


@pytest.mark.parametrize("name", CABLE_FAULTS)
def test_nothing_is_lost_or_doubled_when_the_cable_fails_like_this(
    name: str, cable: Cable, row: Row, tmp_path: Path, start_process: Start
) -> None:
    journal = tmp_path / "journal.jsonl"
    where = ["--host", "0.0.0.0", "--port", str(cable.port), "--state", journal]
    start_process("-m", "tests.support.masters", *where, program=[*cable.on_master, sys.executable])
    url = f"sqlite:///{tmp_path / 'store.db'}"
    node = StoreNode(migrated(url))
    days = iter(DAYS)
    environment = {
        "RESULTSQ_DATABASE_URL": url,
        "RESULTSQ_DATA_DIR": str(tmp_path),
        "RESULTSQ_MASTER_URL": cable.master_url,
        "RESULTSQ_MASTER_TOKEN": "relay-secret",
        "RESULTSQ_SEND_MY_TOKEN_OVER_PLAIN_HTTP_WHERE_ANYONE_CAN_READ_IT": "true",
    }
    start_process("worker", env=environment, program=[*cable.on_node, sys.executable, "-m", "resultsq"])

    def accept(count: int) -> list[str]:
        node.now = SystemClock().now()
        return [node.accept(rows=50, date=next(days)).id for _ in range(count)]

    def committed() -> Sequence[tuple[str, str]]:
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        return [(line["submission"], line["digest"]) for line in lines]

    def strike() -> Mend:
        CABLE_FAULTS[name](cable)
        return cable.restore

    Scene(accept, node.database, committed).meet(name, strike, row)
    node.database.close()


@pytest.fixture(scope="module")
def lasting_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One node on SQLite for all its faults, on a small disk: what one leaves behind the next one meets."""
    with (
        started(Valkey) as broker,
        mounted("64m", tmp_path_factory.mktemp("place")) as folder,
        OtherMaster() as master,
        Relay(f"sqlite:///{folder / 'store.db'}", master) as relay,
        Machine(relay, folder, free_port(), broker.url) as machine,
    ):
        yield Place(machine, broker, folder, None)


@pytest.mark.long
@pytest.mark.parametrize("name", ON_SQLITE)
def test_nothing_is_lost_or_doubled_when_a_node_on_sqlite_fails_like_this(
    name: str, lasting_place: Place, row: Row
) -> None:
    machine = lasting_place.machine
    scene_of(machine.relay, machine.accept).meet(name, partial(ON_SQLITE[name], lasting_place), row)


@pytest.fixture(scope="module")
def lasting_postgresql() -> Iterator[PostgreSQL]:
    """A server that may be stopped, as the run's own may not: one for all such faults."""
    with started(PostgreSQL) as server:
        yield server


@pytest.mark.long
@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_nothing_is_lost_or_doubled_when_a_node_on_postgresql_fails_like_this(
    name: str, lasting_postgresql: PostgreSQL, valkey: Valkey, row: Row, tmp_path: Path
) -> None:
    with (
        OtherMaster() as master,
        Relay(lasting_postgresql.create_database(), master) as relay,
        Machine(relay, tmp_path, free_port(), valkey.url, workers=4) as machine,
    ):
        strike = partial(ON_POSTGRESQL[name], Place(machine, valkey, tmp_path, lasting_postgresql))
        scene_of(relay, machine.accept).meet(name, strike, row)


@pytest.mark.long
def test_nothing_is_lost_or_doubled_when_postgresql_fails_over(
    failover: Failover, valkey: Valkey, row: Row, tmp_path: Path
) -> None:
    with (
        OtherMaster() as master,
        Relay(failover.url, master) as relay,
        Machine(relay, tmp_path, free_port(), valkey.url, workers=2) as machine,
    ):

        def strike() -> Mend:
            failover.fence()
            return failover.promote

        scene_of(relay, machine.accept).meet(FAILOVER, strike, row)


@pytest.mark.long
def test_nothing_is_lost_or_doubled_when_postgresql_restarts_behind_a_pooler(
    lasting_postgresql: PostgreSQL, valkey: Valkey, row: Row, tmp_path: Path
) -> None:
    with (
        started(lambda: PgBouncer(lasting_postgresql.port, "transaction")) as pooler,
        OtherMaster() as master,
        Relay(pooler.through(lasting_postgresql.create_database()), master) as relay,
        Machine(relay, tmp_path, free_port(), valkey.url, workers=4) as machine,
    ):
        strike = partial(stop_postgresql, Place(machine, valkey, tmp_path, lasting_postgresql))
        scene_of(relay, machine.accept).meet(POOLED, strike, row)


def test_what_a_master_lost_that_was_restored_from_a_backup_is_published_again(
    row: Row, tmp_path: Path, start_process: Start
) -> None:
    with OtherMaster() as master, Relay(f"sqlite:///{tmp_path / 'store.db'}", master) as relay:
        start_process("worker", env=relay.environment(DATA_DIR=tmp_path))
        relay.wait_for_link("up", 60)
        relay.accept()
        relay.wait_until_published(1)
        backup = master.back_up()
        made = scene_of(relay)

        def strike() -> Mend:
            relay.wait_until_published(len(master.receipts()))  # by the node's own books too
            a_while_ago = SystemClock().now() - AGO  # what is newer than a minute is not compared yet
            relay.database.write(lambda conn: conn.execute(update(Submission).values(published_at=a_while_ago)))
            master.kill()
            master.restore(backup)
            return master.start

        def judged() -> Sequence[Finding]:
            # the master has the last one before the node has heard its answer
            relay.wait_until_published(len(master.receipts()))
            return made.broken_promises()

        AsTheMasterSees(made.accept, made.database, made.at_the_master, made.sent, judged).meet(RESTORED, strike, row)


@pytest.mark.long
def test_results_of_these_days_are_taken_and_published_with_the_clock_a_year_behind(
    valkey: Valkey, row: Row, tmp_path: Path
) -> None:
    """It starts so, as a machine without a battery does, and is set right while it runs."""
    try:
        clock = OwnClock(tmp_path)
    except Missing as missing:
        give_up(missing)
    today = SystemClock().now().date()
    days = [(today - timedelta(days=ago)).isoformat() for ago in range(1, 60)]
    with (
        forking(clock.environment),
        OtherMaster() as master,
        Relay(f"sqlite:///{tmp_path / 'store.db'}", master) as relay,
        Machine(relay, tmp_path, free_port(), valkey.url, days=days, environment=clock.environment) as machine,
    ):
        place = Place(machine, valkey, tmp_path, None)

        def strike() -> Mend:
            there = relay.published()
            mends = [kill(place) for kill in (kill_web, kill_worker)]
            clock.set(-YEAR)
            for start in mends:
                start()

            def mend() -> None:
                relay.wait_until_published(there + 1, BOUND_S)
                clock.set(timedelta())

            return mend

        scene_of(relay, machine.accept).meet(BEHIND, strike, row)
