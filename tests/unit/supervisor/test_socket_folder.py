"""The folder of the broker's socket: within reach of a unix socket, and the only one that is made."""

import os
import tempfile
from pathlib import Path

import pytest

from resultsq.supervisor import broker

ROOM = 60
"""Bytes that a path below the test's own folder may have."""


@pytest.fixture(autouse=True)
def most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """Bytes that the path of a unix socket may have; however long the path of the test's own folder is."""
    most = len(os.fsencode(tmp_path)) + ROOM
    monkeypatch.setattr(broker, "SOCKET_PATH_MAX", most)
    return most


@pytest.fixture(params=["t", "t" * ROOM], ids=["short", "long"])
def temporary(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / str(request.param)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_folder_itself_is_used_when_its_path_is_short(temporary: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with broker.socket_folder(data) as used:
        assert used == data
        assert data.stat().st_mode & 0o777 == 0o700
        assert list(temporary.iterdir()) == []


def test_only_the_folder_that_is_used_is_made_when_the_path_is_long(temporary: Path, tmp_path: Path, most: int) -> None:
    with broker.socket_folder(tmp_path / ("x" * ROOM)) as used:
        assert len(os.fsencode(used / broker.BROKER_SOCKET)) <= most
        assert list(temporary.iterdir()) == ([used] if temporary.name == "t" else [])
    assert not used.exists()
    assert list(temporary.iterdir()) == []
