"""Two nodes for the teams: accounts, events and tokens of one are copied to the other, and end with the original."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from werkzeug.serving import make_server

from resultsq import doctor
from resultsq.app import people, people_copies
from resultsq.app.context import Transaction
from resultsq.app.people import EventDetails, NewPerson
from resultsq.app.people_copies import OtherSource
from resultsq.delivery import people_sync
from resultsq.delivery.people_sync import NotCopied
from resultsq.doctor import CheckTarget, Level
from resultsq.domain.errors import Conflicting, InputRefused, SettingsError
from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import accounts, events, tokens
from resultsq.store.admin import people_copies as stored
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Audit
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, migrated
from tests.support.passwords import hashed

PASSWORD, OTHER = "correct horse", "battery staple"


class TwoNodes:
    """`source` has the accounts; `copy` is the database of the node that copies them."""

    def __init__(self, copy: Database, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.copy, self.folder = copy, folder
        self.source = migrated(f"sqlite:///{folder / 'source.db'}")
        StoreNode(self.source)
        self.add("joe", PASSWORD, Role.TEAM, "bushy")
        self.add("ann", OTHER, Role.ADMIN)
        self.token_file = folder / "token"
        self.token_file.write_text(self.at_source(lambda tx: people_copies.allow(tx, "relay-2")))

    def at_source(self, do: Callable[[Transaction], Any]) -> Any:
        return self.source.write(lambda conn: do(Transaction(conn, self.clock.now(), "a test")))

    def here(self, do: Callable[[Transaction], Any]) -> Any:
        return self.copy.write(lambda conn: do(Transaction(conn, self.clock.now(), "a test")))

    def add(self, name: str, password: str, role: Role, *slugs: str) -> None:
        self.at_source(lambda tx: people.add_account(tx, NewPerson(name, role, slugs), hashed(password)))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The source's web process, and the settings of the node that copies it."""
        (self.folder / "source").mkdir()
        app = create_app(Settings(data_dir=self.folder / "source"), self.source, clock=self.clock, bell=Bell(""))
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            self.settings = Settings(data_dir=self.folder, people_source=f"{address} {self.token_file}")
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)

    def sync(self, **more: bool) -> people_copies.CopiesTaken:
        return people_sync.sync(self.settings, self.copy, self.clock, **more)

    def logs_in(self, name: str, password: str, database: Database | None = None) -> bool:
        with (database or self.copy).read() as conn:
            return accounts.verify(conn, name, password) is not None

    def knows(self, token: str) -> tokens.Bearer | None:
        with self.copy.read() as conn:
            return tokens.verify(conn, token)

    def salt(self, name: str) -> str:
        with self.copy.read() as conn:
            return next(one.salt for one in accounts.every(conn) if one.name == name)


@pytest.fixture
def two(store: Database, tmp_path: Path) -> Iterator[TwoNodes]:
    made = TwoNodes(store, tmp_path)
    StoreNode(store)
    with closing(made.source), made.serving():
        yield made


def test_a_log_in_and_a_token_of_one_node_are_good_at_the_other(two: TwoNodes) -> None:
    token = two.at_source(lambda tx: people.issue_token(tx, Role.TEAM, "bushy"))
    assert not two.logs_in("joe", PASSWORD)
    assert two.sync().changed
    assert two.logs_in("joe", PASSWORD)
    assert not two.logs_in("joe", OTHER)
    with two.copy.read() as conn:
        joe = accounts.verify(conn, "joe", PASSWORD)
        bushy = events.find(conn, "bushy")
    assert joe is not None
    assert bushy is not None
    assert (joe.role, joe.events, joe.is_copy) == (Role.TEAM, frozenset({bushy.id}), True)
    found = two.knows(token)
    assert found is not None
    assert (found.role, found.event_slug) == (Role.TEAM, "bushy")
    assert two.sync().changed == 0, "nothing is written where nothing changed"


def test_the_end_of_an_account_or_token_at_the_source_ends_the_copy(two: TwoNodes) -> None:
    token, number = two.at_source(lambda tx: tokens.issue_numbered(tx.conn, NOW, "app", Role.VIEWER))
    two.sync()
    two.at_source(lambda tx: people.end_account(tx, "joe"))
    two.at_source(lambda tx: people.revoke_token(tx, number))
    before = two.salt("joe")
    two.sync()
    assert not two.logs_in("joe", PASSWORD)
    assert two.salt("joe") != before, "its sessions ended, too"
    assert two.knows(token) is None
    assert two.logs_in("ann", OTHER)
    two.at_source(lambda tx: people.restore_account(tx, "joe"))
    two.sync()
    assert two.logs_in("joe", PASSWORD)


