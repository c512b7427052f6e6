"""Times that no run takes block by HTTP too, with a way to read them, until a person says that they are right."""

import io
from typing import Any

import pytest

from resultsq.domain.plausible import PRESETS, Plausible
from resultsq.domain.role import Role
from resultsq.store.admin import events
from tests.integration.web.site import Answer, Sheet, Site

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


# the same finishers, for another date or event

LINES = [{"position": at, "athlete": f"A{at}", "time": f"00:{20 + at}:00"} for at in range(1, 13)]
WEEK: Sheet = {"event": "bushy", "date": "2013-12-07", "finishers": LINES}


def said(answer: Answer) -> list[str]:
    return [one["message"] for one in answer.json["problems"] if one["code"] == "already-here"]


def test_last_weeks_finishers_are_refused_until_a_person_says_that_they_are_right(site: Site) -> None:
    assert site.post(WEEK).status == 201
    assert site.post(WEEK).status == 200, "they may be sent twice"
    again: Sheet = {**WEEK, "date": "2013-11-30", "volunteers": [{"athlete": "A9", "role": "Timekeeper"}]}

    answer = site.post(again)

    assert answer.status == 422
    assert "7 December 2013" in said(answer)[0]
    fields = {"event": "bushy", "date": "2013-11-30"}
    lines = "".join(f"{row['position']},{row['athlete']},{row['time']}\n" for row in LINES)
    file = (io.BytesIO(f"position,athlete,time\n{lines}".encode()), "t.csv")
    assert said(site.call("POST", "/submissions", data={**fields, "file": file})) == said(answer)
    assert site.post(again, As_Given="already-here").status == 201
    assert site.post({**again, "finishers": LINES[:9], "date": "2013-11-23"}).status == 201, (
        "few may be alike by chance"
    )


def test_another_events_finishers_are_refused_and_a_team_learns_nothing_of_that_event(site: Site) -> None:
    site.tokens = {**site.tokens, "anyone": site.token(Role.OPERATOR)}
    assert site.post(WEEK).status == 201
    theirs: Sheet = {**WEEK, "event": "richmond", "date": "2013-11-30"}

    answer = site.post(theirs, "richmond")

    assert answer.status == 422
    assert "for another event of this node" in said(answer)[0]
    assert "ushy" not in answer.text
    assert "2013-12-07" not in answer.text
    assert "7 December" not in answer.text
    assert "bushy on 7 December 2013" in said(site.post(theirs, "anyone"))[0]


def test_what_was_withdrawn_stands_in_nobodys_way(site: Site) -> None:
    first = site.post(WEEK).json["id"]
    site.call("DELETE", f"/submissions/{first}")
    assert site.post({**WEEK, "date": "2013-11-30"}).status == 201


# a check tells what a submission would


def checked(site: Site, sheet: Sheet, who: str = "bushy", **fields: str) -> Answer:
    lines = "".join(f"{row['position']},{row['athlete']},{row['time']}\n" for row in sheet["finishers"])
    file = (io.BytesIO(f"position,athlete,time\n{lines}".encode()), "t.csv")
    return site.call("POST", "/check", who, data={**fields, "file": file})


def test_a_check_says_that_last_weeks_finishers_are_here_when_it_is_told_the_date(site: Site) -> None:
    assert site.post(WEEK).status == 201

    answer = checked(site, WEEK, date="2013-11-30")

    assert answer.status == 200
    assert said(answer) == said(site.post({**WEEK, "date": "2013-11-30"})) != []
    assert said(checked(site, WEEK, date="2013-12-07")) == [], "these very results"
    assert said(checked(site, WEEK)) == [], "no date is known"
    assert site.node.count() == 1


def test_a_check_names_another_event_only_to_somebody_who_may_see_it(site: Site) -> None:
    site.tokens = {**site.tokens, "anyone": site.token(Role.VIEWER)}
    assert site.post(WEEK).status == 201
    week = {"event": "richmond", "date": "2013-11-30"}

    theirs = checked(site, WEEK, "richmond", **week)

    assert "for another event of this node" in said(theirs)[0]
    assert "ushy" not in theirs.text
    assert "7 December" not in theirs.text
    assert "bushy on 7 December 2013" in said(checked(site, WEEK, "anyone", **week))[0]
    assert said(checked(site, WEEK, "anyone", date="2013-11-30")) == [], "no event is known"


