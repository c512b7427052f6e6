"""Two writers of a submission's row: whatever the order of their statements is, the end is one that they reach one
after the other, and keeps every promise. `python -m tests.races --all` walks all writers in all states."""

from collections.abc import Iterator

import pytest

from resultsq.store.engine.session import Database
from tests.races.explorer import Explorer
from tests.races.footprint import footprint
from tests.races.pairs import NO_RACE_ON_SQLITE, PAIRS, Pair, find_planted, walk, without_transaction
from tests.races.report import PAGE
from tests.races.stage import stage

each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name.replace(" × ", "-and-"))


@pytest.fixture
def postgresql_walk(postgres_store: Database) -> Iterator[Explorer]:
    with stage(postgres_store) as made, Explorer(made).listening() as explorer:
        yield explorer


@pytest.fixture
def sqlite_walk(sqlite_store: Database) -> Iterator[Explorer]:
    """Two processes at one file."""
    other = Database(str(sqlite_store.url))
    with stage(sqlite_store, other) as made, Explorer(made).listening() as explorer:
        yield explorer
    other.close()


@each_pair
def test_two_writers_end_as_one_after_the_other(postgresql_walk: Explorer, pair: Pair) -> None:
    walked = walk(postgresql_walk, pair)
    assert walked.broken == []
    assert walked.schedules >= 2 * len(pair.found)
    found = find_planted(postgresql_walk, pair, pair.planted)
    assert found.broken, f"the planted race was not found in {found.schedules} schedules: {pair.planted.words}"


@each_pair
def test_two_writers_on_sqlite_take_turns(sqlite_walk: Explorer, pair: Pair) -> None:
    walked = walk(sqlite_walk, pair)
    assert walked.broken == []
    assert walked.waited == walked.schedules == 2 * len(pair.found), "one is under way when the other one begins"
    if (pair.first, pair.second) not in NO_RACE_ON_SQLITE:
        found = find_planted(sqlite_walk, pair, without_transaction(pair.planted))
        assert found.broken, f"the planted race was not found in {found.schedules} schedules: {pair.planted.words}"


def test_the_page_tells_of_each_pair() -> None:
    told = PAGE.read_text()
    assert [pair.name for pair in PAIRS if f"| {pair.name} |" not in told] == [], "python -m tests.races --all --write"


@pytest.mark.parametrize(
    ("statement", "mentioned", "written"),
    [
        ("SELECT submissions.seq FROM submissions", {"submissions"}, set()),
        ("SELECT chains.id FROM chains ORDER BY chains.id FOR UPDATE", {"chains"}, {"chains"}),
        (
            "SELECT 1 FROM submissions JOIN events ON true FOR UPDATE OF submissions SKIP LOCKED",
            {"submissions", "events"},
            {"submissions"},
        ),
        ("UPDATE links SET turns=1", {"links"}, {"links"}),
    ],
)
def test_what_a_statement_touches_is_read_from_its_text(statement: str, mentioned: set[str], written: set[str]) -> None:
    found = footprint(statement)
    assert (mentioned <= found.mentioned, set(found.written) - mentioned, written <= found.written) == (
        True,
        set(),
        True,
    )
    assert found.written >= written