def test_a_new_password_and_other_events_arrive_and_end_the_sessions(two: TwoNodes) -> None:
    two.sync()
    before = two.salt("joe")
    other = hashed(OTHER)
    two.at_source(lambda tx: people.set_password(tx, "joe", other))
    two.at_source(lambda tx: people.add_event(tx, EventDetails("leafy", "Leafy", "Europe/Paris", language="fr")))
    two.at_source(lambda tx: people.add_account(tx, NewPerson("leo", Role.TEAM, ("leafy",)), other))
    two.sync()
    assert not two.logs_in("joe", PASSWORD)
    assert two.logs_in("joe", OTHER)
    assert two.logs_in("leo", OTHER)
    assert two.salt("joe") != before
    with two.copy.read() as conn:
        leafy = events.find(conn, "leafy")
    assert leafy is not None
    assert (leafy.name, leafy.time_zone, leafy.language, leafy.is_copy) == ("Leafy", "Europe/Paris", "fr", True)


def test_a_log_out_everywhere_at_the_source_is_one_here(two: TwoNodes) -> None:
    two.sync()
    before = two.salt("joe"), two.salt("ann")
    two.at_source(lambda tx: people.end_sessions(tx, "joe"))
    two.sync()
    assert two.salt("joe") != before[0]
    assert two.salt("ann") == before[1], "others stay logged in"


def test_a_copy_is_not_changed_here(two: TwoNodes) -> None:
    token = two.at_source(lambda tx: tokens.issue(tx.conn, NOW, "app", Role.VIEWER))
    two.sync()
    bearer = two.knows(token)
    assert bearer is not None
    other = hashed(OTHER)
    details = EventDetails("bushy", "Mine", "Europe/London")
    with two.copy.read() as conn:
        bushy = events.find(conn, "bushy")
    assert bushy is not None
    changes: list[Callable[[Transaction], object]] = [
        lambda tx: people.end_account(tx, "joe"),
        lambda tx: people.set_password(tx, "joe", other),
        lambda tx: people.make_password_link(tx, "joe"),
        lambda tx: people.set_mail(tx, "joe", "joe@example.org"),
        lambda tx: people.change_event(tx, details),
        lambda tx: people.show_results(tx, "bushy", bushy.id, False),
        lambda tx: people.revoke_token(tx, bearer.id),
    ]
    for change in changes:
        with pytest.raises(Conflicting, match=r"copy from 127\.0\.0\.1"):
            two.here(change)
    assert two.logs_in("joe", PASSWORD)
    two.at_source(lambda tx: people.end_account(tx, "joe"))
    two.sync()
    with pytest.raises(Conflicting):
        two.here(lambda tx: people.restore_account(tx, "joe"))


def test_an_account_of_this_node_is_never_taken_over(two: TwoNodes) -> None:
    mine = hashed("mine and mine alone")
    two.here(lambda tx: people.add_account(tx, NewPerson("ann", Role.VIEWER), mine))
    taken = two.sync()
    assert list(taken.left) == ["ann"]
    assert not two.logs_in("ann", OTHER), "the other node's admin would be one here"
    assert two.logs_in("ann", "mine and mine alone")
    with two.copy.read() as conn:
        assert stored.state(conn).left_names == ["ann"]


def test_what_is_a_copy_is_not_copied_on_and_a_circle_of_two_nodes_has_an_end(two: TwoNodes) -> None:
    two.sync()
    back, _tag = people_copies.listed(two.copy, NOW)
    assert [one.name for one in back.accounts] == []
    assert back.tokens == ()
    assert not any(one.own for one in back.events if one.slug == "bushy")
    taken = people_copies.take_in(two.source, two.clock, back, "the other way")
    assert taken.changed == 0
    with two.source.read() as conn:
        assert not any(one.is_copy for one in events.every(conn)), "each event has one node that changes it"


