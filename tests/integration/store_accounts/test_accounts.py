"""Accounts: who logs in, with what, and until when."""

import statistics
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, events
from resultsq.store.admin.accounts import AccountView
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Account as AccountTable
from resultsq.store.engine.tables import PasswordLink
from tests.support.nodes import NOW
from tests.support.passwords import hashed

PASSWORD = "wet hands, no patience"
HASHED = hashed(PASSWORD)


@pytest.fixture
def bushy(database: Database) -> int:
    return database.write(lambda conn: events.add(conn, NOW, "bushy", "Bushy", "Europe/London"))


def add(
    database: Database,
    name: str = "jo",
    role: Role = Role.TEAM,
    slugs: tuple[str, ...] = ("bushy",),
    stored: str = HASHED,
) -> int:
    return database.write(lambda conn: accounts.add(conn, NOW, name, stored, role, slugs))


def verify(database: Database, name: str, password: str) -> AccountView | None:
    with database.read() as conn:
        return accounts.verify(conn, name, password)


def test_an_account_is_let_in_with_its_own_password_only_when_it_asks(database: Database, bushy: int) -> None:
    number = add(database)
    found = verify(database, "jo", PASSWORD)
    assert found is not None
    assert (found.id, found.name, found.role, found.events) == (number, "jo", Role.TEAM, frozenset({bushy}))
    assert verify(database, "jo", PASSWORD + " ") is None
    assert verify(database, "jo", "") is None
    assert verify(database, "joe", PASSWORD) is None


def test_the_store_keeps_no_password_when_an_account_is_added(database: Database, bushy: int) -> None:
    add(database, stored=accounts.hash_password(PASSWORD))
    with database.read() as conn:
        kept = conn.execute(select(AccountTable.password_hash)).scalar_one()
    assert PASSWORD not in kept
    assert kept.startswith("$argon2id$")


def test_an_unknown_name_takes_as_long_as_a_wrong_password_when_it_is_tried(database: Database, bushy: int) -> None:
    add(database, stored=accounts.hash_password(PASSWORD))

    def took(name: str) -> float:
        began = time.perf_counter()
        assert verify(database, name, "wrong password") is None
        return time.perf_counter() - began

    known, unknown = zip(*((took("jo"), took("nobody")) for _ in range(3)), strict=True)
    assert statistics.median(unknown) > statistics.median(known) / 3


def test_no_transaction_is_open_when_a_password_is_being_hashed(database: Database, bushy: int) -> None:
    add(database)
    with database.read() as conn:
        accounts.verify(conn, "jo", PASSWORD)
        assert not conn.in_transaction()


def test_an_account_comes_no_more_when_it_was_disabled(database: Database, bushy: int) -> None:
    number = add(database)
    database.write(lambda conn: accounts.disable(conn, NOW, "jo"))
    assert verify(database, "jo", PASSWORD) is None
    with database.read() as conn:
        assert accounts.load(conn, number) is None
        assert [account.disabled_at for account in accounts.every(conn)] == [NOW]


def test_older_sessions_end_when_the_password_changes(database: Database, bushy: int) -> None:
    number = add(database)
    with database.read() as conn:
        before = accounts.load(conn, number)
    new = hashed("another password")
    database.write(lambda conn: accounts.set_password(conn, "jo", new))
    after = verify(database, "jo", "another password")
    assert before is not None
    assert after is not None
    assert before.salt != after.salt
    assert verify(database, "jo", PASSWORD) is None


@pytest.mark.parametrize(
    ("name", "role", "slugs", "says"),
    [
        ("", Role.ADMIN, (), "1 to 100"),
        (" jo", Role.ADMIN, (), "no space before or after"),
        ("j\no", Role.ADMIN, (), "1 to 100"),
        ("jo", Role.TEAM, (), "at least one event"),
        ("jo", Role.VIEWER, ("bushy",), "sees all events"),
        ("taken", Role.ADMIN, (), "already an account"),
    ],
)
def test_an_account_is_refused_when_it_makes_no_sense(
    database: Database, bushy: int, name: str, role: Role, slugs: tuple[str, ...], says: str
) -> None:
    add(database, "taken")
    with pytest.raises(InputRefused, match=says):
        add(database, name, role, slugs)
    with database.read() as conn:
        assert [account.name for account in accounts.every(conn)] == ["taken"]


def test_an_account_is_refused_when_its_event_is_not_there(database: Database, bushy: int) -> None:
    with pytest.raises(NotThere, match="bushi"):
        add(database, slugs=("bushy", "bushi"))
    with database.read() as conn:
        assert accounts.every(conn) == []


@pytest.mark.parametrize("password", ["", "1234567", "x" * 201])
def test_a_password_is_refused_when_it_is_too_short_or_too_long(password: str) -> None:
    with pytest.raises(InputRefused, match="8 to 200"):
        accounts.hash_password(password)


def test_a_team_sees_its_own_events_and_others_see_all_when_they_ask(database: Database, bushy: int) -> None:
    add(database, "team")
    add(database, "viewer", Role.VIEWER, ())
    with database.read() as conn:
        seen = {account.name: account for account in accounts.every(conn)}
    assert accounts.may_see(seen["team"], bushy)
    assert not accounts.may_see(seen["team"], bushy + 1)
    assert accounts.may_see(seen["viewer"], bushy + 1)


def test_a_link_sets_a_password_once_when_it_is_used(database: Database, bushy: int) -> None:
    add(database)
    secret = database.write(lambda conn: accounts.make_password_link(conn, NOW, "jo"))
    other = database.write(lambda conn: accounts.make_password_link(conn, NOW, "jo"))
    new = hashed("another password")
    later = NOW + timedelta(hours=23)
    assert database.write(lambda conn: accounts.use_password_link(conn, later, secret, new)) == "jo"
    assert verify(database, "jo", "another password") is not None
    for used in (secret, other):
        with pytest.raises(NotThere, match="has expired or was already used"):
            database.write(lambda conn, used=used: accounts.use_password_link(conn, later, used, HASHED))  # type: ignore[misc]


def test_a_link_is_good_no_more_when_a_day_has_passed(database: Database, bushy: int) -> None:
    add(database)
    secret = database.write(lambda conn: accounts.make_password_link(conn, NOW, "jo"))
    with database.read() as conn:
        assert secret not in conn.execute(select(PasswordLink.hash)).scalars().all()
    with pytest.raises(NotThere):
        database.write(lambda conn: accounts.use_password_link(conn, NOW + timedelta(hours=24), secret, HASHED))
    with pytest.raises(NotThere):
        database.write(lambda conn: accounts.use_password_link(conn, NOW, "made up", HASHED))


def test_nothing_is_changed_when_there_is_no_such_account(database: Database) -> None:
    with pytest.raises(NotThere):
        database.write(lambda conn: accounts.set_password(conn, "jo", HASHED))
    with pytest.raises(NotThere):
        database.write(lambda conn: accounts.disable(conn, NOW, "jo"))
    with pytest.raises(NotThere):
        database.write(lambda conn: accounts.make_password_link(conn, NOW, "jo"))
