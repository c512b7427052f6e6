"""The worker keeps the office's notices as the master lists them, and teams read them while it is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from resultsq.delivery import office_notices
from resultsq.domain.notices import NoNotices, NoticeList
from resultsq.domain.outcome import Cause, Deferred, Outcome, Scope, Unauthorised
from resultsq.master.ledger import Ledger
from resultsq.settings import Settings
from resultsq.store.admin import notices
from resultsq.store.engine.session import Database
from tests.integration.masters.far import TOKENS, served
from tests.support.athletes import master_list
from tests.support.log_lines import log_lines
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode
from tests.support.processes import OtherMaster

TITLE, TEXT = "Ice", "No run at Bushy.\nTell your volunteers."
UNTIL = NOW + timedelta(hours=3)


class Office:
    """A node whose link is up, the office at the master, and the worker's task between them."""

    def __init__(
        self, database: Database, ledger: Ledger | None, settings: Settings, clock: ManualClock | None = None
    ) -> None:
        self.node = StoreNode(database)
        self.node.probe()
        self.ledger = ledger
        self.clock = clock or ManualClock(NOW)
        self.task = office_notices.periodic_task(settings, database, self.clock)

    def post(self, event: str | None = None, title: str = TITLE) -> None:
        assert self.ledger is not None
        self.ledger.notices.post(event, title, TEXT, NOW, UNTIL)

    def ask(self, after_s: float = 61.0) -> bool:
        """Whether the task was due, and is done."""
        self.clock.advance(after_s)
        due = self.task.due()
        if due:
            self.task.do()
        return due

    def read(self, event: str = "bushy") -> list[str]:
        with self.node.database.read() as conn:
            found = notices.in_force(conn, self.clock.now(), [self.node.events[event]])
        assert all((one.text, one.written_by) == (TEXT, "") for one in found)
        return [one.title for one in found]

    @property
    def feed(self) -> notices.FeedState:
        with self.node.database.read() as conn:
            return notices.feed(conn)


@contextmanager
def opened(database: Database, folder: Path, make: str = "http") -> Iterator[Office]:
    clock = ManualClock(NOW)
    with master_list(folder) as ledger, served(ledger, clock) as port:
        url = f"http://127.0.0.1:{port}" if make == "http" else f"sqlite:///{folder / 'ledger.db'}"
        settings = Settings(data_dir=folder, master_url=SecretStr(url), master_token=SecretStr(TOKENS[0]))
        yield Office(database, ledger, settings, clock)


@pytest.fixture
def office(store: Database, tmp_path: Path) -> Iterator[Office]:
    with opened(store, tmp_path) as found:
        yield found


@pytest.mark.parametrize("make", ["http", "database"])
def test_what_the_office_writes_is_read_by_those_whom_it_is_for(
    sqlite_store: Database, tmp_path: Path, make: str
) -> None:
    with opened(sqlite_store, tmp_path, make) as office:
        office.post()
        office.post("bushy", "Bushy only")
        office.post("elsewhere", "Not of this node")
        assert office.ask()
        assert sorted(office.read()) == ["Bushy only", TITLE]
        assert office.read("richmond") == [TITLE]
        assert not office.ask(1.0)
        before = office.feed
        assert office.ask()
        assert (office.feed.etag, office.feed.error) == (before.etag, None)
        assert len(office.read()) == 2, "unchanged"


def test_what_the_office_takes_back_is_read_no_more_and_the_rest_stays_while_the_link_is_down(office: Office) -> None:
    office.post()
    office.ask()
    assert office.ledger is not None
    with office.ledger._writing() as connection:
        connection.exec_driver_sql("DELETE FROM master_notices")
    office.post(title="Another")
    office.ask()
    assert office.read() == ["Another"]
    office.node.probe(Cause.REFUSED)
    assert not office.ask(3600.0)
    assert office.read() == ["Another"]
    office.clock.advance(2 * 3600.0)
    assert office.read() == [], "its time is over"


