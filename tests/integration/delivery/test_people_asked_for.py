"""When the node that has the accounts is asked, with which tag, and what is logged where it gives no list."""

from pathlib import Path

import pytest

from resultsq.app.people_copies import CopiesTaken
from resultsq.delivery import people_sync
from resultsq.delivery.masters.people_source import Listed, NotListed
from resultsq.domain.people_copy import PeopleList
from resultsq.settings import Settings
from resultsq.store.admin import people_copies as stored
from resultsq.store.engine.session import Database
from tests.support.log_lines import log_lines
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW

NOBODY = PeopleList(format="resultsq.people/1", source="hall", made_at=NOW, events=(), accounts=(), tokens=())
FIRST, AGAIN = Listed(NOBODY, '"tag"'), Listed(None, '"tag"')


class Source:
    """The worker's task, and a source that gives these answers in turn."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.clock = database, ManualClock(NOW)
        self.settings = Settings(data_dir=folder, people_source=f"https://hall.test {folder / 'token'}")
        self.task = people_sync.periodic_task(self.settings, database, self.clock)
        self.answers: list[Listed | NotListed] = [FIRST, AGAIN]
        self.tags: list[str] = []

    def people(self, etag: str) -> Listed | NotListed:
        self.tags.append(etag)
        return self.answers.pop(0)

    def close(self) -> None:
        """Each question closes what it has opened."""

    def ask(self) -> list[str]:
        """Do the task; the lines of the log."""
        with log_lines() as lines:
            self.task.do()
        return [line["event"] for line in lines]

    @property
    def error(self) -> str | None:
        with self.database.read() as conn:
            return stored.state(conn).error


@pytest.fixture
def source(sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source(sqlite_store, tmp_path)
    monkeypatch.setattr(people_sync, "open_source", lambda *_: made)
    return made


def test_it_is_asked_each_minute_by_one_worker_and_with_the_tag_of_the_last_list(source: Source) -> None:
    assert source.task.due()
    source.ask()
    source.ask()
    assert source.tags == [""], "another worker did it meanwhile"
    source.clock.advance(59.0)
    assert not source.task.due()
    source.clock.advance(1.0)
    assert source.task.due()
    assert source.ask() == []
    assert source.tags == ["", '"tag"']
    assert not source.task.due()
    assert source.error is None


def test_a_source_that_gives_no_list_is_asked_again_in_a_minute_and_logged_once(source: Source) -> None:
    source.answers = [NotListed("It is away."), NotListed("It is away."), NotListed("It is full."), FIRST]
    for logged in (["people.not_copied"], [], ["people.not_copied"]):
        assert source.ask() == logged
        assert source.error is not None
        source.clock.advance(59.0)
        assert not source.task.due()
        source.clock.advance(1.0)
        assert source.task.due()
    source.ask()
    assert source.error is None


def test_another_source_is_asked_for_its_whole_list(source: Source) -> None:
    source.ask()
    source.answers = [FIRST, AGAIN]
    people_sync.sync(source.settings, source.database, source.clock, other_source=True)
    assert people_sync.sync(source.settings, source.database, source.clock) == CopiesTaken(0)
    assert source.tags == ["", "", '"tag"']


def test_nothing_is_asked_where_no_source_is_set(source: Source, sqlite_store: Database, tmp_path: Path) -> None:
    assert not people_sync.periodic_task(Settings(data_dir=tmp_path), sqlite_store, source.clock).due()
