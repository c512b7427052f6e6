"""Every route's bound: how long a body it takes, how many fields and values, and how many checks at once."""

import json
import threading
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from flask import Flask
from typing_extensions import Buffer
from werkzeug.test import Client

from resultsq.app.intake import MOST_FILES, MOST_VALUES
from resultsq.store.admin import alerts
from resultsq.watch import messenger
from resultsq.web import bounds
from resultsq.web.bounds import MOST_CHECKS
from tests.integration.form.test_access import address, routes
from tests.integration.web.site import Sheet, Site

LARGE = {
    "api.submit", "api.submit_of_kind", "api.check", "form.add_files", "form.type_table", "dashboard.import_events",
    "dashboard.import_accounts",
    "form.receive_entry", "relay.keep_results", "relay.keep_of_kind",
}  # fmt: skip
"""The routes that take more than a form's few fields. A new one belongs here, and into tests/faults/test_floods.py."""
SMALL = 64 * 1024


def _calls(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and an address of each route."""
    for route, method in routes(app):
        yield route.endpoint, method, address(route, "00000000-0000-4000-8000-000000000001")


def test_every_route_refuses_a_body_over_its_bound_before_it_reads_it(site: Site) -> None:
    class Unread(BytesIO):
        def readinto(self, _: Buffer) -> int:
            raise AssertionError("the body was read")

    calls = list(_calls(site.app))
    assert len(calls) > 60
    for endpoint, method, path in calls:
        most = bounds.most_bytes(site.app, method, path)
        assert most <= (site.settings.max_body_bytes if endpoint in LARGE else SMALL), f"{method} {path}"
        for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
            answer = Client(site.app).open(
                path,
                method=method,
                input_stream=Unread(),
                content_type=kind,
                environ_overrides={"CONTENT_LENGTH": str(most + 1)},
            )
            assert answer.status_code == 413, f"{method} {path}"


def test_an_address_without_a_route_takes_no_body(site: Site) -> None:
    assert bounds.most_bytes(site.app, "POST", "/nowhere") == bounds.bound.nothing.body_bytes
    assert bounds.most_bytes(site.app, "PUT", "/login") == bounds.bound.nothing.body_bytes


def test_files_are_refused_where_none_are_taken(site: Site) -> None:
    for endpoint, method, path in _calls(site.app):
        if method == "POST" and endpoint not in LARGE - {"form.type_table", "form.receive_entry"}:
            answer = site.open(method, path, data={"file": (BytesIO(b"x"), "x.csv")})
            assert answer.status == 415, path


@pytest.mark.parametrize(("path", "fields"), [("/login", 300), ("/login", 30_000)])
def test_a_form_is_refused_when_it_has_more_fields_than_any(site: Site, path: str, fields: int) -> None:
    body = "a&" * fields
    answer = site.open("POST", path, data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status == 413


def test_an_upload_is_refused_when_it_has_more_files_than_an_event(site: Site) -> None:
    part = '--b\r\nContent-Disposition: form-data; name="f"; filename="{}.csv"\r\n\r\nx\r\n'
    for count in (MOST_FILES + 2, 5 * MOST_FILES):
        body = "".join(map(part.format, range(count))) + "--b--\r\n"
        answer = site.call("POST", "/check", data=body, content_type="multipart/form-data; boundary=b")
        assert answer.status == 413


def test_values_are_counted_before_they_are_made_wherever_json_comes_in(
    site: Site, sheet: Callable[..., Sheet]
) -> None:
    many = "[" + "{}," * MOST_VALUES + "{}]"
    as_json = site.call(
        "POST", "/submissions", data=json.dumps(sheet())[:-1] + f', "volunteers": {many}}}',
        content_type="application/json",
    )  # fmt: skip
    parts = {"event": "bushy", "date": "2013-12-07", "volunteers": many, 'f"; filename="t': "time\n17:00\n"}
    head = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = "".join(head.format(*part) for part in parts.items()) + "--b--\r\n"
    as_part = site.call("POST", "/submissions", data=body, content_type="multipart/form-data; boundary=b")
    for answer in (as_json, as_part):
        assert answer.status == 422
        assert "far too many rows" in answer.json["errors"][0]["detail"]


def test_one_bad_volunteer_is_told_and_not_each_when_thousands_are_wrong(site: Site) -> None:
    wrong = json.dumps([{"athlete": 0}] * 19_000)
    data = {
        "event": "bushy",
        "date": "2013-12-07",
        "volunteers": wrong,
        "f": (BytesIO(b"position,time\n1,17:00\n"), "t.csv"),
    }
    answer = site.call("POST", "/submissions", data=data)
    assert (answer.status, len(answer.json["errors"])) == (422, 1)
    assert answer.json["errors"][0]["pointer"] == "/volunteers/0/athlete"


def test_rows_of_all_files_are_counted_before_they_are_joined(site: Site) -> None:
    scans = "".join(f"A{1000 + n},P{1 + n:04}\n" for n in range(19_999))
    head = '--b\r\nContent-Disposition: form-data; name="f"; filename="x{}.csv"\r\n\r\nA{},P1\n'
    body = "".join(f"{head.format(n, n + 1)}{scans}\r\n" for n in range(5)) + "--b--\r\n"
    answer = site.call("POST", "/check", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status == 200
    assert [one["code"] for one in answer.json["problems"]] == ["too-many-rows"]
    assert "together" in answer.json["problems"][0]["message"]


def test_a_third_check_of_one_token_is_told_to_wait_while_two_run(site: Site) -> None:
    class Slow(BytesIO):
        """A body that comes only when it is let go."""

        def readinto(self, buffer: Buffer) -> int:
            reading.release()
            assert go_on.wait(20)
            return super().readinto(buffer)

    def check(who: str, stream: BytesIO) -> int:
        headers = {"Authorization": f"Bearer {site.tokens[who]}"}
        answer = Client(site.app).post(
            "/api/v1/check", input_stream=stream, content_length=len(body), headers=headers,
            content_type="multipart/form-data; boundary=b",
        )  # fmt: skip
        retry.append(answer.headers.get("Retry-After"))
        return answer.status_code

    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="t"\r\n\r\ntime\n17:00\n\r\n--b--\r\n'
    retry: list[str | None] = []
    reading, go_on, statuses = threading.Semaphore(0), threading.Event(), list[int]()
    two = [threading.Thread(target=lambda: statuses.append(check("bushy", Slow(body)))) for _ in range(MOST_CHECKS)]
    for one in two:
        one.start()
    try:
        assert all(reading.acquire(timeout=20) for _ in two)
        assert check("bushy", BytesIO(body)) == 429
        assert retry == ["1"]
        assert check("richmond", BytesIO(body)) == 200, "others are not touched"
    finally:
        go_on.set()
        for one in two:
            one.join(20)
    assert statuses == [200, 200]
    assert check("bushy", BytesIO(body)) == 200, "a place is free again"


def test_an_event_over_its_days_quota_is_told_so_and_an_alert_tells_the_operators(
    make_site: Callable[..., Site], sheet: Callable[..., Sheet]
) -> None:
    site = make_site(event_submissions_per_day=1, disk_low_bytes=0)
    assert site.post(sheet(3)).status == 201
    answer = site.post(sheet(3, date="2013-11-30"))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "42901")
    assert "limit of 1 submission a day" in answer.json["detail"]
    assert site.post(sheet(3)).status == 200, "what is here is found"
    assert site.post(sheet(3, event="richmond"), "richmond").status == 201
    messenger.evaluate_alerts(site.settings, site.database, site.clock)
    with site.database.read() as conn:
        told = {one.rule: one.text for one in alerts.standing(conn)}
    assert told["quota-reached"].startswith("bushy handed in as much today as an event may")
