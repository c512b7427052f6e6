"""The same from the command line: what it prints, and with which exit status."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from resultsq.cli import main
from resultsq.clock import SystemClock
from resultsq.domain.outcome import Cause, Deferred
from resultsq.domain.submission import State
from tests.support.nodes import StoreNode, migrated

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreNode:
    """The node that the commands are about, with five submissions of bushy and two of richmond."""
    for name in [name for name in os.environ if name.startswith("RESULTSQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESULTSQ_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("USER", "op")
    node = StoreNode(migrated(f"sqlite:///{tmp_path / 'resultsq.db'}"))
    node.probe()
    node.accept_many(5)
    node.accept_many(2, "richmond")
    return node


@pytest.fixture
def run(here: StoreNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command: its exit status, what it said, and what it said on the side."""

    def call(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        mask = os.umask(0o077)
        with pytest.raises(SystemExit) as left:
            main(arguments)
        os.umask(mask)
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


def test_a_dry_run_gives_the_count_and_changes_nothing(here: StoreNode, run: Run) -> None:
    status, out, _ = run("withdraw", "--event", "bushy", "--state", "queued", "--dry-run")
    assert (status, out) == (0, "5 submissions; withdraw can be done to 5 of them now. Nothing was changed.\n")
    assert json.loads(run("withdraw", "--event", "bushy", "--dry-run", "--json")[1]) == {"total": 5, "able": 5}
    assert here.count(state=State.QUEUED) == 7


def test_exactly_the_filter_is_withdrawn_and_comes_back(here: StoreNode, run: Run) -> None:
    assert run("withdraw", "--event", "bushy", "--reason", "a test")[:2] == (0, "withdraw: 5 of 5 submissions.\n")
    assert here.count(state=State.WITHDRAWN, event_id=here.events["bushy"]) == 5
    assert here.count(state=State.QUEUED) == 2
    said = json.loads(run("undo", "--event", "bushy", "--state", "withdrawn", "--json")[1])
    assert (said["done"], said["skipped"], said["who"]) == (5, 0, "command line (op)")
    assert here.count(state=State.QUEUED) == 7


def test_what_cannot_be_done_is_said_when_all_are_named(here: StoreNode, run: Run) -> None:
    here.publish_one()
    out = run("hold", "--everything")[1]
    assert out == "hold: 6 of 7 submissions; 1 skipped, which had moved on or cannot be treated so.\n"
    assert not here.claim()
    assert run("release", "--attempts-max", "0")[1] == "release: 6 of 6 submissions.\n"
    assert here.claim()


def test_one_is_named_by_its_id(here: StoreNode, run: Run) -> None:
    made = here.accept("wimbledon").id
    assert run("hold", "--id", made)[1] == "hold: 1 of 1 submission.\n"
    assert run("retry", "--id", made)[1].startswith("retry: 0 of 1 submission; 1 skipped")
    assert here.row(made).hold_id is not None


def test_a_retry_says_until_when_the_master_asked_for_a_pause(here: StoreNode, run: Run) -> None:
    here.now = SystemClock().now()
    made = here.try_one(Deferred(Cause.BUSY, "429", in_doubt=True, retry_after_s=1800)).submission
    until = here.row(made).next_attempt_at.astimezone(ZoneInfo("Europe/London"))
    said = f"The master asked for a pause until {until:%H:%M:%S} ({until:%Z}). Nothing is sent before then.\n"
    assert run("retry", "--id", made, "--dry-run")[1].endswith(said)
    _status, out, _ = run("retry", "--id", made)
    assert out.startswith("retry: 0 of 1 submission; 1 skipped")
    assert out.endswith(said)
    assert "pause" not in run("hold", "--id", made)[1]


@pytest.mark.parametrize("scope", [("--destination",), ("--whole-event", "bushy")])
def test_everything_or_an_event_is_held_and_released(here: StoreNode, run: Run, scope: tuple[str, ...]) -> None:
    run("hold", "--event", "richmond")
    assert run("hold", *scope, "--reason", "a test")[0] == 0
    assert not here.claim()
    assert run("release", *scope)[0] == 0
    assert here.claim()
    status, _, err = run("release", *scope)
    assert status == 1
    assert "no such hold in force" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["retry"], "Say which"),
        (["retry", "--id", "x", "--event", "bushy"], "Say which"),
        (["withdraw", "--status", "7"], "status makes no sense"),
        (["hold", "--destination", "--event", "bushy"], "stand alone"),
        (["hold", "--whole-event", "nowhere"], "no event called nowhere"),
        (["hold", "--everything", "--release-at", "2001-01-01"], "over already"),
        (["hold", "--everything", "--release-at", "soon"], "written like"),
    ],
)
def test_it_is_refused_in_words_and_nothing_is_changed(
    here: StoreNode, run: Run, arguments: list[str], sentence: str
) -> None:
    status, _, err = run(*arguments)
    assert status == 1
    assert sentence in err
    assert here.count(state=State.QUEUED, hold_id=None) == 7
