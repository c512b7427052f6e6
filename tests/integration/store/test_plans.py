"""A turn costs the same however many wait: it reads a few rows of one index, and never the table. And the dashboard
reads what it shows by an index, however much there is."""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text, update

from resultsq.delivery import sender
from resultsq.domain.destinations import MAIL
from resultsq.domain.dispatch_plan import Queue
from resultsq.domain.filter import Filter
from resultsq.domain.outcome import Cause
from resultsq.domain.role import Role
from resultsq.domain.sheet import digest
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import accounts, action_runner, actions, alerts, drafts, holding, quotas
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import DraftRow, Link
from resultsq.store.outbox import at_once, cycle, digests, handovers, links, prober_turns, repairs, slips
from resultsq.store.outbox.candidates import EPOCHS_AT_ONCE
from resultsq.store.views import (
    chart_points,
    error_groups,
    listing,
    outages,
    overview_data,
    queries,
    recent,
    relays,
    slip_lines,
    state_counts,
    submission_detail,
    versions,
)
from resultsq.store.views.chart_points import Span
from resultsq.store.views.listing import Order
from resultsq.watch import messenger
from tests.bench import dashboard
from tests.support.manual_clock import ManualClock
from tests.support.nodes import CEILING, DATE, NOW, StoreNode, accepted, migrated

Statement = tuple[str, Any]

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) INSERT INTO "
_FILL = (
    "chains (id, kind, event_id, date, versions) SELECT i, 'results', {event}, CAST(i AS text), 1 FROM n",
    "submissions (seq, id, kind, chain_id, event_id, date, version, state, state_at, digest, rows_digest, size,"
    " finishers, finishers_digest,"
    " submitted_by, accepted_at, request_id, blocked, wait_s, attempts, failures, silences, in_doubt, lease_s,"
    " next_attempt_at, epoch, round, lane)"
    " SELECT i, 'id-' || i, 'results', i, {event}, '2013-12-07', 1, 'queued', :now, :digest, 'r', 2, 1, 'f' || i,"
    " 't', :now, '', false, 60.0, 0, 0, 0, false, 0.0,"
    " CASE WHEN i % 100 = 0 THEN :due WHEN i % 50 = 0 THEN :soon END,"
    " CASE WHEN i <= {last} / 2 THEN 0 ELSE 1 END, i, '{event} results' FROM n",
    "payloads (seq, body) SELECT i, :body FROM n",
)


def fill(node: StoreNode, last: int, first: int = 1) -> None:
    """So many that wait, one in a hundred put off and due again, one for half a minute: not the long way, by accept."""
    numbers = {"first": first, "last": last, "event": node.events["bushy"]}
    asked: dict[str, Any] = {
        "now": NOW.replace(tzinfo=None),
        "due": NOW - timedelta(seconds=1),
        "soon": NOW + timedelta(seconds=30),
        "body": b"{}",
        "digest": digest(b"{}"),
    }
    if node.database.is_sqlite:
        asked |= {name: f"{asked[name]:%Y-%m-%d %H:%M:%S.%f}" for name in ("now", "due", "soon")}

    def work(conn: Connection) -> None:
        if not node.database.is_sqlite:
            conn.execute(text("SET LOCAL statement_timeout = 0"))  # the product's is for its own statements
        for table in _FILL:
            conn.execute(text((_NUMBERS + table).format(**numbers)), asked)
        if not node.database.is_sqlite:
            for column in ("chains', 'id", "submissions', 'seq"):
                conn.execute(text(f"SELECT setval(pg_get_serial_sequence('{column}'), {last})"))
        conn.execute(
            update(Link).values(
                window=CEILING, opened_at=NOW - timedelta(hours=1), return_seq=last // 2, turns=0, round=last // 2
            )
        )

    node.database.write(work)
    analyse(node.database)


