"""A number that the master gave is mailed once, by the node where its runner registered, and the address goes then."""

import json
import uuid
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select, update

from resultsq.app import number_mails
from resultsq.app.registrations import register
from resultsq.delivery import bundle
from resultsq.domain.submission import State
from resultsq.sealed import PersonalKeys
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Event, Payload, Submission
from resultsq.store.outbox import no_event, slips
from tests.integration.registrations.conftest import RegisteringNode, runner
from tests.integration.registrations.test_registering import Make, everything

PUBLIC = "https://results.example.org"


def tell(node: RegisteringNode, smtp: str = "smtp://127.0.0.1:9") -> None:
    more = {"smtp_url": SecretStr(smtp), "public_url": PUBLIC}
    number_mails.tell(node.settings.model_copy(update=more), node.database, node.clock)


def mails(node: RegisteringNode) -> list[dict[str, Any]]:
    """What the queued mails say."""
    with node.database.read() as conn:
        ids = conn.execute(select(Submission.id).where(Submission.destination == "mail")).scalars().all()
        bodies = [slips.body(conn, one) for one in ids]
    return [json.loads(body) for body in bodies if body is not None]


def registrations_kept(node: RegisteringNode) -> int:
    with node.database.read() as conn:
        kept = select(func.count()).select_from(Payload).join(Submission, Submission.seq == Payload.seq)
        return int(conn.execute(kept.where(Submission.destination == "master")).scalar_one())


def test_the_number_that_the_receipt_brings_is_mailed_once_and_the_address_is_deleted(node: RegisteringNode) -> None:
    node.database.write(lambda conn: conn.execute(update(Event).where(Event.slug == "bushy").values(language="fr")))
    given = node.register()
    assert not number_mails.is_due(node.database)
    node.send()
    number = node.number(given.submission)
    assert number is not None
    assert number_mails.is_due(node.database)
    assert registrations_kept(node) == 1
    assert b"zoe1@example.org" not in everything(node.database), "it is sealed"
    for _ in range(2):
        tell(node)
    (mail,) = mails(node)
    assert (mail["address"], mail["barcodes"]) == ("zoe1@example.org", [number])
    assert mail["language"] == "fr", "that of the home event"
    assert all(one in mail["text"] for one in ("Zoë 1 O'Brien", number))
    assert f"{PUBLIC}/register/{given.submission}" in mail["text"]
    assert (registrations_kept(node), number_mails.is_due(node.database)) == (0, False)
    assert b"zoe1@example.org" not in everything(node.database)


def test_the_mail_is_in_the_language_that_the_runner_asked_for(sqlite_node: RegisteringNode) -> None:
    node = sqlite_node
    node.database.write(lambda conn: conn.execute(update(Event).where(Event.slug == "bushy").values(language="fr")))
    register(node.context, runner(1), str(uuid.uuid4()), language="ar")
    node.send()
    tell(node)
    (mail,) = mails(node)
    assert mail["language"] == "ar"
    assert "رقم" in mail["subject"]


def test_who_got_a_number_at_once_gets_no_mail(sqlite_node: RegisteringNode) -> None:
    sqlite_node.lease()
    sqlite_node.register()
    sqlite_node.send()
    assert registrations_kept(sqlite_node) == 0
    tell(sqlite_node)
    assert mails(sqlite_node) == []


def test_without_a_mail_server_or_without_the_key_the_address_is_deleted_all_the_same(
    sqlite_node: RegisteringNode, tmp_path: Path
) -> None:
    node = sqlite_node
    node.register(1)
    node.send()
    tell(node, smtp="")
    assert (registrations_kept(node), number_mails.is_due(node.database)) == (0, False)
    node.register(2)
    node.send()
    stranger = Database(node.database.url.render_as_string(), lambda: PersonalKeys.of([bytes([7]) * 32]))
    try:
        number_mails.tell(node.settings.model_copy(update={"smtp_url": SecretStr("smtp://x")}), stranger, node.clock)
    finally:
        stranger.close()
    assert (registrations_kept(node), number_mails.is_due(node.database), mails(node)) == (0, False, [])


def test_a_node_that_took_it_in_from_a_bundle_mails_nothing(make_node: Make, tmp_path: Path) -> None:
    node, other = make_node(f"sqlite:///{tmp_path / 'one.db'}"), make_node(f"sqlite:///{tmp_path / 'two.db'}")
    node.register()
    now = node.clock.now()
    (version,), _ = node.database.write(lambda conn: outbox.export(conn, now, [State.QUEUED], "export"))
    locks = bundle.keys(bundle.new_key())
    (carried,) = bundle.unseal(bundle.seal([version], now, locks), locks)
    other.database.write(lambda conn: outbox.adopt(conn, now, carried, no_event.ensure_no_event(conn, now)))
    other.send()
    assert (registrations_kept(other), number_mails.is_due(other.database)) == (0, False)
