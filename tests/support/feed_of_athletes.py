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
def serve(count: int) -> Iterator[str]:
    """The address of a master with a list of so many athletes."""
    command = [sys.executable, "-m", "tests.support.feed_of_athletes", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _line(number: int) -> dict[str, object]:
    family = f"{_FAMILY[number // 8 % 8]}{number % 977}"
    return {
        "athlete": f"A{number}",
        "name": f"{_GIVEN[number % 8]} {family}",
        "club": None if number % 3 else "Harriers AC",
        "home_event": f"event-{number % 800}",
        "runs": number % 300,
        "mail": base64.b64encode(hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()).decode(),
    }


def main(count: int) -> None:
    listed = numbers(count)

    class Feed(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            first, limit = int(asked.get("after", ["0"])[0]), int(asked["limit"][0])
            until = min(first + limit, count)
            page = {
                "handle": "h1",
                "athletes": [_line(number) for number in listed[first:until]],
                "next": str(until),
                "up_to_date": until == count,
            }
            body = msgspec.json.encode(page)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
