"""A node with a list of athletes whose addresses it knows as hashes, and a key for personal data."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from resultsq.app import reminders
from resultsq.app.context import AppContext
from resultsq.domain.athletes import Athlete, address_hash
from resultsq.sealed import PersonalKeys
from resultsq.settings import Settings
from resultsq.store.engine.personal import opened
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Payload, ReminderRequest, Submission
from resultsq.wakeup import Bell
from tests.support.athletes import load
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode

KEYS = PersonalKeys.of([bytes(32)])
HASH_KEY = bytes(range(32))
JANE, FAMILY, STRANGER = "jane@example.org", "smith@example.org", "nobody@example.org"


def athlete(number: str, name: str, address: str | None, home: str = "bushy") -> Athlete:
    return Athlete(number, name, "Harriers", home, 57, None if address is None else address_hash(address, HASH_KEY))


PEOPLE = (
    athlete("A1234567", "Jane SMITH", JANE),
    athlete("A101", "Tom SMITH", FAMILY),
    athlete("A102", "Zoë SMITH", FAMILY),
    athlete("A55", "Without ADDRESS", None),
)


class Reminding:
    """The page's part and the worker's, one after the other."""

    def __init__(self, database: Database, folder: Path, **more: Any) -> None:
        self.database = database
        self.clock = ManualClock(NOW)
        self.settings = Settings.model_validate(
            {
                "data_dir": folder,
                "master_url": "http://127.0.0.1:9",
                "smtp_url": "smtp://127.0.0.1:9",
                "public_url": "https://node.example",
                "athletes_mail_key": base64.b64encode(HASH_KEY).decode(),
                **more,
            }
        )
        self.context = AppContext(self.settings, database, self.clock, Bell(""))

    def ask(self, address: str, language: str = "en") -> None:
        reminders.ask(self.context, address, hashlib.sha256(address.lower().encode()).digest(), language)

    def work(self) -> bool:
        """Whether the worker's task was due, and is done."""
        due = reminders.is_due(self.database, self.clock)
        if due:
            reminders.answer(self.settings, self.database, self.clock)
        return due

    def queued(self) -> list[tuple[str, dict[str, Any]]]:
        """Each queued submission: its kind, and what it says."""
        query = select(Submission.kind, Submission.id, Payload.body).join(Payload, Payload.seq == Submission.seq)
        with self.database.read() as conn:
            rows = conn.execute(query.order_by(Submission.seq)).all()
            return [(row.kind, json.loads(opened(conn, row.body, row.id))) for row in rows]

    def kept(self) -> list[ReminderRequest]:
        with self.database.read() as conn:
            return list(conn.execute(select(ReminderRequest.id, ReminderRequest.sealed)).all())  # type: ignore[arg-type]

    def everything(self) -> str:
        """Every value of the tables in which an address or a secret could lie in clear."""
        with self.database.read() as conn:
            rows: list[Any] = []
            for table in ("payloads", "reminder_requests", "profile_links", "submissions", "slips", "chains", "audit"):
                rows += conn.exec_driver_sql(f"SELECT * FROM {table}").all()
            return repr([[bytes(one) if isinstance(one, memoryview) else one for one in row] for row in rows])


@pytest.fixture
def sealing(store: Database) -> Iterator[Database]:
    made = Database(store.engine.url.render_as_string(hide_password=False), lambda: KEYS)
    yield made
    made.close()


@pytest.fixture
def node(sealing: Database, tmp_path: Path) -> Reminding:
    StoreNode(sealing)
    load(sealing, PEOPLE, NOW)
    return Reminding(sealing, tmp_path)
