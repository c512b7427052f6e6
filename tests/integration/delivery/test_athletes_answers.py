"""What the keeper of the list makes of each answer, and when it asks again."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from resultsq import disk
from resultsq.delivery import athletes_list
from resultsq.delivery.athletes_list import EVERY_S, NO_LIST_S, GatheredPages, ListKeeper
from resultsq.domain.athletes import Athlete, ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.outcome import Cause, Deferred, Outcome, Rejected, Scope, Unauthorised
from resultsq.settings import Settings
from resultsq.store.admin import events
from resultsq.store.athletes import copies, rows
from resultsq.store.engine.session import Database
from tests.support.athletes import athletes
from tests.support.manual_clock import ManualClock, SlowClock
from tests.support.nodes import NOW, StoreNode

Answer = ListPage | MustRefetch | NoList | Outcome | Exception
END = ListPage("h", athletes(1), "1", True, '"tag"')
MOST_QUESTIONS = 20


class Office:
    """A node whose link is up, and a master that gives these answers in turn, the last one again and again."""

    def __init__(self, database: Database, folder: Path, **changes: object) -> None:
        self.node = StoreNode(database)
        self.node.probe()
        self.clock = ManualClock(NOW)
        self.asked: list[ListQuestion] = []
        self.answers: list[Answer] = [END]
        known = {"data_dir": folder, "master_url": SecretStr("http://master.test"), "athletes": "all"}
        self.settings = Settings(**{**known, **changes})
        self.keeper = ListKeeper(self.settings, database, self.clock)

    def athletes(self, question: ListQuestion) -> ListPage | MustRefetch | NoList | Outcome:
        self.asked.append(question)
        assert len(self.asked) < MOST_QUESTIONS, "it asks without an end"
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Each run closes what it has opened."""

    def pull(self, *answers: Answer) -> int:
        """Run at once; how many questions it asks."""
        self.answers = list(answers)
        before = len(self.asked)
        self.keeper.work()
        return len(self.asked) - before

    def is_due(self, after_s: float = 0.0) -> bool:
        self.clock.advance(after_s)
        return self.keeper.due()

    @property
    def state(self) -> copies.ListState:
        with self.node.database.read() as conn:
            return copies.state(conn)


