"""Logging in and out, the limiter, and one-time links."""

from datetime import timedelta

import pytest

from resultsq.store import accounts
from tests.integration.form.conftest import FILES, PASSWORD, Browser, Site


def test_a_wrong_password_is_told_and_nobody_is_logged_in(site: Site) -> None:
    browser = site.browser()
    answer = browser.post("/login", {"name": "bushy", "password": "guess"}, "/login")
    assert answer.status_code == 422
    assert "do not fit" in answer.text
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
        assert "good no more" in answer.text
    assert site.browser().post("/login", {"name": "bushy", "password": "a new password"}, "/login").status_code == 303


def test_a_one_time_link_stays_off_disks_and_other_hosts_and_spends_no_hash_on_a_stranger(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.database.write(lambda conn: accounts.make_password_link(conn, site.clock.now(), "bushy"))
    page = site.browser().get(f"/password/{secret}")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"
    monkeypatch.delattr(accounts, "hash_password")
    guess = site.browser()
    token = guess.hidden("/login", "/login")
    assert guess.client.post("/password/guess", data={**token, "password": "long enough"}).status_code == 404
    site.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    assert guess.get(f"/password/{secret}").status_code == 404


def test_a_change_by_a_browser_whose_session_ended_leads_to_the_login_when_htmx_asks(site: Site) -> None:
    answer = site.browser().client.post("/submit/bushy/undo", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/login")


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