def test_results_go_first_and_the_link_s_return_asks_at_once(office: Office) -> None:
    office.ask()
    office.post()
    office.node.accept()
    assert not office.ask(), "results are due"
    office.node.publish_one()
    office.node.probe(Cause.REFUSED)
    office.clock.advance(5.0)
    office.node.now = office.clock.now()
    office.node.probe()
    assert office.ask(1.0)
    assert office.read() == [TITLE]


def test_a_master_without_notices_is_asked_again_in_an_hour(sqlite_store: Database, tmp_path: Path) -> None:
    with OtherMaster() as master:
        settings = Settings(data_dir=tmp_path, master_url=SecretStr(master.url), master_token=SecretStr("node-1"))
        office = Office(sqlite_store, None, settings)
        assert office.ask()
        assert office.feed.error == office_notices.NO_CALL
        assert not office.ask(600.0)
        assert office.ask(3600.0)


def test_an_answer_that_is_not_the_masters_takes_nothing_away(office: Office) -> None:
    office.post()
    office.ask()
    assert office.ledger is not None
    with office.ledger._writing() as connection:
        connection.exec_driver_sql("UPDATE master_notices SET title = 'a' || char(7) || 'b'")
    office.ask()
    assert office.read() == [TITLE]
    assert "it carries no notices" in (office.feed.error or "")


class Answering:
    """A master that gives these answers in turn, and notes the tags that it was asked with."""

    def __init__(self, *answers: NoticeList | NoNotices | Outcome) -> None:
        self.answers = list(answers)
        self.tags: list[str] = []

    def notices(self, etag: str) -> NoticeList | NoNotices | Outcome:
        self.tags.append(etag)
        return self.answers.pop(0)

    def close(self) -> None:
        """Each question closes what it has opened."""


LATER = Deferred(Cause.BUSY, "Busy.", in_doubt=False)


@pytest.mark.parametrize(
    ("answer", "wait_s", "error"),
    [
        (NoticeList([], '"t"'), 60.0, None),
        (NoticeList(None, '"t"'), 60.0, None),
        (NoNotices(), 3600.0, office_notices.NO_CALL),
        (LATER, 60.0, "Busy."),
        (replace(LATER, retry_after_s=7.0), 60.0, "Busy."),
        (replace(LATER, retry_after_s=90.0), 90.0, "Busy."),
        (replace(LATER, retry_after_s=86_400.0), 3600.0, "Busy."),
        (Unauthorised(Scope.DESTINATION, "Who?"), 60.0, "Who?"),
    ],
)
def test_how_long_the_master_is_left_alone_after_each_answer(
    sqlite_store: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: NoticeList | NoNotices | Outcome,
    wait_s: float,
    error: str | None,
) -> None:
    master = Answering(answer, answer)
    monkeypatch.setattr(office_notices, "open_configured", lambda *_: master)
    office = Office(sqlite_store, None, Settings(data_dir=tmp_path, master_url=SecretStr("http://master.test")))

    def logged() -> list[str]:
        with log_lines() as lines:
            office.task.do()
        return [line["why"] for line in lines if line["event"] == "notices.not_listed"]

    assert logged() == ([] if error is None else [error])
    assert office.feed.error == error
    office.clock.advance(wait_s - 1.0)
    assert not office.task.due()
    office.task.do()
    assert len(master.tags) == 1, "another worker did it meanwhile"
    office.clock.advance(1.0)
    assert office.task.due()
    assert logged() == [], "it is logged once"


def test_the_tag_of_the_last_list_is_sent_until_the_master_has_no_notices(
    sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = NoticeList([], '"t"')
    master = Answering(listed, NoticeList(None, '"t"'), LATER, NoNotices(), listed)
    monkeypatch.setattr(office_notices, "open_configured", lambda *_: master)
    office = Office(sqlite_store, None, Settings(data_dir=tmp_path, master_url=SecretStr("http://master.test")))
    for _ in range(5):
        assert office.ask(3600.0)
    assert master.tags == ["", '"t"', '"t"', '"t"', ""]
