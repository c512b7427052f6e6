"""Start-up and footprint of `resultsq up`: seconds to the first accepted submission, memory of all its processes."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urljoin

import requests

from tests.bench.machine import cpu_s, memory_mb, tree, trees
from tests.bench.report import OURS, Result
from tests.support.days import SATURDAY
from tests.support.processes import Process
from tests.support.services import free_port
from tests.support.teams import as_json, morning
from tests.support.waiting import wait_until

_REST_S, _SHORT_REST_S = 5.0, 3.0
MOST_MB, MOST_S = 170.0, 1.0


def run(short: bool) -> Iterator[Result]:
    runs = [_once(_SHORT_REST_S)] if short else [_once(_REST_S) for _ in range(5)]
    figures = {name: median(one[name] for one in runs) for name in runs[0]}
    yield Result(
        "start-up",
        "a new folder: database, broker, master, web, worker",
        OURS,
        figures,
        target=f"≤ {MOST_MB:.0f} MB, first accepted ≤ {MOST_S:.1f} s",
        met=figures["memory_mb"] <= MOST_MB and figures["first_accepted_s"] <= MOST_S,
    )


def _once(rest_s: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        port, env = free_port(), {"RESULTSQ_DATA_DIR": str(Path(folder) / "node")}
        address = f"http://127.0.0.1:{port}"
        began = time.monotonic()
        with Process("up", "--port", str(port), env=env, cwd=Path(folder), afresh=True) as node:
            wait_until(lambda: requests.get(f"{address}/healthz", timeout=2).ok, 30, "an answer of /healthz")
            healthy_s = time.monotonic() - began
            _said("event", "add", "bushy", "Bushy", env=env)
            token = _said("token", "issue", "--event", "bushy", env=env)
            asked = time.monotonic()
            sent = requests.post(
                f"{address}/api/v1/submissions",
                json=as_json(morning(7, finishers=137, day=SATURDAY)),
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            )
            assert sent.status_code == 201, sent.text
            accepted_s = healthy_s + time.monotonic() - asked
            status = urljoin(address, sent.headers["Location"])
            wait_until(lambda: _state(status, token) == "published", 30, "publication")
            published_s = healthy_s + time.monotonic() - asked
            burnt, pids = cpu_s([node.pid]), tree(node.pid)
            time.sleep(rest_s)
            return {
                "healthy_s": healthy_s,
                "first_accepted_s": accepted_s,
                "published_s": published_s,
                "memory_mb": memory_mb(trees([node.pid])),
                "processes": len(pids),
                "idle_cpu_percent": 100 * (cpu_s([node.pid]) - burnt) / rest_s,
            }


def _said(*arguments: str, env: dict[str, str]) -> str:
    with Process(*arguments, env=env) as command:
        assert command.wait(30) == 0, str(command)
        return command.stdout.strip()


def _state(address: str, token: str) -> str:
    return str(requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=5).json()["state"])
