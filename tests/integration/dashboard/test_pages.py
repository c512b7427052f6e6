"""The pages: who sees what, what is in the URL, what a quiet poll costs, and what a spreadsheet gets."""

import csv
import io
import re
import uuid
from datetime import datetime, timedelta
from functools import partial
from html import unescape

import pytest
from sqlalchemy import Connection

from resultsq.app import mails
from resultsq.delivery import office_notices
from resultsq.domain.outcome import Cause
from resultsq.domain.role import Role
from resultsq.sealed import PersonalKeys
from resultsq.store.admin import devices, holding, notices, tokens
from resultsq.store.engine.session import Database
from resultsq.store.views import chart_points, overview_data
from resultsq.store.views.chart_points import Span
from resultsq.web.dashboard import overview
from tests.integration.dashboard.conftest import LogIn, Person
from tests.integration.form.test_access import routes
from tests.integration.store.test_spoiled import spoil
from tests.support.nodes import DATE, NOW, StoreNode, lost, moved, rejected

PAGES = ("", "?span=24h", "?span=30d", "/live", "/submissions", "/errors", "/holds", "/audit", "/submissions.csv")
ADMIN_PAGES = ("/people",)


@pytest.fixture
def one_of_each(sqlite_node: StoreNode) -> list[str]:
    """The ids of a rejected one, one in conflict, one put off and one in its turn."""
    node = sqlite_node
    ids = []
    for event, outcome in (("bushy", rejected()), ("richmond", moved(None)), ("wimbledon", lost(Cause.TIMEOUT))):
        ids.append(node.accept(event).id)
        node.try_one(outcome)
        node.probe()
    ids.append(node.accept("bushy", date="2013-11-30").id)
    return ids


def test_every_page_answers_when_a_viewer_asks(one_of_each: list[str], viewer: Person) -> None:
    for path in (*PAGES, *(f"/submissions/{one}" for one in one_of_each)):
        assert viewer.get(f"/admin{path}").status_code == 200, path
    assert all(viewer.get(f"/admin{path}").status_code == 403 for path in ADMIN_PAGES)


def test_nothing_is_offered_and_nothing_is_taken_when_a_viewer_tries(one_of_each: list[str], viewer: Person) -> None:
    for path in (*PAGES[:-1], *(f"/submissions/{one}" for one in one_of_each)):
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', viewer.page(f"/admin{path}"))
        assert set(forms) <= {"/language", "/logout"}, path
    for path in ("/ask", "/actions", "/holds", "/publish-over", "/people/disable"):
        assert viewer.post(f"/admin{path}", verb="retry", ids=one_of_each).status_code in (400, 403)


def test_only_the_login_is_shown_when_nobody_is_logged_in_or_a_team_is(log_in: LogIn) -> None:
    team = log_in(Role.TEAM)
    assert team.get("/admin").status_code == 403
    team.client.delete_cookie("resultsq")
    assert team.get("/admin").location.startswith("/login")
    assert team.get("/admin/live", **{"HX-Request": "true"}).headers["HX-Redirect"].startswith("/login")


