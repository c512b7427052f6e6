"""Bad input and a store in trouble: every refusal is a problem detail, and nothing is stored."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Base
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.web.site import Answer, Sheet, Site
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW

Make = Callable[..., Sheet]

TIMES = b"STARTOFEVENT,07/12/2013 09:00:00,x\n0,07/12/2013 09:00:00\n1,07/12/2013 09:17:31,00:17:31\n"
BAD_LINE = TIMES + b"2,07/12/2013 09:18:02,00:61:02\n"
DOUBLED = b"A1234567,P0001,07/12/2013 09:20:00\nA1234568,P0001,07/12/2013 09:20:00\n"


def rows(site: Site) -> int:
    """All rows of all tables: nothing stored leaves no trace anywhere."""
    with site.database.read() as conn:
        counts = [select(func.count()).select_from(table) for table in Base.metadata.sorted_tables]
        return sum(conn.execute(count).scalar_one() for count in counts)


def is_problem(answer: Answer, status: int) -> None:
    """RFC 9457, with a sentence for people."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["detail"].endswith(".")


def upload(content: bytes, **fields: Any) -> dict[str, Any]:
    return {"event": "bushy", "date": "2013-12-07", "a": (io.BytesIO(content), "times.csv"), **fields}


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
HALF = b'--x\r\nContent-Disposition: form-data; name="event"\r\n\r\nbus'


def body(*finishers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"json": {"event": "bushy", "date": "2013-12-07", "finishers": list(finishers), **fields}}


TWICE = ({"position": 1, "athlete": "A1"}, {"position": 2, "athlete": "A1"})

REFUSALS: dict[str, tuple[dict[str, Any], int, list[tuple[str, object]]]] = {
    "broken JSON": ({"data": b"{", "content_type": "application/json"}, 400, [("pointer", ""), ("line", 1)]),
    "no body": ({"data": b"", "content_type": "application/json"}, 400, [("pointer", ""), ("line", 1)]),
    "an unknown field": (body(x=1), 422, [("pointer", "/x")]),
    "a bad date": (body(date="7 December"), 422, [("pointer", "/date")]),
    "another event": (body({"position": 1}, event="richmond"), 403, [("pointer", "/event")]),
    "no finishers": (body(), 422, [("pointer", "/finishers")]),
    "a hole": (body({"position": 2}), 422, [("pointer", "/finishers")]),
    "an athlete twice": (
        body(*TWICE),
        422,
        [("pointer", "/finishers/0/athlete"), ("pointer", "/finishers/1/athlete")],
    ),
    "text": ({"data": "event=bushy", "content_type": "text/plain"}, 415, []),
    "a form": ({"data": {"event": "bushy"}}, 415, []),
    "gzip": ({"json": {}, "headers": {"Content-Encoding": "gzip"}}, 415, []),
    "any version": ({"json": {}, "headers": {"If-Match": "*"}}, 400, []),
    "two keys": ({"json": {}, "headers": {"Idempotency-Key": '"a", "b"'}}, 400, []),
    "an endless key": ({"json": {}, "headers": {"Idempotency-Key": "k" * 256}}, 400, []),
    "a cut upload": ({"data": HALF, "headers": MULTIPART}, 400, []),
    "no boundary": ({"data": HALF, "content_type": "multipart/form-data"}, 400, []),
    "no file": ({"data": b"--x--\r\n", "headers": MULTIPART}, 422, [("pointer", "/event")]),
    "an unknown part": ({"data": upload(TIMES, evnt="bushy")}, 422, [("pointer", "/evnt")]),
    "two dates": ({"data": upload(TIMES, date=["2013-12-07", "2013-12-08"])}, 422, [("pointer", "/date")]),
    "a file of nothing": ({"data": upload(b"hello, world\n")}, 422, [("line", 1)]),
    "a bad line": ({"data": upload(BAD_LINE)}, 422, [("line", 4)]),
    "bad volunteers": ({"data": upload(TIMES, volunteers="[{}]")}, 422, [("pointer", "/volunteers/0/athlete")]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_nothing_is_stored_when_the_input_is_bad(site: Site, name: str) -> None:
    request, status, places = REFUSALS[name]
    before = rows(site)
    answer = site.call("POST", "/submissions", **request)
    is_problem(answer, status)
    assert answer.places[: len(places)] == places
    assert rows(site) == before


def test_the_problems_come_with_the_refusal_when_files_have_any(site: Site) -> None:
    answer = site.call("POST", "/submissions", data=upload(TIMES, b=(io.BytesIO(DOUBLED), "scans.csv")))
    is_problem(answer, 422)
    (blocking,) = (problem for problem in answer.json["problems"] if problem["severity"] == "blocks")
    assert blocking["code"] == "position-with-two-athletes"
    assert blocking["fixes"]


def test_a_body_over_the_limit_is_refused_when_it_comes(make_site: Callable[..., Site], sheet: Make) -> None:
    site = make_site(max_body_bytes=10_000)
    before = rows(site)
    is_problem(site.post(sheet(300)), 413)
    is_problem(site.call("POST", "/submissions", data=upload(b"x" * 10_000)), 413)
    assert rows(site) == before
    assert site.post(sheet(30)).status == 201


def test_more_rows_than_the_setting_are_refused_when_they_come(make_site: Callable[..., Site], sheet: Make) -> None:
    site = make_site(max_rows=10)
    answer = site.post(sheet(11))
    is_problem(answer, 422)
    assert answer.places == [("pointer", "/finishers")]
    assert site.post(sheet(10)).status == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/submissions/", 404),
        ("PATCH", "/submissions", 405),
        ("PUT", "/submissions/3f333df6-90a4-4fda-8dd3-9485d27cee36", 405),
        ("GET", "/submissions/%00", 404),
        ("GET", "/submissions/%ff%fe", 404),
    ],
)
def test_an_address_is_refused_as_a_problem_when_there_is_nothing_at_it(
    site: Site, method: str, path: str, status: int
) -> None:
    answer = site.call(method, path, headers={"Accept": "text/html"})
    is_problem(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["//api/v1/status", "/api//v1/status", "/api", "/api/v1/"])
