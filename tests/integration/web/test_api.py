"""The API as a program sees it: what is accepted, what is there, and what can be taken back."""

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select

from resultsq.domain import sheet as sheets
from resultsq.domain.athletes import Athlete
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.store.engine.tables import ClientKey, Link, Original, Submission
from resultsq.store.views import queries
from tests.integration.web.site import Sheet, Site
from tests.support.athletes import load
from tests.support.nodes import rejected

Make = Callable[..., Sheet]

TIMES = b"""STARTOFEVENT,07/12/2013 09:00:00,junsd
0,07/12/2013 09:00:00
1,07/12/2013 09:17:31,00:17:31
2,07/12/2013 09:18:02,00:18:02
ENDOFEVENT,07/12/2013 10:00:00
"""
SCANS = b"A1234567,P0001,07/12/2013 09:20:00\nA7654321,P0002,07/12/2013 09:20:10\n"
MISREAD = b"A1234567,P0001,07/12/2013 09:20:00\n&d084,07/12/2013 09:20:11\n"


def stored(site: Site) -> int:
    with site.database.read() as conn:
        return conn.execute(select(func.count()).select_from(Submission)).scalar_one()


def body_of(site: Site, submission: str) -> bytes:
    with site.database.read() as conn:
        found = queries.submission(conn, submission)
        assert found is not None
        body = queries.body(conn, found.seq)
    assert body is not None
    return body


def files(*contents: bytes, **fields: Any) -> dict[str, Any]:
    """A multipart body with these files, named after somebody."""
    return {
        "event": "bushy",
        "date": "2013-12-07",
        "files": [(io.BytesIO(content), f"vv_JoeBLOGGS_{n}.csv") for n, content in enumerate(contents)],
        **fields,
    }


# accept


def test_results_are_safe_when_the_answer_is_201(site: Site, sheet: Make) -> None:
    answer = site.post(sheet(volunteers=[{"athlete": "A55501", "role": "Timekeeper"}]))
    assert answer.status == 201
    told = answer.json
    assert list(told) == ["id", "event", "date", "state", "digest", "problems"]
    assert (told["event"], told["date"], told["state"], told["problems"]) == ("bushy", "2013-12-07", "queued", [])
    assert answer.headers["Location"] == f"/api/v1/submissions/{told['id']}"
    body = body_of(site, told["id"])
    assert sheets.digest(body) == told["digest"]
    assert json.loads(body) == {
        "schema": "resultsq.results/1",
        "submitted_by": "bushy (token 1)",
        "submitted_at": "2013-12-07T12:05:00Z",
        **sheet(volunteers=[{"athlete": "A55501", "role": "Timekeeper"}]),
    }


def test_an_acceptance_fetches_one_connection_to_look_and_none_to_write(site: Site, sheet: Make) -> None:
    """Each takes as long as two statements; the connection that writes is kept."""
    assert site.post(sheet()).status == 201  # from here on the token is known
    fetched: list[object] = []
    event.listen(site.database.engine, "checkout", lambda *about: fetched.append(about[0]))
    assert site.post(sheet(date="2013-11-30")).status == 201
    assert len(fetched) == 1


def test_rows_are_put_in_order_when_they_come_in_another(site: Site, sheet: Make) -> None:
    lines = sheet(5)["finishers"]
    answer = site.post({**sheet(), "finishers": lines[::-1]})
    assert answer.status == 201
    assert json.loads(body_of(site, answer.json["id"]))["finishers"] == lines


def test_warnings_come_with_the_acceptance_when_there_are_any(site: Site, sheet: Make) -> None:
    lines = sheet(2)["finishers"]
    lines[1]["time"] = "00:10:00"
    told = site.post({**sheet(), "finishers": lines}).json
    assert [problem["code"] for problem in told["problems"]] == ["times-out-of-order"]
    again = site.call("GET", f"/submissions/{told['id']}").json
    assert again == told


def test_the_same_rows_are_the_same_submission_when_they_come_twice(site: Site, sheet: Make) -> None:
    first = site.post(sheet())
    site.clock.advance(60)
    again = site.post(sheet())
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert stored(site) == 1


@pytest.mark.parametrize("repeat", ["key-1", '"key-1"'])
def test_a_repeat_is_the_same_submission_when_it_has_the_same_key(site: Site, sheet: Make, repeat: str) -> None:
    first = site.post(sheet(), idempotency_key="key-1").json
    correction = site.post(sheet(4), if_match=first["id"]).json
    again = site.post(sheet(), idempotency_key=repeat)
    assert (again.status, again.json["id"]) == (200, first["id"])
    assert correction["id"] != first["id"]


