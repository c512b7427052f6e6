"""Logging in and out, the limiter, and one-time links."""

import html
from datetime import timedelta

import pytest

from resultsq.store.admin import accounts, alerts
from tests.integration.form.conftest import FILES, PASSWORD, Browser, Site


def test_a_wrong_password_is_told_and_nobody_is_logged_in(site: Site) -> None:
    browser = site.browser()
    answer = browser.post("/login", {"name": "bushy", "password": "guess"}, "/login")
    assert answer.status_code == 422
    assert "do not match" in answer.text
    assert browser.get("/submit").status_code == 303


def test_tries_are_limited_and_free_again_when_time_has_passed(site: Site) -> None:
    browser = site.browser()
    answers = [browser.post("/login", {"name": "bushy", "password": "guess"}, "/login") for _ in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [422] * 10
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert browser.post("/login", {"name": "bushy", "password": PASSWORD}, "/login").status_code == 429
    site.clock.advance(301)
    assert browser.post("/login", {"name": "bushy", "password": PASSWORD}, "/login").status_code == 303


def test_a_login_goes_on_to_the_page_that_asked_for_it_and_never_to_another_host(site: Site) -> None:
    asked = {"name": "bushy", "password": PASSWORD}
    for onward, leads in {
        "/events/bushy?before=3": "/events/bushy?before=3",
        "//evil.example/": "/",
        "/\\evil.example": "/",
        "https://evil.example/": "/",
        "javascript:alert(1)": "/",
        "/\tevil": "/",
    }.items():
        assert site.browser().post("/login", {**asked, "next": onward}, "/login").location == leads, onward


def test_everybody_starts_where_they_work_when_they_open_the_root(site: Site) -> None:
    assert site.browser().get("/").location == "/login"
    assert site.browser("bushy").get("/").location == "/submit"
    assert site.browser("bushy").get("/submit").location == "/submit/bushy"
    assert site.browser("operator").get("/").location == "/admin"
    assert "Richmond parkrun" in site.browser("operator").get("/submit").text


def test_a_session_survives_a_working_day_and_ends_when_logged_out(site: Site, team: Browser) -> None:
    site.clock.advance(timedelta(hours=10).total_seconds())
    assert team.drop([("table.csv", b"position,time\n1,18:00\n")]).status_code == 303
    assert team.post("/logout", {}, "/submit/bushy").location == "/login"
    assert team.get("/submit/bushy").status_code == 303


def test_a_copied_cookie_is_of_no_use_when_its_session_was_ended(site: Site, team: Browser) -> None:
    cookie = team.client.get_cookie("resultsq")
    other = site.browser("bushy")
    team.post("/logout", {}, "/submit/bushy")
    thief = site.browser()
    assert cookie is not None
    thief.client.set_cookie("resultsq", cookie.value)
    assert thief.get("/submit/bushy").location.startswith("/login")
    assert other.get("/submit/bushy").status_code == 200, "the account's other devices go on"


def test_a_session_ends_18_hours_after_its_log_in_whatever_was_done_since(site: Site, team: Browser) -> None:
    for _ in range(17):
        site.clock.advance(3600)
        assert team.drop([("table.csv", b"time\n18:00\n")]).status_code == 303
    assert "Set-Cookie" in team.drop([]).headers, "what is told on the next page writes the cookie anew"
    site.clock.advance(3601)
    assert team.get("/submit/bushy").location.startswith("/login")


def _try(browser: Browser, address: str, name: str = "bushy", password: str = "guess") -> int:
    hidden = browser.hidden("/login", "/login")
    asked = {**hidden, "name": name, "password": password}
    return browser.client.post("/login", data=asked, environ_overrides={"REMOTE_ADDR": address}).status_code


def test_everybody_behind_one_address_logs_in_when_no_password_is_wrong(site: Site) -> None:
    assert {_try(site.browser(), "192.0.2.1", password=PASSWORD) for _ in range(130)} == {303}


def test_a_device_that_was_here_before_logs_in_when_strangers_guess_at_its_name(site: Site, team: Browser) -> None:
    team.post("/logout", {}, "/submit/bushy")
    stranger = site.browser()
    statuses = [_try(stranger, f"198.51.100.{n // 5}") for n in range(60)]
    assert statuses == [422] * 50 + [429] * 10, "one name has a limit over all addresses"
    assert _try(site.browser(), "203.0.113.9", password=PASSWORD) == 429
    assert _try(team, "203.0.113.9", password=PASSWORD) == 303
    with site.database.read() as conn:
        [alert] = alerts.standing(conn)
    assert (alert.rule, "bushy" in alert.text) == ("log-in refused often", True)


def test_a_known_device_has_a_limit_of_its_own(site: Site, team: Browser) -> None:
    team.post("/logout", {}, "/submit/bushy")
    assert [_try(team, "192.0.2.1") for _ in range(11)] == [422] * 10 + [429]


def test_a_one_time_link_sets_a_password_once_and_ends_other_sessions(site: Site, team: Browser) -> None:
    secret = site.database.write(lambda conn: accounts.make_password_link(conn, site.clock.now(), "bushy"))
    phone = site.browser()
    path = f"/password/{secret}"
    assert phone.post(path, {"password": "short"}, path).status_code == 422
    answer = phone.post(path, {"password": "a new password"}, path)
    assert answer.status_code == 303
    assert phone.get("/submit/bushy").status_code == 200
    assert team.get("/submit/bushy").status_code == 303, "the old password's session lives on"
    late = site.browser()
    token = late.hidden("/login", "/login")
    for answer in (late.get(path), late.client.post(path, data={**token, "password": "another one"})):
        assert answer.status_code == 404
        assert "has expired or was already used" in answer.text
        assert 'class="btn btn-primary" href="/login"' in answer.text
        assert "Submit results" not in answer.text
    assert site.browser().post("/login", {"name": "bushy", "password": "a new password"}, "/login").status_code == 303


def test_a_one_time_link_stays_off_disks_and_other_hosts_and_spends_no_hash_on_a_stranger(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.database.write(lambda conn: accounts.make_password_link(conn, site.clock.now(), "bushy"))
    page = site.browser().get(f"/password/{secret}")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert site.browser().get("/login").headers["Referrer-Policy"] == "same-origin"
    monkeypatch.delattr(accounts, "hash_password")
    guess = site.browser()
    token = guess.hidden("/login", "/login")
    assert guess.client.post("/password/guess", data={**token, "password": "long enough"}).status_code == 404
    site.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    assert guess.get(f"/password/{secret}").status_code == 404


def test_an_ended_session_is_told_and_the_page_stays_when_htmx_sends_a_change(site: Site) -> None:
    answer = site.browser().client.post("/submit/bushy/undo", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert "HX-Redirect" not in answer.headers, "the page would go, and with it the file that was being sent"
    assert answer.headers["X-Login"] == "/login"
    assert "You were logged out" in answer.text


def test_the_login_comes_back_to_the_page_when_a_part_of_it_or_an_action_was_asked_for(site: Site) -> None:
    client = site.browser().client
    part = {"HX-Request": "true", "HX-Current-URL": "http://localhost/submissions/1"}
    assert client.get("/submissions/1/live?seen=x", headers=part).headers["HX-Redirect"].endswith("next=/submissions/1")
    plain = client.post("/submit/bushy/undo", headers={"Referer": "http://localhost/submit/bushy"})
    assert plain.location == "/login?next=/submit/bushy"
    foreign = client.post("/submit/bushy/undo", headers={"Referer": "https://elsewhere.example/submit/bushy"})
    assert foreign.location == "/login"


def test_other_devices_are_logged_out_when_somebody_asks_for_it_and_this_one_stays(site: Site, team: Browser) -> None:
    team.drop(FILES)
    lost, stranger = site.browser("bushy"), site.browser("richmond")
    answer = team.post("/logout/elsewhere", {}, "/account")
    assert (answer.status_code, answer.location) == (303, "/account")
    page = team.get("/account").text
    assert "All other devices are logged out." in page
    assert "You are logged in as bushy." in page
    assert "Bushy parkrun" in page
    assert lost.get("/submit/bushy").location.startswith("/login")
    assert stranger.get("/submit/richmond").status_code == 200, "another account is not touched"
    assert "stopwatch.csv" in team.get("/submit/bushy").text, "work in progress is kept"
    assert site.browser("bushy").get("/submit/bushy").status_code == 200, "the password is the same"


def test_a_person_changes_the_password_and_other_devices_end_when_the_present_one_is_known(
    site: Site, team: Browser
) -> None:
    phone = site.browser("bushy")
    wrong = team.post("/account/password", {"present": "no", "chosen": "dry hands at last"}, "/account")
    assert wrong.status_code == 422
    assert "isn't your password now" in html.unescape(wrong.text)
    assert team.post("/account/password", {"present": PASSWORD, "chosen": "x"}, "/account").status_code == 422
    changed = team.post("/account/password", {"present": PASSWORD, "chosen": "dry hands at last"}, "/account")
    assert changed.status_code == 303
    assert "Your password is changed." in team.get("/account").text
    assert phone.get("/account").status_code == 303, "the other device is logged out"
    with site.database.read() as conn:
        assert accounts.verify(conn, "bushy", PASSWORD) is None
        assert accounts.verify(conn, "bushy", "dry hands at last") is not None


def test_guesses_of_the_present_password_are_limited_when_a_session_is_open(team: Browser) -> None:
    fields = {"present": "a guess", "chosen": "dry hands at last"}
    codes = [team.post("/account/password", fields, "/account").status_code for _ in range(11)]
    assert codes == [422] * 10 + [429]


def test_icon_manifest_and_robots_are_there_when_nobody_is_logged_in(site: Site) -> None:
    browser = site.browser()
    with browser.get("/favicon.ico") as icon:
        assert icon.mimetype == "image/svg+xml"
    assert "Disallow: /" in browser.get("/robots.txt").text
    manifest = browser.get("/manifest.webmanifest").get_json()
    with browser.get(manifest["icons"][0]["src"]) as icon:
        assert icon.status_code == 200


HTML = {"Accept": "text/html"}


def test_an_error_page_leads_on_to_what_its_reader_may_do(site: Site, team: Browser) -> None:
    for path in ("/nowhere", "/admin"):
        assert 'class="btn btn-primary" href="/submit"' in team.client.get(path, headers=HTML).text
    page = site.browser().client.get("/nowhere", headers=HTML).text
    assert 'class="btn btn-primary" href="/login"' in page
    assert "Submit results" not in page


@pytest.mark.parametrize(
    ("came_from", "leads_back"),
    [("http://localhost/submit/bushy?day=1", True), ("http://elsewhere/submit/bushy?day=1", False), ("", False)],
)
def test_what_is_refused_leads_back_to_the_page_that_sent_it(team: Browser, came_from: str, leads_back: bool) -> None:
    answer = team.client.post("/submit/bushy/undo", headers=HTML | {"Referer": came_from})  # without the page's token
    assert answer.status_code == 400
    assert ('href="/submit/bushy?day=1">Back to the page before' in answer.text) == leads_back
    assert ("Back to the page before" in answer.text) == leads_back
