"""Times that no run takes block by HTTP too, with a way to read them, until a person says that they are right."""

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
