"""A webhook and a mail server on loopback that keep what they are sent."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextmanager
def webhook(port: int, status: int = 204) -> Iterator[list[dict[str, Any]]]:
    """What was POSTed there while it listens."""
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on the standard error."""

    with _serving(HTTPServer(("127.0.0.1", port), Hook)):
        yield got


@contextmanager
def mail_server(port: int, refusing: bool = False) -> Iterator[list[str]]:
    """The mails that arrived while it listens; SMTP's few words (RFC 5321)."""
    got: list[str] = []

    class Smtp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip():
                match line.upper().split()[0]:
                    case "DATA":
                        self._say("354 go on")
                        got.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                        self._say("250 taken")
                    case "RCPT" if refusing:
                        self._say("550 nobody of that name")
                    case "QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("250 fine")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.TCPServer):
        allow_reuse_address = True

    with _serving(Server(("127.0.0.1", port), Smtp)):
        yield got


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