def test_an_operator_changes_nothing_when_the_node_only_shows(one_of_each: list[str], log_in: LogIn) -> None:
    operator = log_in(Role.ADMIN, read_only=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', operator.page("/admin"))
    assert token is not None
    for path in ("/ask", "/actions", "/holds", "/publish-over", "/people/link", "/people/disable"):
        answer = operator.client.post(f"/admin{path}", data={"csrf_token": token[1], "verb": "retry", "reason": "x"})
        assert answer.status_code == 403, path
        assert "changes nothing" in answer.text
    assert "dashboard.ask" not in operator.page("/admin/submissions")


def test_a_hold_under_which_nothing_waits_says_so(sqlite_node: StoreNode, operator: Person) -> None:
    sqlite_node.hold("bushy")
    assert "1 hold, nothing held now" in operator.page("/admin")
    assert "nothing now; new results of bushy will be held" in operator.page("/admin/holds")
    sqlite_node.accept("bushy")
    sqlite_node.pass_time(5)
    assert "nothing held now" not in operator.page("/admin")
    page = operator.page("/admin/holds")
    assert ">1<" in page
    assert "nothing now" not in page


def test_the_overview_compares_the_day_with_the_same_hours_a_week_before(
    sqlite_node: StoreNode, viewer: Person
) -> None:
    viewer.stays_logged_in()
    sqlite_node.accept_many(3)
    assert "a-week-before" not in viewer.page("/admin?span=24h")
    sqlite_node.pass_time(timedelta(days=7, minutes=-5).total_seconds())
    sqlite_node.accept("bushy")
    sqlite_node.pass_time(600)
    page = viewer.page("/admin?span=24h")
    assert "1 accepted; 3 in the same hours a week before." in page
    assert "a-week-before" not in viewer.page("/admin?span=30d")
    (step,) = re.findall(r'href="(/admin/submissions[?]accepted_from=[^"]+)"', page)
    listed = viewer.page(unescape(step))
    assert listed.count('data-label="') > 0
    assert len(re.findall(r"/admin/submissions/[0-9a-f-]{36}", listed)) >= 1


def test_a_form_without_its_token_is_refused_when_it_comes_from_elsewhere(operator: Person) -> None:
    assert operator.client.post("/admin/holds", data={"reason": "x"}).status_code == 400


def test_a_poll_is_nothing_new_when_nothing_changed_and_time_passed(sqlite_node: StoreNode, viewer: Person) -> None:
    sqlite_node.accept()
    first = viewer.get("/admin/live?view=overview")
    sqlite_node.pass_time(4)
    again = viewer.get("/admin/live?view=overview", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["X-Figures-Age"]) == (304, b"", "0.0")
    sqlite_node.accept("richmond")
    sqlite_node.pass_time(4)
    changed = viewer.get("/admin/live?view=overview", **{"If-None-Match": again.headers["ETag"]})
    assert changed.status_code == 200


def test_the_store_is_asked_once_when_many_look_at_the_same_time(
    sqlite_node: StoreNode, viewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = overview_data.live_status

    def pulse(conn: Connection, now: datetime) -> overview_data.LiveStatus:
        asked.append(now)
        return real(conn, now)

    monkeypatch.setattr(overview_data, "live_status", pulse)
    for _ in range(20):
        assert viewer.get("/admin/live").status_code == 200
    assert len(asked) == 1
    sqlite_node.pass_time(2)
    viewer.get("/admin/live")
    assert len(asked) == 2


def test_the_banner_says_what_is_the_matter_when_an_outage_begins_and_ends(
    sqlite_node: StoreNode, viewer: Person
) -> None:
    node = sqlite_node
    assert "All is well" in viewer.page("/admin")
    node.probe(Cause.TIMEOUT)
    node.accept_many(3)
    node.pass_time(4)
    page = viewer.page("/admin")
    assert "The link is down" in page
    assert "no connection was made in time" in page
    assert "Next probe" in page
    assert re.search(r'data-over="now">now</time>', page), "it is due, and 0 s would say nothing"
    assert ". All times are in Europe/London." in page
    node.probe(Cause.NOT_OUR_MASTER)
    node.pass_time(2)
    assert "Not our master" in viewer.page("/admin")
    node.probe()
    node.pass_time(2)
    assert "Catching up" in viewer.page("/admin")
    for _ in range(3):
        node.publish_one()
    node.pass_time(3)
    assert re.search(r"the 3 that waited were sent within \d+ s", viewer.page("/admin"))


def test_the_csv_is_the_list_when_it_is_filtered_and_sorted(one_of_each: list[str], viewer: Person) -> None:
    for query in ("", "?states=rejected&states=conflict", "?sort=accepted", "?text=bushy&sort=-attempts"):
        shown = re.findall(r"/admin/submissions/([0-9a-f-]{36})", viewer.page(f"/admin/submissions{query}"))
        rows = list(csv.DictReader(io.StringIO(viewer.page(f"/admin/submissions.csv{query}"))))
        assert [row["id"] for row in rows] == shown
        assert shown


def test_a_line_has_the_same_fields_in_the_api_its_schema_and_the_csv(
    one_of_each: list[str], sqlite_node: StoreNode, viewer: Person
) -> None:
    token = sqlite_node.database.write(lambda conn: tokens.issue(conn, NOW, "reads", Role.VIEWER))
    with viewer.client.application.test_client() as program:
        given = program.get("/api/v1/submissions", headers={"Authorization": f"Bearer {token}"}).get_json()
    lines = {line["id"]: line for line in given["submissions"]}
    schema = viewer.get("/api/openapi.json").get_json()["components"]["schemas"]["ListedSubmission"]
    rows = list(csv.DictReader(io.StringIO(viewer.page("/admin/submissions.csv"))))
    assert {row["id"] for row in rows} == set(lines) == set(one_of_each)
    assert schema["properties"]["date"] == {"type": "string", "format": "date", "title": "Date"}
    for row in rows:
        assert list(row) == list(lines[row["id"]]) == list(schema["properties"]) == schema["required"]
        shown = {name: "" if value is None else str(value) for name, value in lines[row["id"]].items()}
        assert {name: cell.replace("+00:00", "Z") for name, cell in row.items()} == shown
    assert {"seq", "event_id", "hold_id"}.isdisjoint(schema["properties"])


def test_a_formula_is_text_when_it_comes_in_a_csv(sqlite_node: StoreNode, viewer: Person) -> None:
    sqlite_node.accept(by="=HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO(viewer.page("/admin/submissions.csv")))
    assert row["submitted_by"] == "'=HYPERLINK(1)"
    assert not re.search(r"(^|,)[=+@-]", viewer.page("/admin/submissions.csv"), re.MULTILINE)


def test_every_cell_of_the_csv_is_quoted_so_that_a_semicolon_parts_none(sqlite_node: StoreNode, viewer: Person) -> None:
    sqlite_node.accept(by="a;=HYPERLINK(1)")
    lines = viewer.page("/admin/submissions.csv").splitlines()
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r'"[^"]*"(,"[^"]*")*', line)
    assert '"a;=HYPERLINK(1)"' in lines[1]


@pytest.mark.parametrize("number", [2**31, 2**63, 2**64, 10**400])
def test_no_number_is_too_large_for_a_page_of_the_admin(log_in: LogIn, number: int) -> None:
    admin, walked = log_in(Role.ADMIN), 0
    for route, method in routes(admin.client.application):
        if "<int:" not in route.rule or route.rule.startswith("/api/"):
            continue
        path = re.sub(r"<int:\w+>", str(number), route.rule).replace("<slug>", "bushy").replace("<submission>", "1")
        assert "<" not in path
        answer = admin.get(path) if method == "GET" else admin.post(path)
        assert answer.status_code == 404, f"{method} {path}"
        walked += 1
    assert walked >= 4
    assert admin.get(f"/admin/audit?before={number}").status_code == 200


def test_a_filter_is_kept_when_pages_are_turned_and_sorted(sqlite_node: StoreNode, viewer: Person) -> None:
    sqlite_node.accept_many(60)
    sqlite_node.accept("richmond")
    page = viewer.page("/admin/submissions?events=bushy&size=25&sort=-attempts")
    links = [one.replace("&amp;", "&") for one in re.findall(r'href="(/admin/submissions\?[^"]+)"', page)]
    onward = next(one for one in links if "after=" in one)
    assert {"events=bushy", "size=25", "sort=-attempts"} <= set(onward.partition("?")[2].split("&"))
    assert any("sort=-published" in one and "events=bushy" in one and "after=" not in one for one in links)
    assert "60 submissions" in page
    assert "richmond" not in viewer.page(onward)


def test_what_makes_no_sense_is_said_when_an_address_is_mistyped(viewer: Person) -> None:
    for query in ("states=lost", "status=x", "sort=colour", "after=zzz", "accepted_from=soon"):
        answer = viewer.get(f"/admin/submissions?{query}", Accept="text/html")
        assert answer.status_code == 422, query
    missing = viewer.get("/admin/submissions/none", Accept="text/html")
    assert missing.status_code == 404
    for way_on in ('href="/submit"', 'href="/events"', 'href="/"'):
        assert way_on in missing.text


def test_times_are_the_nodes_own_with_utc_behind_them_when_it_is_summer(sqlite_node: StoreNode, viewer: Person) -> None:
    viewer.stays_logged_in()
    sqlite_node.now = sqlite_node.now.replace(month=7) + timedelta(days=365)
    sqlite_node.accept()
    page = viewer.page("/admin/submissions")
    assert re.search(r'title="2014-07-07 12:05:00 UTC">13:05:00<', page)


def test_markup_is_text_when_it_is_in_a_name_or_a_reason(sqlite_node: StoreNode, viewer: Person) -> None:
    evil = "<script>alert(1)</script>"
    sqlite_node.accept(by=evil)
    sqlite_node.database.write(lambda conn: holding.place_hold(conn, sqlite_node.now, evil, None, evil))
    for path in ("/admin", "/admin/submissions", "/admin/holds", "/admin/audit"):
        assert evil not in viewer.page(path)


def test_an_account_is_managed_when_an_admin_does_it(sqlite_node: StoreNode, log_in: LogIn) -> None:
    admin, viewer = log_in(Role.ADMIN), log_in(Role.VIEWER)
    name = f"viewer {sqlite_node.now:%H%M%S} False"
    assert name in admin.page("/admin/people")
    assert re.search(r"http://127.0.0.1:8080/password/[\w-]{40,}", admin.post("/admin/people/link", name=name).text)
    assert viewer.get("/admin").status_code == 200
    assert admin.post("/admin/people/disable", name=name).status_code == 303
    assert viewer.get("/admin").location.startswith("/login")
    own = f"admin {sqlite_node.now:%H%M%S} False"
    assert admin.post("/admin/people/disable", name=own).status_code == 409


def test_a_reason_that_was_kept_in_english_is_said_in_the_readers_language(
    sqlite_node: StoreNode, log_in: LogIn
) -> None:
    operator = log_in(Role.OPERATOR)
    asked = partial(notices.asked, now=sqlite_node.now, wait_s=60.0, error=office_notices.NO_CALL)
    sqlite_node.database.write(asked)
    said = operator.get("/admin/notices", **{"Accept-Language": "de"}).text
    assert "Das zentrale System hat keine Mitteilungen" in said
    assert "The master has no notices" not in said


def test_the_report_writes_itself_when_an_outage_is_over(sqlite_node: StoreNode, viewer: Person) -> None:
    viewer.stays_logged_in()
    node = sqlite_node
    node.probe(Cause.TIMEOUT)
    node.accept_many(3)
    node.pass_time(1200)
    node.probe()
    for _ in range(3):
        node.publish_one()
    node.pass_time(3600 * 24)
    (number,) = re.findall(r"/admin/outages/(\d+)", viewer.page("/admin"))
    page = viewer.page(f"/admin/outages/{number}")
    assert "3 submissions" in page
    assert "<dd>no connection was made in time</dd>" in page  # the operator is told the cause,
    assert "The central results system could not be reached." in page  # the public what it means
    assert 'class="outage"' in page
    assert "| results delayed | 3 |" in viewer.page(f"/admin/outages/{number}.md")
    assert viewer.get("/admin/outages/99").status_code == 404


def test_a_months_delays_are_those_of_all_its_days_when_old_days_are_counted_once(
    sqlite_node: StoreNode, viewer: Person
) -> None:
    viewer.stays_logged_in()
    node = sqlite_node

    def published(days: int, count: int) -> None:
        node.now = NOW + timedelta(days=days)
        for n in range(count):
            node.accept(date=f"19{days:02}-01-{n + 1:02}")
            node.pass_time(60)
            node.publish_one()

    def counted() -> str:
        found = re.search(r"published</th><td[^>]*>([\d,]+)<", viewer.page("/admin?span=30d"))
        return found[1] if found else "none"

    assert counted() == "none"
    published(1, 3)
    published(5, 2)
    assert counted() == "5"
    published(6, 1)
    node.pass_time(3600)
    assert counted() == "6"
    node.now = NOW + timedelta(days=33)
    assert counted() == "3", "the first three are no part of the last month"


def test_a_months_chart_is_the_same_when_old_days_are_counted_once(sqlite_node: StoreNode, log_in: LogIn) -> None:
    node, day = sqlite_node, timedelta(days=1)
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    instant = timedelta(microseconds=1)
    for n, at in enumerate((midnight, midnight + day - instant, midnight + day, midnight + 3 * day + 7 * day / 24)):
        node.now = at
        node.accept("bushy", date=f"1913-01-{n + 1:02}")
        node.publish_one()
    app = log_in(Role.VIEWER).client.application
    parts = []
    for days in (3.4, 3.4, 4.9, 29.99, 30.0, 30.01, 31.3):
        at = midnight + day * days
        start = chart_points.first_step(at, Span.MONTH)
        with app.app_context(), node.database.read() as conn:
            flows = overview._flows(conn, start, at, Span.MONTH)
            parts.append(len(flows))
            assert chart_points.series(conn, at, Span.MONTH, 9, flows) == chart_points.series(conn, at, Span.MONTH, 9)
    assert max(parts) >= 30, "each day that is over has been counted by itself"


def test_done_promises_no_time_while_no_worker_runs(sqlite_node: StoreNode, viewer: Person) -> None:
    viewer.stays_logged_in()
    sqlite_node.accept()
    assert "once a worker is running" not in viewer.page("/admin/live")
    sqlite_node.pass_time(90)
    page = viewer.page("/admin/live")
    assert "No worker is running" in page
    assert "once a worker is running" in page


def test_the_list_has_its_states_as_tabs_with_their_counts(one_of_each: list[str], viewer: Person) -> None:
    page = viewer.page("/admin/submissions")
    tabs = page[page.index('aria-label="States"') : page.index("</nav>", page.index('aria-label="States"'))]
    told = re.sub(r"<[^>]*>|\s+", " ", tabs)
    for words in ("all", "queued 2", "rejected 1", "conflict 1"):
        assert words in told
    assert "withdrawn" not in told, "a state without any has no tab"
    assert re.search(r'active" href="/admin/submissions" aria-current="page"', tabs)
    page = viewer.page("/admin/submissions?states=conflict")
    assert re.search(r'active" href="/admin/submissions\?states=conflict" aria-current="page"', page)


def test_what_waits_has_no_columns_for_ages_that_nothing_has(sqlite_node: StoreNode, viewer: Person) -> None:
    viewer.stays_logged_in()
    sqlite_node.accept()
    assert re.findall(r"less than ([0-9]+) minutes", viewer.page("/admin")) == ["5"]
    sqlite_node.pass_time(15 * 60)
    assert re.findall(r"less than ([0-9]+) minutes", viewer.page("/admin")) == ["5", "10", "20"]


def test_the_overview_says_what_devices_hold(sqlite_node: StoreNode, viewer: Person) -> None:
    assert 'id="on-devices"' not in viewer.page("/admin")
    for holds in (3, 1):
        sqlite_node.database.write(
            partial(devices.report, now=sqlite_node.now, device=str(uuid.uuid4()), holds=holds, day=DATE)
        )
    sqlite_node.pass_time(6)  # the page looks again after five seconds
    page = " ".join(viewer.page("/admin").split())
    assert "2 devices hold results that are nowhere else (4 in all), last heard" in page


def test_the_overview_says_first_and_once_what_needs_a_person(one_of_each: list[str], viewer: Person) -> None:
    page = viewer.page("/admin")
    assert page.index("Needs attention") < page.index("Submissions by state") < page.index('id="chart"')


def test_a_mail_to_a_runner_shows_nothing_of_what_it_says(viewer: Person, sqlite_node: StoreNode) -> None:
    url = sqlite_node.database.engine.url.render_as_string(hide_password=False)
    sealing = Database(url, lambda: PersonalKeys.of([bytes(32)]))
    said = {"address": "jane@bushy.example", "subject": "Your barcode", "text": "Jane SMITH: A1001"}
    mail = sealing.write(lambda conn: mails.queue(conn, sqlite_node.now, **said))
    sealing.close()
    shown = viewer.page(f"/admin/submissions/{mail}") + viewer.page("/admin/submissions?kinds=mails")
    assert mail in shown
    assert not [word for word in ("jane@", "SMITH", "A1001", "Your barcode") if word in shown]


def test_a_mail_shows_what_it_says_and_to_nobody_an_address(viewer: Person, sqlite_node: StoreNode) -> None:
    said = {"account": "jane", "subject": "Bushy: published", "text": "At 12:04."}
    mail = sqlite_node.database.write(lambda conn: mails.queue(conn, sqlite_node.now, **said))
    shown, listed = viewer.page(f"/admin/submissions/{mail}"), viewer.page("/admin/submissions?kinds=mails")
    assert "Bushy: published" in shown
    assert "At 12:04." in shown
    assert mail in listed
    assert "jane@" not in shown + listed
    assert viewer.get(f"/admin/submissions/{mail}/sheet.json").status_code == 404


def test_an_outage_says_how_long_the_rest_takes_once_the_link_is_back(sqlite_node: StoreNode, viewer: Person) -> None:
    viewer.stays_logged_in()
    sqlite_node.accept()
    sqlite_node.publish_one()  # in 0.1 s
    sqlite_node.accept_many(1_600, "richmond")
    sqlite_node.probe(Cause.TIMEOUT)
    sqlite_node.pass_time(4)
    page = re.sub(r"<[^>]*>|\s+", " ", viewer.page("/admin"))
    assert re.search(r"in about \d+ s +once the link is back", page), page[:1500]
    assert "soon after the link is back" not in page


def test_a_damaged_sheet_is_named_on_its_page_and_not_shown(viewer: Person, sqlite_node: StoreNode) -> None:
    submission = sqlite_node.accept().id
    spoil(sqlite_node, submission)
    shown = viewer.page(f"/admin/submissions/{submission}")
    assert "damaged on this node's disk" in shown
    assert "take it from a backup" in shown
    assert "not kept here any more" not in shown
    assert viewer.get(f"/admin/submissions/{submission}/sheet.json").status_code == 503
