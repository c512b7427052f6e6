"""What the rehearsal sees of a process that keeps more and more."""

import sys
from collections.abc import Callable

from resultsq.drill.memory import Footprint, Sampler
from tests.support.processes import Process
from tests.support.waiting import wait_until

_GROWS = """
import time
print("ready", flush=True)
time.sleep(1)
kept = b"x" * 30_000_000
print("grown", flush=True)
time.sleep(60)
"""
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_GROWS!r}])"


def seen(start_process: Callable[..., Process], program: str) -> Footprint:
    process = start_process("-c", program, program=[sys.executable])
    process.wait_for("ready")
    with Sampler({"one": process.pid}, 0.05) as sampler:
        sampler.begin()
        process.wait_for("grown")
        wait_until(lambda: sampler.footprints()[0].growth_mb > 20, 30, "the growth")
        return sampler.footprints()[0]


def test_growth_is_seen_when_a_process_keeps_more(start_process: Callable[..., Process]) -> None:
    footprint = seen(start_process, _GROWS)

    assert footprint.processes == 1
    assert 25 < footprint.growth_mb < 35
    assert footprint.last_mb - footprint.first_mb > 25
    assert footprint.most_mb >= footprint.last_mb


def test_growth_is_seen_when_it_is_a_descendant_that_keeps_more(start_process: Callable[..., Process]) -> None:
    footprint = seen(start_process, _PARENT)

    assert footprint.processes == 2
    assert 25 < footprint.growth_mb < 35


def test_it_is_no_growth_when_one_loads_what_its_siblings_had_loaded(start_process: Callable[..., Process]) -> None:
    full = start_process("-c", _GROWS, program=[sys.executable])
    full.wait_for("grown")
    late, other = (start_process("-c", _GROWS, program=[sys.executable]) for _ in range(2))
    for one in (late, other):
        one.wait_for("ready")
    with Sampler({"worker-1": full.pid, "worker-2": late.pid, "master": other.pid}, 0.05) as sampler:
        sampler.begin()
        wait_until(lambda: sampler.footprints()[2].growth_mb > 20, 30, "the growth")
        wait_until(lambda: sampler.footprints()[1].last_mb > sampler.footprints()[0].first_mb - 5, 30, "the late one")
        assert all(one.growth_mb < 5 for one in sampler.footprints()[:2])
