"""A node as a relay: what another node hands to it is kept, once, and the truth is told about it."""

import gzip
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.settings import Settings
from resultsq.store.admin import tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Audit, Event, Payload, Submission
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.web.site import Answer, Site
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode

DAY = "2013-12-07"


def _sheet(event: str = "bushy", rows: int = 3, submission: str | None = None) -> tuple[str, bytes]:
    """A sheet as another node accepted it: its id and its bytes."""
    lines = [{"position": n, "athlete": f"A{1000 + n}", "time": f"00:17:{n:02}"} for n in range(1, rows + 1)]
    id_ = submission or str(uuid.uuid4())
    given = {"event": event, "date": DAY, "finishers": lines}
    entry = KINDS["results"].prepare(given, submission=id_, submitted_by=event, submitted_at=NOW.replace(microsecond=0))
    return id_, entry.body


class Relay:
    """The relay as the other node sees it."""

    def __init__(self, site: Site, events: list[str] | None = None) -> None:
        self.site = site
        self.token = site.database.write(
            lambda conn: tokens.issue_numbered(conn, NOW, "laptop-1", Role.NODE, None, events)
        )[0]

    def put(self, id_: str, body: bytes, event: str = "bushy", base: str | None = None, **headers: str) -> Answer:
        condition = {"If-None-Match": "*"} if base is None else {"If-Match": f'"{base}"'}
        named = {"Content-Encoding": "gzip", "Idempotency-Key": f'"{id_}"', **condition}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = gzip.compress(body) if named["Content-Encoding"] == "gzip" else body
        return self.call("PUT", f"/v1/events/{event}/results/{DAY}", named, data)

    def get(self, id_: str) -> Answer:
        return self.call("GET", f"/v1/submissions/{id_}", {})

    def call(self, method: str, path: str, headers: dict[str, str], data: bytes | None = None) -> Answer:
        whole = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        return self.site.open(method, path, headers=whole, data=data)


@pytest.fixture
def relay(site: Site) -> Relay:
    return Relay(site)


def _rows(site: Site, *columns: Any) -> list[Any]:
    with site.database.read() as conn:
        return list(conn.execute(select(*columns).order_by(Submission.seq)))


