"""What an ill-willed person may try on the team's pages, and what comes of it: nothing."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from werkzeug.http import parse_options_header

from resultsq.app.intake import MOST_FILES
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store.admin import accounts, events
from resultsq.wakeup import Bell
from resultsq.web.auth import Audience, rules
from resultsq.web.factory import create_app
from tests.integration.form.conftest import DAY, FILES, HASHED, NOW, PASSWORD, Browser, Site
from tests.integration.form.test_access import address, routes
from tests.integration.form.test_receipt import rejected, state, worked
from tests.support.services import HOST

BrowserOf = Callable[[str], Browser]
PAGE = "/submit/bushy"
MARKUP = "<script>alert(1)</script>\"'>{{7*7}}"


def pages(site: Site, submission: str) -> Iterator[str]:
    """Every page that a person gets, for the event bushy."""
    for route, method in routes(site.app):
        if (
            method == "GET"
            and route.endpoint.startswith("form.")
            and rules(site.app)[route.endpoint].who is Audience.PERSON
        ):
            yield address(route, submission)


# whose is it


def test_another_teams_work_is_untouched_when_every_change_is_tried_on_it(
    site: Site, team: Browser, stranger: Browser
) -> None:
    submission = team.submit(FILES)
    team.drop([("t.csv", b"position,time\n1,18:00\n")])
    before = [_tokenless(team.get(page).text) for page in (PAGE, f"/submissions/{submission}", "/events/bushy")]
    fields = stranger.hidden("/submit/richmond", "/submit/richmond/date")
    fields |= {"key": team.hidden(PAGE, f"{PAGE}/send")["key"], "shown": "no", "head": submission}
    tried = 0
    for route, method in routes(site.app):
        if method == "POST" and route.endpoint.startswith("form.") and "<" in route.rule and "secret" not in route.rule:
            revisions = [{}, team.hidden(PAGE, f"{PAGE}/restart")]
            for revision in revisions:
                data = {**revision, **fields, "revision": revision.get("revision", "0")}
                assert stranger.client.post(address(route, submission), data=data).status_code == 404, route.rule
            tried += 1
    assert tried >= 15
    after = [_tokenless(team.get(page).text) for page in (PAGE, f"/submissions/{submission}", "/events/bushy")]
    assert after == before


def _tokenless(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]*"', "", page)


def test_a_key_of_another_team_sends_nothing_and_tells_nothing_when_it_is_used(
    site: Site, team: Browser, stranger: Browser
) -> None:
    team.drop(FILES)
    key = team.hidden(PAGE, f"{PAGE}/send")["key"]
    ours = team.send().location
    stranger.drop([("t.csv", b"position,time\n1,18:00\n")], "richmond")
    answer = stranger.post("/submit/richmond/send", {"key": key}, "/submit/richmond")
    assert answer.location != ours
    assert answer.location.endswith("/submit/richmond")


# sessions


def test_a_session_ends_at_once_when_its_account_is_disabled(site: Site, team: Browser) -> None:
    assert team.get(PAGE).status_code == 200
    site.database.write(lambda conn: accounts.disable(conn, site.clock.now(), "bushy"))
    assert team.get(PAGE).location.startswith("/login")
    late = site.browser().post("/login", {"name": "bushy", "password": PASSWORD}, "/login")
    assert late.status_code == 422, "a disabled account is told what a wrong password is told"


def test_a_session_is_made_anew_when_somebody_logs_in_and_gone_when_they_log_out(site: Site) -> None:
    browser = site.browser()
    planted = browser.hidden("/login", "/login")["csrf_token"]
    with browser.client.session_transaction() as session:
        session["planted"] = "yes"
    browser.post("/login", {"name": "bushy", "password": PASSWORD}, "/login")
    with browser.client.session_transaction() as session:
        assert "planted" not in session
    stale = browser.client.post(f"{PAGE}/undo", data={"csrf_token": planted, "revision": "0"})
    assert stale.status_code == 400, "a token from before the login is good for nothing"
    browser.post("/logout", {}, PAGE)
    with browser.client.session_transaction() as session:
        assert "_user_id" not in session


def test_a_session_of_anybodys_own_making_is_none(site: Site, team: Browser) -> None:
    cookie = team.client.get_cookie("resultsq")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    forged = site.browser()
    forged.client.set_cookie("resultsq", cookie.value[:-3] + "AAA")
    assert forged.get(PAGE).location.startswith("/login")


def test_a_login_page_that_was_open_too_long_says_what_to_do(site: Site) -> None:
    answer = site.browser().client.post(
        "/login", data={"name": "bushy", "password": PASSWORD, "csrf_token": "old"}, headers={"Accept": "text/html"}
    )
    assert answer.status_code == 400
    assert "Load the page again" in answer.text
    assert "CSRF" not in answer.text
    assert '<main id="content"' in answer.text


# what stays behind


def test_no_browser_keeps_a_page_when_it_is_a_persons(site: Site, team: Browser) -> None:
    submission = team.submit(FILES)
    for page in pages(site, submission):
        answer = team.get(page)
        assert answer.headers["Cache-Control"] == "no-store", page
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "script-src" not in answer.headers["Content-Security-Policy"], "nothing widens default-src 'self'"


def test_an_error_page_names_nobody_and_nothing_that_was_sent(site: Site, team: Browser) -> None:
    large = b"A1234567" * (site.settings.max_body_bytes // 8 + 1)
    cases = {
        404: team.get("/submissions/A1234567?name=jo", headers={"Accept": "text/html"}),
        405: team.client.put(f"{PAGE}/send?athlete=A1234567", headers={"Accept": "text/html"}),
        413: team.client.post(
            f"{PAGE}/files?jo",
            data=large,
            content_type="multipart/form-data; boundary=jo",
            headers={"Accept": "text/html"},
        ),
    }
    for status, answer in cases.items():
        assert answer.status_code == status
        assert not [word for word in ("A1234567", "jo", "bushy", "Traceback") if word in answer.text], status


def test_an_error_page_is_shown_when_the_store_that_knows_the_people_is_gone(site: Site, team: Browser) -> None:
    site.database.close()
    for file in site.settings.data_dir.glob("resultsq.db*"):
        file.unlink()
    answer = team.get(PAGE, headers={"Accept": "text/html"})
    assert answer.status_code >= 500
    assert "Back to the start" in answer.text


# markup, formulas, names


def test_markup_stays_text_on_every_page_when_it_is_in_any_name(site: Site) -> None:
    def people(conn: object) -> None:
        events.add(conn, NOW, "evil", MARKUP, "Europe/London")  # type: ignore[arg-type]
        accounts.add(conn, NOW, MARKUP, HASHED, Role.TEAM, ["evil"])  # type: ignore[arg-type]

    site.database.write(people)
    evil = site.browser(MARKUP)
    evil.drop([(f"{MARKUP}.csv", FILES[0][1]), (f"{MARKUP}.jpg", b"\0")], "evil")
    evil.post("/submit/evil/volunteers", {"athlete": "A7", "role": MARKUP}, "/submit/evil")
    evil.change("edit-athlete", "evil", position="2", athlete=MARKUP)
    shown = [evil.get("/submit/evil").text]
    evil.post("/submit/evil/unneeded", {}, "/submit/evil")
    submission = evil.send("evil").location.rpartition("/")[2]
    shown += [evil.get(page.replace("bushy", "evil")).text for page in pages(site, submission) if ".csv" not in page]
    shown += [site.browser().get(f"/results/evil/{DAY}").text, evil.get(f"/login?next=/{MARKUP}").text]
    shown += [site.browser().get(f"/login?next=/{MARKUP}").text]
    for text in shown:
        assert "<script>alert" not in text
        assert "49" not in re.findall(r"&#34;&#39;&gt;(\d+)", text)
    assert sum("&lt;script&gt;alert" in text for text in shown) >= 6


@pytest.mark.parametrize("name", ['a"; filename="b.exe', "..\\..\\a.csv", "\u202egnp.csv", "é😀.csv"])
def test_a_download_has_one_harmless_name_when_the_file_had_a_hostile_one(team: Browser, name: str) -> None:
    submission = team.submit([(name, FILES[0][1])])
    answer = team.get(f"/submissions/{submission}/files/1")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert disposition.isascii(), "a server cannot send it otherwise"
    assert not re.search(r"[\r\n/\\]|%2F|%5C|%E2%80%AE", disposition), disposition
    assert disposition.count('"') in (0, 2)
    assert parse_options_header(disposition)[1].keys() == {"filename"}
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")


# numbers and texts that break


@pytest.mark.parametrize("number", ["0", "-1", "9" * 18, "9" * 19, "9" * 40, "1e9", "%00", "٣"])
def test_no_number_breaks_a_page_when_it_is_in_an_address(site: Site, team: Browser, number: str) -> None:
    submission = team.submit(FILES)
    told = 400 if number == "%00" else 200
    assert team.get(f"/events/bushy?before={number}").status_code == told
    assert team.get(f"{PAGE}?edit={number}").status_code == told
    assert team.get(f"{PAGE}/table?rows={number}").status_code == told
    assert team.get(f"/submissions/{submission}/files/{number}").status_code == 404
    assert team.get(f"/submissions/{number}").status_code == 404
    assert team.get(f"/results/bushy/{number}").status_code == 404


def test_no_correction_fails_or_grows_without_end_when_its_fields_are_hostile(team: Browser) -> None:
    team.drop(FILES)
    values = ("", "-1", "9" * 30, "P" + "9" * 30, MARKUP, "\U0001d7d9", "99:99:99", "1" * 5_000)
    actions = (
        "edit-time",
        "insert-time",
        "edit-athlete",
        "insert-tokens",
        "swap-tokens",
        "edit-line",
        "drop-file",
        "x",
    )
    names = ("position", "time", "athlete", "token", "count", "first", "last", "other", "file", "line", "text")
    for action in actions:
        for value in values:
            fields = dict.fromkeys(names, value) if action == "x" else dict.fromkeys(names[:6], value)
            assert team.change(action, htmx=True, **fields).status_code == 200, (action, value[:40])
    assert "The sheet: 3 finishers" in team.get(PAGE).text
    assert "row-of" in team.change("insert-time", htmx=True, position="4", count="1000000000").text
    assert "The sheet: 3 finishers" in team.get(PAGE).text


def test_a_character_that_no_text_has_is_refused_wherever_it_is_sent(site: Site, team: Browser) -> None:
    assert site.browser().post("/login", {"name": "b\0", "password": PASSWORD}, "/login").status_code == 400
    team.drop(FILES)
    assert team.post(f"{PAGE}/send", {"key": "\0"}, PAGE).status_code == 400
    for page in ("/events/", "/submissions/", "/results/bushy/"):
        answer = team.get(page + quote("\0"))
        assert answer.status_code == 404
        assert "nothing at this address" in answer.text, "and PostgreSQL, which has no such character, is not asked"


def test_more_files_than_an_event_has_are_refused_whether_they_can_be_read_or_not(team: Browser) -> None:
    many = [(f"{n}.jpg", b"\0") for n in range(MOST_FILES + 1)]
    answer = team.drop(many)
    assert answer.status_code == 413
    assert "at most 50 files" in answer.text
    assert team.drop(many[:MOST_FILES]).status_code == 303
    assert "at most 50 files" in team.drop([("one-more.jpg", b"\0")], htmx=True).text
    assert "one-more.jpg" not in team.get(PAGE).text


# the broker


def test_a_login_is_quick_and_limited_when_the_broker_is_down(site: Site, free_port: Callable[[], int]) -> None:
    broker = f"redis://{HOST}:{free_port()}/0"
    app = create_app(
        Settings(data_dir=site.settings.data_dir, broker_url=broker), site.database, clock=site.clock, bell=Bell(broker)
    )
    browser = Browser(app.test_client(), None)
    answers = [browser.post("/login", {"name": "bushy", "password": "guess"}, "/login") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert Browser(app.test_client(), "richmond").submit(FILES, "richmond"), "and results are taken"


# the public page


def test_the_public_page_shows_nothing_that_its_team_has_replaced_when_the_replacement_is_refused(
    site: Site, team: Browser
) -> None:
    first = team.submit(FILES)
    team.drop([("t.csv", b"position,time\n1,20:00\n")])
    team.post(f"{PAGE}/on-top", {}, PAGE)
    team.send()
    anybody = site.browser()
    assert "00:20:00" in anybody.get(f"/results/bushy/{DAY}").text
    worked(site, rejected)
    assert state(site, first) is State.SUPERSEDED
    answer = anybody.get(f"/results/bushy/{DAY}")
    assert answer.status_code == 404, "the team has said that the older one is wrong"


def test_an_answer_without_the_page_says_the_same_whether_the_event_hides_it_or_is_none(
    site: Site, team: Browser
) -> None:
    team.submit(FILES)
    team.post("/events/bushy/public", {}, "/events/bushy")
    hidden, none = (site.browser().get(f"/results/{slug}/{DAY}") for slug in ("bushy", "nowhere"))
    assert (hidden.status_code, hidden.data) == (none.status_code, none.data)
    assert hidden.status_code == 404