def test_a_check_says_that_the_scans_are_of_another_day_than_its_date(site: Site) -> None:
    def told(**fields: str) -> list[str]:
        scans = (io.BytesIO(b"A1,P1,07/12/2013 09:20:00\nA2,P2,07/12/2013 09:21:00\n"), "s.txt")
        answer = site.call("POST", "/check", data={**fields, "file": scans})
        return [problem["code"] for problem in answer.json["problems"]]

    assert "other-day" in told(date="2013-11-30")
    assert "other-day" not in told(date="2013-12-07")
    assert "other-day" not in told()


@pytest.mark.parametrize("who", ["bushy", "anyone"])
def test_a_scanners_clock_of_utc_is_judged_in_the_events_time_zone(site: Site, who: str) -> None:
    site.tokens = {**site.tokens, "anyone": site.token(Role.OPERATOR)}

    def told(zone: str, path: str) -> str:
        site.database.write(lambda conn: events.change(conn, "bushy", "Bushy", zone, ""))
        site.clock.advance(60)  # what is known of a token is remembered for a short while
        scans = (io.BytesIO(b"A1,P1,06/12/2013 20:20:00\nA2,P2,06/12/2013 20:21:00\n"), "s.txt")
        return site.call("POST", path, who, data={"event": "bushy", "date": "2013-12-07", "file": scans}).text

    for path in ("/check", "/submissions"):
        assert "other-day" not in told("Pacific/Auckland", path)
    assert "other-day" in told("Europe/London", "/check")


@pytest.mark.parametrize("day", ["30/11/2013", "2013-02-30", "", "2013\0-11-30", "2999-01-01"])
def test_a_check_takes_no_date_that_no_submission_has(site: Site, day: str) -> None:
    answer = checked(site, WEEK, date=day)

    assert (answer.status, answer.places) == (422, [("pointer", "/date")])


# a day that is long ago: most often the year is mistyped

LAST_YEAR: Sheet = {**WEEK, "date": "2012-11-30"}


def days_told(answer: Answer) -> list[tuple[str, str]]:
    return [(one["code"], one["severity"]) for one in answer.json["problems"] if one["code"] == "day-long-ago"]


@pytest.mark.parametrize("as_files", [False, True])
def test_a_day_more_than_a_year_ago_is_asked_about(site: Site, as_files: bool) -> None:
    def send(**headers: str) -> Answer:
        if not as_files:
            return site.post(LAST_YEAR, **headers)
        rows = "".join(f"{row['position']},{row['time']},{row['athlete']}\n" for row in WEEK["finishers"])
        file = (io.BytesIO(f"position,time,athlete\n{rows}".encode()), "table.csv")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"event": "bushy", "date": LAST_YEAR["date"], "file": file}
        return site.call("POST", "/submissions", data=fields, headers=named)

    answer = send()

    assert answer.status == 422
    [problem] = [one for one in answer.json["problems"] if one["code"] == "day-long-ago"]
    assert problem["message"].startswith("30 November 2012 is more than a year ago.")
    assert problem["where"][0]["pointer"] == "/date"
    assert [(fix["action"], fix["label"], fix["arguments"]) for fix in problem["fixes"]] == [
        ("choose-day", "It was 30 November 2013", {"date": "2013-11-30"}),
        ("as-given", "The date is right", {"code": "day-long-ago"}),
    ]
    taken = send(As_Given="day-long-ago")
    assert (taken.status, days_told(taken)) == (201, [("day-long-ago", "warns")])
    seen = site.call("GET", f"/submissions/{taken.json['id']}")
    assert days_told(seen) == [("day-long-ago", "warns")], "it is told later on too"


def test_a_correction_keeps_its_old_day_without_a_question(site: Site) -> None:
    first = site.post(LAST_YEAR, As_Given="day-long-ago").json["id"]

    assert site.post({**LAST_YEAR, "finishers": LINES[:11]}, if_match=first).status == 201


def test_a_day_of_the_last_year_is_no_reason_for_a_question(site: Site) -> None:
    assert site.post({**WEEK, "date": "2012-12-08"}).status == 201
    assert days_told(checked(site, WEEK, date="2012-12-05")) == [("day-long-ago", "blocks")]
    assert days_told(checked(site, WEEK, date="2012-12-08")) == []


def test_a_clock_that_is_known_to_run_ahead_makes_no_day_older(site: Site) -> None:
    site.clock.step(2 * 365 * 86_400)
    assert days_told(site.post(WEEK)) == [("day-long-ago", "blocks")]
    site.node.now = site.clock.now()
    site.node.probe(master_time_offset_s=-2 * 365 * 86_400.0)

    assert site.post(WEEK).status == 201
