"""Who may do what on the team's pages: every route is walked, and other teams' things are not there."""

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule as Route

from resultsq.domain.role import Role
from resultsq.web.auth import Audience, rules
from tests.integration.form.conftest import FILES, Browser, Site

BrowserOf = Callable[[str], Browser]

MUTATING = {"POST", "PUT", "PATCH", "DELETE"}
NOBODYS = "00000000-0000-4000-8000-000000000000"


def routes(app: Flask) -> Iterator[tuple[Route, str]]:
    """Each route with a method, HEAD and OPTIONS apart."""
    for route in app.url_map.iter_rules():
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            yield route, method


def address(route: Route, submission: str) -> str:
    """The route with plausible values in its gaps."""
    values = {"submission": submission, "slug": "bushy", "day": "2013-12-07", "file_id": "1", "what": "results"}
    values["kind"] = "messages"
    return re.sub(r"<(?:[^:<>]*:)?(\w+)>", lambda gap: values.get(gap[1], "1"), route.rule)


def test_a_route_has_a_rule_when_the_application_is_made(site: Site) -> None:
    declared = rules(site.app)
    assert {route.endpoint for route, _ in routes(site.app)} <= declared.keys()


def test_a_mutating_route_for_people_refuses_when_the_token_is_missing(site: Site, browser_of: BrowserOf) -> None:
    submission = browser_of("bushy").submit(FILES)
    admin = browser_of("operator")
    walked = 0
    for route, method in routes(site.app):
        declared = rules(site.app)[route.endpoint]
        if method not in MUTATING or declared.who in (Audience.PROGRAM, Audience.MACHINE, Audience.HOLDER):
            continue
        answer = admin.client.open(address(route, submission), method=method)
        allowed = not declared.roles or any(map(Role.OPERATOR.at_least, declared.roles))
        assert answer.status_code == (400 if allowed else 403), f"{method} {route.rule}: {answer.status}"
        assert not allowed or "came from is too old" in answer.text, route.rule
        walked += 1
    assert walked >= 15


def test_a_viewer_changes_nothing_when_every_mutating_page_is_tried(site: Site, browser_of: BrowserOf) -> None:
    team, viewer = browser_of("bushy"), browser_of("viewer")
    submission = team.submit(FILES)
    token = viewer.hidden("/events", "/logout")["csrf_token"]
    for route, method in routes(site.app):
        if method in MUTATING and route.endpoint.startswith("form.") and rules(site.app)[route.endpoint].roles:
            if route.endpoint in ("form.logout", "form.logout_elsewhere", "form.change_password"):  # their own account
                continue
            answer = viewer.client.open(address(route, submission), method=method, data={"csrf_token": token})
            assert answer.status_code == 403, f"{method} {route.rule}: {answer.status}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_team_sees_what_a_stranger_to_the_id_sees_when_it_tries_ours(
    site: Site, team: Browser, stranger: Browser, method: str
) -> None:
    submission = team.submit(FILES)
    token = stranger.hidden("/submit/richmond", "/logout")["csrf_token"]

    def tried(of: str, event: str) -> Iterator[tuple[str, int, str]]:
        for route, verb in routes(site.app):
            declared = rules(site.app)[route.endpoint]
            if verb != method or not route.endpoint.startswith("form.") or declared.who is not Audience.PERSON:
                continue
            if "<" not in route.rule:
                continue
            path = address(route, of).replace("bushy", event)
            answer = stranger.client.open(path, method=method, data={"csrf_token": token} if method == "POST" else None)
            yield route.rule, answer.status_code, answer.text.replace(event, "")

    ours, nobodys = list(tried(submission, "bushy")), list(tried(NOBODYS, "nowhere"))
    assert len(ours) >= 6
    assert {status for _, status, _ in ours} == {404}
    assert ours == nobodys


def test_nobody_gets_in_when_not_logged_in(site: Site, team: Browser, browser_of: BrowserOf) -> None:
    submission = team.submit(FILES)
    stranger = site.browser()
    for route, method in routes(site.app):
        if method == "GET" and rules(site.app)[route.endpoint].who is Audience.PERSON:
            answer = stranger.get(address(route, submission))
            assert answer.status_code == 303, route.rule
            assert answer.location.startswith("/login?next="), route.rule


def test_a_viewer_reads_the_receipt_but_no_file_when_it_looks(team: Browser, browser_of: BrowserOf) -> None:
    submission = team.submit(FILES)
    viewer, operator = browser_of("viewer"), browser_of("operator")
    page = viewer.get(f"/submissions/{submission}")
    assert page.status_code == 200
    assert "Correct these results" not in page.text
    path = f"/submissions/{submission}/files/1"
    assert viewer.get(path).status_code == 403
    assert operator.get(path).data == FILES[0][1]
    assert team.get(path).data == FILES[0][1]


def test_a_file_of_another_submission_is_not_there_when_its_number_is_guessed(team: Browser, stranger: Browser) -> None:
    team.submit(FILES)
    theirs = stranger.submit([("ours.csv", b"position,time\n1,18:00\n")], "richmond")
    assert stranger.get(f"/submissions/{theirs}/files/3").status_code == 200
    assert stranger.get(f"/submissions/{theirs}/files/1").status_code == 404
