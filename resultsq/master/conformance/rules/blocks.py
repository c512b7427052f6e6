"""Blocks of athlete numbers: one block for one key, and no number in two. A master need not have them."""

import json
import uuid

from resultsq.master.conformance.client import Reply
from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Trial, moment

_PATH = "/v1/athlete-blocks"
_SIZE = 2


def lease(trial: Trial, key: str, token: str | None = None) -> Reply:
    """The answer with a block, whose members are checked."""
    reply = trial.client.post(_PATH, _json(size=_SIZE), _headers(key), token=token)
    if reply.status == 404:
        raise Skipped("The master leases no athlete numbers: it need not.")
    given = reply.object
    if reply.status != 201 or not isinstance(given.get("block"), str):
        raise RuleBroken(reply, "A lease is answered 201 with the name of its block.")
    first, last = given.get("first"), given.get("last")
    if type(first) is not int or type(last) is not int or last - first + 1 != _SIZE or first < 1:
        raise RuleBroken(reply, "The block has another number of athlete numbers than was asked for.")
    moment(given.get("expires_at"), reply)
    return reply


def _repeat(trial: Trial) -> str:
    key = str(uuid.uuid4())
    first, again = lease(trial, key), lease(trial, key)
    if again.object != first.object:
        raise RuleBroken(again, "The same key got another block.")
    give_back(trial, first)
    return "201, the same block"


def _two_blocks(trial: Trial) -> str:
    return _apart(trial, lease(trial, str(uuid.uuid4())), lease(trial, str(uuid.uuid4())))


def _two_nodes(trial: Trial) -> str:
    if not trial.other_token:
        raise Skipped("The token of another node is needed: --other-token.")
    key = str(uuid.uuid4())
    return _apart(trial, lease(trial, key), lease(trial, key, trial.other_token), trial.other_token)


def _apart(trial: Trial, one: Reply, other: Reply, token: str | None = None) -> str:
    if one.object["first"] <= other.object["last"] and other.object["first"] <= one.object["last"]:
        raise RuleBroken(other, "An athlete number is in two blocks.")
    give_back(trial, one)
    give_back(trial, other, token)
    return "no number twice"


def give_back(trial: Trial, block: Reply, token: str | None = None, used: int = 0) -> None:
    """Return the rest of the block, of which so many numbers were used."""
    path = f"{_PATH}/{block.object['block']}"
    reply = trial.client.delete(path, _json(used_up_to=block.object["first"] - 1 + used), _headers(None), token=token)
    if reply.status not in (200, 204):
        raise RuleBroken(reply, "The unused rest of a block could not be returned.")


def _headers(key: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json", **({"Idempotency-Key": f'"{key}"'} if key else {})}


def _json(**members: int) -> bytes:
    return json.dumps(members).encode()


RULES = (
    Rule("athlete block", "a lease of numbers, twice with one key", "201 and one block", _repeat),
    Rule("two blocks", "two leases of numbers", "no number is in both", _two_blocks),
    Rule("blocks of two nodes", "two nodes lease with one key", "no number is in both", _two_nodes),
)