def analyse(database: Database) -> None:
    """Tell the planner how much there is."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")


@pytest.fixture
def up(store_url: str) -> Iterator[StoreNode]:
    """A node whose link is up, on a database of its own: to empty one of so many rows takes longer."""
    database = migrated(store_url)
    node = StoreNode(database)
    node.probe()
    yield node
    database.close()


@contextmanager
def heard(database: Database, tables: str = "submissions") -> Iterator[list[Statement]]:
    """The statements on submissions, or on these `tables` (parted by |), that run within the block."""
    found: list[Statement] = []

    def hear(_conn: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if re.search(rf"\b(FROM|UPDATE) ({tables})\b", statement):
            found.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def explain(database: Database, statement: Statement, how: str) -> list[Any]:
    """The plan's rows. Nothing that an explained statement does stays."""
    with database.engine.connect() as conn, conn.begin() as begun:
        try:
            return [row[-1] for row in conn.exec_driver_sql(f"{how} {statement[0]}", statement[1])]
        finally:
            begun.rollback()


WHOLE = re.compile(r"SCAN (submissions|drafts)\b(?! USING)|Seq Scan on (submissions|drafts)\b")
"""The table is read from end to end."""
ALL_ATTEMPTS = re.compile(r"SCAN attempts\b|Seq Scan on attempts\b")
"""The other table, or an index of all of it, is."""


def a_turn(node: StoreNode) -> Callable[[Connection], object]:
    def work(conn: Connection) -> object:
        taken = cycle.run_cycle(conn, node.now, "w1", [], CEILING, CEILING)
        assert len(taken.leases) == CEILING
        return taken

    return work


def test_the_first_of_several_epochs_are_found_by_the_index(up: StoreNode) -> None:
    fill(up, 5_000)
    up.database.write(lambda conn: conn.execute(text("UPDATE submissions SET epoch = seq / 500")))
    up.database.write(lambda conn: conn.execute(update(Link).values(epoch=20)))
    analyse(up.database)
    with heard(up.database) as statements, up.database.read() as conn:
        assert list(outbox.look(conn, up.now, 20).old) == list(range(EPOCHS_AT_ONCE))
    (statement,) = (one for one in statements if "RECURSIVE" in one[0])
    # plain EXPLAIN leaves a column's own query out
    how = "EXPLAIN QUERY PLAN" if up.database.is_sqlite else "EXPLAIN (ANALYZE)"
    plan = "\n".join(explain(up.database, statement, how))
    assert plan.count("ix_submissions_due") == 2, plan
    assert not re.search(r"TEMP B-TREE|Sort|SCAN submissions|Seq Scan", plan), plan
    assert re.search(r"epoch>\?|epoch > found", plan), plan
    with heard(up.database) as statements:
        up.database.write(a_turn(up))
    of_epochs = [one for one in statements if re.match(r"SELECT submissions.*LIMIT", one[0], re.DOTALL)]
    assert len(of_epochs) > EPOCHS_AT_ONCE
    for one in of_epochs:
        plan = "\n".join(explain(up.database, one, how))
        assert "ix_submissions_due" in plan, plan
        assert not re.search(r"TEMP B-TREE|Sort|SCAN submissions|Seq Scan on submissions", plan), plan


def a_trial(node: StoreNode) -> Callable[[Connection], object]:
    nothing = Queue(0, (), held=False, old=(), fresh=False, again=False)
    return lambda conn: outbox.claim(conn, node.now, "w1", 1, 1, 0, nothing, trial=True)


def test_a_turn_finds_what_it_settles_by_its_key_however_many_have_been_sent(up: StoreNode) -> None:
    fill(up, 5_000)
    leases = up.claim(free=3)
    with heard(up.database) as statements:
        up.turn(*(sender.settlement(lease, accepted(lease), 0.1, 0.5) for lease in leases), free=0)
    by_lease = [one for one in statements if "submissions.lease IN" in one[0]]
    assert len(by_lease) == (1 if up.database.is_sqlite else 2)
    for statement in by_lease:
        plan = "\n".join(explain(up.database, statement, "EXPLAIN QUERY PLAN" if up.database.is_sqlite else "EXPLAIN"))
        assert re.search(r"submissions USING INTEGER PRIMARY KEY|pk_submissions", plan), plan
        assert "ix_submissions_due" not in plan, plan
        assert "ix_submissions_state" not in plan, plan


