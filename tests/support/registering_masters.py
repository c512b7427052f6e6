"""The ledger of a master by other hands that takes registrations, and two that do it wrong."""

import json
from datetime import UTC, datetime

from tests.support.masters import Answer, Json, Ledger, as_json, digest, problem


class Registers(Ledger):
    """Takes what it is sent; numbers are those of the node's blocks, or the next free one."""

    leases_numbers = True
    looks_at_blocks = True
    gives_anew = False
    given = 0

    def register(self, node: str, submission: str, body: bytes) -> Answer:
        """What is answered to a PUT."""
        receipts: dict[str, dict[str, Json]] = self.__dict__.setdefault("receipts", {})
        said = json.loads(body)
        if said["athlete"] is not None and self.looks_at_blocks and not self._has(node, said["block"], said["athlete"]):
            errors = [{"pointer": "/athlete", "detail": "is not of this block"}]
            return problem(422, "This number is not of its block.", errors=errors)
        status = 200 if submission in receipts else 201
        self.given += 1
        number = f"A{8000 + self.given}" if self.gives_anew or said["athlete"] is None else said["athlete"]
        now = datetime.now(UTC).isoformat()
        receipt: dict[str, Json] = {"submission": submission, "digest": digest(body), "received_at": now}
        kept = receipts.setdefault(submission, {**receipt, "kind": "registrations", "athlete": number})
        return as_json(status, {**kept, "athlete": number} if self.gives_anew else kept)

    def _has(self, node: str, name: str, number: str) -> bool:
        own = [block for (owner, _key), block in self.blocks.items() if owner == node and block["block"] == name]
        return any(block["first"] <= int(number[1:]) <= block["last"] for block in own)


class TakesAnyNumber(Registers):
    looks_at_blocks = False


class GivesAnew(Registers):
    gives_anew = True
