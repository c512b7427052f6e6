"""Every sentence that a page shows goes through gettext: in a language that marks each, none is without a mark."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Response, request

from resultsq import languages
from resultsq.delivery import office_notices
from resultsq.domain import errors
from resultsq.domain.athletes import Athlete
from resultsq.domain.notices import OfficeNotice
from resultsq.domain.outcome import Cause
from resultsq.domain.role import Role
from resultsq.domain.why import CAUSES
from resultsq.readers.marks import UnreadableField
from resultsq.store.admin import accounts, addresses, notices, reminders
from resultsq.store.admin.drafts import DraftMoved
from resultsq.web.node import put
from tests.integration.form.conftest import DAY, FILES, HASHED, NOW, STOPWATCH, Browser, Site
from tests.integration.form.test_receipt import in_the_way, probed, rejected, worked
from tests.support import speech
from tests.support.athletes import load
from tests.support.nodes import accepted, lost

DATA = re.compile(
    r"""
    resultsq | UTC | \b[\w-]+\.(csv|txt|jpg|zip|dat|xlsx)\b | \b[AP]\d+\b | \b(Nov|Dec)(ember)?\b
    | \b[Bb]ushy(\ parkrun)?\b | \b[Rr]ichmond(\ parkrun)?\b | \b(viewer|operator|chief)\b | laptop\ two
    | version\ 1\ of | Marshal
    | \b("""
    + "|".join((*CAUSES, "invalid-sheet"))
    + r""")\b  # as the API calls them
    | ^\s*and\s*$  # between the kinds of a list: CLDR's
    | \bit\ rains\b | \b\d+(h|d)\b | \bv\d+\b | \b[0-9a-f]{8}-[0-9a-f-]+\b
    """,
    re.VERBOSE,
)
"""What is data here, or a name: nobody translates it."""

LACKED = "†"
"""Marks a sentence that not every language has."""

OTHER_THAN_PAGES = (
    *("csv", "original", "sheet_bytes", "markdown", "table_of", "static", "favicon", "robots", "manifest"),
    *("contact", "entries", "module", "service_worker", "mirrored"),
)

_ON = b"07/12/2013 09:21:00"
_SHIFTED = STOPWATCH.replace(b"00:17:31", b"00:17:41").replace(b"00:18:02", b"00:18:12").replace(b":19:40", b":19:50")

WRONG_FILES = [
    ("watch.csv", STOPWATCH.replace(b"00:18:02", b"00:99:02")),
    ("late.csv", STOPWATCH + b"4,07/12/2013 09:30:01,00:31:00\n"),
    ("cut.csv", STOPWATCH.replace(b"00:17:31", b"00:17:31,3\nx,a,b")),
    ("table.csv", b"position,time,athlete\n1,18:00,B7\n2,61,A5\nx,19:00,A6\n4,19:00,A7,8\n"),
    ("twice.csv", b"position,time,time\n1,18:00,B7\n"),
    ("empty.csv", b""),
    ("header.csv", b"position,time,athlete\n"),
    ("zero.txt", b"A1234567,P0001\0\n"),
    ("book.xlsx", b"PK\x03\x04book"),
    ("photo.jpg", b"\xff\xd8\xff\xe0 picture"),
    ("scans.gz", b"\x1f\x8bscans"),
    ("letter.txt", b"Dear all\nsee you\n"),
    ("volunteers.csv", b"athlete,role\nA1234567,Marshal\nB2,Marshal\nA3,\n"),
]
SCANS = [
    ("stopwatch.csv", STOPWATCH),
    ("second.csv", _SHIFTED),
    ("third.csv", STOPWATCH.replace(b"1,07/12/2013 09:17:31,00:17:31\n", b"")),
    (
        "scanner.csv",
        b"".join(
            line + b"," + _ON + b"\n"
            for line in (
                *(b"A1234567,P0001", b"A1234567,P0002", b"A7654321,P0001", b"A5555555,", b",P0003", b"A1234567A12345,"),
                *(b"A42,P0009", b"P0003,A77", b"A7777777A77777777777,P0002", b"A42"),
            )
        )
        + b"scratch\n",
    ),
    ("other.csv", b"A88,P0003,X\n,P0001,X\nA89,P0002,X\nA90,,X\n".replace(b"X", b"08/12/2013 09:20:00")),
]
SWAPPED = [("t.csv", b"position,time,athlete\n1,18:00,A1\n3,17:00,A1\n3,17:30,A2\n9,20:00,A12345678901\n")]


@dataclass
class Walk:
    """Every page that was shown, by endpoint."""

    site: Site
    pages: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.site.app.after_request(self._note)

    def _note(self, response: Response) -> Response:
        if (
            response.mimetype == "text/html"
            and not response.is_streamed
            and response.status_code not in (301, 302, 303)
        ):
            kept = response.get_data() if "Content-Encoding" not in response.headers else b""
            self.pages.append((str(request.endpoint), f"{request.method} {request.path}", kept.decode()))
        return response

    def for_operators(self) -> set[str]:
        """Where a page of teams, runners or the public shows a sentence that some language lacks."""
        return {
            f"{where}: {said[:200]}"
            for endpoint, where, text in self.pages
            if not endpoint.startswith("dashboard.")
            for said in re.findall(f"⟦{LACKED}[^⟧]*", text)
        }

    def without_a_switch(self) -> set[str]:
        """The whole pages on which no other language can be chosen."""
        switch = re.compile(r'action="/language"|<a [^>]*href="\?language=')
        return {where for _, where, text in self.pages if "</html>" in text and not switch.search(text)}

    def bypassing(self) -> set[str]:
        return {f"{where}: {piece}" for _, where, text in self.pages for piece in speech.unmarked(text, DATA)}


@pytest.fixture
def walk(site: Site, tmp_path: Path) -> Walk:
    there = [speech.translated(code) for code in languages.available() if code != languages.ENGLISH]
    everywhere = frozenset.intersection(*there)
    speech.mark_everything(
        site.app, tmp_path / "translations", lambda said: f"⟦{'' if said in everywhere else LACKED}{said}⟧"
    )
    walk = Walk(site)
    site.database.write(lambda conn: accounts.add(conn, NOW, "chief", HASHED, Role.ADMIN))
    return walk


def a_team_at_work(site: Site, walk: Walk) -> None:
    """Logs in badly and well, drops bad files and good ones, corrects in every way, and submits."""
    nobody = site.browser()
    nobody.get("/login")
    nobody.post("/login", {"name": "bushy", "password": "no"}, "/login")
    nobody.get("/nowhere")
    nobody.client.post("/login", data={"name": "x"})
    team = site.browser("bushy")
    page = "/submit/bushy"
    team.get("/submit/richmond")
    team.post("/logout/elsewhere", {}, "/account")
    team.get("/account")
    team.get(page)
    for name, content in WRONG_FILES:
        team.drop([(name, content)], htmx=True)
    team.post(f"{page}/files", {}, page, htmx=True)
    team.post(f"{page}/date", {"date": "2013-12-31"}, page, htmx=True)
    team.post(f"{page}/date", {"date": "soon"}, page, htmx=True)
    for athlete, role in (("A1234567", "Marshal"), ("nobody", "Marshal"), ("A2", "")):
        team.post(f"{page}/volunteers", {"athlete": athlete, "role": role}, page, htmx=True)
    team.get(f"{page}/table")
    team.post(f"{page}/table", {"time": ["18:00", "1862", "19:61"], "athlete": ["A1", "B2", ""]}, f"{page}/table")
    team.post(f"{page}/restart", {}, page)
    team.drop(SWAPPED, htmx=True)
    team.get(f"{page}?edit=1")
    team.post(f"{page}/restart", {}, page)
    for files in (SCANS[:1], SCANS[1:2], SCANS[2:3], SCANS[3:4], SCANS[4:]):
        team.drop(files, htmx=True)
    team.get(f"{page}?edit=1")
    by_hand(team)
    team.post(f"{page}/undo", {}, page, htmx=True)
    team.post(f"{page}/send", {}, page)
    team.get(page)
    team.post(f"{page}/restart", {}, page)
    letter = "/write/bushy/messages"
    team.post(letter, {"subject": "", "text": ""}, letter)
    sent = team.post(letter, {"subject": "bushy", "text": "bushy"}, letter).headers["Location"]
    team.get(sent)
    team.post(f"{sent}/withdraw", {}, sent)
    team.get(sent)


def by_hand(team: Browser) -> None:
    for fields in (
        {"action": "edit-time", "position": "2", "time": "18:03"},
        {"action": "edit-time", "position": "2", "time": "18:03"},
        {"action": "edit-time", "position": "99", "time": "18:03"},
        {"action": "edit-time", "position": "x", "time": "18:03"},
        {"action": "edit-time", "position": "0", "time": "tea"},
        {"action": "edit-time", "position": "2"},
        {"action": "edit-athlete", "position": "2", "athlete": "A43"},
        {"action": "edit-athlete", "position": "1", "athlete": "A43"},
        {"action": "edit-athlete", "position": "3", "athlete": ""},
        {"action": "edit-athlete", "position": "2", "athlete": "nobody"},
        {"action": "insert-finisher", "position": "2", "time": "", "athlete": ""},
        {"action": "remove-finisher", "position": "2"},
        {"action": "insert-time", "position": "1", "count": "2"},
        {"action": "remove-time", "position": "1"},
        {"action": "insert-tokens", "first": "2"},
        {"action": "insert-tokens", "first": "99999"},
        {"action": "remove-tokens", "first": "2", "last": "2"},
        {"action": "remove-tokens", "first": "9", "last": "2"},
        {"action": "swap-tokens", "first": "1", "last": "1", "other": "3"},
        {"action": "swap-tokens", "first": "1", "last": "2", "other": "2"},
        {"action": "reverse-tokens", "first": "1", "last": "3"},
        {"action": "reverse-tokens", "first": "1", "last": "1"},
        {"action": "edit-token", "athlete": "A43", "token": "P0003"},
        {"action": "edit-token", "athlete": "A99999", "token": "P0003"},
        {"action": "drop-scans", "athlete": "A5555555"},
        {"action": "drop-scans", "athlete": "A5555555"},
        {"action": "drop-file", "file": "none"},
        {"action": "edit-line", "file": "none", "line": "1", "text": "A1,P1"},
        {"action": "burn"},
    ):
        action = fields.pop("action")
        team.change(action, htmx=True, **fields)


def endings(site: Site, walk: Walk) -> list[str]:
    """One submission of each end; the ids."""
    team, ids = site.browser("bushy"), []

    def submitted(day: str) -> str:
        team.post("/submit/bushy/date", {"date": day}, "/submit/bushy")
        ids.append(team.submit([*FILES, ("v.csv", b"athlete,role\nA3,Marshal\n")]))
        team.get(f"/submissions/{ids[-1]}")
        return ids[-1]

    def looked(one: str) -> None:
        team.get(f"/submissions/{one}")
        team.get(f"/submissions/{one}/live?seen=x")

    first = submitted(DAY)
    probed(site, Cause.REFUSED)
    looked(first)
    worked(site, accepted)
    looked(first)
    for _ in range(2):
        site.browser().get(f"/results/bushy/{DAY}")
        team.post("/events/bushy/public", {}, "/events/bushy")
        team.get("/events/bushy")
    team.post(f"/submissions/{first}/correct", {}, f"/submissions/{first}")
    team.get("/submit/bushy")
    team.post(f"/submissions/{first}/correct", {}, f"/submissions/{first}")
    team.change("edit-athlete", position="2", athlete="A42")
    ids.append(team.send().location.rpartition("/")[2])
    looked(ids[-1])
    site.browser().get(f"/results/bushy/{DAY}")
    worked(site, accepted)
    for outcome in (rejected, in_the_way, lambda _lease: lost()):
        one = submitted(f"2013-11-{30 - len(ids):02}")
        worked(site, outcome)
        looked(one)
    conflict = ids[-2]
    team.post(f"/submissions/{conflict}/withdraw", {}, f"/submissions/{conflict}")
    looked(conflict)
    team.post("/submit/bushy/date", {"date": DAY}, "/submit/bushy")
    team.drop(FILES)
    team.get("/submit/bushy")
    for path in ("/events", "/events/bushy", f"/submissions/{first}", "/submissions/none", "/submit/bushy"):
        team.get(path)
    names_are_known(site, team, first)
    return ids


def names_are_known(site: Site, team: Browser, submission: str) -> None:
    """The same pages with a list of athletes, and the athletes' own."""
    people = [Athlete("A1234567", "bushy", "bushy", "bushy", 3), Athlete("A7654321", None)]
    load(site.database, people, site.clock.now())
    team.drop([("scanner.csv", b"A1234576,P0001," + _ON + b"\n")])
    for path in ("/submit/bushy?edit=1", f"/submissions/{submission}", "/athletes/A1234567", "/athletes/A1"):
        team.get(path)
    team.change("edit-athlete", htmx=True, position="2", athlete="bushy")


