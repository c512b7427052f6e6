"""The fault matrix: each way a link can fail, met by real processes; what became of the submissions.

Each fault strikes while all is well, teams go on submitting, it is mended, and then everything is at the master
once, with its bytes. The rows are written to .artefacts/fault-matrix.md; resultsq/README.md carries those of a
whole run that was started with WRITE_FAULT_MATRIX=1.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from resultsq.clock import SystemClock
from resultsq.store.tables import Submission
from tests.support.netns import Cable
from tests.support.nodes import Node, migrated
from tests.support.processes import ROOT, OtherMaster, Process
from tests.support.proxy import Proxy
from tests.support.relays import DAYS, Relay
from tests.support.waiting import wait_until

Break = Callable[[Proxy, OtherMaster], None]

README = ROOT / "resultsq" / "README.md"
BEGIN, END = "<!-- fault matrix -->", "<!-- end of the fault matrix -->"
LASTS_S = 4.0
EACH = 6
BOUND_S = 30.0
"""Wide, for a busy machine: what it took is in the matrix, and the promise is a benchmark's."""


@dataclass(frozen=True)
class Fault:
    """How it is made, and whether its end is that of the link (then a probe notices it) or of the sheets' own wait."""

    strike: Break
    of_link: bool = True


def restart(_proxy: Proxy, master: OtherMaster) -> None:
    master.kill()
    master.start()


def answer_always(**answer: object) -> Break:
    return lambda _proxy, master: master.script({"times": EACH, **answer})


FAULTS: dict[str, Fault] = {
    "connection refused": Fault(lambda proxy, _: proxy.refuse()),
    "connection reset": Fault(lambda proxy, _: proxy.reset()),
    "silent after accept": Fault(lambda proxy, _: proxy.hang()),
    "everything swallowed": Fault(lambda proxy, _: proxy.hole()),
    "old connections half-open, new ones work": Fault(lambda proxy, _: proxy.half_open()),
    "1 byte a second": Fault(lambda proxy, _: proxy.rate(1)),
    "answers lost after the commit": Fault(lambda proxy, _: proxy.drop_answer()),
    "answers truncated": Fault(lambda proxy, _: proxy.cut_at(40)),
    "captive portal, 200 with HTML": Fault(lambda proxy, _: proxy.portal(200)),
    "captive portal, 302": Fault(lambda proxy, _: proxy.portal(302)),
    "429 storm": Fault(answer_always(status=429), of_link=False),
    "503 with Retry-After: 3": Fault(answer_always(status=503, headers={"Retry-After": "3"}), of_link=False),
    "master killed and restarted": Fault(restart),
}

CABLE_FAULTS: dict[str, Callable[[Cable], None]] = {
    "packets dropped (no SYN gets through)": Cable.drop,
    "cable unplugged": Cable.unplug,
    "30 % of packets lost": Cable.lose,
    "packets with answers lost": Cable.lose_answers,
    "1 Mbit/s with a full queue": Cable.slow,
}


