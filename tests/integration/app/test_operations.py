"""The same operation by page, API and command line: the same end, the same lines of the audit, the same refusal."""

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from resultsq.cli import main
from resultsq.clock import SystemClock
from resultsq.domain.filter import Filter
from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import accounts, action_runner, actions, holding, tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Audit, Notice, Submission
from resultsq.store.views import queries
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.integration.dashboard.conftest import HASHED, PASSWORD, Person
from tests.support.nodes import StoreNode
from tests.support.templates import compiled_once

WHY = "the course was short"
OF_ITS_OWN = ("of", "hold", "action", "token", "placed_at")
"""Members of an audit line's target that differ each time."""


@dataclass(frozen=True)
class End:
    """What became of it: the submissions, the files of the last one, the actions, and the lines of the audit as
    action, target, count and reason."""

    submissions: list[tuple[Any, ...]]
    files: list[tuple[Any, ...]]
    actions: list[tuple[Any, ...]]
    lines: list[tuple[str, dict[str, Any], int, str]]
    notices: list[tuple[Any, ...]]


@dataclass
class Faces:
    """One node, and its three faces. Each call returns what the caller reads."""

    node: StoreNode
    person: Person
    program: FlaskClient
    command: Callable[..., str]
    folder: Path
    before: int = 0
    made: dict[str, int] = field(default_factory=dict)

    def post(self, path: str, **fields: Any) -> str:
        """Send a form of the dashboard."""
        return unescape(self.person.post(f"/admin{path}", **fields).text)

    def call(self, method: str, path: str, body: object = None) -> str:
        """Call the API."""
        return self.program.open(f"/api/v1{path}", method=method, json=body).text

    def end(self) -> "End":
        with self.node.database.read() as conn:
            held = Submission.hold_id.is_not(None)
            query = select(Submission.state, held, Submission.date, Submission.rows_digest, Submission.seq)
            *states, last = [(*row,) for row in conn.execute(query.order_by(Submission.seq))]
            files = [(file.name, file.kind, file.digest) for file in queries.files(conn, last[-1])]
            done = [(one.verb, one.total, one.done, one.skipped) for one in actions.latest(conn)]
            lines: list[tuple[str, dict[str, Any], int, str]] = [
                (row.action, _lasting(row.target), row._mapping["count"], row.reason)
                for row in conn.execute(select(Audit).where(Audit.id > self.before).order_by(Audit.id))
            ]
            shown = select(Notice.event_id, Notice.title, Notice.text, Notice.shown_until, Notice.ended_at.is_(None))
            told = [(*row,) for row in conn.execute(shown)]
        return End([*states, last], files, done, lines, told)


def _lasting(target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in target.items() if name not in OF_ITS_OWN}


MakeFaces = Callable[[], Faces]


@pytest.fixture
def make_faces(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MakeFaces]:
    """Makes nodes with three submissions of bushy and one of richmond."""
    for name in [name for name in os.environ if name.startswith("RESULTSQ_")]:
        monkeypatch.delenv(name)
    opened: list[Database] = []

    def make() -> Faces:
        folder = tmp_path / f"node {len(opened)}"
        folder.mkdir()
        shutil.copy(sqlite_template, folder / "resultsq.db")
        settings = Settings(data_dir=folder)
        node = StoreNode(Database(settings.store_url))
        opened.append(node.database)
        node.probe()
        node.accept_many(3)
        node.accept_many(1, "richmond")
        app = compiled_once(create_app(settings, node.database, clock=SystemClock(), bell=Bell("")))
        node.database.write(lambda conn: accounts.add(conn, node.now, "jo", HASHED, Role.ADMIN, ()))
        token = node.database.write(lambda conn: tokens.issue(conn, node.now, "a program", Role.OPERATOR, None))
        program = app.test_client()
        program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return Faces(node, _logged_in(Person(app.test_client())), program, lambda *line: run(folder, *line), folder)

    def run(folder: Path, *line: str) -> str:
        monkeypatch.setenv("RESULTSQ_DATA_DIR", str(folder))
        monkeypatch.setattr("sys.stdin", io.StringIO())
        mask = os.umask(0o077)
        with pytest.raises(SystemExit):
            main(line)
        os.umask(mask)
        return "".join(capsys.readouterr())

    yield make
    for database in opened:
        database.close()