def test_other_rows_are_refused_when_they_have_a_used_key(site: Site, sheet: Make) -> None:
    site.post(sheet(), idempotency_key="key-1")
    answer = site.post(sheet(4), idempotency_key="key-1")
    assert answer.status == 422
    assert "new key" in answer.json["detail"]
    assert stored(site) == 1
    assert site.post(sheet(4, "richmond"), "richmond", idempotency_key="key-1").status == 201  # another team's


def test_a_key_is_remembered_when_its_rows_were_there_already(site: Site, sheet: Make) -> None:
    site.post(sheet())
    site.post(sheet(), idempotency_key="key-1")
    with site.database.read() as conn:
        assert conn.execute(select(ClientKey.key)).scalars().all() == ["key-1"]


def test_a_correction_needs_to_name_what_it_corrects_when_there_is_something(site: Site, sheet: Make) -> None:
    first = site.post(sheet()).json
    unaware = site.post(sheet(4))
    assert (unaware.status, unaware.json["head"]) == (409, first["id"])
    second = site.post(sheet(4), if_match=f'"{first["id"]}"')
    assert second.status == 201
    stale = site.post(sheet(5), if_match=f'"{first["id"]}"')
    assert (stale.status, stale.json["head"]) == (409, second.json["id"])
    nothing = site.post(sheet(5, date="2013-11-30"), if_match=first["id"])
    assert (nothing.status, nothing.json["head"]) == (409, None)
    assert stored(site) == 2


def test_rows_of_an_older_version_are_a_new_correction_when_they_come_again(site: Site, sheet: Make) -> None:
    first = site.post(sheet()).json
    second = site.post(sheet(4), if_match=first["id"]).json
    third = site.post(sheet(), if_match=second["id"])
    assert third.status == 201
    assert third.json["id"] not in (first["id"], second["id"])


def test_500_posts_in_a_row_are_taken_when_they_come_from_one_address(site: Site, sheet: Make) -> None:
    days = [f"20{n // 336:02}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}" for n in range(500)]
    assert {site.post(sheet(1, date=day), As_Given="day-long-ago").status for day in days} == {201}
    assert stored(site) == 500


def test_an_operator_submits_for_any_event_when_its_team_cannot(site: Site, sheet: Make) -> None:
    assert site.post(sheet(event="wimbledon"), Role.OPERATOR).status == 201
    unknown = site.post(sheet(event="nowhere"), Role.OPERATOR)
    assert unknown.status == 422
    assert unknown.places == [("pointer", "/event")]


# files


def test_files_become_a_sheet_when_a_team_sends_them(site: Site) -> None:
    answer = site.call("POST", "/submissions", data=files(SCANS, TIMES))
    assert answer.status == 201
    assert json.loads(body_of(site, answer.json["id"]))["finishers"] == [
        {"position": 1, "athlete": "A1234567", "time": "00:17:31"},
        {"position": 2, "athlete": "A7654321", "time": "00:18:02"},
    ]
    with site.database.read() as conn:
        kept = conn.execute(select(Original.name, Original.kind, Original.content).order_by(Original.id)).all()
    assert [tuple(row) for row in kept] == [
        ("vv_JoeBLOGGS_0.csv", "scanner", SCANS),
        ("vv_JoeBLOGGS_1.csv", "stopwatch", TIMES),
    ]


@pytest.mark.parametrize(
    "volunteers",
    [
        '[{"athlete": "A55501", "role": "Timekeeper"}]',
        (io.BytesIO(b"athlete,role\nA55501,Timekeeper\n"), "roster.csv"),
    ],
    ids=["rows", "file"],
)
def test_volunteers_come_with_the_files_when_they_are_sent(site: Site, volunteers: Any) -> None:
    answer = site.call("POST", "/submissions", data=files(SCANS, TIMES, volunteers=volunteers))
    assert answer.status == 201
    sheet = json.loads(body_of(site, answer.json["id"]))
    assert sheet["volunteers"] == [{"athlete": "A55501", "role": "Timekeeper"}]
    assert site.call("GET", f"/submissions/{answer.json['id']}").json["problems"] == []


