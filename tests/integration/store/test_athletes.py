"""The copy of the list of athletes: whole or not in use, looked up in one statement, deleted in small pieces."""

import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from resultsq.domain.athletes import Athlete, likely_misread
from resultsq.store.athletes import bulk, copies, lookup, rows
from resultsq.store.athletes.copies import LeaseLost, Place
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import AthleteMail, AthleteName, AthleteRow
from tests.integration.store.test_plans import analyse, explain, heard
from tests.support.athletes import FIRST, athletes, load
from tests.support.nodes import NOW

FIRST_NUMBER = f"A{FIRST}"
_WHOLE = re.compile(r"SCAN athlete(s|_names|_mails)\b(?!_)|Seq Scan on athlete(s|_names|_mails)\b(?!_)")
LAST_NUMBER = f"A{FIRST + 599}"


def count(database: Database, table: Any = AthleteRow) -> int:
    with database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def hashed(n: int) -> bytes:
    return hashlib.blake2b(str(n).encode(), digest_size=16).digest()


def found(database: Database, *numbers: str) -> dict[str, Athlete]:
    with database.read() as conn:
        return lookup.by_number(conn, numbers)


def test_nothing_is_known_and_nothing_fails_when_there_is_no_list(store: Database) -> None:
    with store.read() as conn:
        assert lookup.as_of(conn) is None
        assert lookup.by_number(conn, [FIRST_NUMBER]) == {}
        assert lookup.by_name(conn, "smith", ["bushy"]) == []
        assert copies.state(conn) == copies.NOTHING


def test_a_list_is_looked_up_only_when_all_of_it_is_there(store: Database) -> None:
    store.write(lambda conn: copies.take_lease(conn, NOW, "w"))
    copy = store.write(lambda conn: copies.begin(conn, NOW, copies.FEED, ["bushy"]))
    store.write(lambda conn: rows.put(conn, copy.generation, athletes(400)))
    copy = store.write(lambda conn: copies.advance(conn, copy, Place("h", "400")))
    assert found(store, FIRST_NUMBER) == {}
    store.write(lambda conn: rows.put(conn, copy.generation, athletes(200, first=FIRST + 400)))
    store.write(lambda conn: copies.advance(conn, copy, Place("h", "600", '"tag"'), NOW))
    assert found(store, FIRST_NUMBER, LAST_NUMBER, "A5").keys() == {FIRST_NUMBER, LAST_NUMBER}
    with store.read() as conn:
        assert lookup.as_of(conn) == NOW
        state = copies.state(conn)
    assert state.loading is None
    assert state.current is not None
    assert (state.current.after, state.current.etag, state.current.events) == ("600", '"tag"', ("bushy",))


def test_a_family_is_found_by_the_hash_of_its_address(store: Database) -> None:
    shared = bytes(range(16))
    family = [replace(one, mail=shared) for one in athletes(12)]
    load(store, [*family, *athletes(3, first=FIRST + 12), Athlete("A5", None)], NOW)
    with store.read() as conn:
        found = lookup.by_mail(conn, shared)
        assert [one.number for one in found] == [f"A{n}" for n in range(FIRST, FIRST + lookup.MOST_NAMED)]
        assert lookup.by_mail(conn, bytes(16)) == []
        generation = conn.execute(select(AthleteRow.generation).limit(1)).scalar_one()
    left = [replace(family[0], mail=bytes(16)), replace(family[1], mail=None), Athlete(family[2].number, None)]
    store.write(lambda conn: rows.put(conn, generation, left))
    with store.read() as conn:
        assert [one.number for one in lookup.by_mail(conn, bytes(16))] == [FIRST_NUMBER]
        assert [one.number for one in lookup.by_mail(conn, shared)] == [f"A{n}" for n in range(FIRST + 3, FIRST + 11)]