def _logged_in(person: Person) -> Person:
    found = re.search(r'name="csrf_token" value="([^"]+)"', person.get("/login").text)
    assert found is not None
    answer = person.client.post("/login", data={"csrf_token": found[1], "name": "jo", "password": PASSWORD})
    assert answer.status_code == 303
    return person


def _act(faces: Faces, verb: str) -> str:
    """Begin and finish an action on the submissions of bushy, as a preparation."""
    now = SystemClock().now()
    started = actions.start(faces.node.database, now, "jo", verb, Filter(events=("bushy",)), WHY)
    action_runner.run(faces.node.database, SystemClock(), started)
    return started


def _hold_bushy(faces: Faces) -> None:
    now, bushy = SystemClock().now(), faces.node.events["bushy"]
    faces.made["hold"] = faces.node.database.write(lambda conn: holding.place_hold(conn, now, "jo", bushy, WHY))


def _hold_and_release(faces: Faces) -> None:
    _hold_bushy(faces)
    faces.command("release", "--whole-event", "bushy")


def _hold_all(faces: Faces) -> None:
    now = SystemClock().now()
    faces.made["hold"] = faces.node.database.write(lambda conn: holding.place_hold(conn, now, "jo", None, WHY))


Way = Callable[[Faces], str]
"""How a caller does it at one face; what the caller reads."""


@dataclass(frozen=True)
class Operation:
    """An operation, by each face that has it."""

    page: Way
    command: Way
    api: Way | None = None
    prepare: Callable[[Faces], object] = lambda faces: None
    line: tuple[str, str] | None = None
    """Action and reason of its line in the audit."""

    @property
    def ways(self) -> list[Way]:
        return [way for way in (self.page, self.api, self.command) if way is not None]


def on_bushy(verb: str, prepare: Callable[[Faces], object] = lambda faces: None, why: str = WHY) -> Operation:
    """An action on exactly the filter "events: bushy"."""
    return Operation(
        page=lambda faces: faces.post("/actions", verb=verb, on="filtered", events="bushy", reason=why),
        api=lambda faces: faces.call(
            "POST", "/actions", {"verb": verb, "filter": {"events": ["bushy"]}, "reason": why}
        ),
        command=lambda faces: faces.command(verb, "--event", "bushy", "--reason", why),
        prepare=prepare,
        line=(verb, why),
    )


def hold(slug: str | None, **more: str) -> Operation:
    """A hold of an event, or of everything."""
    path, which = ("/holds/everything", ["--destination"]) if slug is None else ("/holds", ["--whole-event", slug])
    options = [part for name, value in more.items() for part in (f"--{name.replace('_', '-')}", value)]
    named = {} if slug is None else {"event": slug}
    return Operation(
        page=lambda faces: faces.post(path, reason=WHY, **named, **more),
        api=lambda faces: faces.call("POST", "/holds", {"reason": WHY, **named, **more}),
        command=lambda faces: faces.command("hold", *which, "--reason", WHY, *options),
        line=("hold", WHY),
    )


def notice(slug: str = "", until: str = "2999-01-01T09:00:00+00:00", **more: str) -> Operation:
    """A notice to the team of an event, or to all."""
    said = {"title": "The master is away", "text": "Submit as always.", **more}
    options = ["--event", slug] if slug else []
    return Operation(
        page=lambda faces: faces.post("/notices", event=slug, until=until, **said),
        api=lambda faces: faces.call("POST", "/notices", {"until": until, **({"event": slug} if slug else {}), **said}),
        command=lambda faces: faces.command("notice", "add", said["title"], said["text"], "--until", until, *options),
        line=("notice", ""),
    )


def end_notice() -> Operation:
    """The end of a notice that was posted before."""
    return Operation(
        page=lambda faces: faces.post("/notices/1/end"),
        api=lambda faces: faces.call("DELETE", "/notices/1"),
        command=lambda faces: faces.command("notice", "end", "1"),
        line=("end notice", ""),
    )


def release(prepare: Callable[[Faces], object], *which: str) -> Operation:
    """The end of a hold that was placed before."""
    return Operation(
        page=lambda faces: faces.post(f"/holds/{faces.made['hold']}/release"),
        api=lambda faces: faces.call("DELETE", f"/holds/{faces.made['hold']}"),
        command=lambda faces: faces.command("release", *which),
        prepare=prepare,
        line=("release", ""),
    )