def test_a_sheet_is_kept_with_its_id_and_bytes_and_the_answer_is_a_custody_receipt(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    answer = relay.put(id_, body)
    assert answer.status == 202
    assert set(answer.json) == {"custody", "submission", "digest", "received_at"}
    assert answer.json["submission"] == id_
    stored = _rows(site, Submission.id, Submission.state, Submission.digest, Submission.submitted_by)
    assert stored == [(id_, State.QUEUED, answer.json["digest"], "laptop-1")]
    with site.database.read() as conn:
        assert conn.execute(select(Payload.body)).scalar_one() == body
        assert conn.execute(select(Submission.in_doubt)).scalar_one(), "the other node may have sent it"
        assert "take over" in conn.execute(select(Audit.action)).scalars().all()


def test_the_same_again_is_the_same_answer_and_is_stored_once(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    first = relay.put(id_, body)
    site.clock.advance(60)
    again = relay.put(id_, body)
    assert (again.status, again.json) == (first.status, first.json)
    assert len(_rows(site, Submission.id)) == 1


def test_another_sheet_under_the_same_id_is_refused(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    relay.put(id_, body)
    answer = relay.put(id_, _sheet(rows=4, submission=id_)[1])
    assert (answer.status, answer.json["code"]) == (409, "id-reused")
    with site.database.read() as conn:
        assert conn.execute(select(Payload.body)).scalar_one() == body


def test_a_correction_waits_behind_the_version_that_it_corrects(site: Site, relay: Relay) -> None:
    first, body = _sheet()
    second, corrected = _sheet(rows=4)
    relay.put(first, body)
    assert relay.put(second, corrected, base=first).status == 202
    assert _rows(site, Submission.id, Submission.base, Submission.blocked) == [
        (first, None, False),
        (second, first, True),
    ]


def _settled(site: Site, id_: str, **values: Any) -> None:
    site.database.write(lambda conn: conn.execute(update(Submission).where(Submission.id == id_).values(**values)))


def test_it_tells_how_a_submission_stands(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    assert relay.get(id_).status == 404
    kept = relay.put(id_, body)
    assert (relay.get(id_).status, relay.get(id_).json) == (202, kept.json)
    there = {"published_at": NOW, "received_at": NOW, "revision": 7}
    _settled(site, id_, state=State.PUBLISHED, published_as=id_, **there)
    for answer in (relay.get(id_), relay.put(id_, body)):
        assert answer.status == 200
        assert answer.json | {"digest": "", "received_at": ""} == {
            "submission": id_,
            "event": "bushy",
            "date": DAY,
            "revision": 7,
            "digest": "",
            "received_at": "",
        }
        assert answer.json["digest"] == kept.json["digest"]
    other = str(uuid.uuid4())
    _settled(site, id_, published_as=other)
    answer = relay.get(id_)
    assert (answer.status, answer.json["head"], answer.json["same_rows"]) == (
        412,
        {"submission": other, "revision": 7},
        True,
    )


def test_it_passes_on_what_the_master_refused(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    relay.put(id_, body)
    _settled(site, id_, state=State.REJECTED, status=422, detail="No.", reasons=[{"detail": "Bad.", "pointer": "/x"}])
    answer = relay.get(id_)
    assert (answer.status, answer.json["detail"]) == (422, "No.")
    assert answer.json["errors"] == [{"detail": "Bad.", "pointer": "/x"}]
    _settled(site, id_, state=State.CONFLICT, conflict_head="other", conflict_revision=2)
    answer = relay.get(id_)
    assert (answer.status, answer.json["head"]) == (412, {"submission": "other", "revision": 2})
    _settled(site, id_, state=State.WITHDRAWN)
    assert relay.get(id_).status == 410


def test_a_circle_is_refused(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    name = relay.put(id_, body, Via="1.1 laptop").json["custody"]
    second, corrected = _sheet(event="richmond")
    assert relay.put(second, corrected, "richmond", Via=f"1.1 laptop, 1.1 {name}, 1.1 other").status == 508
    too_long = ", ".join(f"1.1 n{number}" for number in range(9))
    assert relay.put(second, corrected, "richmond", Via=too_long).status == 508
    assert len(_rows(site, Submission.id)) == 1


def test_a_token_that_is_wrong_or_of_another_role_is_refused(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    for who, status in (("rq_wrong", 401), (site.tokens["bushy"], 403), (site.tokens[Role.ADMIN], 403)):
        relay.token = who
        assert relay.put(id_, body).status == status
        assert relay.get(id_).status == status
    assert _rows(site, Submission.id) == []


def test_a_nodes_token_is_good_for_nothing_else(site: Site, relay: Relay) -> None:
    for path in ("/api/v1/status", "/api/v1/submissions", f"/api/v1/submissions/{uuid.uuid4()}"):
        assert relay.call("GET", path, {}).status == 403


def test_a_token_for_some_events_is_good_for_these_alone(site: Site) -> None:
    relay, other = Relay(site, ["bushy"]), Relay(site)
    assert relay.put(*_sheet()).status == 202
    id_, body = _sheet("richmond")
    assert relay.put(id_, body, "richmond").status == 403
    assert other.put(id_, body, "richmond").status == 202
    assert relay.get(id_).status == 404
    assert other.get(id_).status == 202


def test_an_event_that_is_not_here_is_made(site: Site, relay: Relay) -> None:
    assert relay.put(*_sheet("faraway"), "faraway").status == 202
    with site.database.read() as conn:
        assert "faraway" in conn.execute(select(Event.slug)).scalars().all()


def test_what_is_not_as_it_says_is_refused_and_not_kept(site: Site, relay: Relay) -> None:
    id_, body = _sheet()
    refused = [
        (relay.put(id_, body, "richmond"), 422),  # the sheet is of another event
        (relay.put(id_, body[:-5]), 422),
        (relay.put("no-uuid", body), 422),
        (relay.put(id_, body, Idempotency_Key="bare"), 400),
        (relay.put(id_, body, If_Match='"both"'), 400),
        (relay.put(id_, body, Content_Encoding="br"), 415),
        (relay.put(id_, body, Content_Type="text/plain"), 415),
        (relay.put(id_, gzip.compress(body)[:-4], Content_Encoding="GZIP"), 400),
        (relay.put(id_, b"{" * 500_000), 422),
    ]
    assert [answer.status for answer, _ in refused] == [status for _, status in refused]
    assert all(answer.headers["Content-Type"] == "application/problem+json" for answer, _ in refused)
    assert _rows(site, Submission.id) == []


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(make_site: Callable[..., Site]) -> None:
    relay = Relay(make_site(max_body_bytes=100_000))
    assert relay.put(_sheet()[0], b" " * 5_000_000).status == 413


def test_an_event_hands_over_no_more_than_its_quota(make_site: Callable[..., Site]) -> None:
    site = make_site(event_submissions_per_day=1)
    relay = Relay(site)
    assert relay.put(*_sheet()).status == 202
    answer = relay.put(*_sheet(rows=4))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert len(_rows(site, Submission.id)) == 1


def test_a_message_is_kept_too(site: Site, relay: Relay) -> None:
    id_ = str(uuid.uuid4())
    given = {"event": "bushy", "subject": "Hello", "text": "We are late."}
    entry = KINDS["messages"].prepare(given, submission=id_, submitted_by="bushy", submitted_at=NOW)
    headers = {"Idempotency-Key": f'"{id_}"'}
    assert relay.call("PUT", f"/v1/messages/{id_}", headers, entry.body).status == 202
    assert relay.call("PUT", f"/v1/messages/{uuid.uuid4()}", headers, entry.body).status == 400
    assert relay.call("PUT", f"/v1/mails/{id_}", headers, entry.body).status in (404, 405)
    assert _rows(site, Submission.id, Submission.kind) == [(id_, "messages")]


def test_it_works_on_both_databases(store: Database, tmp_path: Any) -> None:
    node = StoreNode(store)
    settings = Settings(data_dir=tmp_path)
    app = create_app(settings, node.database, clock=ManualClock(NOW), bell=Bell(""))
    relay = Relay(Site(node, settings, ManualClock(NOW), app, {}))
    id_, body = _sheet()
    first = relay.put(id_, body)
    assert first.status == 202
    assert relay.put(id_, body).json == first.json == relay.get(id_).json
    _check_rows(node.database, id_)


def _check_rows(database: Database, id_: str) -> None:
    with database.read() as conn:
        assert conn.execute(select(Submission.id)).scalars().all() == [id_]
