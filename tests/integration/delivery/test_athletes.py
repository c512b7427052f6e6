"""The worker keeps the list of athletes up to date: whole, then by changes, after the results, and at little cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from resultsq.delivery import athletes_list, pages_ahead
from resultsq.delivery.athletes_list import ListKeeper
from resultsq.delivery.masters import athletes_feed
from resultsq.domain.athletes import Athlete, ListPage
from resultsq.domain.outcome import Cause
from resultsq.master.ledger import Ledger
from resultsq.settings import Settings
from resultsq.store.athletes import copies, lookup
from resultsq.store.engine.session import Database
from tests.integration.masters.far import TOKENS, served
from tests.support.athletes import FIRST, athletes, master_list, put
from tests.support.manual_clock import ManualClock, SlowClock
from tests.support.nodes import NOW, StoreNode
from tests.support.proxy import Proxy

JANE = f"A{FIRST}"


class KeptList:
    """A node whose link is up, the master's list, and the keeper between them."""

    def __init__(self, database: Database, ledger: Ledger, settings: Settings) -> None:
        self.node = StoreNode(database)
        self.node.probe()
        self.ledger = ledger
        self.settings = settings
        self.clock = ManualClock(NOW)
        self.keeper = ListKeeper(settings, database, self.clock)

    def pull(self, after_s: float = 61.0) -> bool:
        """Whether anything was due, and is done."""
        self.clock.advance(after_s)
        due = self.keeper.due()
        if due:
            self.keeper.work()
        return due

    @property
    def state(self) -> copies.ListState:
        with self.node.database.read() as conn:
            return copies.state(conn)

    def found(self, *numbers: str) -> dict[str, Athlete]:
        with self.node.database.read() as conn:
            return lookup.by_number(conn, numbers)


@contextmanager
def kept(database: Database, folder: Path, make: str = "http", **changes: object) -> Iterator[KeptList]:
    with master_list(folder) as ledger, served(ledger) as port:
        url = f"http://127.0.0.1:{port}" if make == "http" else f"sqlite:///{folder / 'ledger.db'}"
        settings = Settings(
            data_dir=folder,
            master_url=SecretStr(url),
            master_token=SecretStr(TOKENS[0]),
            **{"athletes": "all", **changes},
        )
        yield KeptList(database, ledger, settings)


@pytest.fixture
def here(store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptList]:
    monkeypatch.setattr(athletes_feed, "PAGE", 100)
    with kept(store, tmp_path) as found:
        yield found


@pytest.mark.parametrize("make", ["http", "database"])
def test_the_list_comes_whole_and_then_by_changes(
    sqlite_store: Database, tmp_path: Path, make: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athletes_feed, "PAGE", 100)
    with kept(sqlite_store, tmp_path, make) as here:
        put(here.ledger, athletes(250))
        assert here.pull()
        assert here.found(JANE)[JANE] == athletes(1)[0]
        assert len(here.found(*(one.number for one in athletes(250)))) == 250
        as_of = here.clock.now()
        assert here.state.current is not None
        assert here.state.current.as_of == as_of
        put(here.ledger, [replace(athletes(1)[0], runs=8), Athlete("A99", "Eva NEW", None, "richmond", 0)])
        here.ledger.athletes.retire([f"A{FIRST + 1}"])
        assert here.pull()
        assert here.found(JANE)[JANE].runs == 8
        assert here.found("A99")["A99"].name == "Eva NEW"
        assert here.found(f"A{FIRST + 1}")[f"A{FIRST + 1}"].name is None
        assert here.state.current.as_of == here.clock.now()


def test_a_list_that_takes_longer_than_one_run_goes_on_where_the_last_run_ended(
    here: KeptList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_ahead, "AHEAD", 1)
    put(here.ledger, athletes(2500))
    keeper = ListKeeper(here.settings, here.node.database, SlowClock(NOW + timedelta(seconds=61), 1.0))
    after: list[int | None] = []
    generations: set[int] = set()
    while here.state.current is None:
        assert here.found(JANE) == {}
        keeper.work()
        loading = here.state.loading
        after.append(None if loading is None else int(loading.after))
        generations |= set() if loading is None else {loading.generation}
    assert after[-1] is None
    assert len(after) > 2
    places = [place for place in after if place is not None]
    assert len(places) == len(after) - 1
    assert places == sorted(set(places))
    assert generations == {here.state.current.generation}
    assert len(here.found(*(one.number for one in athletes(2500)))) == 2500


