"""A real web process, and the dearest requests that are known: what each costs it in memory and processor time."""

import gzip
import json
import os
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from resultsq.app.intake import MOST_FILES
from resultsq.domain.role import Role
from resultsq.store.admin import tokens
from tests.integration.deploy import site as sites
from tests.integration.deploy.site import NOW, Site
from tests.support.days import DAY
from tests.support.spreadsheets import ods, xlsx
from tests.support.waiting import wait_until

BODY = 8 * 1024 * 1024
MOST_MEMORY = 300 * 1024 * 1024
MOST_WORK = 150
"""In pieces of a known work, which this machine does at the same time. The dearest took 40 of them."""
KEPT = 300 * 1024 * 1024
"""What it may hold in the end, above what it held at rest. 180 MB were seen; without its giving back, 1,000."""
JSON, URLENCODED = "application/json", "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("floods") / "data"
    folder.mkdir()
    with sites.raised(folder) as raised:
        files = {"f": _scans(200, 200), "g": _stopwatch(200)}
        requests.post(f"{raised.url}/api/v1/check", files=files, headers=_bearer(raised), timeout=20)
        at_rest = _kernel(raised.web.pid, "VmRSS")
        yield raised
        _demand_given_back(raised, at_rest)


def _demand_given_back(site: Site, at_rest: int) -> None:
    wait_until(lambda: _kernel(site.web.pid, "VmRSS") - at_rest <= KEPT, 60, what="the process to give its memory back")


@dataclass(frozen=True)
class Cost:
    """What one request took: bytes above what the process held before, and seconds of a processor."""

    memory: int
    cpu_s: float


