"""The power is cut at any write and sync below SQLite: what was acknowledged is there, once, and the node goes on.
Pages that went bad are refused in words. Every cut of longer mornings: `python -m tests.power`."""

from typing import Any
from unittest.mock import patch

import pytest

from resultsq import sqlite
from resultsq.store.outbox import leases
from resultsq.store.views import queries
from tests.power import pages
from tests.power.below import FolderSynced, Synced
from tests.power.morning import journal, record
from tests.power.replay import Tally, places, replay

CUTS = 18
SPOILT = 4
"""Damages of each sort."""

WITH_A_SHEET = 8
"""A seed whose damages hit sheets."""


def cut(mode: str, seed: int = 1) -> Tally:
    with journal(mode):
        recording = record(seed, rounds=1)
        return replay(recording, seed, places(recording, seed, CUTS))


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_what_was_acknowledged_is_there_once_wherever_the_power_is_cut(mode: str) -> None:
    done = cut(mode)
    assert done.found == []
    assert done.steps[Synced.__name__] > 10
    assert done.steps[FolderSynced.__name__] > 0
    assert done.went_on > 5


@pytest.mark.parametrize(("mode", "less"), [("WAL", "NORMAL"), ("DELETE", "FULL")])
def test_a_node_that_syncs_less_is_found(mode: str, less: str) -> None:
    """DELETE with FULL does not sync the folder when the journal is removed, and then it comes back."""
    real = sqlite.make_durable

    def lax(connection: Any, patience_s: float) -> None:
        real(connection, patience_s)
        connection.execute(f"PRAGMA synchronous={less}")

    with patch.object(sqlite, "make_durable", lax):
        assert "lost" in {one.what for _, _, one in cut(mode).found}


def test_a_page_that_went_bad_is_refused_in_words_and_never_served() -> None:
    seen = pages.look(pages.keep(WITH_A_SHEET), WITH_A_SHEET, SPOILT)
    assert seen.found == []
    assert seen.ends["refused in words"] > 0
    assert seen.ends["whole"] > seen.damages, "one page is not the node"


def test_a_node_that_does_not_compare_digests_is_found() -> None:
    """Which page a seed hits changes with each table; one that hits no sheet shows nothing."""
    found: list[str] = []
    with patch.object(leases, "is_whole", lambda *_: True), patch.object(queries, "demand_whole", lambda body, _: body):
        for seed in range(WITH_A_SHEET, WITH_A_SHEET + 30):
            found = pages.look(pages.keep(seed), seed, 2 * SPOILT, ["garbled"]).found
            if found:
                break
    assert any("is shown with other bytes" in one for one in found)
    assert any("is sent with other bytes" in one for one in found)