def the_operators_look(site: Site, walk: Walk, ids: list[str]) -> None:
    """Every page of the dashboard, while all is well, while the link is down, and while somebody holds everything."""
    chief = site.browser("chief")
    chief.get("/submit")
    chief.get("/offline")
    chief.get("/account")
    chief.get("/events")
    token = chief.hidden("/admin", "/logout")["csrf_token"]

    def post(path: str, **fields: object) -> None:
        for htmx in ({}, {"HX-Request": "true"}):
            answer = chief.client.post(path, data={"csrf_token": token, **fields}, headers=htmx)
            if answer.status_code == 303:
                chief.get(answer.location)
                chief.get(f"{answer.location}/progress")

    def pages() -> None:
        site.clock.advance(120)
        for path in (
            "", "?span=24h", "?span=30d", "/live?view=overview", "/submissions", "/errors", "/holds", "/audit",
            "/people", "/submissions?cause=timeout&states=queued&waiting_only=true&attempts_min=0",
            "/submissions?sort=tea",
            "/submissions?status=9", "/submissions/none", "/outages/1", "/outages/99",
            *(f"/submissions/{one}" for one in ids),
        ):  # fmt: skip
            chief.get(f"/admin{path}")

    for cause in (None, *Cause):
        probed(site, cause)
        pages() if cause in (None, Cause.REFUSED, Cause.NOT_OUR_MASTER, Cause.MASTER_DOWN) else chief.get("/admin")
    for verb in ("retry", "hold", "release", "withdraw", "undo"):
        post("/admin/ask", verb=verb, ids=ids)
        post("/admin/ask", on="filtered", verb=verb, states="queued")
        post("/admin/actions", verb=verb, ids=ids, reason="it rains")
        pages()
    post("/admin/ask", resolve="publish-over", ids=ids[2])
    post("/admin/actions", verb="hold", ids=ids)
    post("/admin/holds", reason="it rains", event="bushy", release_at="2013-12-08T10:00")
    post("/admin/holds", reason="it rains", event="nowhere")
    post("/admin/holds", reason="it rains", release_at="2013-01-01T10:00")
    post("/admin/holds/everything/ask", reason="it rains")
    post("/admin/holds/everything", reason="it rains")
    pages()
    post("/admin/publish-over", ids=ids[2], reason="it rains")
    teams_are_told(site, post)
    for path in ("/admin/welcome", "/admin/events/bushy", "/admin/tokens"):
        chief.get(path)
    post("/admin/events", slug="No Slug", name="x")
    post("/admin/events/import", csv="slug,name\nmill,Mill Lane\n")
    post("/admin/events/import", csv="a,b\n")
    post("/admin/people", name="jo", role="team", events="bushy")
    post("/admin/people", name="jo", role="king")
    post("/admin/people/import", csv="name,role,events\nkim,team,bushy\n")
    post("/admin/people/mail", name="jo", mail="jo@bushy.example")
    post("/admin/people/mail", name="jo", mail="jo")
    post("/admin/people/ask", name="jo")
    post("/admin/tokens", role="team", event="bushy")
    post("/admin/tokens/1/ask")
    for path in ("/admin/events", "/admin/tokens"):
        chief.get(path)
    post("/admin/people/link", name="bushy")
    post("/admin/people/disable", name="chief")
    post("/admin/people/disable", name="richmond")
    pages()
    secret = site.database.write(lambda conn: accounts.make_password_link(conn, site.clock.now(), "bushy"))
    chief.get(f"/password/{secret}")
    chief.get("/password/none")
    chief.client.post(f"/password/{secret}", data={"csrf_token": token, "password": "x"})
    with site.database.read() as conn:
        mailed = addresses.unsubscribe_secret(conn, "jo")
    for one in (mailed, "none"):
        chief.get(f"/unsubscribe/{one}")
        chief.client.post(f"/unsubscribe/{one}")