YESTERDAY = SystemClock().now().date() - timedelta(days=1)
FILES = {
    "times.csv": f"STARTOFEVENT,{YESTERDAY:%d/%m/%Y} 09:00:00,junsd\n0,{YESTERDAY:%d/%m/%Y} 09:00:00\n"
    f"1,{YESTERDAY:%d/%m/%Y} 09:17:31,00:17:31\nENDOFEVENT,{YESTERDAY:%d/%m/%Y} 09:50:00\n".encode(),
    "scans.csv": f"A1234567,P0001,{YESTERDAY:%d/%m/%Y} 09:20:00\n".encode(),
}


def _by_the_form(faces: Faces) -> str:
    client, page = faces.person.client, "/submit/bushy"

    def send(action: str, **fields: Any) -> str:
        shown = client.get(page).text
        form = re.search(rf'<form[^>]*action="{page}/{action}".*?</form>', shown, re.DOTALL)
        assert form is not None, shown
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
        return client.post(f"{page}/{action}", data={**hidden, **fields}, follow_redirects=True).text

    send("date", date=YESTERDAY.isoformat())
    send("files", files=[(io.BytesIO(content), name) for name, content in FILES.items()])
    return send("send")


def _by_the_api(faces: Faces) -> str:
    parts = [(io.BytesIO(content), name) for name, content in FILES.items()]
    fields = {"event": "bushy", "date": YESTERDAY.isoformat(), "files": parts}
    return faces.program.post("/api/v1/submissions", data=fields).text


def _by_the_command(faces: Faces, folder: Path) -> str:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    paths = [str(folder / name) for name in FILES]
    return faces.command("submit", *paths, "--event", "bushy", "--date", YESTERDAY.isoformat())


RUN = {"run": "5k"}
SOON = (SystemClock().now() + timedelta(hours=5)).isoformat(timespec="minutes")
_NOTICE = ("notice", "add", "The master is away", "Submit as always.", "--until", SOON)

DONE: Mapping[str, Operation] = {
    "submit": Operation(page=_by_the_form, api=_by_the_api, command=lambda faces: _by_the_command(faces, faces.folder)),
    "retry": on_bushy("retry"),
    "hold": on_bushy("hold"),
    "release": on_bushy("release", lambda faces: _act(faces, "hold")),
    "withdraw": on_bushy("withdraw"),
    "undo": on_bushy("undo", lambda faces: _act(faces, "withdraw")),
    "resend, which can be done to none": on_bushy("resend"),
    "hold an event": hold("bushy"),
    "hold an event until a time": hold("bushy", release_at="2999-01-01T09:00:00+00:00"),
    "hold everything": hold(None),
    "release an event": release(_hold_bushy, "--whole-event", "bushy"),
    "release everything": release(_hold_all, "--destination"),
    "write a notice to all": notice(until=SOON),
    "write a notice to one event": notice("bushy", until=SOON),
    "end a notice": replace(end_notice(), prepare=lambda faces: faces.command(*_NOTICE)),
    "add an event": Operation(
        page=lambda faces: faces.post("/events", slug="mill", name="Mill Lane", timezone="Europe/London", **RUN),
        command=lambda faces: faces.command("event", "add", "mill", "Mill Lane", "--timezone", "Europe/London"),
        line=("add event", ""),
    ),
    "change an event": Operation(
        page=lambda faces: faces.post("/events/bushy", name="Bushy", timezone="Europe/London", **RUN),
        command=lambda faces: faces.command("event", "set", "bushy", "--name", "Bushy", "--timezone", "Europe/London"),
        line=("change event", ""),
    ),
    "end an account": Operation(
        page=lambda faces: faces.post("/people/disable", name="ann"),
        command=lambda faces: faces.command("account", "disable", "ann"),
        prepare=lambda faces: _add_ann(faces),
        line=("end account", ""),
    ),
    "restore an account": Operation(
        page=lambda faces: faces.post("/people/restore", name="ann"),
        command=lambda faces: faces.command("account", "restore", "ann"),
        prepare=lambda faces: _end_ann(faces),
        line=("restore account", ""),
    ),
    "make a password link": Operation(
        page=lambda faces: faces.post("/people/link", name="ann"),
        command=lambda faces: faces.command("account", "link", "ann"),
        prepare=lambda faces: _add_ann(faces),
        line=("make password link", ""),
    ),
    "issue a token": Operation(
        page=lambda faces: faces.post("/tokens", role="team", event="bushy"),
        command=lambda faces: faces.command("token", "issue", "--event", "bushy"),
        line=("issue token", ""),
    ),
    "revoke a token": Operation(
        page=lambda faces: faces.post("/tokens/1/revoke"),
        command=lambda faces: faces.command("token", "revoke", "1"),
        line=("revoke token", ""),
    ),
}

