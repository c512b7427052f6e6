"""Entries of teams' devices and what devices hold, on both databases: the statements, and the indexes they go by."""

import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, insert, select, text

from resultsq.domain.role import Role
from resultsq.store.admin import accounts, device_entries, devices
from resultsq.store.admin.device_entries import OpenEntries, StoredEntry
from resultsq.store.engine.tables import Device, DeviceEntryFile
from tests.integration.store.test_plans import analyse, explain, heard
from tests.support.nodes import DATE, NOW, StoreNode, migrated

FILES = (("watch.csv", b"\x00\xff times"), ("scanner.csv", b""))
LATER = NOW + timedelta(minutes=1)


class Desk:
    """Two teams of one event, and one of another."""

    def __init__(self, node: StoreNode) -> None:
        self.node = node
        people = {"joe": "bushy", "ann": "bushy", "kim": "richmond"}

        def work(conn: Connection) -> dict[str, int]:
            return {name: accounts.add(conn, NOW, name, "x", Role.TEAM, [event]) for name, event in people.items()}

        self.ids = node.database.write(work)

    def entry(self, who: str = "joe", event: str = "bushy", minutes: int = 0) -> StoredEntry:
        received_at = NOW + timedelta(minutes=minutes)
        id_ = str(uuid.uuid4())
        return StoredEntry(id_, self.node.events[event], self.ids[who], DATE, "digest", received_at, ["A reason."])

    def add(self, entry: StoredEntry) -> StoredEntry:
        self.node.database.write(lambda conn: device_entries.add(conn, entry, FILES))
        return entry


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    with closing(migrated(store_url)) as database:
        yield Desk(StoreNode(database))


def test_an_entry_comes_back_as_it_was_stored_until_its_team_has_opened_it(desk: Desk) -> None:
    second, first = desk.add(desk.entry(minutes=5)), desk.add(desk.entry())
    others, elsewhere = desk.add(desk.entry("ann")), desk.add(desk.entry("kim", "richmond"))
    bushy, joe = desk.node.events["bushy"], desk.ids["joe"]
    with desk.node.database.read() as conn:
        assert device_entries.find(conn, first.id) == first
        assert device_entries.waiting(conn, bushy, joe, 9) == [first, second]
        assert device_entries.of_account(conn, joe, [first.id, others.id, elsewhere.id]) == [first]
        assert device_entries.open_of_event(conn, bushy) == OpenEntries(3, 3 * len(FILES[0][1]))
        assert device_entries.files(conn, first.id) == list(FILES)
    desk.node.database.write(lambda conn: device_entries.finish(conn, LATER, first.id))
    with desk.node.database.read() as conn:
        assert device_entries.find(conn, first.id) == replace(first, done_at=LATER)
        assert device_entries.files(conn, first.id) == []
        assert device_entries.waiting(conn, bushy, joe, 9) == [second]
    desk.node.database.write(lambda conn: device_entries.prune(conn, LATER))
    with desk.node.database.read() as conn:
        assert [device_entries.find(conn, one.id) for one in (first, second)] == [None, second]
        assert conn.execute(select(func.count()).select_from(DeviceEntryFile)).scalar_one() == len(FILES), (
            "of one entry"
        )


def test_what_devices_hold_is_the_sum_of_those_that_hold_something(desk: Desk) -> None:
    phone, tablet = str(uuid.uuid4()), str(uuid.uuid4())
    write = desk.node.database.write
    write(lambda conn: devices.report(conn, NOW, phone, 2, DATE))
    write(lambda conn: devices.report(conn, LATER, tablet, 1, DATE))
    write(lambda conn: devices.report(conn, LATER, tablet, 3, DATE))
    with desk.node.database.read() as conn:
        assert devices.held(conn, LATER) == devices.HeldByDevices(2, 5, LATER, 0)
        assert devices.held(conn, NOW + timedelta(hours=1)).silent == 1
    write(lambda conn: devices.report(conn, LATER, phone, 0, ""))
    with desk.node.database.read() as conn:
        assert devices.held(conn, LATER).results == 3


def test_the_device_that_was_heard_longest_ago_is_forgotten_when_there_are_too_many(desk: Desk) -> None:
    given = {"holds": 1, "day": DATE}
    rows = [{"id": f"d{n}", "heard_at": NOW + timedelta(seconds=n), **given} for n in range(devices.MOST)]
    desk.node.database.write(lambda conn: conn.execute(insert(Device), rows))
    desk.node.database.write(lambda conn: devices.report(conn, LATER, "new", 1, DATE))
    with desk.node.database.read() as conn:
        assert [devices.is_known(conn, one) for one in ("d0", "d1", "new")] == [False, True, True]


def test_entries_are_found_by_an_index_among_10_000_that_are_done(desk: Desk) -> None:
    event, joe = desk.node.events["bushy"], desk.ids["joe"]
    there = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO device_entries"
        " (id, event_id, account_id, date, digest, size, received_at, reasons, done_at)"
        f" SELECT 'd' || i, {event}, {joe}, '{DATE}', 'd', 1, '2013-12-01 12:00:00', '[]', '2013-12-01 12:00:00' FROM n"
    )
    desk.node.database.write(lambda conn: conn.execute(text(there)))
    one = desk.add(desk.entry())
    analyse(desk.node.database)

    def work(conn: Connection) -> None:
        device_entries.find(conn, one.id)
        device_entries.of_account(conn, joe, [one.id])
        device_entries.waiting(conn, event, joe, 9)
        device_entries.open_of_event(conn, event)
        device_entries.files(conn, one.id)
        device_entries.finish(conn, LATER, one.id)

    with heard(desk.node.database, "device_entries|device_entry_files") as statements:
        desk.node.database.write(work)
    assert len(statements) == 7
    for statement in statements:
        how = "EXPLAIN QUERY PLAN" if desk.node.database.is_sqlite else "EXPLAIN"
        plan = "\n".join(explain(desk.node.database, statement, how))
        assert not re.search(r"SCAN device_entries\b(?! USING)|Seq Scan on device_entries\b", plan), plan