WORK: dict[str, Callable[[StoreNode], Callable[[Connection], object]]] = {
    "a turn": a_turn,
    "a trial": a_trial,
    "a start": lambda node: lambda conn: outbox.void_leases(conn, node.now, "w1"),
    "a task": lambda node: lambda conn: outbox.mend_stepped_clock(conn, node.now),
    "a return": lambda node: lambda conn: outbox.release_from_link(conn),
    "a look": lambda node: lambda conn: links.look(conn, node.now, "w1"),
    "the alerts": lambda node: lambda conn: list(repairs.damaged(conn, watched=True)),
    "a sheet that is here": lambda node: lambda conn: versions.with_finishers(conn, "f", node.events["bushy"], DATE),
    "what version 0.1 accepted": lambda node: lambda conn: digests.older(conn, 9_000, digests.AT_ONCE),
    "its digests": lambda node: lambda conn: digests.fill(conn, {9_000: "d"}),
    "an acceptance": lambda node: lambda conn: outbox.accept(conn, node.now, node.entry("richmond")),
    "handing on": lambda node: lambda conn: handovers.begin(conn, node.now, "relay", 0, 10),
    "handing on, once more": lambda node: lambda conn: handovers.begin(conn, node.now, "relay", 10, 10),
    "questions to a relay": lambda node: lambda conn: handovers.due(conn, node.now + timedelta(days=1), 10, True),
    "a renewed call to a relay": lambda node: lambda conn: handovers.renew(conn, node.now, [5, 6], 200.0),
    "an answer of a relay": lambda node: lambda conn: handovers.take_back(conn, node.now, 5),
    "a withdrawal": lambda node: lambda conn: outbox.withdraw(conn, node.now, "id-40001"),
}


def test_every_statement_of_a_worker_and_of_accept_goes_by_an_index_when_50_000_wait(up: StoreNode) -> None:
    fill(up, 50_000)
    sqlite = up.database.is_sqlite
    questions: list[Statement] = []
    for name, work in WORK.items():
        with heard(up.database) as statements:
            up.database.write(work(up))
        for statement in statements:
            plan = "\n".join(explain(up.database, statement, "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"))
            assert not WHOLE.search(plan), f"{name}: {statement[0]}\n{plan}"
            if name == "an acceptance" and "INSERT INTO submissions" in statement[0]:
                assert "ix_submissions_lane" in plan, plan
            if "finishers_digest =" in statement[0]:
                assert "ix_submissions_finishers" in plan, plan
            elif "events" in statement[0] and "LIMIT" in statement[0]:
                questions.append(statement)
                assert "ix_submissions_due" in plan, plan
                assert not re.search(r"TEMP B-TREE|Sort", plan), f"it is sorted a second time\n{plan}"
    assert len(questions) == 4, "old ones, new ones, those put off and due; on trial the first that is put off"
    if not sqlite:
        first_versions_go_by_an_index(up)


def first_versions_go_by_an_index(up: StoreNode) -> None:
    with heard(up.database) as statements:
        assert at_once.accept_first(up.database, up.now, up.entry("wimbledon", client_key="k"), 9, 9_000)
    (statement,) = statements
    plan = "\n".join(explain(up.database, (statement[0], {**statement[1], "_subject": "another"}), "EXPLAIN"))
    assert "ix_submissions_lane" in plan, plan
    assert not WHOLE.search(plan), plan


QUOTAS: dict[str, tuple[Callable[[StoreNode, Connection], object], str]] = {
    # what is done, and the index of event_days by which it goes on either make; an upsert's is in its text
    "count": (lambda node, conn: quotas.use(conn, node.now, node.events["bushy"], 9), "(event_id)"),
    "note a refusal": (lambda node, conn: quotas.note_refusal(conn, node.now, node.events["bushy"]), "pk_event_days"),
    "ask for refusals": (lambda node, conn: quotas.refused(conn, node.now), "ix_event_days_refused_at"),
}


@pytest.mark.parametrize("name", QUOTAS)
def test_an_events_quota_is_one_row_and_found_by_its_index_among_10_000_events(up: StoreNode, name: str) -> None:
    def many(conn: Connection) -> None:
        numbers = _NUMBERS.format(first=101, last=10_100)
        conn.execute(
            text(
                f"{numbers} events (id, slug, name, time_zone, country, shows_results, created_at)"
                " SELECT i, 'e' || i, 'e', 'Europe/London', '', true, '2013-12-07 12:00:00' FROM n"
            )
        )
        conn.execute(
            text(
                f"{numbers} event_days (event_id, day, submissions, bytes, refused_at)"
                " SELECT i, '2013-12-07', 1, 1, '2013-12-01 12:00:00' FROM n"
            )
        )

    up.database.write(many)
    with up.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")
    work, index = QUOTAS[name]
    with heard(up.database, "event_days|events") as statements:
        up.database.write(lambda conn: work(up, conn))
    sqlite = up.database.is_sqlite
    for statement in statements:
        plan = "\n".join(explain(up.database, statement, "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"))
        assert not re.search(r"SCAN event|Seq Scan on event", plan), plan
        assert index in plan or (sqlite and "PRIMARY KEY" in plan), plan
    assert len(statements) == (name != "count"), "counting is one upsert, which reads nothing else"


