"""The page where a runner asks for the barcode, and the mailed link that opens the profile."""

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from resultsq.domain.athletes import Athlete
from resultsq.store.admin import reminders as store
from resultsq.store.engine.tables import ReminderRequest
from resultsq.web.form import profile, reminder
from resultsq.web.opened_profile import OPEN_S
from tests.integration.form.conftest import AS_OF, Browser, Site
from tests.support.athletes import load

JANE = "/athletes/A1234567"
ADDRESS = "jane@example.org"


def ask(browser: Browser, address: str = ADDRESS, **more: str) -> TestResponse:
    return browser.post("/reminder", {"email": address, **more}, "/reminder")


def kept(site: Site) -> int:
    with site.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(ReminderRequest)).scalar_one())


def link(site: Site, number: str = "A1234567") -> str:
    now = site.clock.now()
    return f"/card/{site.database.write(lambda conn: store.add_link(conn, now, number))}"


def opened(site: Site, number: str = "A1234567") -> Browser:
    """A browser that has opened a mailed link."""
    browser = site.browser()
    answer = browser.client.post(link(site, number))
    assert (answer.status_code, answer.location) == (303, f"/athletes/{number}")
    return browser


# asking


def test_there_is_no_page_before_an_operator_turns_it_on(site: Site) -> None:
    for path in ("/reminder", "/reminder/asked"):
        assert site.browser().get(path).status_code == 404


def test_every_address_gets_the_same_answer(remind: Site) -> None:
    answers = [ask(remind.browser(), address) for address in (ADDRESS, "nobody@example.org")]
    assert {(one.status_code, one.location) for one in answers} == {(303, "/reminder/asked")}
    assert kept(remind) == 2
    page = remind.browser().get("/reminder/asked")
    assert "does not say which addresses are known" in page.text


def test_the_answer_is_the_same_when_an_address_was_asked_for_too_often(remind: Site) -> None:
    answers = [ask(remind.browser(), ADDRESS.upper()) for _ in range(store.MOST_OF_AN_ADDRESS + 2)]
    assert {(one.status_code, one.location) for one in answers} == {(303, "/reminder/asked")}
    assert kept(remind) == store.MOST_OF_AN_ADDRESS


@pytest.mark.parametrize("address", ["", "jane", "jane@", "a b@example.org", "x" * 250 + "@example.org"])
def test_what_is_no_address_is_said_beside_the_field_and_kept_nowhere(remind: Site, address: str) -> None:
    answer = ask(remind.browser(), address)
    assert answer.status_code == 422
    assert "looks like name@example.org" in answer.text
    assert 'aria-describedby="refusal"' in answer.text
    assert kept(remind) == 0


def test_a_program_that_fills_in_every_field_gets_the_same_answer_and_nothing_is_kept(remind: Site) -> None:
    answer = ask(remind.browser(), website="https://spam.example")
    assert (answer.status_code, answer.location) == (303, "/reminder/asked")
    assert kept(remind) == 0


def test_one_caller_asks_so_often_and_then_waits(remind: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (reminder.MOST, reminder.WITHIN_S) == (30, 600.0)
    monkeypatch.setattr(reminder, "MOST", 5)
    browser = remind.browser()
    fields = {**browser.hidden("/reminder", "/reminder"), "email": ""}
    codes = []
    for n in range(reminder.MOST + 3):
        codes.append(browser.client.post("/reminder", data={**fields, "email": f"runner{n}@example.org"}).status_code)
    assert codes == [303] * reminder.MOST + [429] * 3
    refused = browser.client.post("/reminder", data=fields)
    assert refused.headers["Retry-After"]
    assert "Wait a few minutes" in refused.text
    assert kept(remind) == reminder.MOST
    remind.clock.advance(reminder.WITHIN_S + 1)
    assert ask(browser).status_code == 303


def test_a_request_without_the_pages_token_is_refused(remind: Site) -> None:
    assert remind.app.test_client().post("/reminder", data={"email": ADDRESS}).status_code == 400
    assert kept(remind) == 0


def test_a_flood_is_answered_in_a_sentence(remind: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_WAITING", 1)
    assert ask(remind.browser()).status_code == 303
    refused = ask(remind.browser(), "nobody@example.org")
    assert refused.status_code == 503
    assert "Try again in an hour" in refused.text


# the link


def test_a_link_opens_the_profile_to_one_browser_once(remind: Site) -> None:
    path = link(remind)
    browser = remind.browser()
    for _ in range(2):  # a mail program looks at links before their reader does
        assert browser.get(path).status_code == 200
    answer = browser.client.post(path)
    assert (answer.status_code, answer.location) == (303, JANE)
    page = browser.get(JANE)
    assert page.status_code == 200
    for text in ("Jane SMITH", "Harriers", "A1234567", "57", "<svg", "Names are as of", "Runs that this node knows"):
        assert text in page.text
    assert "no-store" in page.headers["Cache-Control"]
    again = remind.browser().client.post(path)
    assert again.status_code == 404
    assert "already used" in again.text
    assert browser.get(JANE).status_code == 200


def test_the_question_is_the_same_for_a_secret_that_there_never_was(remind: Site) -> None:
    pages = []
    for path in (link(remind), "/card/" + "x" * 43):
        answer = remind.browser().get(path)
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        pages.append(answer.text.replace(path, "").replace(path.rpartition("/")[2], ""))
    assert pages[0] == pages[1]
    assert remind.browser().client.post("/card/" + "x" * 43).status_code == 404


def test_a_browser_sees_no_other_profile_than_the_one_that_was_opened(remind: Site) -> None:
    browser = opened(remind)
    for number in ("A42", "A1", "x", "a1234567"):
        answer = browser.get(f"/athletes/{number}")
        assert (answer.status_code, "/login" in answer.location) == (303, True)
    assert remind.browser().get(JANE).status_code == 303


def test_a_profile_stays_open_for_an_hour(remind: Site) -> None:
    browser = opened(remind)
    remind.clock.advance(OPEN_S - 1)
    assert browser.get(JANE).status_code == 200
    remind.clock.advance(1)
    assert browser.get(JANE).status_code == 303


def test_an_opened_profile_gives_no_rights_of_a_team(remind: Site) -> None:
    browser = opened(remind)
    for path in ("/submit/bushy", "/events", "/account", "/admin"):
        assert browser.get(path).status_code in (303, 404), path
    assert "Log out" not in browser.get(JANE).text


def test_a_runner_sees_the_runs_that_this_node_knows(remind: Site) -> None:
    remind.browser("bushy").submit()
    page = opened(remind).get(JANE)
    for text in ("7 December 2013", "00:17:31", "provisional", "Bushy parkrun"):
        assert text in page.text
    assert "Log in" not in page.text


def test_an_athlete_on_no_sheet_here_has_a_profile_too(remind: Site) -> None:
    page = opened(remind, "A42").get("/athletes/A42")
    assert page.status_code == 200
    assert "Never RAN" in page.text
    assert "No results on this node have this number so far." in page.text


def test_a_number_that_was_retired_meanwhile_has_no_profile(remind: Site) -> None:
    browser = opened(remind)
    load(remind.database, [Athlete("A1234567", None)], AS_OF)
    assert browser.get(JANE).status_code == 404


def test_a_profile_is_not_opened_again_and_again(remind: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "MOST", 5)
    browser = opened(remind)
    codes = {browser.get(JANE).status_code for _ in range(profile.MOST)}
    assert codes == {200}
    assert browser.get(JANE).status_code == 429