REFUSED: Mapping[str, tuple[Operation, str]] = {
    "a hold that is over": (hold("bushy", release_at="2001-01-01T09:00:00+00:00"), "The time of release is over"),
    "a hold of everything that is over": (hold(None, release_at="2001-01-01T09:00:00+00:00"), "release is over"),
    "a hold of an unknown event": (hold("nowhere"), "There is no event called nowhere here"),
    "a notice that is over": (notice(until="2001-01-01T09:00:00+00:00"), "within the next 60 days"),
    "a notice for ever": (notice(), "within the next 60 days"),
    "a notice to an unknown event": (notice("nowhere", until=SOON), "There is no event called nowhere here"),
    "a notice without a text": (notice(until=SOON, text=" "), "A notice has a title and a text"),
    "a notice with a title of two lines": (notice(until=SOON, title="one\ntwo"), "A title is one line"),
    "a notice that is no plain text": (notice(until=SOON, text="a\x07b"), "A notice is plain text"),
    "a second end of a notice": (
        replace(end_notice(), prepare=lambda faces: (faces.command(*_NOTICE), faces.command("notice", "end", "1"))),
        "There is no such notice of this node in force",
    ),
    "a reason of 501 characters": (on_bushy("withdraw", why="x" * 501), "500 characters"),
    "a reason of two lines": (on_bushy("withdraw", why="one\ntwo"), "reason is one line of text"),
    "the end of a hold that has ended": (
        release(_hold_and_release, "--whole-event", "bushy"),
        "There is no such hold in force",
    ),
    "a second end of an account": (
        Operation(
            page=DONE["end an account"].page,
            command=DONE["end an account"].command,
            prepare=DONE["restore an account"].prepare,
        ),
        "The account ann has ended already",
    ),
}


def _end_ann(faces: Faces) -> None:
    _add_ann(faces)
    faces.command("account", "disable", "ann")


def _add_ann(faces: Faces) -> None:
    now = SystemClock().now()
    faces.node.database.write(lambda conn: accounts.add(conn, now, "ann", HASHED, Role.TEAM, ["bushy"]))


def outcomes(make_faces: MakeFaces, operation: Operation) -> list[tuple[str, End, End]]:
    """By each face, on a node of its own: what the caller read, how it was before, and how it ended."""
    found = []
    for way in operation.ways:
        faces = make_faces()
        operation.prepare(faces)
        with faces.node.database.read() as conn:
            faces.before = max(conn.execute(select(Audit.id)).scalars(), default=0)
        before = faces.end()
        found.append((way(faces), before, faces.end()))
    return found


@pytest.mark.parametrize("name", DONE)
def test_an_operation_ends_alike_and_leaves_the_same_lines_of_the_audit_by_every_face(
    make_faces: MakeFaces, name: str
) -> None:
    found = outcomes(make_faces, DONE[name])
    ends = [end for _text, _before, end in found]
    assert ends == [ends[0]] * len(ends), [text[:200] for text, _, _ in found]
    assert all(end != before for _text, before, end in found), "something was done"
    noted = [(action, reason) for action, _target, _count, reason in ends[0].lines]
    assert noted[:1] == ([] if DONE[name].line is None else [DONE[name].line])


@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_is_refused_in_the_same_words_and_changes_nothing_by_every_face(
    make_faces: MakeFaces, name: str
) -> None:
    operation, words = REFUSED[name]
    for text, before, end in outcomes(make_faces, operation):
        assert words in " ".join(text.split())
        assert end == before
