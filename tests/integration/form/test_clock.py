"""A node that starts with its clock a year behind: today's results are taken, and the clock is named."""

import re

import pytest
from sqlalchemy import Connection

from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.role import Role
from resultsq.store.admin import events, tokens
from resultsq.store.outbox import links
from tests.integration.form.conftest import DAY, FILES, Browser, Site

YEAR_S = 365 * 86_400
PAGE = "/submit/bushy"


def _probed(site: Site, offset_s: float) -> None:
    def probe(conn: Connection) -> None:
        now = site.clock.now()
        number = links.start_probe(conn, now, 0.5)
        answer = ProbeAnswer(None, "", 0.01, master_time_offset_s=offset_s)
        links.probe_answered(conn, now, number, answer, 8, 0.5)

    site.database.write(probe)


@pytest.fixture(params=["by its own rows", "by what it wrote last", "by the master"])
def behind(request: pytest.FixtureRequest, site: Site) -> Site:
    """Its clock is a year behind, and it can know so."""
    if request.param == "by its own rows":
        site.browser("richmond").submit(event="richmond")
    if request.param == "by what it wrote last":
        _probed(site, 0.0)
    site.clock.step(-YEAR_S)
    if request.param == "by the master":
        _probed(site, YEAR_S)
    return site


def test_the_form_takes_the_day_with_a_warning(behind: Site) -> None:
    team = behind.browser("bushy")
    page = team.get(PAGE).text
    assert "last Saturday" not in page, "it would be a wrong one"
    assert re.search(r'type="date"[^>]*max=', page) is None
    answer = team.post(f"{PAGE}/date", {"date": DAY}, PAGE, htmx=True).text
    assert f'value="{DAY}"' in answer
    warned = team.drop(FILES, htmx=True).text
    assert "clock is behind" in warned
    assert "/submissions/" in team.send().location


def test_the_day_of_the_clock_is_not_filled_in(site: Site) -> None:
    _probed(site, 0.0)
    site.clock.step(-364 * 86_400)
    assert site.clock.now().isoweekday() == 6
    assert 'value="2012' not in site.browser("bushy").get(PAGE).text


def test_the_api_takes_the_day_with_a_warning(behind: Site) -> None:
    event_id = behind.database.write(lambda conn: events.find(conn, "bushy").id)  # type: ignore[union-attr]
    token = behind.database.write(lambda conn: tokens.issue(conn, behind.clock.now(), "bushy", Role.TEAM, event_id))
    sheet = {"event": "bushy", "date": DAY, "finishers": [{"position": 1, "athlete": "A1", "time": "00:18:00"}]}
    client, headers = behind.app.test_client(), {"Authorization": f"Bearer {token}"}
    answer = client.post("/api/v1/submissions", json=sheet, headers=headers)
    assert answer.status_code == 201, answer.text
    assert [(one["code"], one["severity"]) for one in answer.get_json()["problems"]] == [("date-to-come", "warns")]
    again = client.get(f"/api/v1/submissions/{answer.get_json()['id']}", headers=headers)
    assert [one["code"] for one in again.get_json()["problems"]] == ["date-to-come"], "it is told later on too"


def test_a_day_to_come_is_refused_when_the_clock_is_right_or_ahead(site: Site, team: Browser) -> None:
    for offset_s in (0.0, -7200.0):
        _probed(site, offset_s)
        answer = team.post(f"{PAGE}/date", {"date": "2013-12-10"}, PAGE, htmx=True).text
        assert "still to come" in answer
        assert "it is 7 December 2013" in answer


def test_the_banner_names_the_clock(site: Site) -> None:
    operator = site.browser("operator")
    assert "clock" not in operator.get("/admin").text
    _probed(site, YEAR_S)
    site.clock.advance(60)  # a page of a moment ago is given again
    assert "clock is wrong by 365 d" in operator.get("/admin").text
