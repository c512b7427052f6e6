"""The ledger of a master by other hands that takes reminders, two that do it wrong, and one that lists addresses."""

import json
from datetime import UTC, datetime

from tests.support.masters import Answer, Json, Ledger, as_json, digest, problem


class Reminds(Ledger):
    """Keeps what it is sent, until it expires."""

    looks_at_time = True
    forgets = False

    def remind(self, submission: str, body: bytes) -> Answer:
        """What is answered to a PUT."""
        receipts: dict[str, dict[str, Json]] = self.__dict__.setdefault("receipts", {})
        now = datetime.now(UTC)
        if self.looks_at_time and datetime.fromisoformat(json.loads(body)["expires_at"]) <= now:
            return problem(410, "It has expired.")
        status = 200 if submission in receipts and not self.forgets else 201
        receipt: dict[str, Json] = {"submission": submission, "digest": digest(body), "received_at": now.isoformat()}
        return as_json(status, receipts.setdefault(submission, {**receipt, "kind": "reminders"}))


class TakesWhatIsLate(Reminds):
    looks_at_time = False


class RemindsTwice(Reminds):
    forgets = True


class SendsAddresses(Ledger):
    athletes = ({"athlete": "A101", "name": "Jane SMITH", "mail": "jane@example.org"},)