def runners_ask(site: Site) -> None:
    """Reminders, refused and asked for, and a mailed link that opens a profile."""
    ctx = site.app.extensions["resultsq"]
    put(site.app, replace(ctx, settings=ctx.settings.model_copy(update={"reminder": True})))
    runner, now = site.browser(), site.clock.now()
    for fields in ({"email": "bushy"}, {"email": "jo@bushy.example", "website": "x"}):
        runner.post("/reminder", fields, "/reminder")
    runner.get("/reminder/asked")
    secret = site.database.write(lambda conn: reminders.add_link(conn, now, "A1234567"))
    runner.get(f"/card/{secret}")
    for _ in range(2):
        runner.client.post(f"/card/{secret}")
    runner.get("/athletes/A1234567")


def teams_are_told(site: Site, post: Callable[..., None]) -> None:
    """Notices of operators and of the office, in force and over, and those that are refused."""
    now, team, chief = site.clock.now(), site.browser("bushy"), site.browser("chief")
    until = now + timedelta(hours=2)
    said = {"title": "bushy", "text": "bushy"}
    for fields in (
        said,
        {},
        {**said, "event": "nowhere"},
        {**said, "title": "bushy " * 40},
        {**said, "text": "bushy " * 400},
    ):
        post("/admin/notices", until=until.isoformat(), **fields)
    post("/admin/notices", **said)
    office = [OfficeNotice("n-1", "bushy", "bushy", "bushy", now, until)]
    site.database.write(lambda conn: notices.replace_offices(conn, now, office))
    for error in (None, office_notices.NO_CALL):
        site.database.write(partial(notices.asked, now=now, wait_s=60.0, error=error))
        chief.get("/admin/notices")
    for path in ("/submit", "/submit/bushy"):
        team.get(path)
        chief.get(path)
    post("/admin/notices/1/end")
    chief.get("/admin/notices")


