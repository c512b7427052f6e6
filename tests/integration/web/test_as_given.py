"""Times that no run takes block by HTTP too, with a way to read them, until a person says that they are right."""

import io
from typing import Any

import pytest

from resultsq.domain.plausible import PRESETS, Plausible
from resultsq.domain.role import Role
from resultsq.store import events
from tests.integration.web.site import Sheet, Site

HOURS = [{"position": at, "athlete": f"A{at}", "time": time} for at, time in ((1, "17:31:00"), (2, "18:02:00"))]
SHEET: Sheet = {"event": "bushy", "date": "2013-12-07", "finishers": HOURS}


def test_times_that_no_run_takes_are_refused_with_the_way_to_read_them(site: Site) -> None:
    answer = site.post(SHEET)

    assert answer.status == 422
    [error] = answer.json["errors"][:1]
    assert error["pointer"] == "/finishers/0/time"
    assert "17:31:00" in error["detail"]
    [problem] = [one for one in answer.json["problems"] if one["code"] == "implausible-times"]
    readings = [fix["arguments"] for fix in problem["fixes"] if fix["action"] == "read-times"]
    assert {"way": "minutes", "start": 0} in readings


def test_they_are_taken_when_a_person_has_looked(site: Site) -> None:
    answer = site.post(SHEET, As_Given="implausible-times")

    assert answer.status == 201
    assert [(one["code"], one["severity"]) for one in answer.json["problems"]] == [("implausible-times", "warns")]
    seen = site.call("GET", f"/submissions/{answer.json['id']}")
    assert [(one["code"], one["severity"]) for one in seen.json["problems"]] == [("implausible-times", "warns")]


def test_nothing_else_is_taken_as_given(site: Site) -> None:
    twice = [{"position": 1, "athlete": "A1"}, {"position": 2, "athlete": "A1"}]

    answer = site.post({**SHEET, "finishers": twice}, As_Given="athlete-in-two-positions")

    assert answer.status == 422
    assert "implausible-times" in answer.text


# each event has its own times

LITTLE: Sheet = {
    "event": "bushy",
    "date": "2013-12-07",
    "finishers": [{"position": 1, "time": "07:31:00"}, {"position": 2, "time": "11:40:00"}],
}
"""Minutes and seconds that a spreadsheet made hours and minutes of: too fast for five kilometres."""


def a_run_takes(site: Site, plausible: Plausible) -> None:
    site.database.write(lambda conn: events.change(conn, "bushy", "Bushy", "Europe/London", "", plausible))


def table(sheet: Sheet) -> dict[str, Any]:
    lines = "".join(f"{row['position']},{row['time']}\n" for row in sheet["finishers"])
    return {"file": (io.BytesIO(f"position,time\n{lines}".encode()), "table.csv")}


@pytest.mark.parametrize("who", ["bushy", "anyone"])
@pytest.mark.parametrize("as_files", [False, True])
def test_times_are_judged_by_what_a_run_takes_at_the_event(site: Site, who: str, as_files: bool) -> None:
    site.tokens = {**site.tokens, "anyone": site.token(Role.OPERATOR)}
    a_run_takes(site, PRESETS["junior"])
    if as_files:
        fields = {"event": "bushy", "date": "2013-12-07"}
        answer = site.call("POST", "/submissions", who, data={**fields, **table(LITTLE)})
    else:
        answer = site.post(LITTLE, who)
    assert answer.status == 422
    assert "implausible-times" in answer.text

    a_run_takes(site, Plausible(3600, 40_000, 3600, 80_000))
    site.clock.advance(60)  # what is known of a token is remembered for a short while
    day_long = site.post(SHEET, who)
    assert (day_long.status, day_long.json["problems"]) == (201, [])
    assert site.call("GET", f"/submissions/{day_long.json['id']}", who).json["problems"] == []


def test_a_check_takes_the_event_of_the_token_or_the_one_that_is_named(site: Site) -> None:
    site.tokens = {**site.tokens, "anyone": site.token(Role.VIEWER)}
    a_run_takes(site, PRESETS["junior"])

    def told(who: str, **fields: str) -> list[str]:
        answer = site.call("POST", "/check", who, data={**fields, **table(LITTLE)})
        return [problem["code"] for problem in answer.json["problems"]]

    assert "implausible-times" in told("bushy")
    assert "implausible-times" in told("anyone", event="bushy")
    assert "implausible-times" not in told("anyone")
    assert site.call("POST", "/check", "anyone", data={"event": "nowhere", **table(LITTLE)}).status == 422
