"""`status --watch` in a terminal, and `status --publish` as files for another host: real processes over a real node."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from resultsq.domain.outcome import Cause
from tests.support.nodes import StoreNode, migrated
from tests.support.processes import ROOT, environment
from tests.support.waiting import wait_until

FILES = {"index.html", "status.json", "status.atom", "status.css"}


@pytest.fixture
def node(tmp_path: Path) -> StoreNode:
    (tmp_path / "data").mkdir()
    node = StoreNode(migrated(f"sqlite:///{tmp_path / 'data' / 'resultsq.db'}"))
    node.now = datetime.now(UTC)
    node.probe()
    return node


@contextmanager
def _running(folder: Path, *words: str, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**environment(), "RESULTSQ_DATA_DIR": str(folder / "data"), "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "resultsq", "status", *words]
    process = subprocess.Popen(command, env=environ, cwd=ROOT, start_new_session=True, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_a_terminal_shows_what_changes_when_it_watches_and_uses_hardly_any_time(
    node: StoreNode, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    seen = b""

    def shows(words: str) -> bool:
        nonlocal seen
        os.set_blocking(ours, False)
        with suppress(BlockingIOError):
            seen += os.read(ours, 65536)
        return words.encode() in seen

    with _running(tmp_path, "--watch", stdin=theirs, stdout=theirs) as process:
        wait_until(lambda: shows("nothing"))
        began_s = _cpu_s(process.pid)
        node.probe(Cause.REFUSED)
        node.accept_many(3)
        wait_until(lambda: shows("3 sheets of results"))
        node.probe()
        node.publish_one()
        wait_until(lambda: shows("accepted"))
        assert _cpu_s(process.pid) - began_s < 1.0
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_watching_needs_a_terminal_when_its_output_is_a_pipe(node: StoreNode, tmp_path: Path) -> None:
    with _running(tmp_path, "--watch", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert b"needs a terminal" in err


def test_the_files_are_whole_and_follow_each_change_when_the_page_is_published(node: StoreNode, tmp_path: Path) -> None:
    folder = tmp_path / "public" / "status"

    def state() -> str | None:
        path = folder / "status.json"
        return json.loads(path.read_text())["state"] if path.exists() else None

    with _running(tmp_path, "--publish", str(folder), "--watch"):
        wait_until(lambda: state() == "works")
        node.probe(Cause.REFUSED)
        wait_until(lambda: state() == "delayed")
        wait_until(lambda: "Results are delayed" in (folder / "index.html").read_text())
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    page = (folder / "index.html").read_text()
    assert 'href="status.css"' in page
    assert 'href="status.atom"' in page
    assert fromstring((folder / "status.atom").read_text()).tag.endswith("feed")


def test_the_files_are_written_once_when_nobody_watches(node: StoreNode, tmp_path: Path) -> None:
    with _running(tmp_path, "--publish", str(tmp_path / "out")) as process:
        assert process.wait(30) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_a_folder_that_cannot_be_written_is_named(node: StoreNode, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with _running(tmp_path, "--publish", str(tmp_path / "file"), stderr=subprocess.PIPE) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert str(tmp_path / "file").encode() in err
    assert b"Traceback" not in err