def test_what_was_read_before_the_master_went_away_is_kept(
    sqlite_store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master_list(tmp_path) as ledger, served(ledger) as port, Proxy(port) as link:
        put(ledger, athletes(athletes_feed.PAGE + 1))
        url = SecretStr(f"http://127.0.0.1:{link.port}")
        settings = Settings(data_dir=tmp_path, master_url=url, master_token=SecretStr(TOKENS[0]), athletes="all")
        node = StoreNode(sqlite_store)
        node.probe()
        clock = ManualClock(NOW)
        keeper = ListKeeper(settings, sqlite_store, clock)
        add = athletes_list.GatheredPages.add

        def add_and_cut(gathered: athletes_list.GatheredPages, page: ListPage) -> None:
            add(gathered, page)
            link.refuse()

        monkeypatch.setattr(athletes_list.GatheredPages, "add", add_and_cut)
        keeper.work()
        monkeypatch.undo()
        with sqlite_store.read() as conn:
            state = copies.state(conn)
        assert state.error is not None
        assert state.loading is not None
        assert state.loading.after
        link.restore()
        clock.advance(61.0)
        keeper.work()
        with sqlite_store.read() as conn:
            assert len(lookup.by_number(conn, [JANE, f"A{FIRST + athletes_feed.PAGE}"])) == 2


def test_nothing_is_asked_when_the_setting_is_off(sqlite_store: Database, tmp_path: Path) -> None:
    with kept(sqlite_store, tmp_path, athletes="off") as here:
        put(here.ledger, athletes(3))
        assert not here.pull()
        assert here.state == copies.NOTHING


def test_the_master_is_asked_each_minute_and_at_once_after_the_links_return(here: KeptList) -> None:
    put(here.ledger, athletes(3))
    assert here.pull()
    assert not here.pull(58)
    assert here.pull(3)
    here.node.pass_time(200)
    here.node.probe(Cause.REFUSED)
    here.clock.advance((here.node.now - here.clock.now()).total_seconds())
    assert not here.pull(61)
    here.node.pass_time(120)
    here.node.probe()
    put(here.ledger, [Athlete("A99", "Eva NEW")])
    here.clock.advance((here.node.now - here.clock.now()).total_seconds())
    assert here.pull(athletes_list.LOOK_S)
    assert "A99" in here.found("A99")


def test_results_go_first_and_do_not_hold_the_list_up_for_ever(here: KeptList) -> None:
    put(here.ledger, athletes(3))
    assert here.pull()
    here.node.accept()
    assert not here.pull(61)
    assert here.pull(athletes_list.PATIENCE_S)
    here.node.publish_one()
    assert here.pull(61)


def test_five_days_away_cost_the_changes_alone(here: KeptList) -> None:
    put(here.ledger, athletes(300))
    assert here.pull()
    first = here.state.current
    put(here.ledger, athletes(5, "New NAME"))
    assert here.pull(5 * 86_400)
    assert here.state.current is not None
    assert first is not None
    assert here.state.current.generation == first.generation
    assert here.found(JANE)[JANE].name == f"New NAME-{FIRST}"
    assert here.found(f"A{FIRST + 299}")


def test_an_unchanged_list_is_confirmed_by_304(here: KeptList) -> None:
    put(here.ledger, athletes(3))
    assert here.pull()
    before = here.state.current
    assert here.pull()
    assert before is not None
    assert before.etag
    assert here.state.current == replace(before, as_of=here.clock.now())


def test_a_void_handle_is_loaded_beside_the_old_list_and_takes_its_place(here: KeptList) -> None:
    put(here.ledger, athletes(250))
    assert here.pull()
    here.ledger.athletes.renew()
    put(here.ledger, [replace(one, name="Other NAME") for one in athletes(150)])
    assert here.pull()
    assert here.found(JANE)[JANE].name == "Other NAME"
    assert here.state.loading is None
    assert here.pull()  # deletes the old one
    with here.node.database.read() as conn:
        assert not copies.has_old(conn, copies.state(conn))


def test_only_athletes_of_the_nodes_events_are_held_when_so_set(sqlite_store: Database, tmp_path: Path) -> None:
    with kept(sqlite_store, tmp_path, athletes="events") as here:
        put(here.ledger, [*athletes(2, home="bushy"), *athletes(2, home="elsewhere", first=50)])
        assert here.pull()
        assert here.found(JANE, "A50").keys() == {JANE}
        assert here.state.current is not None
        assert here.state.current.events == ("bushy", "richmond", "wimbledon")


def test_a_master_without_a_list_is_told_and_asked_seldom(here: KeptList) -> None:
    assert here.pull()
    assert here.state.error == "This master has no list of athletes."
    assert not here.pull(61)
    put(here.ledger, athletes(1))
    assert here.pull(athletes_list.NO_LIST_S)
    assert here.found(JANE)
    assert here.state.error is None


def test_a_list_that_nobody_confirms_for_weeks_is_forgotten(here: KeptList) -> None:
    put(here.ledger, athletes(3))
    assert here.pull()
    here.node.probe(Cause.REFUSED)
    here.clock.advance(here.settings.athletes_keep_weeks * 7 * 86_400 - 70)
    assert not here.pull(1)
    assert here.found(JANE)
    assert here.pull(71)
    assert here.found(JANE) == {}
    with here.node.database.read() as conn:
        assert lookup.as_of(conn) is None


def test_a_list_that_is_weeks_old_is_made_anew_so_that_it_keeps_no_one_whom_the_master_dropped(here: KeptList) -> None:
    put(here.ledger, athletes(3))
    assert here.pull()
    first = here.state.current
    assert first is not None
    weeks = timedelta(weeks=here.settings.athletes_keep_weeks).total_seconds()
    assert here.pull(weeks - 100)
    assert here.state.current is not None
    assert here.state.current.generation == first.generation
    assert here.pull(101)
    assert here.state.current is not None
    assert here.state.current.generation != first.generation


def test_the_room_that_is_left_on_the_disk_is_for_results(sqlite_store: Database, tmp_path: Path) -> None:
    with kept(sqlite_store, tmp_path, disk_low_bytes=2**62) as here:
        put(here.ledger, athletes(3))
        assert here.pull()
        assert here.found(JANE) == {}
        assert here.state.error is not None
        assert "disk" in here.state.error
