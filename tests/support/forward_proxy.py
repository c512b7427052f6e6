"""A small HTTP proxy that knows CONNECT and basic credentials, and nothing else."""

import base64
import selectors
import socket
import socketserver
import threading
from collections.abc import Mapping
from typing import Any, Self

from tests.support.services import HOST


class ForwardProxy:
    """Listens on loopback. `user`: "name:password", which a client has to give; `names`: which port of this machine
    a name stands for, as its own nameserver would say; `answer`: what it says instead of doing anything."""

    def __init__(self, user: str = "", names: Mapping[str, int] | None = None, answer: bytes | None = None) -> None:
        self.heads: list[str] = []
        """What it was asked, each request's head."""
        self._server = _Server((HOST, 0), _Conversation)
        self._server.proxy = self
        self.user, self.names, self.answer = user, dict(names or {}), answer
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{f'{self.user}@' if self.user else ''}{HOST}:{self.port}"

    @property
    def targets(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    proxy: ForwardProxy


class _Conversation(socketserver.StreamRequestHandler):
    rbufsize = 0  # what follows the head is for the target

    def handle(self) -> None:
        proxy: ForwardProxy = self.server.proxy  # type: ignore[attr-defined]  # the server is ours
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.rfile.read(1)
            if not piece:
                return
            head += piece
        proxy.heads.append(head.decode())
        method, target, _ = head.decode().split(" ", 2)
        wanted = f"proxy-authorization: basic {base64.b64encode(proxy.user.encode()).decode()}\r\n"
        if proxy.answer is not None:
            self.wfile.write(proxy.answer)
            while not proxy.answer and self.rfile.read(1):  # silence has no end
                continue
        elif proxy.user and wanted.lower() not in head.decode().lower():
            self._say("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=here")
        elif method != "CONNECT":
            self._say("405 Method Not Allowed")
        else:
            self._join(target.rpartition(":")[0].strip("[]"), int(target.rpartition(":")[2]), proxy)

    def _say(self, status: str, *headers: str) -> None:
        self.wfile.write("\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode())

    def _join(self, host: str, port: int, proxy: ForwardProxy) -> None:
        try:
            target = socket.create_connection((HOST, proxy.names[host]) if host in proxy.names else (host, port), 5)
        except OSError:
            self._say("502 Bad Gateway")
            return
        self.wfile.write(b"HTTP/1.1 103 Wait\r\n\r\nHTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        with target, selectors.DefaultSelector() as ready:
            sides: dict[Any, Any] = {self.connection: target, target: self.connection}
            for side in sides:
                ready.register(side, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    try:
                        data = key.fileobj.recv(65_536)  # type: ignore[union-attr]  # it is one of two sockets
                        sides[key.fileobj].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