def test_an_odd_path_below_the_api_is_never_a_page_when_it_is_called(site: Site, path: str) -> None:
    answer = site.open("GET", path, headers={"Accept": "text/html"})
    assert answer.status == 404
    assert path.startswith("//") or answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_token_is_asked_for_when_there_is_none_that_is_good(site: Site, sheet: Make, method: str) -> None:
    path = "/submissions" if method == "POST" else "/submissions/x"
    without = site.call(method, path, None, json=sheet())
    is_problem(without, 401)
    assert without.headers["WWW-Authenticate"] == 'Bearer realm="resultsq"'
    for header in ("Bearer rq_wrong", "bearer  rq_wrong", "Basic dXNlcjpwYXNz", "Bearer", "Bearer \x7f"):
        answer = site.call(method, path, None, json=sheet(), headers={"Authorization": header})
        is_problem(answer, 401)
    assert 'error="invalid_token"' in site.call(
        method, path, None, json=sheet(), headers={"Authorization": "Bearer rq_wrong"}
    ).headers["WWW-Authenticate"]  # fmt: skip


def test_a_viewer_changes_nothing_when_it_tries(site: Site, sheet: Make) -> None:
    told = site.post(sheet()).json
    is_problem(site.post(sheet(4), Role.VIEWER), 403)
    is_problem(site.call("DELETE", f"/submissions/{told['id']}", Role.VIEWER), 403)
    assert site.call("GET", f"/submissions/{told['id']}").json["state"] == "queued"


# the store in trouble


def test_nothing_is_half_stored_when_the_disk_is_full(site: Site, sheet: Make) -> None:
    assert site.post(sheet(date="2013-11-30")).status == 201
    before = rows(site)
    pages = _pages(site)
    limit = {"pages": pages}

    @event.listens_for(site.database.engine, "begin")
    def shrink(conn: Any) -> None:
        conn.connection.driver_connection.execute(f"PRAGMA max_page_count={limit['pages']}")

    big = sheet(2000)
    full = site.post(big)
    is_problem(full, 507)
    assert "disk is full" in full.json["detail"]
    assert rows(site) == before
    limit["pages"] = pages + 10_000
    assert site.post(big).status == 201


def _pages(site: Site) -> int:
    with site.database.read() as conn:
        return int(conn.execute(text("PRAGMA page_count")).scalar_one())


def test_the_answer_is_try_again_when_the_store_is_gone(tmp_path: Path, free_port: Callable[[], int]) -> None:
    url = f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/nothing"
    database = Database(url)
    settings = Settings(data_dir=tmp_path, database_url=url)
    app = create_app(settings, database, clock=ManualClock(NOW), bell=Bell(""))
    for path in ("/api/v1/status", "/readyz"):
        answer = app.test_client().get(path, headers={"Authorization": "Bearer rq_any"})
        assert answer.status_code == 503
    answer = app.test_client().get("/api/v1/status", headers={"Authorization": "Bearer rq_any"})
    assert answer.headers["Retry-After"] == "5"
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.data)["detail"].startswith("This node's database does not answer")
    assert app.test_client().get("/healthz").status_code == 200
    database.close()