@pytest.mark.long
def test_no_sentence_bypasses_gettext_when_every_page_is_walked_with_real_data(site: Site, walk: Walk) -> None:
    a_team_at_work(site, walk)
    ids = endings(site, walk)
    the_operators_look(site, walk, ids)
    runners_ask(site)
    assert not walk.bypassing(), "\n".join(sorted(walk.bypassing()))
    assert not walk.for_operators(), "\n".join(sorted(walk.for_operators()))
    assert walk.without_a_switch() == set()
    seen = {endpoint for endpoint, _, _ in walk.pages}
    there = {
        rule.endpoint
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith(("form.", "dashboard.")) and "GET" in (rule.methods or ())
    }
    onward = {"form.start"}
    assert {one for one in there - seen - onward if not one.endswith(OTHER_THAN_PAGES)} == set()
    text = "".join(text for _, _, text in walk.pages)
    assert text.count("⟦") > 10_000


def test_the_catalogue_holds_every_sentence_when_it_is_extracted_anew(tmp_path: Path) -> None:
    speech.extract(tmp_path / "messages.pot")
    anew = (tmp_path / "messages.pot").read_text()
    assert anew == speech.CATALOGUE.read_text(), "python -m tests.support.speech writes it anew"


REFUSALS = {
    *(name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.ResultsqError)),
    *(one.__name__ for one in (UnreadableField, DraftMoved)),
    *("BadRequest", "TooManyRequests"),
} - {"SettingsError"}
ROOMS = ("domain", "kinds", "readers", "store", "web")


def test_a_refusal_is_said_in_the_readers_language_wherever_it_is_raised() -> None:
    bare = []
    for room in ROOMS:
        for path in (speech.ROOT / "resultsq" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                match node:
                    case ast.Call(func=ast.Name(id=name), args=[ast.Constant() | ast.JoinedStr(), *_]) if (
                        name in REFUSALS
                    ):
                        bare.append(f"{path.name}:{node.lineno} {name}")
                    case _:
                        pass
    assert not bare
