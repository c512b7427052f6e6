"""Whatever a broker answers or holds, a worker goes on, and delivery waits for its sweep at most."""

import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from resultsq.wakeup import QUEUE
from tests.support.processes import Process
from tests.support.relays import Relay
from tests.support.services import Valkey
from tests.support.waiting import wait_until

Start = Callable[..., Process]

REPLIES = {
    "READONLY": "READONLY You can't write against a read only replica.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "WRONGTYPE": "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOPERM": "NOPERM this user has no permissions to run the command",
    "LOADING": "LOADING The server is loading the dataset in memory",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
}
GREETINGS = {b"HELLO", b"CLIENT", b"SELECT", b"PING", b"INFO"}


class _Talk(socketserver.StreamRequestHandler):
    """Greets as a broker does, and answers each other command with the server's one error."""

    def handle(self) -> None:
        while (head := self.rfile.readline()).startswith(b"*"):
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            command = words[0].upper()
            known = command in GREETINGS and command != b"HELLO"
            answer = b"+PONG" if command == b"PING" else b"+OK" if known else b"-" + self.server.reply.encode()  # type: ignore[attr-defined]
            self.wfile.write(answer + b"\r\n")


@contextmanager
def broker_that_says(reply: str) -> Iterator[str]:
    """The URL of a broker whose answer that is."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), _Talk) as server:
        server.reply = reply  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()
        thread.join()


def deliver_beside(relay: Relay, start: Start, folder: Path, url: str, meanwhile: Callable[[], object]) -> Process:
    """A worker delivers, before and after; it is alive at the end."""
    worker = start("worker", env=relay.environment(DATA_DIR=folder, BROKER_URL=url))
    ids = relay.accept(2)
    relay.wait_until_published(2, 60)
    for _ in range(2):
        meanwhile()
        ids += relay.accept()
        assert relay.wait_until_published(len(ids), 20) < 8, "a sweep, on a busy machine"
    relay.assert_all_there_once(ids)
    assert worker.running
    return worker


@pytest.mark.parametrize("reply", REPLIES)
def test_a_worker_goes_on_when_its_broker_answers_with_an_error(
    sqlite_relay: Relay, start_process: Start, tmp_path: Path, reply: str
) -> None:
    with broker_that_says(REPLIES[reply]) as url:
        worker = deliver_beside(sqlite_relay, start_process, tmp_path, url, lambda: None)
        assert worker.terminate(20) == 0


POISON: dict[str, bytes] = {
    "no JSON": b"x",
    "no message": b"[1, 2]",
    "no bytes": b"\xff\xfe\x00",
    "no properties": b'{"body": "e30=", "headers": {}, "content-type": "application/json"}',
    "no task": b'{"body": "e30=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {},'
    b' "properties": {"delivery_tag": "t1", "delivery_info": {"exchange": "", "routing_key": "resultsq"},'
    b' "body_encoding": "base64"}}',
    "a task with odd heads": b'{"body": "bm8=", "content-encoding": "utf-8", "content-type": "application/json",'
    b' "headers": {"task": "resultsq.wake", "id": "a", "eta": 7, "expires": []}, "properties": {"delivery_tag": "t2",'
    b' "delivery_info": {"exchange": "", "routing_key": "resultsq"}, "body_encoding": "base64"}}',
}


def test_a_worker_goes_on_when_its_queue_is_poisoned_and_the_poison_does_not_come_back(
    sqlite_relay: Relay, start_process: Start, valkey: Valkey, tmp_path: Path
) -> None:
    relay = sqlite_relay
    poison = list(POISON.values())
    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        client.lpush(QUEUE, *poison)
        worker = deliver_beside(relay, start_process, tmp_path, valkey.url, lambda: client.lpush(QUEUE, poison[0]))
        wait_until(lambda: not set(client.lrange(QUEUE, 0, -1)) & set(poison), 30, "the end of the poison")
        assert worker.terminate(20) == 0
        valkey.kill()
        valkey.start()
        assert not set(client.lrange(QUEUE, 0, -1)) & set(poison), "nor out of the append-only file"
        assert client.hlen("unacked") == 0


ENDS = """
import sys
from resultsq.delivery.app import PatientConsumer

def start(consumer):
    raise SystemExit(0)

PatientConsumer.start = start
from resultsq.cli import main
sys.argv[0] = "resultsq"
main()
"""
"""A worker whose consumer ends as if somebody had told it to."""


def test_a_worker_that_nobody_stopped_ends_with_status_1(
    sqlite_relay: Relay, start_process: Start, valkey: Valkey, tmp_path: Path
) -> None:
    environment = sqlite_relay.environment(DATA_DIR=tmp_path, BROKER_URL=valkey.url)
    worker = start_process("worker", env=environment, program=(sys.executable, "-c", ENDS))
    assert worker.wait(60) == 1, str(worker)


def test_a_worker_goes_on_when_the_queues_key_is_something_else(
    sqlite_relay: Relay, start_process: Start, valkey: Valkey, tmp_path: Path
) -> None:
    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        client.set(QUEUE, "not a list")
        deliver_beside(sqlite_relay, start_process, tmp_path, valkey.url, lambda: None)


def test_a_worker_goes_on_when_it_may_not_read_its_queue_any_more(
    sqlite_relay: Relay, start_process: Start, valkey: Valkey, tmp_path: Path
) -> None:
    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        deliver_beside(
            sqlite_relay,
            start_process,
            tmp_path,
            valkey.url,
            lambda: client.execute_command("ACL", "SETUSER", "default", "-brpop"),
        )
        client.execute_command("ACL", "SETUSER", "default", "+brpop")