def test_a_later_line_replaces_the_earlier_one_and_a_tombstone_keeps_no_name(store: Database) -> None:
    old, new = Athlete("A7", "Old NAME", "Club", "bushy", 3, bytes(16)), Athlete("A7", "New NAME", None, None, 4)
    load(store, [old, new, Athlete("A8", "Jane SMITH", "Club", "bushy", 3, bytes(16))], NOW)
    assert found(store, "A7") == {"A7": new}
    with store.read() as conn:
        state = copies.state(conn)
    assert state.current is not None
    generation = state.current.generation
    store.write(lambda conn: rows.put(conn, generation, [Athlete("A8", None)]))
    assert found(store, "A8") == {"A8": Athlete("A8", None)}
    with store.read() as conn:
        left = conn.execute(select(AthleteRow).where(AthleteRow.number == 8)).one()
        assert (left.name, left.club, left.mail, left.runs) == (None, None, None, 0)
        for table in (AthleteName, AthleteMail):
            assert not conn.execute(select(table).where(table.number == 8)).all()
        assert lookup.held(conn) == lookup.Held(athletes=1, retired=1)


def test_look_ups_never_fail_and_never_see_half_while_another_list_takes_its_place(store: Database) -> None:
    load(store, athletes(600, "Old NAME"), NOW)
    numbers = [one.number for one in athletes(600)][::3]
    seen: list[set[str]] = []
    trouble: list[BaseException] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            try:
                with store.read() as conn:
                    seen.append({(one.name or "")[:3] for one in lookup.by_number(conn, numbers).values()})
                    assert lookup.by_name(conn, "name", ["bushy"])
            except BaseException as error:
                trouble.append(error)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(2):
            load(store, athletes(600, "New NAME"), NOW)
            while store.write(rows.delete_some):
                continue
            load(store, athletes(600, "Old NAME"), NOW)
            while store.write(rows.delete_some):
                continue
    finally:
        ended.set()
        looker.join(10)
    assert not trouble, trouble[0]
    assert {frozenset(one) for one in seen} <= {frozenset({"Old"}), frozenset({"New"})}
    assert count(store) == 600


