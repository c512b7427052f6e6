"""Who gets in, and what every answer carries."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from resultsq import doctor
from resultsq.doctor import CheckTarget
from resultsq.domain.errors import SettingsError
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, tokens
from resultsq.store.engine.tables import Submission
from resultsq.wakeup import Bell
from resultsq.web import auth, factory
from resultsq.web.auth import TOKEN_CACHE_S, AccessRule, Audience, rule
from tests.integration.web.site import Sheet, Site
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW
from tests.support.passwords import hashed

Make = Callable[..., Sheet]
MUTATORS = {"POST", "PUT", "PATCH", "DELETE"}

PASSWORD = "wet hands, no patience"
HASHED = hashed(PASSWORD)


@pytest.fixture
def team(site: Site) -> Site:
    """The site with an account for bushy's team."""
    site.database.write(lambda conn: accounts.add(conn, NOW, "jo", HASHED, Role.TEAM, ["bushy"]))
    return site


def csrf(client: FlaskClient) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login").text)
    assert found is not None
    return found[1]


def log_in(client: FlaskClient, name: str = "jo", password: str = PASSWORD, **more: str) -> int:
    form = {"name": name, "password": password, "csrf_token": csrf(client), **more}
    return client.post("/login", data=form).status_code


# rules


def _path(route: str) -> str:
    for gap, value in (
        (r"<[^>:]+>", "x"),
        (r"<int:[^>]+>", "1"),
        (r"<uuid:[^>]+>", str(UUID(int=1))),
        (r"<kind:[^>]+>", "messages"),
    ):
        route = re.sub(gap, value, route)
    return route


def test_every_route_says_who_may_call_it_when_the_app_is_made(site: Site) -> None:
    declared = auth.rules(site.app)
    assert {route.endpoint for route in site.app.url_map.iter_rules()} == set(declared)
    for one in declared.values():
        assert isinstance(one, AccessRule)
        assert (one.who in (Audience.ANYBODY, Audience.HOLDER)) == (one.roles == ())


def test_every_mutator_refuses_when_its_caller_is_a_stranger(site: Site) -> None:
    declared = auth.rules(site.app)
    for route in site.app.url_map.iter_rules():
        for method in sorted(MUTATORS & (route.methods or set())):
            answer = site.open(method, _path(route.rule), headers={"Accept": "text/html"})
            match declared[route.endpoint].who:
                case Audience.ANYBODY:
                    assert answer.status == 400, route  # the CSRF token is missing
                case Audience.PERSON:
                    assert answer.status == 303, route
                    assert answer.headers["Location"].startswith("/login"), route
                case Audience.HOLDER:
                    assert answer.status == 404, route  # this is no secret of anything
                case Audience.PROGRAM | Audience.MACHINE:
                    assert answer.status == 401, route


def test_every_mutator_for_people_refuses_when_the_csrf_token_is_missing(site: Site) -> None:
    site.database.write(lambda conn: accounts.add(conn, NOW, "boss", HASHED, Role.ADMIN))
    client = site.app.test_client()
    assert log_in(client, "boss") == 303
    for route in site.app.url_map.iter_rules():
        declared = auth.rules(site.app)[route.endpoint]
        for method in sorted(MUTATORS & (route.methods or set())) if declared.who is Audience.PERSON else ():
            answer = client.open(_path(route.rule), method=method)
            assert answer.status_code == 400, route


def test_a_program_is_not_let_in_by_a_cookie_when_it_has_one(team: Site, sheet: Make) -> None:
    client = team.app.test_client()
    assert log_in(client) == 303
    assert client.get("/").status_code == 303
    assert client.post("/api/v1/submissions", json=sheet()).status_code == 401
    assert client.get("/api/v1/status").status_code == 401


def test_an_app_is_not_made_when_a_route_has_no_rule() -> None:
    app = Flask("x")
    app.add_url_rule("/open", "open", lambda: "")
    with pytest.raises(RuntimeError, match="/open does not say who"):
        auth.rules(app)


def test_a_view_is_refused_when_it_has_two_rules() -> None:
    with pytest.raises(TypeError, match="two rules"):

        @rule(Role.ADMIN)
        @rule.public
        def view() -> str:
            return ""


def test_a_route_is_not_there_when_it_came_after_the_list_was_closed(site: Site) -> None:
    site.app.add_url_rule("/late", "late", lambda: "in")
    assert site.open("GET", "/late").status == 404


# people


def test_a_team_comes_in_with_its_password_when_the_master_is_away(team: Site) -> None:
    client = team.app.test_client()
    assert log_in(client, password="wrong password") == 422
    assert log_in(client) == 303
    cookie = client.get_cookie("resultsq")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.secure) == (True, "Lax", False)


