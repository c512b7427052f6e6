"""From one version's schema to the next and back, on both databases, with results in it and processes at work."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, event, text

from resultsq.store.engine import migrate, postgres
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Base
from resultsq.store.views import queries, state_counts, submission_detail
from tests.integration.deploy import site as sites
from tests.integration.deploy.test_logs import FILES
from tests.support.days import weeks_before
from tests.support.nodes import StoreNode
from tests.support.processes import OtherMaster, Process
from tests.support.waiting import wait_until

BESIDE = 4
"""Processes that find an empty database at once: a node's first start on several hosts."""

LAST_OF_0_1_0 = "0003"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    opened = Database(store_url)
    yield opened
    opened.close()


def _revisions() -> list[str]:
    """From the newest down to none at all."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    return [*(script.revision for script in ScriptDirectory.from_config(config).walk_revisions()), "base"]


def _differences(database: Database, from_: MetaData = Base.metadata) -> list[Any]:
    with database.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        return list(compare_metadata(context, from_))


def _tables(database: Database) -> MetaData:
    """As they are in the database, whatever the code says."""
    found = MetaData()
    with database.read() as conn:
        found.reflect(conn, only=lambda name, _: name != "alembic_version")
    return found


def _results(database: Database) -> int:
    with database.read() as conn:
        return int(conn.execute(text("SELECT count(*) FROM submissions")).scalar_one())


def test_the_tables_are_those_of_the_code_when_every_migration_has_run(database: Database) -> None:
    migrate.upgrade(database)
    assert _differences(database) == []


def test_a_node_works_when_each_migration_was_undone_and_done_again_over_its_results(database: Database) -> None:
    migrate.upgrade(database)
    node = StoreNode(database)
    node.probe()
    node.accept()
    node.publish_one()
    node.accept("richmond")
    for newer, older in pairwise(_revisions()[:-1]):  # each by itself, where it has its place
        before = _tables(database)
        migrate.downgrade(database, older)
        assert migrate.current(database) == older
        assert migrate.is_behind(older)
        migrate.upgrade(database, newer)
        assert migrate.current(database) == newer
        assert _differences(database, before) == []
        assert _results(database) == 2
        migrate.downgrade(database, older)
    for revision, results in ((_revisions()[-2], 2), ("base", 0)):  # and all of them at once
        migrate.downgrade(database, revision)
        migrate.upgrade(database)
        assert migrate.current(database) == migrate.newest()
        assert _differences(database) == []
        with database.read() as conn:
            assert sum(state_counts.look(conn).in_each_state(of_the_master=True).values()) == results
    again = StoreNode(database)
    again.probe()
    again.accept()
    assert again.publish_one().event == "bushy"


def test_an_old_worker_claims_by_its_index_at_each_moment_of_an_upgrade(sqlite_url: str) -> None:
    """Its statement names the index, and fails where there is none of that name."""
    claim = text("SELECT seq FROM submissions INDEXED BY ix_submissions_due WHERE state = 'queued' AND blocked = 0")
    migrating, old = Database(sqlite_url), Database(sqlite_url)
    migrate.upgrade(migrating, LAST_OF_0_1_0)
    seen: list[str] = []

    def look(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        with old.read() as conn:
            conn.execute(claim).all()
        seen.append(statement)

    event.listen(migrating.engine, "after_cursor_execute", look)
    migrate.upgrade(migrating)
    assert any(statement.strip().startswith("DROP INDEX ix_submissions_due") for statement in seen), seen
    with old.read() as conn:
        conn.execute(claim).all()
    migrating.close()
    old.close()


def test_an_upgrade_waits_for_another_one_longer_than_any_writer_waits(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_LIMITS_MS", {"statement_timeout": 200, "lock_timeout": 100})
    patient, other = Database(postgres_url), Database(postgres_url)
    with ThreadPoolExecutor(1) as pool, other.alone() as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": migrate._LOCK})
        upgraded = pool.submit(migrate.upgrade, patient)
        with pytest.raises(TimeoutError):
            upgraded.result(1)
        conn.rollback()
        upgraded.result(60)
    assert migrate.current(patient) == migrate.newest()
    patient.close()
    other.close()


def test_all_end_well_when_several_processes_upgrade_at_once(
    database: Database, store_url: str, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    env = {"RESULTSQ_DATABASE_URL": store_url, "RESULTSQ_DATA_DIR": str(tmp_path)}
    upgrades = [start_process("db", "upgrade", env=env) for _ in range(BESIDE)]
    assert [upgrade.wait(60) for upgrade in upgrades] == [0] * BESIDE
    assert migrate.current(database) == migrate.newest()
    assert _differences(database) == []


def _as_a_next_version_would(conn: Connection) -> None:
    """By the rules of store/engine/migrate.py: columns with a default or NULL, tables and indexes."""
    conn.execute(text("ALTER TABLE submissions ADD COLUMN weather VARCHAR(20) DEFAULT 'fair'"))
    conn.execute(text("ALTER TABLE attempts ADD COLUMN mood INTEGER"))
    conn.execute(text("CREATE TABLE moods (id INTEGER PRIMARY KEY)"))
    conn.execute(text("CREATE INDEX ix_submissions_weather ON submissions (weather)"))
    conn.execute(text("UPDATE alembic_version SET version_num = 'of-tomorrow'"))


def test_old_processes_take_and_publish_results_when_a_newer_version_has_migrated(
    tmp_path: Path, other_master: OtherMaster, start_process: Callable[..., Process]
) -> None:
    env = {"RESULTSQ_DATA_DIR": str(tmp_path), "RESULTSQ_MASTER_URL": other_master.url, "RESULTSQ_MASTER_TOKEN": "any"}
    with sites.raised(tmp_path) as site:
        worker = start_process("worker", env=env)
        worker.wait_for("worker.starting", 60)
        team = site.browser("bushy")
        ids = {team.submit("bushy", FILES)}
        wait_until(lambda: set(other_master.receipts()) == ids, 30, "the first publication")
        site.database.write(_as_a_next_version_would)
        assert requests.get(f"{site.url}/readyz", timeout=10).status_code == 200
        ids.add(site.browser("richmond").submit("richmond", FILES))
        wait_until(lambda: set(other_master.receipts()) == ids, 30, "the publication after the migration")
        worker.kill()  # and one of the old version that is started only now
        start_process("worker", env=env).wait_for("worker.starting", 60)
        sheet = {
            "event": "bushy",
            "date": weeks_before(1),
            "finishers": [{"position": 1, "athlete": None, "time": None}],
        }
        bearer = {"Authorization": f"Bearer {site.tokens['bushy']}"}
        ids.add(requests.post(f"{site.url}/api/v1/submissions", json=sheet, headers=bearer, timeout=10).json()["id"])
        wait_until(lambda: set(other_master.receipts()) == ids, 60, "what the late one published")


def test_a_web_process_is_not_ready_when_its_schema_is_behind(tmp_path: Path) -> None:
    with sites.raised(tmp_path) as site:
        assert requests.get(f"{site.url}/readyz", timeout=10).status_code == 200
        migrate.downgrade(site.database, "base")
        assert requests.get(f"{site.url}/readyz", timeout=10).status_code == 503
        assert requests.get(f"{site.url}/healthz", timeout=10).status_code == 200
        migrate.upgrade(site.database)
        assert requests.get(f"{site.url}/readyz", timeout=10).status_code == 200


def test_what_was_done_by_name_before_is_told_by_the_submission_when_the_audit_learns_to_name_them(
    database: Database,
) -> None:
    migrate.upgrade(database)
    node = StoreNode(database)
    made = node.accept().id
    node.act("hold", made)
    migrate.downgrade(database, "0002")
    migrate.upgrade(database)
    with database.read() as conn:
        view = queries.submission(conn, made)
        assert view is not None
        assert [(one.who, one.action) for one in submission_detail.audit_of(conn, view)] == [("op", "hold")]
