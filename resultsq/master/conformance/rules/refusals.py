"""What a master refuses: with the right status, with problem details, and without a trace."""

import gzip
import re
import uuid
from collections.abc import Mapping

from resultsq.master.conformance.rules.rule import Rule
from resultsq.master.conformance.trial import RuleBroken, Skipped, Trial, refused

_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")  # RFC 6901
_UNPACKED = 32 * 2**20


def _no_token(trial: Trial) -> str:
    return _credentials(trial, "")


def _unknown_token(trial: Trial) -> str:
    return _credentials(trial, f"unknown-{uuid.uuid4()}")


def _credentials(trial: Trial, token: str) -> str:
    entry = trial.entry()
    refused(trial.put(entry, token=token), 401)
    trial.not_committed(entry)
    for path in (entry.path, f"/v1/submissions/{entry.submission}", "/v1/receipts"):
        refused(trial.client.get(path, token=token), 401)
    return "401 with problem details"


def _uncovered_event(trial: Trial) -> str:
    if not trial.uncovered_event:
        raise Skipped("Name an event that the token does not cover with --uncovered-event.")
    entry = trial.entry()
    path = entry.path.replace(f"/{entry.event}/", f"/{trial.uncovered_event}/")
    body = entry.body.replace(f'"{entry.event}"'.encode(), f'"{trial.uncovered_event}"'.encode(), 1)
    refused(trial.client.put(path, body, entry.headers(None)), 403)
    trial.not_committed(entry)
    return "403 with problem details"


def _headers(trial: Trial, changes: Mapping[str, str | None], *statuses: int, body: bytes | None = None) -> str:
    """A PUT with other headers is refused."""
    entry = trial.entry()
    reply = trial.put_with(entry, changes, body)
    refused(reply, *statuses)
    trial.not_committed(entry)
    return f"{reply.status} with problem details"


def _no_key(trial: Trial) -> str:
    _headers(trial, {"Idempotency-Key": '"no-uuid"'}, 400, 422)
    return _headers(trial, {"Idempotency-Key": None}, 400, 422)


def _no_precondition(trial: Trial) -> str:
    return _headers(trial, {"If-None-Match": None}, 400, 422)


def _both_preconditions(trial: Trial) -> str:
    return _headers(trial, {"If-Match": f'"{uuid.uuid4()}"'}, 400, 422)


def _media_type(trial: Trial) -> str:
    return _headers(trial, {"Content-Type": "text/plain"}, 415)


def _coding(trial: Trial) -> str:
    return _headers(trial, {"Content-Encoding": "x-unknown"}, 415)


def _no_json(trial: Trial) -> str:
    return _headers(trial, {}, 400, 422, body=b'{"schema": "resultsq.results/1", ')


def _cut_off(trial: Trial) -> str:
    entry = trial.entry()
    without_checksum = gzip.compress(entry.body)[:-8]  # all of the JSON is there
    reply = trial.put_with(entry, {"Content-Encoding": "gzip"}, without_checksum)
    refused(reply, 400, 422)
    trial.not_committed(entry)
    return f"{reply.status} with problem details"


def _bomb(trial: Trial) -> str:
    entry = trial.entry()
    packed = gzip.compress(entry.body[:-1] + b" " * _UNPACKED + b"?")
    refused(reply := trial.put_with(entry, {"Content-Encoding": "gzip"}, packed), 400, 413, 422)
    trial.not_committed(entry)
    return f"{reply.status} with problem details"


def _gap(trial: Trial) -> str:
    return _wrong_content(
        trial,
        finishers=[{"position": 1, "athlete": None, "time": None}, {"position": 3, "athlete": None, "time": None}],
    )


def _other_date(trial: Trial) -> str:
    _wrong_content(trial, event=f"{trial.event[:50]}-2")
    return _wrong_content(trial, date="1969-12-31")


def _bad_rows(trial: Trial) -> str:
    _wrong_content(trial, finishers=[{"position": 1, "athlete": None, "time": "17:31"}])
    return _wrong_content(trial, finishers=[{"position": 1, "athlete": "1234567", "time": None}])


def _wrong_content(trial: Trial, **changes: object) -> str:
    """A sheet with other members is refused, with the place of each fault."""
    reply = trial.put(entry := trial.entry(**changes))  # type: ignore[arg-type]
    errors = refused(reply, 422).get("errors")
    if not isinstance(errors, list) or not errors:
        raise RuleBroken(reply, "A 422 lists what is wrong: errors.")
    for one in errors:
        if not isinstance(one, dict) or not isinstance(one.get("detail"), str):
            raise RuleBroken(reply, "Each error has a detail in words.")
        if not isinstance(pointer := one.get("pointer"), str) or not _POINTER.fullmatch(pointer):
            raise RuleBroken(reply, "Each error has a JSON pointer (RFC 6901).")
    trial.not_committed(entry)
    return "422 with errors"


def _additions(trial: Trial) -> str:
    given = []
    for path, member in (("/v1/notices", "notices"), ("/v1/athletes", "athletes")):
        reply = trial.client.get(path)
        if reply.status not in (200, 404):
            raise RuleBroken(reply, "A call that 1.1 added is served, or answered with 404.")
        if reply.status == 200 and not isinstance(reply.object.get(member), list):
            raise RuleBroken(reply, f"The answer has a list: {member}.")
        given.append(f"{path} {reply.status}")
    return ", ".join(given)


def _later(trial: Trial) -> str:
    if not trial.client.told_to_wait:
        raise Skipped("The master never asked for a pause; no call of the contract makes it.")
    for reply in trial.client.told_to_wait:
        if not reply.object:
            raise RuleBroken(reply, "A 429 or 503 without JSON is taken for a proxy's.")
    return f"{len(trial.client.told_to_wait)} times"


RULES = (
    Rule("no credentials", "calls without a token", "401 with problem details", _no_token),
    Rule("unknown credentials", "calls with an unknown token", "401 with problem details", _unknown_token),
    Rule("uncovered event", "a sheet of an event not for this token", "403 with problem details", _uncovered_event),
    Rule("no id", "a sheet without an Idempotency-Key, or no UUID", "400 with problem details", _no_key),
    Rule("no precondition", "neither If-None-Match nor If-Match", "400 with problem details", _no_precondition),
    Rule("two preconditions", "If-None-Match and If-Match", "400 with problem details", _both_preconditions),
    Rule("media type", "a sheet as text/plain", "415 with problem details", _media_type),
    Rule("coding", "a Content-Encoding that is none", "415 with problem details", _coding),
    Rule("no JSON", "half an object", "400 with problem details", _no_json),
    Rule("cut off", "gzip without its end", "400; nothing is committed", _cut_off),
    Rule("bomb", f"a small body that unpacks to {_UNPACKED // 2**20} MiB", "413 or 400, in time", _bomb),
    Rule("positions", "a sheet with a gap in its positions", "422 with errors: pointer, detail", _gap),
    Rule("address", "a sheet of another event, of another date", "422 with errors", _other_date),
    Rule("rows", "a time and an athlete in another spelling", "422 with errors", _bad_rows),
    Rule("additions of 1.1", "GET /v1/notices and /v1/athletes", "404, or a list", _additions),
    Rule("pauses", "any call", "429 and 503 carry JSON", _later),
)