@pytest.fixture
def office(sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    made = Office(sqlite_store, tmp_path)
    monkeypatch.setattr(athletes_list, "open_configured", lambda *_: made)
    return made


def test_the_next_question_comes_a_minute_after_the_last(office: Office) -> None:
    assert office.is_due()
    assert office.pull(END) == 1
    assert not office.is_due(59.0)
    assert office.is_due(1.0)
    assert office.pull(END) == 1


def test_a_list_that_is_voided_once_begins_anew_at_once(office: Office) -> None:
    office.pull(END)
    office.clock.advance(EVERY_S)
    assert office.pull(MustRefetch(), END) == 2
    assert [(one.handle, one.after) for one in office.asked[-2:]] == [("h", "1"), ("", "")]
    assert office.state.error is None


@pytest.mark.parametrize("has_copy", [True, False])
def test_a_list_that_is_voided_each_time_is_left_alone_for_a_minute(office: Office, has_copy: bool) -> None:
    if has_copy:
        office.pull(END)
        office.clock.advance(EVERY_S)
    assert office.pull(MustRefetch()) == 2 + has_copy, "the copy that is here, and two that were begun"
    assert office.state.error == "The master voids its list of athletes again and again."
    office.clock.advance(EVERY_S - 1.0)
    assert office.pull(END) == 0
    office.clock.advance(1.0)
    assert office.pull(END) == 1


def test_a_page_of_another_list_is_as_good_as_a_void(office: Office) -> None:
    office.pull(ListPage("h", athletes(1), "1", False), ListPage("other", athletes(1, first=50), "2", True), END)
    assert len(office.asked) == 3
    assert office.state.current is not None
    assert office.state.current.handle == "h"


@pytest.mark.parametrize("at", [0, 1])
def test_a_page_that_leads_nowhere_ends_the_run(office: Office, at: int) -> None:
    pages = [ListPage("h", athletes(1), "1", False), ListPage("h", athletes(1), "1", False)]
    if at == 0:
        pages[0] = replace(pages[0], after="")
    assert office.pull(*pages) == at + 1
    assert office.state.error == "The master's list of athletes does not come to an end."
    assert not office.is_due(EVERY_S - 1.0)
    assert office.is_due(1.0)


@pytest.mark.parametrize(
    ("answer", "wait_s", "error"),
    [
        (Deferred(Cause.TIMEOUT, "Late.", in_doubt=False), EVERY_S, "Late."),
        (Deferred(Cause.BUSY, "Busy.", in_doubt=False, retry_after_s=0.0), EVERY_S, "Busy."),
        (Deferred(Cause.BUSY, "Busy.", in_doubt=False, retry_after_s=90.0), 90.0, "Busy."),
        (Deferred(Cause.BUSY, "Busy.", in_doubt=False, retry_after_s=86_400.0), 3600.0, "Busy."),
        (Unauthorised(Scope.DESTINATION, "Who?"), 600.0, "Who?"),
        (NoList(), 600.0, "This master has no list of athletes."),
        (Rejected("gone", "No."), 600.0, "The master refuses its list of athletes."),
    ],
)
def test_the_wait_after_each_answer(office: Office, answer: Answer, wait_s: float, error: str) -> None:
    assert office.pull(answer) == 1
    assert office.state.error == error
    assert not office.is_due(wait_s - 1.0)
    assert office.is_due(1.0)


def test_a_fault_of_ours_is_told_and_tried_again_in_a_minute(office: Office) -> None:
    with pytest.raises(KeyError):
        office.pull(KeyError("a fault of ours"))
    assert office.state.error == "A fault of resultsq itself: the log has it."
    assert not office.is_due(EVERY_S - 1.0)
    assert office.is_due(1.0)


def test_a_run_that_has_no_time_left_for_a_question_goes_on_at_once(office: Office) -> None:
    slow = SlowClock(NOW, athletes_list.AT_ONCE_S)
    ListKeeper(office.settings, office.node.database, slow).work()
    assert office.asked == []
    assert office.state.error is None
    office.clock.advance((slow.now() - NOW).total_seconds())
    assert office.is_due()
    assert office.pull(END) == 1


def test_another_worker_that_loads_is_left_alone_until_its_lease_has_run_out(office: Office) -> None:
    now = office.clock.now()
    assert office.node.database.write(lambda conn: copies.take_lease(conn, now, "another"))
    assert not office.is_due(copies.LEASE_S - 1.0)
    assert office.pull(END) == 0
    assert office.is_due(1.0)
    assert office.pull(END) == 1


def test_a_keeper_whose_lease_was_taken_over_writes_nothing(office: Office) -> None:
    def taken_over(question: ListQuestion) -> ListPage:
        office.clock.advance(copies.LEASE_S + 1.0)
        now = office.clock.now()
        assert office.node.database.write(lambda conn: copies.take_lease(conn, now, "another"))
        return END

    office.athletes = taken_over  # type: ignore[method-assign]
    office.keeper.work()
    assert office.state.current is None
    assert office.state.leased_by == "another"


def test_results_that_do_not_go_hold_the_list_up_for_five_minutes(office: Office) -> None:
    office.pull(END)
    office.node.accept()
    assert not office.is_due(EVERY_S + 300.0)
    assert office.is_due(1.0)


def test_a_list_is_kept_to_the_last_moment_of_its_weeks(office: Office) -> None:
    office.pull(END)
    office.node.probe(Cause.REFUSED)
    weeks = timedelta(weeks=office.settings.athletes_keep_weeks).total_seconds()
    assert not office.is_due(weeks)
    office.pull(END)
    assert office.state.current is not None
    assert office.is_due(1.0)
    office.pull(END)
    assert office.state.current is None


def test_a_copy_goes_on_to_the_last_moment_of_its_weeks(office: Office) -> None:
    office.pull(END)
    weeks = timedelta(weeks=office.settings.athletes_keep_weeks).total_seconds()
    for after_s, handle in ((weeks - 60.0, "h"), (60.0, "h"), (60.0, "")):
        office.clock.advance(after_s)
        office.pull(END)
        assert office.asked[-1].handle == handle


def test_a_copy_of_other_events_is_not_gone_on_with(
    sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(sqlite_store, tmp_path, athletes="events")
    monkeypatch.setattr(athletes_list, "open_configured", lambda *_: office)
    office.pull(END)
    office.clock.advance(EVERY_S)
    office.pull(END)
    assert [one.handle for one in office.asked] == ["", "h"]
    now = office.clock.now()
    sqlite_store.write(lambda conn: events.add(conn, now, "zoo", "Zoo", "Europe/London"))
    office.clock.advance(EVERY_S)
    office.pull(END)
    assert (office.asked[-1].handle, office.asked[-1].events[-1]) == ("", "zoo")


@pytest.mark.parametrize(("most", "asks"), [(3, True), (2, False)])
def test_a_node_with_too_many_events_is_told_to_take_them_all(
    sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, asks: bool
) -> None:
    office = Office(sqlite_store, tmp_path, athletes="events")
    monkeypatch.setattr(athletes_list, "open_configured", lambda *_: office)
    monkeypatch.setattr(athletes_list, "MOST_EVENTS", most)
    assert office.pull(END) == asks
    told = "More than 2 events are here: set RESULTSQ_ATHLETES to all."
    assert office.state.error == (None if asks else told)
    assert office.is_due(EVERY_S) == asks
    assert office.is_due(NO_LIST_S - EVERY_S)


@pytest.mark.parametrize(("room", "asks"), [(0, True), (-1, False)])
def test_the_list_comes_while_the_disk_has_just_enough_room(
    office: Office, monkeypatch: pytest.MonkeyPatch, room: int, asks: bool
) -> None:
    free = disk.Space(office.settings.disk_low_bytes + room, None, read_only=False)
    monkeypatch.setattr(disk, "space", lambda _: free)
    assert office.pull(END) == asks
    assert office.is_due(EVERY_S)


def test_pages_are_written_before_more_are_held_than_are_sorted_at_once(office: Office) -> None:
    now = office.clock.now()
    copy = office.node.database.write(lambda conn: copies.begin(conn, now, copies.FEED, ()))
    gathered = GatheredPages(copy, 100.0)
    some = [Athlete(f"A{number}", "X") for number in range(1, rows.AT_MOST - athletes_list.MOST_OF_A_PAGE + 1)]
    gathered.add(ListPage("h", some, "1", False))
    assert not gathered.is_enough(100.0)
    gathered.add(ListPage("h", some[:1], "2", False))
    assert gathered.is_enough(100.0)


def test_pages_are_written_after_a_few_seconds_however_few_they_are(office: Office) -> None:
    now = office.clock.now()
    copy = office.node.database.write(lambda conn: copies.begin(conn, now, copies.FEED, ()))
    gathered = GatheredPages(copy, 100.0)
    assert not gathered.is_enough(100.0 + athletes_list.GATHER_S - 0.1)
    assert gathered.is_enough(100.0 + athletes_list.GATHER_S)


def test_a_tag_is_sent_back_of_a_whole_list_alone(office: Office) -> None:
    office.pull(ListPage("h", athletes(1), "1", False, '"part"'), replace(END, after="2"))
    office.clock.advance(EVERY_S)
    office.pull(replace(END, after="2"))
    assert [one.etag for one in office.asked] == ["", "", '"tag"']