def cost_of(pid: int, call: Callable[[], object]) -> Cost:
    """The kernel's figures of the process: its peak is set back before the call."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, before_s = _kernel(pid, "VmRSS"), _cpu_s(pid)
    call()
    return Cost(_kernel(pid, "VmHWM") - before, _cpu_s(pid) - before_s)


def _kernel(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _multipart(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"
                    for head, content in parts) + b"--b--\r\n"  # fmt: skip


def _files(*contents: bytes) -> bytes:
    return _multipart(*((f'name="f"; filename="{n}.csv"', content) for n, content in enumerate(contents)))


def _filled(piece: bytes, size: int = BODY - 4096) -> bytes:
    return piece * (size // len(piece))


def _scans(tokens: int, lines: int, athletes: int = 10**9) -> bytes:
    rows = (b"A%d,P%04d,07/12/2013 09:20:00\n" % (1000 + n % athletes, 1 + n % tokens) for n in range(lines))
    return b"".join(rows)


def _stopwatch(rows: int, falling: bool = False) -> bytes:
    head = b"STARTOFEVENT,07/12/2013 09:00:00,junsd_stopwatch\n0,07/12/2013 09:00:00\n"
    ordered = range(rows, 0, -1) if falling else range(1, rows + 1)
    lines = (
        b"%d,07/12/2013 09:17:31,%02d:%02d:%02d\n" % (at, n // 3600, n // 60 % 60, n % 60)
        for at, n in enumerate(ordered, 1)
    )
    return head + b"".join(lines) + b"ENDOFEVENT,07/12/2013 15:30:00\n"


def _table(rows: int, of: Callable[[int], bytes]) -> bytes:
    return b"position,time,athlete\n" + b"".join(of(n) for n in range(1, rows + 1))


_INLINE = "<row><c t='inlineStr'><is><t>position</t></is></c><c t='inlineStr'><is><t>time</t></is></c></row>"
_HEADER = "<t:table-row><t:table-cell><t:p>position</t:p></t:table-cell></t:table-row>"
_REPEATED = (
    "<t:table-row t:number-rows-repeated='100'><t:table-cell t:number-columns-repeated='2000'><t:p>1</t:p>"
    "</t:table-cell></t:table-row>"
)
# made when they are asked for: each process that runs tests reads this file
CHECKS: dict[str, Callable[[], bytes]] = {
    "nonsense in one file": lambda: _files(_filled(b"x,y\n")),
    "empty lines": lambda: _files(_filled(b"\n")),
    "a long line": lambda: _files(_filled(b"A")),
    "commas": lambda: _files(_filled(b",")),
    "scans by the thousand in many files": lambda: _files(
        *(_scans(20_000, 5_000, 7) + b"A%d,P1\n" % n for n in range(48))
    ),
    "each token has many athletes": lambda: _files(*(_scans(50, 20_000) for _ in range(8))),
    "each athlete has many tokens": lambda: _files(*(_scans(20_000, 20_000, 50) for _ in range(8))),
    "two stopwatches that agree in nothing": lambda: _files(
        _stopwatch(20_000), _stopwatch(19_000, falling=True), _scans(19_999, 20_000)
    ),
    "falling times": lambda: _files(_stopwatch(20_000, falling=True), _scans(19_999, 20_000, 3_000)),
    "many tables": lambda: _files(
        *(_table(20_000, lambda n: b"%d,00:17:31,A%d\n" % (n, n % 9 + 100)) for _ in range(14))
    ),
    # a file that is refused costs what one that is read does
    "many tables with nothing but bad lines": lambda: _files(
        *(b"position,time\n" + b"x,y\n" * 19_998 for _ in range(50))
    ),
    "quotation marks without an end": lambda: _files(*(b'q\nposition,time\n' + b'1,"\n' * 30_000 for _ in range(50))),
    "a long table without a header": lambda: _files(b"q\nA1,position\n" + (b'1,"' + b"," * 4_000 + b"\n") * 1_500),
    "scanner files with nothing but bad lines": lambda: _files(*(_scans(1, 1) + b"x\n" * 19_990 for _ in range(50))),
    "spreadsheets of many rows": lambda: _files(
        *(xlsx(_INLINE + "<row><c><v>1</v></c></row>" * 19_000) for _ in range(9))
    ),
    "spreadsheets that repeat their cells": lambda: _files(*(ods(_HEADER + _REPEATED * 40) for _ in range(50))),
    "spreadsheets of empty cells": lambda: _files(*(xlsx(f"<row>{'<c/>' * 2_000_000}</row>") for _ in range(3))),
    "holes": lambda: _files(_table(10_000, lambda n: b"%d,,A%d\n" % (2 * n, n % 7 + 100))),
    "many parts": lambda: _multipart(*((f'name="f"; filename="{n}"', b"x") for n in range(99_000))),
    "many fields": lambda: _multipart(*((f'name="{n}"', b"x") for n in range(99_000))),
    "volunteers without end": lambda: _multipart(
        ('name="event"', b"bushy"), ('name="date"', DAY.encode()),
        ('name="f"; filename="t"', b"position,time\n1,17:00\n"),
        ('name="volunteers"', b"[" + _filled(b"{},") + b"{}]"),
    ),
}  # fmt: skip
HEAD = b'{"event":"bushy","date":"%s","finishers":[' % DAY.encode()
BODIES: dict[str, Callable[[], bytes]] = {
    "finishers without end": lambda: HEAD + _filled(b"{},") + b"{}]}",
    "as many empty finishers as may be": lambda: HEAD + b"{}," * 119_000 + b"{}]}",
    "as many wrong values as may be": lambda: HEAD + b'{"a":0},' * 19_999 + b'{"a":0}]}',
    "wrong volunteers": lambda: HEAD + b'{"position":1}],"volunteers":[' + b'{"athlete":0},' * 19_999 + b"{}]}",
    "numbers": lambda: HEAD + _filled(b"1,") + b"1]}",
    "brackets": lambda: HEAD + _filled(b"["),
    "keys": lambda: b'{"a":' + _filled(b"0,") + b"0}",
    "one text": lambda: b'{"event":"' + _filled(b"x") + b'"}',
    "athletes twice": lambda: json.dumps(
        {"event": "bushy", "date": DAY, "finishers": [
            {"position": n % 300 + 1, "athlete": f"A{n % 7 + 100}", "time": f"00:{n % 60:02}:59"} for n in range(20_000)
        ]}
    ).encode(),
}  # fmt: skip
ANONYMOUS: dict[str, Callable[[], bytes]] = {
    "ampersands": lambda: _filled(b"&"),
    "fields": lambda: _filled(b"a=1&"),
    "fields of one letter": lambda: _filled(b"a&"),
    "escapes": lambda: _filled(b"a=%00&"),
}


def _bearer(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.tokens['bushy']}"}


def _piece_s() -> float:
    """What it costs here and now to split 60,000 short lines and keep their cells."""
    began, kept = time.thread_time(), {}
    for n in range(60_000):
        cells = f"{n},00:17:31,A{n % 9}".split(",")
        kept[cells[0]] = tuple(cells)
    return time.thread_time() - began


def _held(site: Site, call: Callable[[], object]) -> None:
    """Other work beside it makes a processor slower, for the request as for the piece before it and after it."""
    before_s = _piece_s()
    found = cost_of(site.web.pid, call)
    piece_s = max(before_s, _piece_s())
    print(found, f"{found.cpu_s / piece_s:.0f} pieces")
    assert found.memory <= MOST_MEMORY, found
    assert found.cpu_s <= MOST_WORK * piece_s, found


@pytest.mark.parametrize("path", ["check", "submissions"])
@pytest.mark.parametrize("name", CHECKS)
def test_a_request_costs_little_when_its_files_are_the_dearest(site: Site, name: str, path: str) -> None:
    body = CHECKS[name]()

    def call() -> None:
        headers = {**_bearer(site), "Content-Type": "multipart/form-data; boundary=b"}
        answer = requests.post(f"{site.url}/api/v1/{path}", data=body, headers=headers, timeout=120)
        assert answer.status_code < 500
        assert len(answer.content) < 4 * 1024 * 1024

    _held(site, call)


@pytest.mark.parametrize("path", ["submissions", "actions", "holds"])
@pytest.mark.parametrize("name", BODIES)
def test_a_request_costs_little_when_its_json_is_the_dearest(site: Site, name: str, path: str) -> None:
    body = BODIES[name]()

    def call() -> None:
        headers = {**_bearer(site), "Content-Type": JSON}
        answer = requests.post(f"{site.url}/api/v1/{path}", data=body, headers=headers, timeout=120)
        assert 400 <= answer.status_code < 500

    _held(site, call)


def test_a_process_gives_back_what_the_dearest_took_when_it_comes_again_and_again(site: Site) -> None:
    body, headers = BODIES["as many empty finishers as may be"](), {**_bearer(site), "Content-Type": JSON}
    before = _kernel(site.web.pid, "VmRSS")
    for _ in range(24):
        requests.post(f"{site.url}/api/v1/submissions", data=body, headers=headers, timeout=120)
    _demand_given_back(site, before)


@pytest.mark.parametrize("name", BODIES)
def test_a_sheet_of_another_node_costs_little_when_it_is_the_dearest(site: Site, name: str) -> None:
    body, id_ = gzip.compress(BODIES[name](), 1), "00000000-0000-4000-8000-000000000001"
    token = site.database.write(lambda conn: tokens.issue(conn, NOW, "laptop", Role.NODE))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON, "Content-Encoding": "gzip"}
    headers |= {"Idempotency-Key": f'"{id_}"', "If-None-Match": "*"}

    def call() -> None:
        answer = requests.put(f"{site.url}/v1/events/bushy/results/{DAY}", data=body, headers=headers, timeout=120)
        assert 400 <= answer.status_code < 500

    _held(site, call)


def _entry(*files: bytes) -> bytes:
    listed = [
        {"name": f"{n}.csv", "length": len(one), "sha256": sha256(one).hexdigest(), "content": b64encode(one).decode()}
        for n, one in enumerate(files)
    ]
    head = {"resultsq-entry": 2, "id": str(uuid.uuid4()), "event": "bushy", "date": DAY, "publish": True}
    return json.dumps({**head, "files": listed}).encode()


ENTRIES: dict[str, Callable[[], bytes]] = {
    "two stopwatches that agree in nothing": lambda: _entry(
        _stopwatch(20_000), _stopwatch(19_000, falling=True), _scans(19_999, 20_000)
    ),
    "each athlete has many tokens": lambda: _entry(*(_scans(20_000, 20_000, 50) for _ in range(8))),
    "one file": lambda: _entry(_filled(b"x,y\n", BODY // 4 * 3 - 8192)),
    "files without end": lambda: b'{"resultsq-entry":2,"files":[' + _filled(b"{},") + b"{}]}",
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_of_a_device_costs_little_when_it_is_the_dearest(site: Site, name: str) -> None:
    team, body = site.browser("bushy"), ENTRIES[name]()
    headers = {"X-CSRFToken": team.get("/device/contact").json()["csrf"], "Content-Type": JSON}

    def call() -> None:
        answer = team.session.post(f"{site.url}/device/entries", data=body, headers=headers, timeout=120)
        assert answer.status_code < 500, answer.text

    _held(site, call)


@pytest.mark.parametrize("path", ["/login", "/password/guess", "/logout", "/nowhere"])
@pytest.mark.parametrize("name", ANONYMOUS)
def test_a_request_costs_little_when_a_stranger_sends_a_form_without_end(site: Site, name: str, path: str) -> None:
    body = ANONYMOUS[name]()

    def call() -> None:
        headers = {"Content-Type": URLENCODED}
        answer = requests.post(f"{site.url}{path}", data=body, headers=headers, timeout=120, allow_redirects=False)
        assert 300 <= answer.status_code < 500

    _held(site, call)


def test_every_page_of_a_draft_costs_little_when_it_is_as_full_as_it_may_be(site: Site) -> None:
    team = site.browser("bushy")
    # twins in every second token, athletes in many positions, lines that mean nothing, up to the last row that is taken
    full = [(f"{n}.csv", _scans(5_000, 1_500, 7_000 + n) + b"x,%d\n" % n * 80) for n in range(MOST_FILES)]
    for part in (full[:-10], full[-10:]):  # each drop reads all that is there
        drop = partial(team.fill, "/submit/bushy", "/submit/bushy/files", {}, part)
        _held(site, drop)
    page = team.get("/submit/bushy")
    assert f"{MOST_FILES - 1}.csv" in page.text
    _held(site, lambda: team.get("/submit/bushy"))
    _held(site, lambda: team.get("/submit/bushy/table?rows=20000"))