def test_an_old_list_is_deleted_in_small_pieces(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", 500)
    load(store, [replace(one, mail=hashed(n)) for n, one in enumerate(athletes(1200))], NOW)
    load(store, athletes(1), NOW)
    pieces = []
    with store.read() as conn:
        assert copies.has_old(conn, copies.state(conn))
    while piece := store.write(rows.delete_some):
        pieces.append(piece)
    assert max(pieces) <= rows.AT_ONCE
    assert (count(store), count(store, AthleteName), count(store, AthleteMail)) == (1, 1, 0)
    with store.read() as conn:
        assert not copies.has_old(conn, copies.state(conn))


def test_many_lines_are_written_in_short_transactions_and_names_follow_their_athletes(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", 100)
    load(store, [replace(one, mail=hashed(n)) for n, one in enumerate(reversed(athletes(250)))], NOW)
    with store.read() as conn:
        state = copies.state(conn)
    assert state.current is not None
    generation = state.current.generation
    changed = [
        replace(one, name=f"Eva BROWN-{n}", home_event="richmond", mail=hashed(n))
        for n, one in enumerate(athletes(120))
    ]
    gone = [Athlete(one.number, None) for one in athletes(30, first=FIRST + 120)]
    for _ in range(2):  # a process that died midway writes them again
        written = list(rows.pieces(generation, [*changed, *gone]))
        for piece in written:
            store.write(piece)
        assert len(written) == 6
    assert (count(store), count(store, AthleteName), count(store, AthleteMail)) == (250, 220, 220)
    with store.read() as conn:
        assert [one.number for one in lookup.by_mail(conn, hashed(99))] == [f"A{FIRST + 99}", f"A{FIRST + 150}"]
        assert [one.number for one in lookup.by_mail(conn, hashed(119))] == [f"A{FIRST + 119}"]
        assert [one.name for one in lookup.by_name(conn, "brown-77 eva", [])] == ["Eva BROWN-77"]
        assert lookup.by_name(conn, f"smith-{FIRST}", []) == []
        assert lookup.by_name(conn, f"smith-{FIRST + 249}", []) != []
        assert lookup.by_name(conn, f"smith-{FIRST + 149}", []) == []


def test_no_line_that_is_there_is_copied_for_the_servers_log_would_have_a_persons_name(
    postgres_store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", 100)
    monkeypatch.setattr(rows, "WIDER", 1)
    copied: list[tuple[Any, ...]] = []
    copy = bulk.copy

    def heard_copy(conn: Connection, table: Any, some: Any) -> None:
        copied.extend((table, *row) for row in some)
        copy(conn, table, some)

    monkeypatch.setattr(bulk, "copy", heard_copy)
    postgres_store.write(lambda conn: copies.take_lease(conn, NOW, "w"))
    generation = postgres_store.write(lambda conn: copies.begin(conn, NOW, copies.FEED)).generation
    lines = [replace(one, mail=hashed(n)) for n, one in enumerate(athletes(250))]
    some = list(rows.pieces(generation, lines))
    for piece in some[:4]:  # the process dies before the last names
        postgres_store.write(piece)
    more = [*lines, *athletes(50, first=FIRST + 250)]
    for _ in range(2):
        rows.write_all(postgres_store.write, generation, more, alone=False)
    assert len(copied) == len(set(copied)) == 250 + 100 + 50 + 50
    assert (count(postgres_store), count(postgres_store, AthleteName), count(postgres_store, AthleteMail)) == (
        300, 300, 250,
    )  # fmt: skip


def test_what_a_copy_meets_is_an_error_as_any_other(postgres_store: Database) -> None:
    row = (1, 8, "Eva\0", None, 1, 3, bytes(16))
    with pytest.raises(DBAPIError) as caught:
        postgres_store.write(lambda conn: bulk.copy(conn, AthleteRow, [row]))
    assert "Eva" not in str(caught.value)
    assert count(postgres_store) == 0
    postgres_store.write(lambda conn: bulk.copy(conn, AthleteRow, [(*row[:2], "Eva", *row[3:])]))
    with postgres_store.read() as conn:
        written: tuple[Any, ...] = tuple(conn.execute(select(AthleteRow)).one())
    assert written == (*row[:2], "Eva", *row[3:])


def test_other_writers_have_their_turn_between_two_transactions_of_a_load(
    sqlite_store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", 100)
    sqlite_store.write(lambda conn: copies.take_lease(conn, NOW, "w"))
    copy = sqlite_store.write(lambda conn: copies.begin(conn, NOW, copies.FEED))
    begun, ended = [], []

    def write(piece: rows.Piece) -> None:
        begun.append(time.monotonic())
        sqlite_store.write(piece)
        ended.append(time.monotonic())

    rows.write_all(write, copy.generation, athletes(400), alone=True)
    pauses = [after - before for before, after in zip(ended, begun[1:], strict=False)]
    assert len(pauses) == 7
    assert min(pauses) >= rows.PAUSE_S


def test_a_list_that_nobody_confirms_is_forgotten(store: Database) -> None:
    load(store, athletes(3), NOW)
    assert not store.write(lambda conn: copies.forget(conn, NOW))
    assert found(store, FIRST_NUMBER)
    assert store.write(lambda conn: copies.forget(conn, NOW + timedelta(seconds=1)))
    assert not found(store, FIRST_NUMBER)
    while store.write(rows.delete_some):
        continue
    assert count(store) == 0


def test_one_process_loads_at_a_time_and_one_that_is_silent_loses_its_turn(store: Database) -> None:
    assert store.write(lambda conn: copies.take_lease(conn, NOW, "one"))
    assert store.write(lambda conn: copies.take_lease(conn, NOW, "one"))
    assert not store.write(lambda conn: copies.take_lease(conn, NOW, "other"))
    later = NOW + timedelta(seconds=copies.LEASE_S + 1)
    assert store.write(lambda conn: copies.take_lease(conn, later, "other"))
    with pytest.raises(LeaseLost):
        store.write(lambda conn: copies.renew_lease(conn, later, "one"))
    store.write(lambda conn: copies.give_lease_back(conn, later, "one", 60.0, "late"))
    with store.read() as conn:
        assert copies.state(conn).leased_by == "other"


def test_a_name_finds_athletes_of_the_own_event_first(store: Database) -> None:
    people = {
        "A1": ("Jane SMITH", "richmond"),
        "A2": ("Zoë SMITHERS", "bushy"),
        "A3": ("Jané Ann SMITH", "bushy"),
        "A4": ("Tom BROWN", "bushy"),
        "A5": ("Smith JONES", None),
        "A6": ("Ann SMITH", None),
    }
    load(store, [Athlete(number, name, None, home, 1) for number, (name, home) in people.items()], NOW)

    def named(typed: str) -> list[str]:
        with store.read() as conn:
            return [one.number for one in lookup.by_name(conn, typed, ["bushy"])]

    assert named("smith") == ["A3", "A2", "A6", "A1"]
    assert named("Jane Smith") == ["A3", "A1"]
    assert named("smith jane") == ["A3", "A1"]
    assert named("zoe smi") == ["A2"]
    assert named("Smith Jones") == ["A5"]
    assert named("sm") == named("%%%") == named("nobody") == []


def test_a_list_of_an_older_version_is_found_by_name_after_the_upgrade(sqlite_store: Database) -> None:
    load(sqlite_store, [*(replace(one, mail=hashed(1)) for one in athletes(3)), Athlete("A9", None)], NOW)
    migrate.downgrade(sqlite_store, "0026")
    with sqlite_store.read() as conn:
        kept = conn.exec_driver_sql("SELECT sought FROM athletes ORDER BY number").scalars().all()
    assert kept == [None, *(f"smith-{FIRST + n} jane" for n in range(3))]
    migrate.upgrade(sqlite_store)
    with sqlite_store.read() as conn:
        assert [one.number for one in lookup.by_name(conn, f"jane smith-{FIRST}", [])] == [FIRST_NUMBER]
        assert len(lookup.by_mail(conn, hashed(1))) == 3
    assert (count(sqlite_store), count(sqlite_store, AthleteName), count(sqlite_store, AthleteMail)) == (4, 3, 3)


def test_who_is_at_home_is_found_alike_whether_the_home_event_or_the_numbers_are_few(store: Database) -> None:
    load(store, [*athletes(100), *athletes(3, home="richmond", first=50), Athlete("A9", None, None, "richmond")], NOW)
    few = {50, 9, FIRST, 77}
    many = few | set(range(5000, 5100))
    with store.read() as conn:
        for asked in (few, many):
            assert [one.number for one in lookup.at_home(conn, asked, "richmond")] == ["A50"]
            assert [one.number for one in lookup.at_home(conn, asked, "bushy")] == [FIRST_NUMBER]
        assert lookup.at_home(conn, set(), "bushy") == lookup.at_home(conn, many, "nowhere") == []


@pytest.mark.parametrize("number", ["A0", "B12", "A", "A12x", f"A1{'0' * 18}"])
def test_what_no_list_can_hold_is_not_found(store: Database, number: str) -> None:
    load(store, athletes(2), NOW)
    assert found(store, number) == {}


def _filled(store: Database) -> None:
    homes = ["richmond", "bushy", *(f"home-{n}" for n in range(38))]
    people = range(10_000, 30_000)
    load(store, [Athlete(f"A{n}", f"Jane SMITH{n}", None, homes[n % 40], 1, n.to_bytes(16)) for n in people], NOW)
    analyse(store)


def test_each_statement_goes_by_an_index_however_long_the_list_is(store: Database) -> None:
    _filled(store)
    with store.read() as conn:
        state = copies.state(conn)
    assert state.current is not None
    generation = state.current.generation
    asked = [f"A{n}" for n in range(10_000, 10_250)]
    candidates = likely_misread(10_000) | likely_misread(10_001)
    reads: list[Callable[[Connection], object]] = [
        lambda conn: lookup.by_number(conn, asked),
        lambda conn: lookup.at_home(conn, candidates, "bushy"),
        lambda conn: lookup.by_name(conn, "smith1000", []),
        lambda conn: lookup.by_name(conn, "smith1000", ["bushy"]),
        lambda conn: lookup.by_mail(conn, (10_000).to_bytes(16)),
    ]
    writes: list[Callable[[Connection], object]] = [
        lambda conn: rows.put(conn, generation, athletes(10)),
        lambda conn: rows.put(conn, generation, athletes(10, "Eva BROWN")),
        lambda conn: copies.forget(conn, NOW + timedelta(days=1)),
        rows.delete_some,
        lambda conn: [rows.delete_some(conn) for _ in range(20)],
    ]
    with heard(store, "athletes") as statements:
        with store.read() as conn:
            assert all(read(conn) for read in reads)
        for write in writes:
            store.write(write)
    assert len(statements) >= len(reads) + 6
    for statement in statements:
        plan = explain(store, statement, "EXPLAIN QUERY PLAN" if store.is_sqlite else "EXPLAIN")
        assert not [line for line in plan if _WHOLE.search(line)], plan
