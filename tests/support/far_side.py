"""What a call to a master may meet: a server that talks to each connection as it is told."""

import gzip
import json
import random
import socket
import ssl
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from resultsq.domain import sheet
from resultsq.domain.ports import Parcel
from tests.support.services import HOST

Talk = Callable[[socket.socket], None]


@contextmanager
def far_side(talk: Talk, *, receive_buffer: int | None = None) -> Iterator[int]:
    """A server that talks to each connection in a thread of its own; its port."""
    listener = socket.socket()
    if receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    listener.bind((HOST, 0))
    listener.listen(64)
    taken: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        try:
            talk(connection)
        except OSError:
            pass  # the other side may leave when it likes
        finally:
            connection.close()

    def take() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in taken:
            connection.close()


def parcel(size: int = 200, *, in_doubt: bool = False) -> Parcel:
    """A sheet that hardly packs: it travels as `size` bytes at least."""
    noise = random.Random(size).randbytes(size).hex()
    body = json.dumps({"noise": noise}).encode()
    return Parcel("results", str(uuid.uuid4()), "bushy", "2026-03-14", body, sheet.digest(body), None, in_doubt)


def hear(connection: socket.socket) -> tuple[str, bytes]:
    """A whole request: its head and its body."""
    stream = connection.makefile("rb")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            raise ConnectionError
        head += line
    length = 0
    for line in head.lower().splitlines():
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head.decode(), stream.read(length)


def answer(status: int, body: bytes, kind: str = "application/json", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def receipt_for(head: str, body: bytes) -> bytes:
    """The receipt that a good master gives to this PUT."""
    _, _, _, event, _, date = head.split(" ")[1].split("/")
    (key,) = (line for line in head.splitlines() if line.startswith("Idempotency-Key"))
    return json.dumps(
        {
            "submission": key.split('"')[1],
            "event": event,
            "date": date,
            "revision": 1,
            "digest": sheet.digest(gzip.decompress(body)),
            "received_at": "2026-03-14T10:00:00Z",
        }
    ).encode()


def good(connection: socket.socket) -> None:
    """A good master, for as many requests as come."""
    while True:
        head, body = hear(connection)
        if head.startswith("PUT"):
            connection.sendall(answer(201, receipt_for(head, body)))
        elif head.startswith("GET /v1/health"):
            connection.sendall(answer(200, b'{"service": "results-master"}'))
        else:
            connection.sendall(answer(404, b'{"title": "No"}', "application/problem+json"))


def says(*pieces: bytes, every_s: float = 0.0, then: Callable[[socket.socket], None] = socket.socket.close) -> Talk:
    """Hears one request, says these pieces, and ends as told."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(every_s)
        then(connection)

    return talk


def silent(connection: socket.socket) -> None:
    """Nothing more, and no end."""
    while connection.recv(65_536):
        pass


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def over_tls(certificate: Path, talk: Talk = good) -> Talk:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def handshake(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            talk(wrapped)

    return handshake