def test_the_session_cookie_travels_by_https_only_when_the_setting_says_so(make_site: Callable[..., Site]) -> None:
    site = make_site(secure_cookies=True)
    answer = site.open("GET", "/login", base_url="https://node.example")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_session_ends_when_the_password_is_changed(team: Site) -> None:
    client = team.app.test_client()
    log_in(client)
    assert client.get("/").headers["Location"] != "/login"
    team.database.write(lambda conn: accounts.set_password(conn, "jo", HASHED))
    assert client.get("/").headers["Location"] == "/login"


def test_a_csrf_token_is_good_when_it_is_older_than_an_hour(team: Site) -> None:
    assert team.app.config["WTF_CSRF_TIME_LIMIT"] is None
    assert team.app.config["PERMANENT_SESSION_LIFETIME"].total_seconds() > 12 * 3600


def test_one_name_waits_and_others_come_in_when_it_was_tried_too_often(team: Site) -> None:
    team.database.write(lambda conn: accounts.add(conn, NOW, "mo", HASHED, Role.TEAM, ["bushy"]))
    client = team.app.test_client()
    assert [log_in(client, password="wrong") for _ in range(10)] == [422] * 10
    assert log_in(client) == 429
    assert log_in(client, "mo") == 303
    team.clock.advance(301)
    assert log_in(team.app.test_client()) == 303


def test_the_limit_is_by_the_callers_own_address_when_a_proxy_is_trusted(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(trusted_proxies=1)
    site.database.write(lambda conn: accounts.add(conn, NOW, "jo", HASHED, Role.TEAM, ["bushy"]))

    def try_from(address: str, password: str) -> int:
        client = site.app.test_client()
        client.environ_base["HTTP_X_FORWARDED_FOR"] = address
        return log_in(client, password=password)

    assert [try_from("192.0.2.1", "wrong") for _ in range(10)] == [422] * 10
    assert try_from("192.0.2.1", PASSWORD) == 429
    assert try_from("192.0.2.2", PASSWORD) == 303


# programs


def test_a_revoked_token_is_good_for_seconds_only_when_it_was_just_used(site: Site, sheet: Make) -> None:
    token = site.token(Role.TEAM, "bushy")
    headers = {"Authorization": f"Bearer {token}"}
    assert site.open("GET", "/api/v1/status", headers=headers).status == 200
    with site.database.read() as conn:
        number = max(one.bearer.id for one in tokens.every(conn))
    site.database.write(lambda conn: tokens.revoke(conn, NOW, number))
    site.clock.advance(TOKEN_CACHE_S)
    assert site.open("GET", "/api/v1/status", headers=headers).status == 401


def test_a_new_token_is_good_at_once_when_it_was_tried_before_it_was_there(site: Site) -> None:
    assert site.open("GET", "/api/v1/status", headers={"Authorization": "Bearer rq_new"}).status == 401
    site.tokens = {"new": site.token(Role.TEAM, "bushy")}
    assert site.call("GET", "/status", "new").status == 200


# what every answer carries


@pytest.mark.parametrize(
    "path", ["/login", "/api/v1/status", "/nothing", "/healthz", "/static/vendor/htmx/htmx.min.js"]
)
def test_an_answer_carries_the_security_headers_whatever_it_is_when_it_leaves(site: Site, path: str) -> None:
    headers = site.open("GET", path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_an_answer_of_the_api_is_kept_by_nobody_and_knows_no_cookie_when_it_leaves(site: Site, sheet: Make) -> None:
    headers = site.post(sheet()).headers
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers
    assert "Vary" not in headers


def test_a_request_is_known_by_its_own_name_when_it_has_a_good_one(site: Site, sheet: Make) -> None:
    answer = site.post(sheet(), x_request_id="team-laptop.42")
    assert answer.headers["X-Request-ID"] == "team-laptop.42"
    with site.database.read() as conn:
        assert conn.execute(select(Submission.request_id)).scalars().all() == ["team-laptop.42"]


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "é"])
def test_a_request_is_given_a_name_when_its_own_is_none(site: Site, name: str) -> None:
    headers = {"X-Request-ID": name.encode().decode("latin-1")}
    given = site.open("GET", "/healthz", headers=headers).headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{16}", given)


# the key that signs sessions


