"""Reminders: kept once, and not after they have expired. A master need not take them.

The address belongs to a domain that there never is, so that nothing is mailed to anyone."""

import base64
import hashlib
import json
import uuid
from datetime import datetime, timedelta

from resultsq.clock import SystemClock
from resultsq.master.conformance.client import Reply
from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Trial, refused


def _body(expires_in: timedelta) -> bytes:
    now = SystemClock().now()
    return json.dumps(
        {
            "schema": "resultsq.reminder/1",
            "email": "conformance@resultsq.invalid",
            "submitted_at": _utc(now),
            "expires_at": _utc(now + expires_in),
        }
    ).encode()


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _put(trial: Trial, submission: str, body: bytes) -> Reply:
    headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{submission}"'}
    reply = trial.client.put(f"/v1/reminders/{submission}", body, headers)
    if reply.status == 404:
        raise Skipped("The master takes no reminders: it need not.")
    return reply


def _twice(trial: Trial) -> str:
    submission, body = str(uuid.uuid4()), _body(timedelta(hours=1))
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    for status in (201, 200):
        reply = _put(trial, submission, body)
        if reply.status != status:
            raise RuleBroken(reply, f"The status is not {status}.")
        if (reply.object.get("submission"), reply.object.get("digest")) != (submission, digest):
            raise RuleBroken(reply, "The receipt is not the reminder's.")
    return "201, then 200"


def _late(trial: Trial) -> str:
    refused(_put(trial, str(uuid.uuid4()), _body(timedelta(hours=-1))), 410)
    return "410"


RULES = (
    Rule("reminder", "a reminder of a made-up address, twice", "201, then 200, with its receipt", _twice),
    Rule("late reminder", "a reminder that has expired", "410 with problem details", _late),
)
