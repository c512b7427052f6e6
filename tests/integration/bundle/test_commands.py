"""The other road from the command line: a stick from one node to another, or straight to the master."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from resultsq.cli import main
from resultsq.delivery import bundle
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from tests.integration.bundle.conftest import Far
from tests.support.nodes import NOW, StoreNode, migrated

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(
    tmp_path: Path, far: Far, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:  # fmt: skip
    """Runs a command on the node in that folder; its exit status, what it said, and what it said on the side."""
    for name in [name for name in os.environ if name.startswith("RESULTSQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESULTSQ_BUNDLE_KEYS", bundle.new_key())
    monkeypatch.setenv("RESULTSQ_MASTER_URL", far.url)
    monkeypatch.setenv("RESULTSQ_MASTER_TOKEN", "a token")

    def call(folder: str, *arguments: str) -> tuple[object, str, str]:
        mask = os.umask(0o077)
        with pytest.raises(SystemExit) as left:
            main(["--data-dir", str(tmp_path / folder), *arguments])
        os.umask(mask)
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


def node(folder: Path) -> StoreNode:
    folder.mkdir()
    made = StoreNode(migrated(f"sqlite:///{folder / 'resultsq.db'}"))
    made.probe()
    return made


def test_a_stick_goes_to_another_node_and_to_the_master_and_both_learn_of_it(
    tmp_path: Path, far: Far, run: Run
) -> None:
    one, other = node(tmp_path / "one"), node(tmp_path / "other")
    made = one.accept().id
    stick = str(tmp_path / "stick.resultsq")
    assert run("one", "export", "--state", "queued", stick)[0] == 0
    assert (tmp_path / "stick.resultsq").stat().st_mode & 0o077 == 0
    assert run("other", "import", stick)[1] == "Queued 1 submission; 0 were here before.\n"
    status, out, _ = run("other", "import", stick, "--to-master", "--json")
    assert (status, json.loads(out)[0]["word"]) == (0, "published")
    assert far.has() == {made: 1}
    for name, where in (("one", one), ("other", other)):
        assert json.loads(run(name, "reconcile", "--since", "9999d", "--json")[1])["settled"] == 1
        assert where.state(made) is State.PUBLISHED
    assert far.has() == {made: 1}


@pytest.mark.parametrize("as_json", [True, False])
def test_an_import_says_what_was_taken_and_names_what_was_not(tmp_path: Path, run: Run, as_json: bool) -> None:
    one, other = node(tmp_path / "one"), node(tmp_path / "other")
    known = one.accept().id
    stick = tmp_path / "stick"
    run("one", "export", str(stick))
    run("other", "import", str(stick))
    locks = bundle.keys(os.environ["RESULTSQ_BUNDLE_KEYS"])
    (first,) = bundle.unseal(stick.read_bytes(), locks)
    another, second = one.entry(rows=5), one.entry("richmond")
    forged = replace(first, body=another.body, digest=another.digest, rows_digest=another.rows_digest, finishers=5)
    new = replace(
        first, id=second.id, event="richmond", body=second.body, digest=second.digest, rows_digest=second.rows_digest
    )
    stick.write_bytes(bundle.seal([forged, new], NOW, locks))
    status, out, err = run("other", "import", str(stick), *(["--json"] if as_json else []))
    why = f"{known} of bushy is here already with another sheet. It was not taken."
    said = {"new": 1, "known": 0, "refused": [why]}
    assert (json.loads(out) == said) if as_json else (out == "Queued 1 submission; 0 were here before.\n")
    assert (status, err.strip()) == (1, f"resultsq: Not taken: 1. {why}")
    assert (other.row(known).finishers, other.state(new.id)) == (3, State.QUEUED)


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, run: Run) -> None:
    made = node(tmp_path / "one")
    made.accept()
    (tmp_path / "stick").write_text("holiday photos")
    status, _, err = run("one", "export", str(tmp_path / "stick"))
    assert status == 1
    assert "left alone" in err
    assert (tmp_path / "stick").read_text() == "holiday photos"
    assert made.count(in_doubt=False) == 1, "nothing is marked as exported"


def test_no_file_is_left_when_there_is_no_key(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    node(tmp_path / "one")
    monkeypatch.delenv("RESULTSQ_BUNDLE_KEYS")
    status, _, err = run("one", "export", str(tmp_path / "stick"))
    assert status == 2
    assert "RESULTSQ_BUNDLE_KEYS" in err
    assert not (tmp_path / "stick").exists()


def test_it_says_so_and_fails_when_the_master_takes_none(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    node(tmp_path / "one").accept()
    run("one", "export", str(tmp_path / "stick"))
    monkeypatch.setenv("RESULTSQ_MASTER_URL", f"http://127.0.0.1:{free_port()}")
    status, out, err = run("one", "import", str(tmp_path / "stick"), "--to-master", "--json")
    assert (status, json.loads(out)[0]["word"]) == (1, "deferred")
    assert "1 of 1 were not published" in err


def test_a_new_key_opens_what_it_sealed(run: Run) -> None:
    key = run("nowhere", "bundle-key")[1].strip()
    locks = bundle.keys(key)
    assert bundle.unseal(bundle.seal([], NOW, locks), locks) == []


def test_a_stick_of_one_kind_leaves_the_others_here(tmp_path: Path, run: Run) -> None:
    one, _ = node(tmp_path / "one"), node(tmp_path / "other")
    results = one.accept().id
    words = {"event": "bushy", "subject": "Results", "text": "They are late.", "about": None}
    entry = KINDS["messages"].prepare(words, submission=str(uuid4()), submitted_by="team", submitted_at=NOW)
    message = replace(entry, event_id=one.events["bushy"])
    one.database.write(lambda conn: outbox.accept(conn, one.now, message))
    stick = str(tmp_path / "stick.resultsq")
    assert run("one", "export", "--kind", "messages", stick)[:2] == (
        0,
        f"Wrote 1 submission to {stick}. They hold personal data: keep the file and its key apart.\n",
    )
    assert (one.row(message.id).in_doubt, one.row(results).in_doubt) == (True, False)
    assert run("other", "import", stick)[1] == "Queued 1 submission; 0 were here before.\n"
    status, _, err = run("one", "export", "--kind", "nothing", str(tmp_path / "more.resultsq"))
    assert (status, "'nothing' is not one of 'results'" in err) == (2, True)
    assert not (tmp_path / "more.resultsq").exists()
