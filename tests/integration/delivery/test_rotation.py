"""A token that is rotated in its file is taken up without a restart and without the minute of refused credentials."""

import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from resultsq.clock import SystemClock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.rotation import Rotation
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.outcome import Accepted, Unauthorised
from resultsq.settings import Settings
from resultsq.settings_sources import load
from resultsq.store.engine.tables import Link
from tests.integration.masters.far import parcel
from tests.support.processes import OtherMaster
from tests.support.relays import Relay
from tests.support.waiting import wait_until

SOON_S = 10.0
"""Far below the minute after which refused credentials are tried again."""


@pytest.fixture
def server() -> Iterator[OtherMaster]:
    with OtherMaster("--token", "new-token") as server:
        yield server


def refused(relay: Relay) -> bool:
    with relay.database.read() as conn:
        return conn.execute(select(Link.refused_at)).scalar_one() is not None


def test_what_was_refused_goes_at_once_when_the_tokens_file_changes(server: OtherMaster, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old-token\n")
    with Relay(f"sqlite:///{tmp_path / 'store.db'}", server) as relay:
        with relay.worker(MASTER_TOKEN_FILE=str(file)):
            relay.wait_for_link("up")
            relay.accept(5)
            wait_until(lambda: refused(relay), SOON_S, "a refusal")
            file.write_text("new-token\n")
            relay.wait_until_published(5, SOON_S)
            assert not refused(relay)
        # a worker that starts later has the same credentials, so nothing changes
        with relay.worker(MASTER_TOKEN_FILE=str(file)):
            relay.accept(1)
            relay.wait_until_published(6, SOON_S)


def test_the_other_workers_are_rung_for_when_another_token_is_taken_up(
    server: OtherMaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, rung = tmp_path / "token", list[str | None]()
    file.write_text("old-token\n")
    with (
        Relay(f"sqlite:///{tmp_path / 'store.db'}", server) as relay,
        relay.worker(MASTER_TOKEN_FILE=str(file)) as worker,
    ):
        relay.wait_for_link("up")
        monkeypatch.setattr(worker.bell, "ring", lambda: rung.append(credentials(relay)))
        before = credentials(relay)
        time.sleep(1.5)  # for a look at the file, which is the same
        assert rung == []
        file.write_text("new-token\n")
        wait_until(lambda: rung, SOON_S, "a ring")
    assert before not in rung, "they find the new credentials"


def test_nothing_is_refused_when_the_file_was_changed_before_anything_was_sent(
    server: OtherMaster, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old-token\n")
    with Relay(f"sqlite:///{tmp_path / 'store.db'}", server) as relay, relay.worker(MASTER_TOKEN_FILE=str(file)):
        relay.wait_for_link("up")
        before = credentials(relay)
        file.write_text("new-token\n")
        wait_until(lambda: credentials(relay) != before, SOON_S, "the other token")
        relay.accept(3)
        relay.wait_until_published(3, SOON_S)
        assert [put["status"] for put in relay.puts()] == [201] * 3


def credentials(relay: Relay) -> str | None:
    with relay.database.read() as conn:
        return conn.execute(select(Link.credentials)).scalar_one()


def test_a_sheet_is_sent_again_at_once_when_the_token_has_another_by_now(server: OtherMaster) -> None:
    held = ["old-token"]
    master = HttpMaster(server.url, "old-token", clock=SystemClock(), reread_token=lambda: held[-1])
    first = master.send(parcel())
    assert isinstance(first, Unauthorised)
    held.append("new-token")
    assert isinstance(master.send(parcel()), Accepted)
    assert isinstance(master.send(parcel("richmond")), Accepted)
    master.close()
    assert [put["status"] for put in server.report()["puts"]] == [401, 401, 201, 201]


@pytest.fixture
def log_lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def test_it_is_said_which_settings_need_a_restart(
    server: OtherMaster, tmp_path: Path, log_lines: list[MutableMapping[str, Any]]
) -> None:
    folder, token = tmp_path / "folder", tmp_path / "token"
    folder.write_text("https://one.example")
    token.write_text("new-token")
    files = {"PUBLIC_URL_FILE": str(folder), "MASTER_TOKEN_FILE": str(token)}
    with Relay(f"sqlite:///{tmp_path / 'store.db'}", server) as relay, relay.worker(**files):
        folder.write_text("https://two.example")
        token.write_text("newer-token")
        give_up = time.monotonic() + SOON_S
        while not any(line["event"] == "settings.restart_needed" for line in log_lines) and time.monotonic() < give_up:
            time.sleep(0.05)
    told = [(line["event"], line["names"]) for line in log_lines if line["event"].startswith("settings.")]
    assert ("settings.restart_needed", ["public_url"]) in told
    assert not any("newer-token" in repr(line) for line in log_lines)


def test_the_next_change_is_taken_up_when_one_could_not_be(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    taken: list[str] = []

    def take_up(settings: Settings) -> None:
        token = settings.master_token.get_secret_value()
        taken.append(token)
        if token == "second":
            raise RuntimeError("a fault of ours")
        if taken.count(token) < 2:
            raise StoreUnavailable

    rotation = Rotation(load({"RESULTSQ_MASTER_TOKEN_FILE": str(file)}).settings, take_up)
    rotation.start()
    for token, times in (("second", 1), ("third", 2)):
        file.write_text(token)
        wait_until(lambda token=token, times=times: taken.count(token) == times, SOON_S, token)  # type: ignore[misc]
    rotation.stop()
    assert rotation.token() == "third"
