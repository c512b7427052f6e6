"""Events are added one by one and by file, and refused in words."""

from dataclasses import asdict

import pytest

from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.plausible import FIVE_K, PRESETS, Plausible
from resultsq.store.admin import events
from resultsq.store.engine.session import Database
from tests.support.nodes import NOW


def add(database: Database, slug: str = "bushy", name: str = "Bushy", zone: str = "Europe/London") -> int:
    return database.write(lambda conn: events.add(conn, NOW, slug, name, zone, "UK"))


def test_an_event_is_found_with_all_that_was_said_when_it_was_added(database: Database) -> None:
    number = add(database)
    with database.read() as conn:
        found = events.find(conn, "bushy")
        assert found is not None
        assert asdict(found) == {
            "id": number,
            "slug": "bushy",
            "name": "Bushy",
            "time_zone": "Europe/London",
            "country": "UK",
            "shows_results": True,
            "plausible": asdict(FIVE_K),
            "language": None,
            "is_copy": False,
        }
        assert events.find(conn, "busy") is None


@pytest.mark.parametrize(
    ("slug", "name", "zone", "says"),
    [
        ("Bushy", "Bushy", "Europe/London", "lower-case"),
        ("-bushy", "Bushy", "Europe/London", "inner hyphens"),
        ("b" * 64, "Bushy", "Europe/London", "1 to 63"),
        ("bushy/..", "Bushy", "Europe/London", "addresses"),
        ("bushy", "", "Europe/London", "a name"),
        ("bushy", "Bushy", "Europe/Lundon", "is not a time zone"),
        ("bushy", "Bushy", "../../etc/passwd", "is not a time zone"),
        ("taken", "Taken", "Europe/London", "already an event"),
    ],
)
def test_an_event_is_refused_in_words_when_something_is_wrong_with_it(
    database: Database, slug: str, name: str, zone: str, says: str
) -> None:
    add(database, "taken", "Taken")
    with pytest.raises(InputRefused, match=says):
        add(database, slug, name, zone)
    with database.read() as conn:
        assert [event.slug for event in events.every(conn)] == ["taken"]


def test_a_file_of_events_adds_the_new_ones_when_some_are_known(database: Database) -> None:
    add(database)
    rows = [
        {"slug": "bushy", "name": "Another name"},
        {"slug": "albert", "name": "Albert", "timezone": "Australia/Melbourne", "country": "Australia"},
        {"slug": "richmond", "name": "Richmond", "timezone": "", "country": "", "run": "", "fastest": ""},
    ]
    assert database.write(lambda conn: events.import_rows(conn, NOW, rows)) == (2, 1)
    with database.read() as conn:
        assert [(event.slug, event.name, event.time_zone) for event in events.every(conn)] == [
            ("albert", "Albert", "Australia/Melbourne"),
            ("bushy", "Bushy", "Europe/London"),
            ("richmond", "Richmond", "Europe/London"),
        ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"slug": "Not a slug", "name": "x"}, "Line 3: .*No event was added"),
        ({"slug": "x", "name": "x", "timezone": "Mars"}, "Line 3: .*time zone"),
        ({"slug": "x", "title": "x"}, "first line"),
        ({"slug": "x"}, "first line"),
        ({"slug": "x", "name": "x", "langauge": "de"}, "not known here: `langauge`.*`language`"),
        ({"slug": "x", "name": "x", "language": "tlh"}, "Line 3: “tlh” is not a language of these pages: .*de, en"),
        ({"slug": "x", "name": None}, "Line 3: .*a name"),
        ({"slug": "x", "name": "x", "run": "marathon"}, "Line 3: .*5k and junior"),
        ({"slug": "x", "name": "x", "fastest": "ten minutes"}, "Line 3: .*is not a time"),
        ({"slug": "x", "name": "x", "run": "5k", "fastest": "13:00"}, "Line 3: .*must rise"),
    ],
)
def test_a_file_of_events_adds_none_when_one_row_is_bad(database: Database, row: dict[str, str], says: str) -> None:
    with pytest.raises(InputRefused, match=says):
        database.write(lambda conn: events.import_rows(conn, NOW, [{"slug": "a", "name": "A"}, row]))
    with database.read() as conn:
        assert events.every(conn) == []


def test_what_a_run_takes_is_kept_when_it_stands_in_the_list(database: Database) -> None:
    rows = [
        {"slug": "little", "name": "Little", "run": "junior"},
        {"slug": "middle", "name": "Middle", "run": "Junior", "first_to": "35:00", "slowest": "1:30:00"},
        {"slug": "usual", "name": "Usual"},
    ]
    database.write(lambda conn: events.import_rows(conn, NOW, rows))
    with database.read() as conn:
        found = {event.slug: event.plausible for event in events.every(conn)}
    assert found == {
        "little": PRESETS["junior"],
        "middle": Plausible(6 * 60, 35 * 60, 6 * 60, 90 * 60),
        "usual": FIVE_K,
    }


def test_an_event_speaks_the_language_that_stands_in_the_list(database: Database) -> None:
    languages = {"bremen": "de", "belem": "pt-BR", "oslo": "NO", "bushy": ""}
    rows = [{"slug": slug, "name": slug, "language": language} for slug, language in languages.items()]
    database.write(lambda conn: events.import_rows(conn, NOW, rows))
    with database.read() as conn:
        found = {event.slug: event.language for event in events.every(conn)}
    assert found == {"bremen": "de", "belem": "pt_BR", "oslo": "nb", "bushy": None}


def test_what_a_run_takes_stays_when_something_else_is_changed(database: Database) -> None:
    add(database)
    junior = PRESETS["junior"]
    database.write(lambda conn: events.change(conn, "bushy", "Bushy", "Europe/London", "UK", junior))
    before = database.write(lambda conn: events.change(conn, "bushy", "Bushy Park", "Europe/London", "UK"))
    assert before.plausible == junior
    with database.read() as conn:
        assert [(event.name, event.plausible) for event in events.every(conn)] == [("Bushy Park", junior)]


def test_results_are_hidden_when_somebody_says_so(database: Database) -> None:
    number = add(database)
    database.write(lambda conn: events.show_results(conn, number, False))
    with database.read() as conn:
        assert [event.shows_results for event in events.every(conn)] == [False]
    with pytest.raises(NotThere):
        database.write(lambda conn: events.show_results(conn, number + 1, False))