def test_the_token_that_copies_is_good_for_nothing_else_and_no_other_token_copies(two: TwoNodes) -> None:
    app = create_app(Settings(data_dir=two.folder / "source"), two.source, clock=two.clock, bell=Bell(""))
    client, copier = app.test_client(), two.token_file.read_text()

    def status(path: str, token: str) -> int:
        return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    assert status("/v1/people", copier) == 200
    assert client.get("/v1/people").status_code == 401
    for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.NODE):
        token = two.source.write(partial(tokens.issue, now=NOW, label="x", role=role))
        assert status("/v1/people", token) == 403, role
    for path in ("/api/v1/submissions", "/v1/submissions/00000000-0000-4000-8000-000000000000", "/api/v1/status"):
        assert status(path, copier) in (403, 404), path
    answer = client.get("/v1/people", headers={"Authorization": f"Bearer {copier}"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert copier not in answer.text
    assert tokens.digest(copier) not in answer.text, "the token that copies is not copied"


def test_a_source_that_lost_its_database_ends_no_account_here(two: TwoNodes, tmp_path: Path) -> None:
    two.sync()
    anew = migrated(f"sqlite:///{tmp_path / 'anew.db'}")
    with closing(anew):
        empty, tag = people_copies.listed(anew, NOW)
        assert empty.accounts == ()
        with pytest.raises(OtherSource, match="set up anew"):
            people_copies.take_in(two.copy, two.clock, empty, "relay-1", tag)
        assert two.logs_in("joe", PASSWORD)
        people_copies.take_in(two.copy, two.clock, empty, "relay-1", tag, other_source=True)
    assert not two.logs_in("joe", PASSWORD)


def test_a_node_does_not_copy_itself(two: TwoNodes) -> None:
    own, tag = people_copies.listed(two.source, NOW)
    with pytest.raises(OtherSource, match="own"):
        people_copies.take_in(two.source, two.clock, own, "me", tag)


def test_the_worker_copies_each_minute_and_goes_on_after_a_fault(two: TwoNodes) -> None:
    task = people_sync.periodic_task(two.settings, two.copy, two.clock)
    assert task.due()
    task.do()
    assert two.logs_in("joe", PASSWORD)
    assert not task.due()
    two.clock.advance(61)
    good = two.token_file.read_text()
    two.token_file.write_text("rq_wrong")
    task.do()
    with two.copy.read() as conn:
        assert "401" in (stored.state(conn).error or "")
    assert two.logs_in("joe", PASSWORD), "the copies stay while the source cannot be asked"
    target = CheckTarget(two.settings, two.copy, two.clock)
    assert [one.level for one in doctor.examine(target, parts=["copies"])] == [Level.WARN]
    two.token_file.write_text(good)
    two.at_source(lambda tx: people.end_account(tx, "joe"))
    assert not task.due()
    two.clock.advance(61)
    task.do()
    assert not two.logs_in("joe", PASSWORD)
    assert [one.level for one in doctor.examine(target, parts=["copies"])] == [Level.OK]
    assert not people_sync.periodic_task(Settings(data_dir=two.folder), two.copy, two.clock).due()


def test_more_accounts_than_one_transaction_takes_are_all_copied(
    two: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_copies, "AT_ONCE", 2)
    for number in range(5):
        two.add(f"team {number}", PASSWORD, Role.TEAM, "bushy")
    two.sync()
    with two.copy.read() as conn:
        assert {f"team {n}" for n in range(5)} <= {one.name for one in accounts.every(conn)}
        assert conn.execute(select(Audit.count).where(Audit.action == "copy people")).scalars().all() != []


def test_a_file_carries_them_and_is_sealed_and_signed(two: TwoNodes) -> None:
    key = Fernet.generate_key().decode()
    found, _tag = people_copies.listed(two.source, NOW)
    sealed = people_copies.seal(found, key)
    assert b"joe" not in sealed
    assert b"argon2" not in sealed
    with pytest.raises(InputRefused, match="another key"):
        people_copies.unseal(sealed, Fernet.generate_key().decode())
    with pytest.raises(InputRefused, match="changed on its way"):
        people_copies.unseal(sealed[:40] + b"AAAA" + sealed[44:], key)
    with pytest.raises(SettingsError, match="PEOPLE_KEY"):
        people_copies.unseal(sealed, "")
    taken = people_copies.take_in(two.copy, two.clock, people_copies.unseal(sealed, key), people_copies.FROM_FILE)
    assert taken.changed
    assert two.logs_in("joe", PASSWORD)


def test_an_older_file_does_not_bring_an_ended_account_back(two: TwoNodes) -> None:
    old, _tag = people_copies.listed(two.source, NOW - timedelta(days=1))
    two.at_source(lambda tx: people.end_account(tx, "joe"))
    two.sync()
    with pytest.raises(InputRefused, match="export"):
        people_copies.take_in(two.copy, two.clock, old, people_copies.FROM_FILE)
    assert not two.logs_in("joe", PASSWORD)


def test_copies_become_own_when_the_source_will_not_come_back(two: TwoNodes) -> None:
    two.sync()
    two.here(people_copies.adopt)
    two.here(lambda tx: people.end_account(tx, "joe"))
    assert not two.logs_in("joe", PASSWORD)
    assert two.logs_in("ann", OTHER)
    with two.copy.read() as conn:
        assert stored.state(conn).source == ""


def test_a_source_that_answers_as_something_else_changes_nothing(two: TwoNodes) -> None:
    two.sync()
    wrong = two.settings.model_copy(update={"people_source": two.settings.people_source.replace(" ", "/healthz ")})
    with pytest.raises(NotCopied):
        people_sync.sync(wrong, two.copy, two.clock)
    with pytest.raises(SettingsError):
        people_sync.sync(Settings(data_dir=two.folder), two.copy, two.clock)
    assert two.logs_in("joe", PASSWORD)
