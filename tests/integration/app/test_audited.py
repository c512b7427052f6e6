"""Whatever changes something leaves a line of the audit, in the same transaction, by whatever face it comes."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from resultsq.app import people, submissions
from resultsq.app.context import Transaction
from resultsq.app.people import EventDetails, NewPerson
from resultsq.app.started import note_settings
from resultsq.domain.errors import Conflicting, InputRefused, NotThere
from resultsq.domain.role import Role
from resultsq.store.admin import tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Audit, AuditSubmission
from tests.support.nodes import NOW, StoreNode, accepted, rejected
from tests.support.passwords import hashed
from tests.support.processes import ROOT

NO_LIMIT = submissions.Quota(0, 0)
HASHED = hashed("wet hands")
ONLY_BY_USE_CASES = {
    "accounts": {"add", "disable", "enable", "set_password", "make_password_link", "use_password_link", "end_sessions"},
    "events": {"add", "change", "import_rows", "show_results"},
    "tokens": {"issue", "issue_numbered", "revoke"},
    "outbox": {"accept", "withdraw", "undo_withdrawal", "publish_over", "send_lost_again"},
    "actions": {"start", "start_undo", "cancel"},
    "holding": {"place_hold", "release_hold"},
    "runner": {"run"},
}
"""Module of the store → its functions that only use cases call: those have the checks, and most of the audit."""


def lines(node: StoreNode) -> list[tuple[str, str, dict[str, Any]]]:
    with node.database.read() as conn:
        return [(row.who, row.action, row.target) for row in conn.execute(select(Audit).order_by(Audit.id))]


def change(node: StoreNode, who: str, work: Callable[[Transaction], Any]) -> Any:
    return node.database.write(lambda conn: work(Transaction(conn, NOW, who)))


def do(node: StoreNode, work: Callable[[Connection], Any]) -> Any:
    return node.database.write(work)


def test_each_change_of_events_accounts_and_tokens_is_in_the_audit(store: Database) -> None:
    node, ann = StoreNode(store), "ann"
    change(node, ann, lambda tx: people.add_event(tx, EventDetails("mill", "Mill Lane", "Europe/London")))
    road = EventDetails("mill", "Mill Road", "Europe/London")
    change(node, ann, lambda tx: people.change_event(tx, road))
    change(node, ann, lambda tx: people.change_event(tx, road))  # changes nothing
    rows = [{"slug": "oak", "name": "Three Oaks"}]
    change(node, ann, lambda tx: people.import_events(tx, rows, "Europe/London"))
    change(node, ann, lambda tx: people.import_events(tx, rows, "Europe/London"))  # all known
    change(node, ann, lambda tx: people.show_results(tx, "bushy", node.events["bushy"], False))
    change(node, ann, lambda tx: people.add_account(tx, NewPerson("jo", Role.TEAM, ("mill",)), HASHED))
    change(node, ann, lambda tx: people.set_password(tx, "jo", HASHED))
    secret = change(node, ann, lambda tx: people.make_password_link(tx, "jo"))
    do(node, lambda conn: people.use_password_link(conn, NOW, secret, HASHED))
    change(node, "jo", lambda tx: people.end_sessions(tx, "jo"))
    change(node, ann, lambda tx: people.end_account(tx, "jo"))
    change(node, ann, lambda tx: people.restore_account(tx, "jo"))
    token = change(node, ann, lambda tx: people.issue_token(tx, Role.TEAM, "mill"))
    with node.database.read() as conn:
        bearer = tokens.verify(conn, token)
    assert bearer is not None
    change(node, ann, lambda tx: people.revoke_token(tx, bearer.id))
    found = lines(node)
    assert [(who, action) for who, action, _ in found] == [
        (ann, "add event"), (ann, "change event"), (ann, "import events"), (ann, "hide results"),
        (ann, "add account"), (ann, "set password"), (ann, "make password link"), ("jo", "use password link"),
        ("jo", "end sessions"), (ann, "end account"), (ann, "restore account"), (ann, "issue token"),
        (ann, "revoke token"),
    ]  # fmt: skip
    assert found[1][2] == {"event": "mill", "name": "Mill Lane → Mill Road"}
    assert not any(hidden in str(found) for hidden in (secret, token, HASHED))


def test_nothing_is_in_the_audit_when_a_change_is_refused(store: Database) -> None:
    node = StoreNode(store)
    change(node, "ann", lambda tx: people.add_account(tx, NewPerson("jo", Role.VIEWER), HASHED))
    change(node, "ann", lambda tx: people.end_account(tx, "jo"))
    before = lines(node)
    refused: list[Callable[[Transaction], Any]] = [
        lambda tx: people.add_event(tx, EventDetails("No Slug", "x", "Europe/London")),
        lambda tx: people.end_account(tx, "jo"),
        lambda tx: people.set_password(tx, "jo", HASHED),
        lambda tx: people.make_password_link(tx, "jo"),
        lambda tx: people.restore_account(tx, "nobody"),
        lambda tx: people.revoke_token(tx, 999),
    ]
    for work in refused:
        with pytest.raises((InputRefused, NotThere)):
            change(node, "ann", work)
    assert lines(node) == before


def test_nobody_ends_their_own_account(store: Database) -> None:
    node = StoreNode(store)
    change(node, "ann", lambda tx: people.add_account(tx, NewPerson("jo", Role.ADMIN), HASHED))
    before = lines(node)
    with pytest.raises(Conflicting, match="Ask another admin"):
        change(node, "jo", lambda tx: people.end_account(tx, "jo"))
    assert lines(node) == before


def test_what_a_team_does_to_its_submissions_is_in_the_audit_and_on_their_pages(store: Database) -> None:
    node = StoreNode(store)
    first = do(node, lambda conn: submissions.accept(conn, NOW, node.entry(rows=3), NO_LIMIT))
    second = do(node, lambda conn: submissions.accept(conn, NOW, node.entry(rows=4, if_match=first.id), NO_LIMIT))
    do(node, lambda conn: submissions.withdraw(conn, NOW, "jo", second.id))
    do(node, lambda conn: submissions.withdraw(conn, NOW, "jo", second.id))  # a repeat changes nothing
    do(node, lambda conn: submissions.undo_withdrawal(conn, NOW, "jo", second.id))
    node.probe()
    node.try_one(rejected())
    do(node, lambda conn: submissions.publish_over(conn, NOW, "jo", second.id))
    assert [(who, action, target["ids"]) for who, action, target in lines(node)] == [
        ("team", "correct", [second.id]),
        ("jo", "withdraw", [second.id]),
        ("jo", "undo", [second.id]),
        ("jo", "publish over", [second.id]),
    ]
    with node.database.read() as conn:
        named = conn.execute(select(AuditSubmission.seq)).scalars().all()
    assert set(named) == {node.row(second.id).seq}
    lease = node.claim_one()
    node.settle(lease, accepted(lease))


def test_settings_are_in_the_audit_when_a_process_starts_with_others(store: Database) -> None:
    node = StoreNode(store)
    first = {"port": "8080", "master_token": "(hidden)"}
    assert do(node, lambda conn: note_settings(conn, NOW, "web", first))
    assert not do(node, lambda conn: note_settings(conn, NOW, "web", first))
    assert do(node, lambda conn: note_settings(conn, NOW, "w1", first)), "another process has settings of its own"
    assert do(node, lambda conn: note_settings(conn, NOW, "web", {"port": "8081", "read_only": "True"}))
    who, action, target = lines(node)[-1]
    assert (who, action, target["changed"]) == ("web", "start with settings", ["master_token", "port", "read_only"])


def test_no_face_changes_anything_behind_the_back_of_the_use_cases() -> None:
    found = []
    for path in sorted((ROOT / "resultsq").rglob("*.py")):
        if path.relative_to(ROOT / "resultsq").parts[0] in (
            "store",
            "app",
            "drill",
        ):  # a drill makes a world of its own
            continue
        found += [f"{path.relative_to(ROOT)}: {name}" for name in _direct_changes(path)]
    assert found == []


def _direct_changes(path: Path) -> list[str]:
    tree = ast.parse(path.read_bytes())
    return [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in ONLY_BY_USE_CASES.get(node.value.id, ())
    ]


def test_the_search_for_changes_finds_one_where_there_is_one() -> None:
    assert "outbox.accept" in _direct_changes(ROOT / "resultsq" / "app" / "submissions.py")