def test_the_key_is_made_once_and_for_this_user_only_when_there_is_none(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        key = factory.kept_secret(tmp_path / "new" / "folder")
    finally:
        os.umask(mask)
    path = tmp_path / "new" / "folder" / "secret.key"
    assert len(key) >= 48
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["secret.key"]
    assert factory.kept_secret(path.parent) == key


def test_the_settings_key_signs_when_there_is_one(make_site: Callable[..., Site]) -> None:
    site = make_site(secret_key="from the settings")
    assert site.app.config["SECRET_KEY"] == "from the settings"
    assert not (site.settings.data_dir / "secret.key").exists()


def test_the_node_says_so_when_the_key_cannot_be_kept(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = site.settings.model_copy(update={"data_dir": tmp_path / "file"})
    with pytest.raises(SettingsError, match="cannot be kept"):
        factory.create_app(settings, site.database, clock=ManualClock(NOW), bell=Bell(""))


NUMBERS = [2**31, 2**63, 2**64, 10**400]


@pytest.mark.parametrize("number", NUMBERS)
def test_no_number_in_an_address_is_more_than_an_address_that_is_not_there(site: Site, number: int) -> None:
    paths = [("GET", f"/api/v1/outages/{number}"), ("DELETE", f"/api/v1/holds/{number}")]
    for method, path in paths:
        answer = site.open(method, path, headers={"Authorization": f"Bearer {site.tokens['operator']}"})
        assert answer.status == 404, path


def test_the_api_changes_nothing_for_operators_when_the_node_is_read_only(make_site: Callable[..., Site]) -> None:
    site = make_site(read_only=True)
    calls = [
        ("POST", "/actions", {"verb": "hold", "filter": {}, "reason": "x"}),
        ("POST", "/holds", {"reason": "x"}),
        ("DELETE", "/holds/1", None),
        ("DELETE", "/actions/00000000-0000-4000-8000-000000000001", None),
    ]
    for method, path, body in calls:
        answer = site.call(method, path, "operator", json=body)
        assert (answer.status, "read_only" in answer.text) == (403, True), path
    counted = site.call("POST", "/actions", "operator", json={"verb": "retry", "filter": {}, "dry_run": True})
    assert counted.status == 200


def test_figures_are_not_shown_to_a_page_whose_name_was_made_to_point_here(site: Site) -> None:
    for path in ("/metrics", "/alerts"):
        assert site.open("GET", path, headers={"Host": "127.0.0.1:8080"}).status == 200
        assert site.open("GET", path, headers={"Host": "[::1]:8080"}).status == 200
        assert site.open("GET", path, headers={"Host": "evil.example:8080"}).status == 401


def test_the_cookie_is_bound_to_the_host_when_it_is_secure(make_site: Callable[..., Site]) -> None:
    answer = make_site(secure_cookies=True).open("GET", "/login", base_url="https://localhost")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-resultsq=")
    assert {"Secure", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_a_stranger_has_the_store_written_to_once_a_second_at_most(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    write = site.database.write

    def counting(*work: Any) -> Any:
        nonlocal written
        written += 1
        return write(*work)

    monkeypatch.setattr(site.database, "write", counting)
    for _ in range(20):
        assert site.open("GET", "/readyz", environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status == 200
    assert written == 1
    site.clock.advance(1)
    site.open("GET", "/readyz", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert written == 2


def _told_of_proxies(site: Site) -> list[str]:
    found = doctor.examine(CheckTarget(site.settings, site.database, site.clock), parts=["proxies"])
    return [one.text for one in found if "RESULTSQ_TRUSTED_PROXIES" in one.text]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_the_doctor_tells_of_a_proxy_in_front_that_nobody_trusts(site: Site, header: str) -> None:
    note = site.settings.data_dir / "forwarded.note"
    site.open("GET", "/healthz")
    site.open("GET", "/healthz", headers={header: "192.0.2.7"}, environ_overrides={"REMOTE_ADDR": "203.0.114.9"})
    assert _told_of_proxies(site) == [], "who calls from far away may write what he likes"
    site.open("GET", "/healthz", headers={header: "192.0.2.7"})
    site.clock.advance(180)
    (text,) = _told_of_proxies(site)
    assert "last 3 minutes ago" in text
    assert note.read_bytes() == b""
    site.clock.advance(25 * 3600)
    assert _told_of_proxies(site) == [], "it is gone"


def test_a_note_of_forwarded_requests_is_written_once_a_minute_and_fails_none(site: Site) -> None:
    note = site.settings.data_dir / "forwarded.note"
    for seconds, written in ((0, True), (59, False), (1, True)):
        site.clock.advance(seconds)
        note.unlink(missing_ok=True)
        assert site.open("GET", "/healthz", headers={"X-Forwarded-For": "192.0.2.7"}).status == 200
        assert note.exists() == written
    note.unlink()
    note.symlink_to(note.parent / "gone" / "away")
    site.clock.advance(60)
    assert site.open("GET", "/healthz", headers={"X-Forwarded-For": "192.0.2.7"}).status == 200


def test_the_doctor_is_content_with_a_proxy_that_is_trusted(make_site: Callable[..., Site]) -> None:
    site = make_site(trusted_proxies=1)
    site.open("GET", "/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
    assert _told_of_proxies(site) == []
    assert not (site.settings.data_dir / "forwarded.note").exists()