@pytest.mark.parametrize("path", ["/submissions", "/check"])
def test_lines_above_the_header_of_a_list_of_volunteers_are_named(site: Site, path: str) -> None:
    roster = (io.BytesIO(b"A1,Marshal\nathlete,role\nA55501,Timekeeper\n"), "roster.csv")
    answer = site.call("POST", path, data=files(SCANS, TIMES, volunteers=roster))
    assert answer.status < 300
    assert "lines-above-header" in [one["code"] for one in answer.json["problems"]]


def test_the_warnings_of_files_are_told_again_when_the_submission_is_looked_at(site: Site) -> None:
    told = site.call("POST", "/submissions", data=files(MISREAD, TIMES)).json
    assert "line-set-aside" in [problem["code"] for problem in told["problems"]]
    assert site.call("GET", f"/submissions/{told['id']}").json == told


def test_the_same_files_are_the_same_submission_when_they_come_in_another_order(site: Site) -> None:
    first = site.call("POST", "/submissions", data=files(SCANS, TIMES))
    again = site.call("POST", "/submissions", data=files(TIMES, SCANS))
    assert (again.status, again.json["id"]) == (200, first.json["id"])


def test_a_check_says_what_would_come_of_the_files_and_stores_nothing_when_it_is_asked(site: Site) -> None:
    answer = site.call("POST", "/check", data={"a": (io.BytesIO(TIMES), "t.csv"), "b": (io.BytesIO(MISREAD), "s.csv")})
    assert answer.status == 200
    assert [row["time"] for row in answer.json["finishers"]] == ["00:17:31", "00:18:02"]
    assert "line-set-aside" in [problem["code"] for problem in answer.json["problems"]]
    assert [file["kind"] for file in answer.json["files"]] == ["scanner", "stopwatch"]
    refused = site.call("POST", "/check", data={"a": (io.BytesIO(b"hello"), "t.csv")})
    assert (refused.status, [problem["severity"] for problem in refused.json["problems"]]) == (200, ["blocks"])
    assert stored(site) == 0


def test_a_check_tells_numbers_that_nobody_has_and_as_of_when(site: Site) -> None:
    now = site.clock.now()
    load(site.database, [Athlete("A1234576", "Jane SMITH", None, "bushy")], now - timedelta(minutes=5))
    files = {"a": TIMES, "b": MISREAD}

    def check(who: str) -> Any:
        return site.call(
            "POST", "/check", who, data={name: (io.BytesIO(one), f"{name}.csv") for name, one in files.items()}
        )

    answer = check("bushy")
    (problem,) = [one for one in answer.json["problems"] if one["code"] == "athlete-unknown"]
    assert "no athlete has the number A1234567 (position 1)" in problem["message"]
    assert problem["fixes"][0]["arguments"] == {"position": 1, "athlete": "A1234576"}
    assert answer.headers["Age"] == "300"
    assert answer.headers["Last-Modified"]
    anyone = check(Role.OPERATOR)
    assert "athlete-unknown" not in [one["code"] for one in anyone.json["problems"]]
    assert "Age" not in anyone.headers


def test_the_answer_to_results_tells_numbers_that_nobody_has_and_as_of_when(site: Site, sheet: Make) -> None:
    load(site.database, [Athlete("A1234576", "Jane SMITH", None, "bushy")], site.clock.now() - timedelta(minutes=5))
    told = site.post(sheet(volunteers=[{"athlete": "A1234586", "role": "Marshal"}]))
    assert told.status == 201
    of_athletes = [one for one in told.json["problems"] if one["code"] == "athlete-unknown"]
    assert {one["where"][0]["athlete"] for one in of_athletes} == {"A1001", "A1002", "A1234586"}
    fixes = [fix for one in of_athletes for fix in one.get("fixes", [])]
    assert {"volunteer": "A1234586", "athlete": "A1234576"} in [fix["arguments"] for fix in fixes]
    assert told.json["names_as_of"].startswith("Names are as of ")
    assert told.headers["Age"] == "300"
    assert stored(site) == 1


def test_a_viewers_check_names_no_athlete(site: Site) -> None:
    load(site.database, [Athlete("A1234576", "Jane SMITH", None, "bushy")], site.clock.now())
    data = {"a": (io.BytesIO(TIMES), "a.csv"), "b": (io.BytesIO(MISREAD), "b.csv"), "event": "bushy"}
    answer = site.call("POST", "/check", Role.VIEWER, data=data)
    assert answer.status == 200
    assert "Jane SMITH" not in json.dumps(answer.json)
    assert "Age" not in answer.headers


