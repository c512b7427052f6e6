"""Registrations: the receipt repeats the number, and no number is taken from outside its block. A master need not
have them."""

import base64
import hashlib
import json
import uuid
from typing import Any

from resultsq.master.conformance.client import Reply
from resultsq.master.conformance.rules.blocks import give_back, lease
from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Trial, refused


def _body(**changes: object) -> bytes:
    """The registration of a made-up person."""
    return json.dumps(
        {
            "schema": "resultsq.registration/1",
            "athlete": None,
            "block": None,
            "given_name": "Conformance",
            "family_name": f"Kit {uuid.uuid4()}",
            "born": "1970-01-01",
            "gender": None,
            "email": "conformance@example.org",
            "home_event": None,
            "emergency": None,
            "consents": [],
            "submitted_at": "1970-01-01T10:42:11Z",
            **changes,
        }
    ).encode()


def _put(trial: Trial, submission: str, body: bytes) -> Reply:
    headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{submission}"'}
    reply = trial.client.put(f"/v1/registrations/{submission}", body, headers)
    if reply.status == 404:
        raise Skipped("The master takes no registrations: it need not.")
    return reply


def _receipt(reply: Reply, submission: str, body: bytes, status: int) -> dict[str, Any]:
    if reply.status != status:
        raise RuleBroken(reply, f"The status is not {status}.")
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    for name, value in (("submission", submission), ("digest", digest)):
        if reply.object.get(name) != value:
            raise RuleBroken(reply, f"The receipt's {name} is not the registration's.")
    return reply.object


def _with_number(trial: Trial) -> str:
    block = lease(trial, str(uuid.uuid4()))
    submission, number = str(uuid.uuid4()), f"A{block.object['first']}"
    body = _body(athlete=number, block=block.object["block"])
    for status in (201, 200):
        reply = _put(trial, submission, body)
        if _receipt(reply, submission, body, status).get("athlete") != number:
            raise RuleBroken(reply, "The receipt has another number than was sent.")
    give_back(trial, block, used=1)
    return "201, then 200, with its number"


def _without_number(trial: Trial) -> str:
    submission, body = str(uuid.uuid4()), _body()
    reply = _put(trial, submission, body)
    given = _receipt(reply, submission, body, 201).get("athlete")
    if not isinstance(given, str) or not given.startswith("A"):
        raise RuleBroken(reply, "The receipt has no number, though none was sent.")
    again = _put(trial, submission, body)
    if _receipt(again, submission, body, 200).get("athlete") != given:
        raise RuleBroken(again, "A repeat got another number.")
    return "201, then 200, with one number"


def _outside_its_block(trial: Trial) -> str:
    block = lease(trial, str(uuid.uuid4()))
    outside = f"A{block.object['last'] + 1}"
    reply = _put(trial, str(uuid.uuid4()), _body(athlete=outside, block=block.object["block"]))
    refused(reply, 422)
    give_back(trial, block)
    return "422"


RULES = (
    Rule("registration", "a registration with a leased number, twice", "201, then 200, with its number", _with_number),
    Rule("number to give", "a registration without a number, twice", "one number, given once", _without_number),
    Rule("number outside its block", "a registration with a number of no block", "422", _outside_its_block),
)