def test_whose_a_number_is_that_was_given_here_is_found_by_its_index(up: StoreNode) -> None:
    fill(up, 5_000)
    added = _NUMBERS.format(first=1, last=5_000) + "slips (seq, name, number) SELECT i, 'n' || i, 'A' || i FROM n"
    up.database.write(lambda conn: conn.execute(text(added)))
    analyse(up.database)
    with heard(up.database, "slips|submissions") as statements, up.database.read() as conn:
        assert slip_lines.names(conn, [f"A{number}" for number in range(4_990, 5_020)])["A4999"] == "n4999"
        assert slips.owed_mails(conn, 1) == []
    how = "EXPLAIN QUERY PLAN" if up.database.is_sqlite else "EXPLAIN"
    plans = ["\n".join(explain(up.database, statement, how)) for statement in statements]
    for index, plan in zip(("ix_slips_number", "ix_slips_mail_owed"), plans, strict=True):
        assert index in plan, plan
        assert not re.search(r"SCAN (slips|submissions)\b(?! USING INDEX ix_slips)|Seq Scan", plan), plan


SESSIONS: dict[str, tuple[Callable[[Connection], object], list[str]]] = {
    # what is done, and the indexes of ended_sessions by which its statements go, in their order
    "ask": (lambda conn: accounts.has_ended(conn, "a session"), ["pk_ended_sessions"]),
    "end one": (
        lambda conn: accounts.end_session(conn, NOW, "a session", NOW),
        ["ix_ended_sessions_until", "pk_ended_sessions"],
    ),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_an_ended_session_is_found_by_its_index_among_10_000(up: StoreNode, name: str) -> None:
    fill_ = _NUMBERS.format(first=1, last=10_000) + "ended_sessions (hash, until) SELECT 'h' || i, :until FROM n"
    until = NOW + timedelta(hours=1)
    asked = {"until": f"{until:%Y-%m-%d %H:%M:%S.%f}" if up.database.is_sqlite else until}
    up.database.write(lambda conn: conn.execute(text(fill_), asked))
    with up.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")
    work, indexes = SESSIONS[name]
    with heard(up.database, "ended_sessions") as statements:
        up.database.write(work)
    how = "EXPLAIN QUERY PLAN" if up.database.is_sqlite else "EXPLAIN"
    plans = ["\n".join(explain(up.database, one, how)) for one in statements]
    assert len(plans) == len(indexes)
    for plan, index in zip(plans, indexes, strict=True):
        own_key = index.replace("pk_ended_sessions", "sqlite_autoindex_ended_sessions_1")
        assert index in plan or own_key in plan, plan


_PAST = (
    # what has ended: so many of each
    "alerts (id, rule, about, text, raised_at, ended_at) SELECT i, 'link', 'x' || i, 't', :before, :before FROM n",
    "alert_messages (id, road, subject, text, created_at, next_attempt_at, attempts, sent_at)"
    " SELECT i, 'mail', 's', 't', :then, :then, 1, :then FROM n",
    "holds (id, scope, reason, placed_by, placed_at, release_at, released_at)"
    " SELECT i, 'destination', 'r', 'op', :then, :then, :then FROM n",
    "actions"
    " (id, verb, target, reason, who, started_at, ended_at, cancelled, last_seq, until_seq, total, done, skipped)"
    " SELECT 'id-' || i, 'retry', '{{}}', '', 'op', :then, :then, false, 0, 0, 0, 0, 0 FROM n",
    "client_keys (event_id, key, content, submission, created_at)"
    " SELECT {event}, 'key-' || i, 'c', 'id-' || i, :now FROM n",
    "outages (id, link, began_at, ended_at, cause, probes, delayed)"
    " SELECT i, 'master', :before, :before, 'refused', 1, 1 FROM n",
)


def by_webhook(conn: Connection, now: datetime, subject: str, text: str) -> None:
    alerts.add_message(conn, now, "webhook", subject, text)


def a_probers_turn(node: StoreNode) -> None:
    node.probe(Cause.REFUSED)
    node.pass_time(2)
    node.database.write(lambda conn: links.take_prober(conn, node.now, "w1"))
    turn = node.database.write(lambda conn: prober_turns.take_turn(conn, node.now, "w1", None, True, CEILING, 0.5))
    assert turn.number is not None


ON_A_TIMER: dict[str, tuple[str, Callable[[StoreNode], object]]] = {
    # the tables whose past grows, and what is done every few seconds or each hour
    "bring the alerts up to date": (
        "alerts|alert_messages",
        lambda node: node.database.write(
            lambda conn: alerts.bring_up_to_date(conn, node.now, {"disk": "t"}, by_webhook)
        ),
    ),
    "look whether alerts have changed": (
        "alerts|alert_messages|outages|holds|actions",
        lambda node: messenger.have_changed(
            Settings(data_dir=Path(tempfile.gettempdir())), node.database, ManualClock(node.now)
        ),
    ),
    "tell of an event once": (
        "alerts|alert_messages",
        lambda node: node.database.write(
            lambda conn: alerts.tell_once(conn, node.now, "link", "outage 1", "t", by_webhook)
        ),
    ),
    "take a message": (
        "alerts|alert_messages",
        lambda node: node.database.write(lambda conn: alerts.take_message(conn, node.now)),
    ),
    "look whether a message is due": (
        "alerts|alert_messages",
        lambda node: node.database.write(lambda conn: alerts.any_message_is_due(conn, node.now)),
    ),
    "a prober's turn in an outage": ("outages", lambda node: a_probers_turn(node)),
    "go on with actions and holds": (
        "actions|holds",
        lambda node: action_runner.go_on(node.database, ManualClock(node.now)),
    ),
    "look whether actions or holds go on": (
        "actions|holds",
        lambda node: action_runner.is_due(node.database, ManualClock(node.now)),
    ),
    "count the actions that fail": ("actions", lambda node: node.database.write(actions.failing)),
    "look at the link": (
        "outages",
        lambda node: node.database.write(lambda conn: (queries.link(conn), links.facts(conn))),
    ),
    "forget old keys": (
        "client_keys",
        lambda node: node.database.write(lambda conn: outbox.forget_client_keys(conn, node.now - timedelta(days=1))),
    ),
}


@pytest.fixture
def with_a_past(up: StoreNode) -> StoreNode:
    """A node with 10,000 alerts, messages, holds, actions and keys that are over, or not yet."""

    def work(conn: Connection) -> None:
        for table in _PAST:
            asked = text((_NUMBERS + table).format(first=1, last=10_000, event=up.events["bushy"]))
            moments = {"before": NOW - timedelta(days=3), "then": NOW - timedelta(hours=1), "now": NOW}
            if up.database.is_sqlite:
                conn.execute(asked, {name: f"{at:%Y-%m-%d %H:%M:%S.%f}" for name, at in moments.items()})
            else:
                conn.execute(asked, moments)
        if not up.database.is_sqlite:
            for column in ("alerts', 'id", "alert_messages', 'id", "holds', 'id", "outages', 'id"):
                conn.execute(text(f"SELECT setval(pg_get_serial_sequence('{column}'), 10000)"))

    up.database.write(work)
    up.hold("richmond", NOW - timedelta(seconds=1))
    up.accept()
    with up.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")
    return up


def test_what_is_done_on_a_timer_goes_by_an_index_however_much_is_over(with_a_past: StoreNode) -> None:
    node, sqlite = with_a_past, with_a_past.database.is_sqlite
    for name, (tables, work) in ON_A_TIMER.items():
        with heard(node.database, tables) as statements:
            work(node)
        assert statements, name
        for statement in statements:
            plan = "\n".join(explain(node.database, statement, "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"))
            told = f"{name}: {statement[0]}\n{plan}"
            assert not re.search(rf"SCAN ({tables})\b(?! USING INDEX ix_\w+_open)|Seq Scan on ({tables})\b", plan), told
            assert "IS NULL" not in statement[0] or re.search(r"ix_\w+_(open|active)|rowid=|Index Cond: .id =", plan), (
                told
            )


def rows_read(plan: dict[str, Any]) -> int:
    """How many rows of submissions a plan of PostgreSQL's EXPLAIN ANALYZE looked at."""
    here = plan.get("Relation Name") == "submissions"
    seen = plan["Actual Rows"] * plan["Actual Loops"] + plan.get("Rows Removed by Filter", 0) if here else 0
    return int(seen) + sum(rows_read(part) for part in plan.get("Plans", []))


def cost(node: StoreNode) -> int:
    """Steps of SQLite's machine in a turn, or rows that PostgreSQL looks at in one."""
    with heard(node.database) as statements:
        node.database.write(a_turn(node))
    node.database.write(lambda conn: outbox.void_leases(conn, node.now, "w1"))
    if not node.database.is_sqlite:
        questions = [one for one in statements if one[0].startswith("SELECT")]
        plans = [explain(node.database, one, "EXPLAIN (ANALYZE, FORMAT JSON)")[0] for one in questions]
        return sum(rows_read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]) for plan in plans)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def counted(conn: Connection) -> None:
        driver: Any = conn.connection.driver_connection
        driver.set_progress_handler(step, 1)
        try:
            a_turn(node)(conn)
        finally:
            driver.set_progress_handler(None, 1)

    node.database.write(counted)
    node.database.write(lambda conn: outbox.void_leases(conn, node.now, "w1"))
    return steps


