"""A master's feed of very many athletes, in a process of its own: lines are made when they are asked for."""

import base64
import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import msgspec

_GIVEN = ("Jane", "John", "Eva", "Tom", "Ana", "Piotr", "Zoë", "Liam")
_FAMILY = ("SMITH", "JONES", "BROWN", "NOVÁK", "TAYLOR", "WILLIAMS", "DAVIES", "O'NEIL")


def numbers(count: int) -> list[int]:
    """So many athletes' numbers, in an order that has nothing to do with their size, as changes come."""
    return random.Random(1).sample(range(1_000, 9_999_999), count)


@contextmanager
def serve(count: int, handle: str = "h1") -> Iterator[str]:
    """The address of a master with a list of so many athletes, whose clubs begin with its handle; it voids others."""
    command = [sys.executable, "-m", "tests.support.feed_of_athletes", str(count), handle]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _line(number: int, handle: str) -> dict[str, object]:
    family = f"{_FAMILY[number // 8 % 8]}{number % 977}"
    return {
        "athlete": f"A{number}",
        "name": f"{_GIVEN[number % 8]} {family}",
        "club": None if number % 3 else f"{handle} Harriers",
        "home_event": f"event-{number % 800}",
        "runs": number % 300,
        "mail": base64.b64encode(hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()).decode(),
    }


def main(count: int, handle: str) -> None:
    listed = numbers(count)

    class Feed(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            if asked.get("handle", [handle]) not in ([handle], [""]):
                void = {"type": "about:blank", "status": 409, "code": "must-refetch"}
                return self._answer(409, void, "application/problem+json")
            first, limit = int(asked.get("after", ["0"])[0]), int(asked["limit"][0])
            until = min(first + limit, count)
            page = {
                "handle": handle,
                "athletes": [_line(number, handle) for number in listed[first:until]],
                "next": str(until),
                "up_to_date": until == count,
            }
            return self._answer(200, page, "application/json")

        def _answer(self, status: int, content: dict[str, object], type_: str) -> None:
            body = msgspec.json.encode(content)
            self.send_response(status)
            self.send_header("Content-Type", type_)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