# look


def test_a_submission_is_not_there_when_it_is_another_events(site: Site, sheet: Make) -> None:
    told = site.post(sheet()).json
    strange = site.call("GET", f"/submissions/{told['id']}", "richmond")
    missing = site.call("GET", "/submissions/3f333df6-90a4-4fda-8dd3-9485d27cee36", "richmond")
    nonsense = site.call("GET", "/submissions/x", "richmond")
    assert strange.status == missing.status == nonsense.status == 404
    assert strange.json == missing.json == nonsense.json
    assert site.call("DELETE", f"/submissions/{told['id']}", "richmond").json == missing.json
    for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN):
        assert site.call("GET", f"/submissions/{told['id']}", role).json == told


def test_the_state_is_live_when_a_submission_is_looked_at(site: Site, sheet: Make) -> None:
    told = site.post(sheet()).json

    def state() -> str:
        return str(site.call("GET", f"/submissions/{told['id']}").json["state"])

    assert state() == "queued"
    site.node.probe()
    lease = site.node.claim_one()
    assert state() == "sending"
    site.node.settle(lease, rejected())
    assert state() == "rejected"
    said = site.call("GET", f"/submissions/{told['id']}").json["problems"]
    assert [(problem["code"], problem["severity"]) for problem in said] == [("rejected-by-master", "blocks")]
    assert "The master does not take it." in said[0]["message"]


def test_a_submission_is_withdrawn_when_the_master_cannot_have_it(site: Site, sheet: Make) -> None:
    told = site.post(sheet()).json
    for _ in range(2):
        answer = site.call("DELETE", f"/submissions/{told['id']}")
        assert (answer.status, answer.json) == (200, {**told, "state": "withdrawn"})
    assert site.post(sheet(4)).status == 201  # nothing is there any more


def test_a_submission_stays_when_the_master_has_it(site: Site, sheet: Make) -> None:
    told = site.post(sheet()).json
    site.node.probe()
    site.node.publish_one()
    answer = site.call("DELETE", f"/submissions/{told['id']}")
    assert (answer.status, answer.json["head"]) == (409, told["id"])
    assert "correction" in answer.json["detail"]
    assert site.node.state(told["id"]) is State.PUBLISHED


def test_a_team_sees_its_own_queue_and_an_operator_all_when_they_ask(site: Site, sheet: Make) -> None:
    site.node.probe()
    site.post(sheet())
    site.clock.advance(60)
    site.post(sheet(event="richmond"), "richmond")
    site.node.hold()
    own, every = site.call("GET", "/status").json, site.call("GET", "/status", Role.VIEWER).json
    assert (own["event"], own["waiting"], own["counts"]["queued"]) == ("bushy", 1, 1)
    assert (every["event"], every["waiting"]) == (None, 2)
    assert (own["waiting_by_kind"], every["waiting_by_kind"]) == ({"results": 1}, {"results": 2})
    assert set(own["counts"]) == set(State)
    assert own["oldest_waiting_at"] == every["oldest_waiting_at"] == "2013-12-07T12:05:00Z"
    link = every["link"]
    assert (link["state"], link["cause"], link["credentials_refused_since"]) == ("up", None, None)
    assert re.fullmatch(r"2013-12-07T12:0\d:\d\dZ", link["since"])
    assert re.fullmatch(r"2013-12-07T12:0\d:\d\dZ", link["next_probe_at"])
    assert [hold["scope"] for hold in own["holds"]] == ["destination"]


def test_the_link_is_unknown_when_no_worker_has_ever_run(site: Site) -> None:
    site.database.write(lambda conn: conn.execute(delete(Link)))
    assert site.call("GET", "/status").json["link"] == {"state": "unknown"}


def test_the_files_own_day_is_offered_when_the_one_that_was_sent_is_long_ago(site: Site) -> None:
    scans = b"A1234567,P0001,07/12/2013 09:20:00\nA7654321,P0002,07/12/2013 09:21:00\n"
    files = {"a": (io.BytesIO(TIMES), "t.csv"), "b": (io.BytesIO(scans), "s.csv")}
    answer = site.call("POST", "/check", data={**files, "date": "2011-12-03"})
    [problem] = [one for one in answer.json["problems"] if one["code"] == "day-long-ago"]
    assert {"date": "2013-12-07"} in [fix["arguments"] for fix in problem["fixes"]]