def test_a_turn_costs_the_same_when_100_or_100_000_wait(up: StoreNode) -> None:
    fill(up, 100)
    few = cost(up)
    fill(up, 100_000, first=101)
    many = cost(up)
    assert few > 0
    assert many <= 1.5 * few, f"{few} for 100, {many} for 100,000"
    assert up.count(state=State.QUEUED) == 100_000


def test_the_others_go_on_when_ten_thousand_of_one_event_are_held_before_them(up: StoreNode) -> None:
    fill(up, 10_000)
    up.hold("bushy")
    other = up.accept("richmond").id
    assert [lease.submission for lease in up.claim()] == [other]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def month(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A month's work, an eighth of it waiting, on each make."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path_factory.mktemp('month') / 'store.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgresql").database())
        database = migrated(url)
        stack.callback(database.close)
        dashboard.seed(database, NOW, 20_000)
        database.write(add_drafts)
        database.write(lambda conn: links.ensure(conn, NOW, CEILING, MAIL))
        database.write(add_handovers)
        database.write(lambda conn: holding.place_hold(conn, NOW, "op", 7, "its course is checked"))
        yield database


def add_drafts(conn: Connection) -> None:
    """Of fifty accounts, each at work on two hundred events."""
    accounts_made = [accounts.add(conn, NOW, f"team{number}", "no hash", Role.OPERATOR) for number in range(50)]
    events = conn.execute(text("SELECT id FROM events ORDER BY id LIMIT 200")).scalars().all()
    rows = [
        {"event_id": event_id, "account_id": account, "date": DATE, "work": "{}", "updated_at": NOW + timedelta(0, at)}
        for account in accounts_made
        for at, event_id in enumerate(events)
    ]
    conn.execute(insert(DraftRow), rows)
    conn.execute(text("ANALYZE drafts"))


def add_handovers(conn: Connection) -> None:
    """Every other was once handed to a relay; those that wait are asked about."""
    conn.execute(
        text(
            "INSERT INTO handovers (seq, relay, due_at, kept_at, asked, attempt, was_in_doubt)"
            " SELECT seq, 'r', CASE WHEN published_at IS NULL THEN accepted_at END, accepted_at, 0, 1, false"
            " FROM submissions WHERE seq % 2 = 0"
        )
    )
    conn.execute(text("ANALYZE handovers"))


def a_page(sort: str = "", **filter_: Any) -> Callable[[Connection], object]:
    return lambda conn: listing.page(conn, Filter(**filter_), Order.parse(sort), 50)


def a_page_of_an_id(conn: Connection) -> object:
    line = listing.page(conn, Filter(states=(State.CONFLICT,)), Order(), 1).lines[0]
    return listing.page(conn, Filter(text=line.id[:8]), Order(), 50)


def the_last_detail(conn: Connection) -> object:
    line = listing.page(conn, Filter(), Order(), 1).lines[0]
    return submission_detail.load_detail(conn, NOW, line.id)


LOOKS: dict[str, tuple[Callable[[Connection], object], set[str]]] = {
    # a look, and the indexes of which each of its statements takes one; none: whichever
    "the oldest": (queries.oldest_waiting_at, {"ix_submissions_destination"}),
    "what the alerts count": (
        lambda conn: alerts.counts(conn, NOW),
        {"ix_submissions_destination", "ix_submissions_state_seq", "ix_submissions_due", "ix_submissions_held"},
    ),
    "the outages that are over": (
        lambda conn: alerts.drained_outages(conn, NOW + timedelta(hours=1), "recovered"),
        {"ix_submissions_destination", "ix_submissions_published_at"},
    ),
    "how many are in each state": (lambda conn: [state_counts.look(conn)], {"ix_submissions_state_seq"}),
    "how many of an event are in each state": (
        lambda conn: [state_counts.look(conn, [7])],
        {"ix_submissions_state_seq"},
    ),
    "how many are at a relay, too": (relays.count_safe, {"ix_handovers_due"}),
    "what was written": (lambda conn: versions.written(conn, 1, "results", 9) or True, {"ix_submissions_lane"}),
    "who ran at an event": (lambda conn: versions.last_sheets(conn, 7, 12), {"ix_submissions_event_seq"}),
    "where an athlete ran": (
        lambda conn: versions.sheets_with(conn, range(1, 21), 12, b'"A1"'),
        {"ix_submissions_event_seq"},
    ),
    "whom to call": (overview_data.needs_person, set()),
    "a day to come": (lambda conn: queries.clock_off_s(conn, NOW), set()),
    "the pulse": (lambda conn: overview_data.live_status(conn, NOW), set()),
    "an hour": (
        lambda conn: chart_points.series(conn, NOW, Span.HOUR, 9),
        {"ix_submissions_accepted_at", "ix_submissions_published_at", "ix_submissions_ceased"},
    ),
    "a month": (
        lambda conn: chart_points.series(conn, NOW, Span.MONTH, 9),
        {"ix_submissions_accepted_at", "ix_submissions_published_at", "ix_submissions_ceased"},
    ),
    "a day a week before": (
        lambda conn: chart_points.accepted_between(conn, NOW - timedelta(days=8), NOW - timedelta(days=7)) or True,
        {"ix_submissions_accepted_at"},
    ),
    "the delays of days": (
        lambda conn: overview_data.delays(conn, NOW - timedelta(days=9)),
        {"ix_submissions_published_at"},
    ),
    "the last attempts": (lambda conn: recent.attempts(conn, 8), {"ix_attempts_ended_at", "pk", "PRIMARY KEY"}),
    "the errors": (error_groups.errors, {"ix_submissions_failed", "ix_attempts_failures", "ix_attempts_ended_at"}),
    "an outage's report": (
        lambda conn: outages.report(conn, 1),
        {"ix_submissions_published_at", "ix_submissions_open", "ix_submissions_destination"},
    ),
    "the details of a submission": (the_last_detail, set()),
    "a page": (a_page(), set()),
    "a page of a day": (a_page(accepted_from=NOW - timedelta(days=1)), set()),
    "a page of one failure": (a_page(fingerprint="conflict"), {"ix_submissions_fingerprint_seq"}),
    "whether a full bundle leaves some": (
        lambda conn: outbox.waits_behind(conn, [State.QUEUED], 10_000),
        {"ix_submissions_destination"},
    ),
    "a page of what waits": (a_page("accepted", waiting_only=True), {"ix_submissions_state_seq"}),
    "a page of what waits, and waits least": (a_page("-accepted", waiting_only=True), {"ix_submissions_state_seq"}),
    "a page of one cause": (a_page(cause="timeout"), {"ix_submissions_cause"}),
    "a page of one answer": (a_page(status=503), {"ix_submissions_failed_status"}),
    "a page of an event's name": (a_page(text="event-0042"), {"ix_submissions_event_seq"}),
    "how many are of an event's name": (
        lambda conn: [listing.count(conn, Filter(text="event-0042"))],
        {"ix_submissions_event_seq", "ix_submissions_open"},
    ),
    "a page of an id": (
        a_page_of_an_id,
        {"uq_submissions_id", "sqlite_autoindex_submissions", "ix_submissions_state_seq"},
    ),
    "how many of an event were published": (
        lambda conn: [listing.count(conn, Filter(events=("event-0042",), states=(State.PUBLISHED,)))],
        {"ix_submissions_state_seq"},
    ),
    "how many waited when": (
        lambda conn: [chart_points.waiting_at(conn, NOW - timedelta(days=3))],
        {"ix_submissions_open", "ix_submissions_ceased", "ix_submissions_published_at"},
    ),
    "a page of one state": (a_page(states=(State.CONFLICT,)), {"ix_submissions_state_seq"}),
    "a page by attempts": (a_page("-attempts"), {"ix_submissions_attempts_seq"}),
    "a page by publication": (a_page("-published"), {"ix_submissions_published_at"}),
    "a page of the published by publication": (
        a_page("-published", states=(State.PUBLISHED,)),
        {"ix_submissions_published_at"},
    ),
    "where the last one stands": (
        lambda conn: versions.place(conn, NOW, 20_000),
        {"ix_submissions_state_seq", "ix_submissions_held", "pk", "PRIMARY KEY"},
    ),
    "who waits how long": (
        lambda conn: overview_data.waiting_by_age(conn, NOW).total.total or True,
        {"ix_submissions_open"},
    ),
    "what a team has to decide": (
        lambda conn: versions.undecided(conn, [7, 8, 9], 20),
        {"ix_submissions_open", "ix_submissions_state_seq"},
    ),
    "the oldest of an event": (lambda conn: [queries.oldest_waiting_at(conn, 7)], {"ix_submissions_open"}),
    "what is held with an event": (
        lambda conn: queries.held(conn, NOW),
        {"ix_submissions_state_seq", "ix_submissions_held"},
    ),
    "what each hold keeps": (
        lambda conn: [queries.held_by(conn, hold) for hold in queries.holds(conn, NOW)],
        {"ix_submissions_state_seq", "ix_submissions_held"},
    ),
    "a team's drafts": (lambda conn: drafts.of_account(conn, 7, 20), {"ix_drafts_account_updated"}),
    "a page of an event": (a_page(events=("event-0042",)), {"ix_submissions_event_seq"}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", LOOKS)
def test_what_the_dashboard_shows_is_found_by_an_index_after_a_months_work(month: Database, name: str) -> None:
    look, indexes = LOOKS[name]
    with heard(month, "submissions|attempts|drafts|handovers") as statements, month.read() as conn:
        assert look(conn) is not None
    assert statements
    for statement in statements:
        plan = "\n".join(explain(month, statement, "EXPLAIN QUERY PLAN" if month.is_sqlite else "EXPLAIN"))
        assert WALKS.search(statement[0]) or not WHOLE.search(plan), f"{statement[0]}\n{plan}"
        assert not ALL_ATTEMPTS.search(plan), f"{statement[0]}\n{plan}"
        one_by_one = name.startswith("a page") and re.search(r"INTEGER PRIMARY KEY|pk_submissions", plan)
        by_one_of_them = any(index in plan for index in indexes)
        assert by_one_of_them or one_by_one or not indexes, f"{statement[0]}\n{plan}"
        if "ix_submissions_due" in plan:  # it begins with the state: of what is published it would read all
            assert not {State.PUBLISHED, State.CORRECTED} & set(values_of(statement)), f"{statement[0]}\n{plan}"


def values_of(statement: tuple[str, Any]) -> list[Any]:
    values = statement[1]
    return list(values.values() if isinstance(values, dict) else values)


WALKS = re.compile(
    r"^SELECT submissions.state, count\(\*\) AS count_1\s+FROM submissions\s+WHERE submissions.state IN .* UNION ALL"
    r"|^SELECT count\(\*\) AS count_1\s+FROM submissions$"
    r"|FROM submissions\s.*ORDER BY submissions.seq DESC\s+LIMIT",
    re.DOTALL,
)
"""How many there are in each state, where all of them are the newest yet: from one index in SQLite; PostgreSQL may like
the table better. How many there are at all, once in a process. And a page by acceptance, which goes through the table
from its end until it is full."""
