"""An example of each call of the API, for its page: a line of shell that a test runs as it stands."""

from collections.abc import Mapping

_ONE = "$NODE/api/v1/submissions/$ID"
_RUNNER = (
    '{"given_name": "Zoe", "family_name": "Miller", "born": "1990-01-31", "email": "zoe@mail.example", '
    '"emergency": {"name": "Max Miller", "phone": "+44 20 7946 0000"}, "consents": ["results-1", "risk-1"]}'
)
_TWO_FINISHERS = (
    '{"event": "bushy", "date": "2026-03-14", "finishers": '
    '[{"position": 1, "athlete": "A1234567", "time": "00:17:31"}, '
    '{"position": 2, "athlete": null, "time": "00:18:02"}]}'
)

ARGUMENTS: Mapping[tuple[str, str], str] = {
    ("POST", "/api/v1/check"): "$NODE/api/v1/check -F files=@junsd.csv -F files=@opticon.txt",
    ("POST", "/api/v1/submissions"): "$NODE/api/v1/submissions -H 'Idempotency-Key: \"bushy-2026-03-14\"' "
    f"-H 'Content-Type: application/json' -d '{_TWO_FINISHERS}'",
    ("POST", "/api/v1/{kind}"): "$NODE/api/v1/messages -H 'Content-Type: application/json' "
    '-d \'{"event": "bushy", "subject": "A late barcode", "text": "Position 7 is A1234567."}\'',
    ("POST", "/api/v1/registrations"): "$NODE/api/v1/registrations -H "
    "'Idempotency-Key: \"7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11\"' "
    f"-H 'Content-Type: application/json' -d '{_RUNNER}'",
    ("GET", "/api/v1/registrations/{registration}"): "$NODE/api/v1/registrations/$REGISTRATION",
    ("GET", "/api/v1/registrations"): '"$NODE/api/v1/registrations?state=conflict&size=20"',
    ("GET", "/api/v1/submissions/{submission}"): _ONE,
    ("DELETE", "/api/v1/submissions/{submission}"): f"-X DELETE {_ONE}",
    ("GET", "/api/v1/submissions"): '"$NODE/api/v1/submissions?states=queued&states=rejected&size=20"',
    ("GET", "/api/v1/status"): "$NODE/api/v1/status",
    ("POST", "/api/v1/actions"): "$NODE/api/v1/actions -H 'Content-Type: application/json' "
    '-d \'{"verb": "retry", "filter": {"events": ["bushy"]}, "reason": "the link is back", "dry_run": true}\'',
    ("GET", "/api/v1/actions/{action}"): "$NODE/api/v1/actions/$ACTION",
    ("DELETE", "/api/v1/actions/{action}"): "-X DELETE $NODE/api/v1/actions/$ACTION",
    ("GET", "/api/v1/holds"): "$NODE/api/v1/holds",
    ("POST", "/api/v1/holds"): "$NODE/api/v1/holds -H 'Content-Type: application/json' "
    '-d \'{"event": "bushy", "reason": "checking the course"}\'',
    ("DELETE", "/api/v1/holds/{hold}"): "-X DELETE $NODE/api/v1/holds/$HOLD",
    ("GET", "/api/v1/notices"): "$NODE/api/v1/notices",
    ("POST", "/api/v1/notices"): "$NODE/api/v1/notices -H 'Content-Type: application/json' "
    '-d \'{"title": "The master is away", "text": "Submit as always.", "until": "2013-12-07T13:00:00Z"}\'',
    ("DELETE", "/api/v1/notices/{notice}"): "-X DELETE $NODE/api/v1/notices/$NOTICE",
    ("GET", "/api/v1/outages"): "$NODE/api/v1/outages",
    ("GET", "/api/v1/outages/{outage}"): "$NODE/api/v1/outages/$OUTAGE",
    ("GET", "/alerts"): '"$NODE/alerts?fail=1"',
    ("GET", "/healthz"): "$NODE/healthz",
    ("GET", "/readyz"): "$NODE/readyz",
    ("GET", "/metrics"): "$NODE/metrics",
}
"""Method and path → what follows `curl`. NODE is the node's address, TOKEN a token; the others are ids of answers."""


def command(method: str, path: str, guarded: bool) -> str:
    """The example as a whole line."""
    token = '-H "Authorization: Bearer $TOKEN" ' if guarded else ""
    return f"curl {token}{ARGUMENTS[method, path]}"
