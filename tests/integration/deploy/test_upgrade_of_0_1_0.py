"""A store as 0.1.0 left it, with sheets that wait, are on their way and in doubt, is migrated, and everything on it is
published once, in order. Both versions in turns under seeds: `python -m tests.upgrade`."""

import json
from pathlib import Path

from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.integration.deploy.test_upgrade import LAST_OF_0_1_0
from tests.upgrade.__main__ import read_sample
from tests.upgrade.morning import go_on


def test_everything_that_0_1_0_acknowledged_is_published_once_by_this_version(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    history = read_sample(tmp_path / "store.db")
    before = Database(url)
    assert migrate.current(before) == LAST_OF_0_1_0
    before.close()
    assert go_on(url, history) == []
    kinds = [event["kind"] for event in history]
    assert kinds.count("ok") > 5
    assert kinds.count("commit") > 0


def test_a_sheet_that_is_missing_from_that_store_is_found(tmp_path: Path) -> None:
    history = read_sample(tmp_path / "store.db")
    promised = next(event for event in reversed(history) if event["kind"] == "ok" and "id" in event)
    history.append({"kind": "invoke", "op": 10_000, "what": "submit", "chain": "bushy 2013-12-31", "digest": "other"})
    history.append({**promised, "op": 10_000, "id": json.dumps("not there")})
    assert "lost" in {one.what for one in go_on(f"sqlite:///{tmp_path / 'store.db'}", history)}
