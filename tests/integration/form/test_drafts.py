"""Drafts in the store, on both makes of database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from resultsq.domain.role import Role
from resultsq.store.admin import accounts, drafts, events, retention
from resultsq.store.admin.drafts import DraftMoved, StoredDraft
from resultsq.store.engine.session import Database
from resultsq.store.outbox import File
from tests.integration.form.conftest import HASHED, NOW
from tests.support.nodes import migrated

ONE = File("one.csv", "table", "1111", b"one")
TWO = File("two.csv", "table", "2222", b"twotwo")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    made = migrated(store_url)
    made.write(lambda conn: events.add(conn, NOW, "bushy", "Bushy", "Europe/London"))
    made.write(lambda conn: accounts.add(conn, NOW, "team", HASHED, Role.TEAM, ["bushy"]))
    yield made
    made.close()


def load(database: Database) -> StoredDraft:
    with database.read() as conn:
        return drafts.load(conn, 1, 1)


def test_a_draft_is_there_as_it_was_stored_and_only_its_next_revision_replaces_it(database: Database) -> None:
    empty = load(database)
    assert empty == StoredDraft(1, 1)
    first = replace(empty, date="2013-12-07", work="{}")
    assert database.write(lambda conn: drafts.save(conn, NOW, first, [ONE])) == 1
    stored = load(database)
    assert stored == replace(first, revision=1)
    with pytest.raises(DraftMoved):
        database.write(lambda conn: drafts.save(conn, NOW, first, [TWO]))
    assert database.write(lambda conn: drafts.save(conn, NOW, stored, [TWO])) == 2
    with database.read() as conn:
        assert drafts.files(conn, stored) == (ONE, TWO)
        assert drafts.size(conn, stored) == 9


def test_files_go_when_the_draft_begins_afresh_and_when_it_is_too_old(database: Database) -> None:
    def kept(now: datetime, *files: File, afresh: bool = False) -> tuple[File, ...]:
        draft = load(database)
        database.write(lambda conn: drafts.save(conn, now, draft, files, afresh=afresh))
        with database.read() as conn:
            return drafts.files(conn, draft)

    assert kept(NOW, ONE) == (ONE,)
    assert kept(NOW, TWO, afresh=True) == (TWO,)
    database.write(lambda conn: retention.prune_some(conn, NOW + timedelta(days=1)))
    assert load(database) == StoredDraft(1, 1)
    assert kept(NOW, ONE) == (ONE,)