class Matrix:
    """The rows, in the order in which the faults were met."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def add(self, fault: str, sent: int, found: int, puts: int | None, first_s: float, all_s: float) -> None:
        again = "–" if puts is None else f"{puts - found}"
        self.rows.append(
            f"| {fault} | {sent} | {found} | {sent - found} | 0 | {again} | {first_s:.1f} s | {all_s:.1f} s |"
        )

    def write(self) -> None:
        folder = ROOT / ".artefacts"
        folder.mkdir(exist_ok=True)
        head = [
            "| fault | accepted | published once | lost | doubled | repeated PUTs | first after mending | all after |",
            "|---|---|---|---|---|---|---|---|",
        ]
        table = "\n".join([*head, *self.rows]) + "\n"
        (folder / "fault-matrix.md").write_text(table)
        if "WRITE_FAULT_MATRIX" in os.environ:
            before, _, rest = README.read_text().partition(BEGIN)
            README.write_text(f"{before}{BEGIN}\n{table}{END}{rest.partition(END)[2]}")


def test_every_fault_has_its_row_in_the_readme_when_one_is_added() -> None:
    table = README.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [line.split("|")[1].strip() for line in table.strip().splitlines()[2:]]
    assert rows == [*FAULTS, *CABLE_FAULTS]


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    made = Matrix()
    yield made
    made.write()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """One relay for all faults of the proxy: what one fault leaves behind the next one meets."""
    folder = tmp_path_factory.mktemp("matrix")
    with OtherMaster() as master, Relay(f"sqlite:///{folder / 'store.db'}", master) as made:
        worker = Process("worker", env=made.environment(DATA_DIR=folder))
        try:
            made.wait_for_link("up", 60)
            yield made
        finally:
            worker.close()


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_or_doubled_when_the_link_fails_like_this(name: str, relay: Relay, matrix: Matrix) -> None:
    fault = FAULTS[name]
    before = relay.published()
    puts_before = len(relay.puts())
    accepted = relay.accept(2)
    relay.wait_until_published(before + len(accepted), BOUND_S)
    puts_before += len(accepted)
    fault.strike(relay.proxy, relay.master)
    if name == "master killed and restarted":
        puts_before = 0
    accepted = relay.accept(EACH)
    time.sleep(LASTS_S)
    relay.proxy.restore()
    mended = time.monotonic()
    published = before + 2
    # what got through before it was mended, as an answer that was lost does, is published by now or soon
    wait_until(lambda: relay.published() > published, BOUND_S, "the first publication")
    first_s = time.monotonic() - mended
    relay.wait_until_published(published + EACH, BOUND_S)
    all_s = time.monotonic() - mended
    receipts = relay.master.receipts()
    assert set(accepted) <= set(receipts)
    with relay.database.read() as conn:
        digests = {row.id: row.digest for row in conn.execute(select(Submission.id, Submission.digest))}
    assert {one: receipts[one]["digest"] for one in accepted} == {one: digests[one] for one in accepted}
    assert len(receipts) == len(digests)
    matrix.add(name, EACH, EACH, len(relay.puts()) - puts_before, first_s, all_s)


@pytest.mark.parametrize("name", CABLE_FAULTS)
def test_nothing_is_lost_or_doubled_when_the_cable_fails_like_this(
    name: str, cable: Cable, matrix: Matrix, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    journal = tmp_path / "journal.jsonl"
    where = ["--host", "0.0.0.0", "--port", str(cable.port), "--state", journal]
    start_process("-m", "tests.support.masters", *where, program=[*cable.on_master, sys.executable])
    url = f"sqlite:///{tmp_path / 'store.db'}"
    node = Node(migrated(url))
    node.now = SystemClock().now()
    days = iter(DAYS)
    environment = {
        "RESULTSQ_DATABASE_URL": url,
        "RESULTSQ_DATA_DIR": str(tmp_path),
        "RESULTSQ_MASTER_URL": cable.master_url,
        "RESULTSQ_MASTER_TOKEN": "relay-secret",
        "RESULTSQ_SEND_MY_TOKEN_OVER_PLAIN_HTTP_WHERE_ANYONE_CAN_READ_IT": "true",
    }
    start_process("worker", env=environment, program=[*cable.on_node, sys.executable, "-m", "resultsq"])
    ids = [node.accept(rows=50, date=next(days)).id for _ in range(2)]
    wait_until(lambda: node.count(state="published") == 2, 60, "the first two")
    CABLE_FAULTS[name](cable)
    ids += [node.accept(rows=50, date=next(days)).id for _ in range(EACH)]
    time.sleep(LASTS_S)
    cable.restore()
    mended = time.monotonic()
    wait_until(lambda: node.count(state="published") > 2, BOUND_S, "the first publication")
    first_s = time.monotonic() - mended
    wait_until(lambda: node.count(state="published") == 2 + EACH, BOUND_S, "the last publication")
    all_s = time.monotonic() - mended
    committed = [json.loads(line)["submission"] for line in journal.read_text().splitlines()]
    assert sorted(committed) == sorted(ids)
    node.database.close()
    matrix.add(name, EACH, EACH, None, first_s, all_s)
