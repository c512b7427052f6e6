"""Mornings under seeds keep every promise, a seed is the same morning each time, and planted faults are found.

What may take longer than CI has: `python -m tests.simulate`."""

import argparse
import gc
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulate.__main__ import begun, command_line, plan_of, settle_collector
from tests.simulate.morning import Result, run
from tests.simulate.plan import Plan
from tests.simulate.planted import SEEDS, SOUGHT, Patch, a_receipt_shows_another_revision
from tests.simulate.report import Tally, page, seed_of, words
from tests.simulate.scheduler import Task
from tests.simulate.shrink import shrink
from tests.simulate.sometimes import STATES, missing
from tests.simulate.workshop import Workshop, workshop

FIRST = 16
"""Whole mornings in CI, and others as a run of many has them: each kind twice."""

BRIEF, PARTS = 1000, 8
"""Short mornings in CI, and in how many tests of equal cost."""


FAILED_ONCE = (Plan(11), Plan(45, teams=4, until_s=60.0, hasty=True), *map(Plan.of, (20, 164, 180, 10716, 7676)))


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    before = gc.get_threshold()
    settle_collector()
    with workshop() as made:
        yield made
    gc.set_threshold(*before)


@pytest.fixture(scope="session")
def of_this_run(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Iterator[Path]:
    """A folder that all processes of one run of tests share."""
    folder = tmp_path_factory.getbasetemp().parent / f"mornings-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    yield folder
    if len(list(folder.glob("*.json"))) == PARTS:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ended(shop: Workshop) -> list[Result]:
    return [run(seed, shop) for seed in range(FIRST)]


def test_every_promise_is_kept_whatever_the_seed_does(ended: list[Result]) -> None:
    assert [one.line for one in ended if one.findings] == []


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_short_mornings_keep_every_promise_meet_faults_and_reach_every_state(
    part: int, shop: Workshop, of_this_run: Path
) -> None:
    """Several processes may have a part each. The one that ends last looks at what all of them have reached."""
    tally, share = Tally(), BRIEF // PARTS
    for seed in range(part * share, (part + 1) * share):
        tally.add(run(Plan.brief(seed), shop))
    assert tally.failed == []
    tally.keep(of_this_run / f"{part}.json")
    if len(parts := list(of_this_run.glob("*.json"))) == PARTS:
        whole = Tally.joined(parts)
        assert set(whole.seen) <= set(STATES), "each has its place in the list"
        assert list(missing(whole.seen)) == []
        assert {"a worker is killed", "the clock is set", "full disk", "unsure", "the master is restored"} <= {
            fault for fault, count in whole.met.items() if count
        }


def test_a_state_that_is_not_reached_is_named() -> None:
    assert list(missing(Counter(STATES[1:]))) == [STATES[0]]


def test_a_seed_is_the_same_morning_each_time(shop: Workshop) -> None:
    first, other, again = run(1, shop), run(2, shop), run(1, shop)
    assert (first.digest, first.steps) == (again.digest, again.steps)
    assert first.digest != other.digest


def test_nothing_of_a_morning_is_left(shop: Workshop) -> None:
    run(3, shop)
    gc.collect()
    assert not any(isinstance(one, Task) for one in gc.get_objects()), "a thread that waits keeps all that it names"


def test_the_line_of_a_seed_runs_the_same_morning_again(shop: Workshop) -> None:
    done = run(Plan(4, teams=3, without=frozenset({"late", "silent"})), shop)
    command = done.plan.command
    assert command == 'python -m tests.simulate --seed 4 --teams 3 --without "late, silent"'
    words = [sys.executable, "-m", "tests.simulate", "--seed", "4", "--teams", "3", "--without", "late, silent"]
    hashes = {**os.environ, "PYTHONHASHSEED": "7"}
    line = subprocess.run(words, env=hashes, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    assert line.startswith(done.line)
    assert re.search(rf" at (commit \w+\+?|an unknown commit): {re.escape(command)}$", line)


def test_every_fault_is_left_out_by_its_name(ended: list[Result]) -> None:
    plan = Plan(4, without=frozenset[str]().union(*(one.met for one in ended)))
    asked = command_line().parse_args(shlex.split(plan.command)[3:])
    assert plan_of(asked, 4) == plan


def test_what_a_seed_is_made_of_is_on_its_line() -> None:
    kinds = {Plan.of(seed).command.partition("--seed ")[2].partition(" ")[2] for seed in range(8)}
    assert kinds == {
        "",
        "--teams 4 --until 45",
        "--teams 4 --until 45 --hasty",
        "--teams 3 --until 60 --hasty --restores",
        "--teams 7 --until 40 --rush",
    }


def test_a_failing_seed_is_made_smaller(shop: Workshop) -> None:
    with a_receipt_shows_another_revision():
        failed = run(SEEDS[a_receipt_shows_another_revision], shop)
        smaller = shrink(failed, shop, most=12)
    assert {one.what for one in smaller.findings} & {one.what for one in failed.findings}
    assert smaller.plan.teams == 1
    assert len(smaller.met) < len(failed.met)


def test_the_page_tells_what_was_run(ended: list[Result]) -> None:
    tally = Tally()
    for one in ended:
        tally.add(one)
    tally.commands, tally.commits, tally.core_s, tally.most_mb = [f"--seeds {FIRST}"], ["commit abc"], 60.0, 150.0
    said = page(tally)
    assert f"tests.simulate --seeds {FIRST}`, at commit abc" in said
    assert f"{FIRST} seeds, {sum(one.plan.hasty for one in ended)} of them with hasty teams" in said
    assert "in 1.0 minutes of one core and at most 150 MB. 0 of them broke a promise" in said
    assert all(f"| {words(plant)} | {seed_of(plant)} |" in said for plant in SEEDS)


def test_parts_of_a_long_run_make_one_page(ended: list[Result], tmp_path: Path) -> None:
    whole, parts = Tally(), [tmp_path / "a.json", tmp_path / "b.json"]
    for half, path in zip((ended[::2], ended[1::2]), parts, strict=True):
        tally = Tally(commands=[f"--part {path.name}"])
        for one in half:
            tally.add(one)
            whole.add(one)
        tally.keep(path)
    joined = Tally.joined(parts)
    assert (joined.seeds, joined.steps) == (FIRST, whole.steps)
    assert {what: count for what, count in joined.met.items() if count} == +whole.met
    assert joined.seen == whole.seen
    assert "--part a.json`, `python -m tests.simulate --part b.json`" in page(joined)


def test_a_run_that_is_told_to_end_keeps_what_it_has_and_is_gone_on_with(tmp_path: Path) -> None:
    part = tmp_path / "part.json"
    words = [sys.executable, "-u", "-m", "tests.simulate", "--first", "1", "--part", str(part)]
    with subprocess.Popen([*words, "--hours", "1"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("the first morning has ended")
            process.terminate()
            process.wait(timeout=120)
        finally:
            process.kill()
    kept = Tally.kept(part)
    assert kept.seeds > 0
    again = subprocess.run([*words, "--seeds", str(kept.seeds + 1)], capture_output=True, text=True, check=True)
    assert f"has {kept.seeds} seeds; the next is {kept.seeds + 1}" in again.stdout
    whole = Tally.kept(part)
    assert (whole.seeds, whole.commits) == (kept.seeds + 1, kept.commits)
    assert whole.steps > kept.steps
    assert whole.core_s > kept.core_s


def test_a_part_of_other_seeds_is_not_gone_on_with(tmp_path: Path) -> None:
    part = tmp_path / "part.json"
    Tally(seeds=3, commits=["commit abc"], commands=["--first 0 --seeds 3"]).keep(part)
    with pytest.raises(SystemExit, match="is of commit abc, --first 0 --seeds 3: remove it"):
        begun(argparse.Namespace(first=0, part=part, without="", brief=False))


@pytest.mark.parametrize("plan", FAILED_ONCE, ids=lambda plan: plan.command)
def test_a_seed_that_failed_once_keeps_every_promise(plan: Plan, shop: Workshop) -> None:
    assert run(plan, shop).findings == ()


def test_there_are_twenty_planted_faults_at_least() -> None:
    assert len(SEEDS) >= 20
    assert not SEEDS.keys() & set(SOUGHT)


@pytest.mark.parametrize("fault", SEEDS, ids=words)
def test_a_planted_fault_is_found(fault: Callable[[], Patch], shop: Workshop) -> None:
    """By its seed; where a change of the product made that one another morning, by one of the short ones."""
    own = Plan.of(SEEDS[fault])
    with fault():
        tried = (run(plan, shop) for plan in (own, *map(Plan.brief, range(BRIEF // PARTS))))
        found = next((one for one in tried if one.findings), None)
    assert found, f"not by {own.command}, nor by one of the first {BRIEF // PARTS} short ones"
    if found.plan == own:  # the short ones keep every promise: see above
        assert run(own, shop).findings == (), "it is the fault that was found"
