"""The command line, as a person uses it: what it prints, where, and with which exit status."""

import base64
import csv
import hashlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from resultsq.app.context import AppContext
from resultsq.app.registrations import register
from resultsq.cli import COMMANDS, commands, main
from resultsq.clock import SystemClock
from resultsq.domain.ports import ProbeAnswer
from resultsq.domain.role import Role
from resultsq.sealed import PersonalKeys
from resultsq.settings import Settings
from resultsq.store.admin import accounts, tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import ClientKey, Original, PasswordLink, Payload, Submission
from resultsq.store.outbox import links
from resultsq.wakeup import Bell
from tests.support.days import DAY, IN_FILES, SPOKEN, weeks_before
from tests.support.nodes import StoreNode
from tests.support.processes import ROOT, environment

LAST_WEEK = weeks_before(1)
TIMES = f"""STARTOFEVENT,{IN_FILES} 09:00:00,junsd
0,{IN_FILES} 09:00:00
1,{IN_FILES} 09:17:31,00:17:31
2,{IN_FILES} 09:18:02,00:18:02
ENDOFEVENT,{IN_FILES} 10:00:00
""".encode()
SCANS = f"A1234567,P0001,{IN_FILES} 09:20:00\n&d084,{IN_FILES} 09:20:11\n".encode()


LISTED = [name for name, (_, sentence) in COMMANDS.items() if sentence]


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int | str | None
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command on a node of the test's own."""
    for name in [name for name in os.environ if name.startswith("RESULTSQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESULTSQ_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o022)

    def run(*arguments: str | Path, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Said(left.value.code, out, err)

    yield run
    os.umask(mask)


@pytest.fixture
def node(run: Run) -> Run:
    """The same with tables and the event bushy."""
    run("db", "upgrade")
    assert run("event", "add", "bushy", "Bushy Park").status == 0
    return run


@pytest.fixture
def files(tmp_path: Path) -> Sequence[Path]:
    paths = tmp_path / "times.csv", tmp_path / "scans.txt"
    for path, content in zip(paths, (TIMES, SCANS), strict=True):
        path.write_bytes(content)
    return paths


def _database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'data' / 'resultsq.db'}")


# the whole


def test_nothing_heavy_is_loaded_when_help_is_asked_for() -> None:
    heavy = ["alembic", "babel", "celery", "flask", "requests", "rich", "sqlalchemy", "structlog"]
    code = (
        "import sys; from resultsq.cli import commands; commands(['--help'], standalone_mode=False);"
        f"print(*[name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stderr.strip() == ""
    assert re.findall(r"^  ([a-z-]+) ", done.stdout.partition("Commands:")[2], re.MULTILINE) == LISTED


@pytest.mark.parametrize("name", LISTED)
def test_a_command_says_what_its_group_says_of_it_when_it_is_loaded(name: str) -> None:
    command = commands.get_command(None, name)  # type: ignore[arg-type]  # the group needs no context
    assert command is not None
    assert command.name == name
    assert (command.help or "").partition("\n")[0] == COMMANDS[name][1]


def test_the_neighbour_of_a_misspelt_setting_is_told_when_a_command_starts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESULTSQ_MASTR_URL", "http://x")
    said = run("status")
    assert (said.status, said.out) == (2, "")
    assert "Did you mean master_url?" in said.err


@pytest.mark.parametrize(
    "words", [["--data-dir", "elsewhere", "token", "list"], ["token", "list", "--data-dir", "elsewhere"]]
)
def test_an_option_of_the_node_works_when_it_stands_before_or_after_the_command(
    node: Run, tmp_path: Path, words: list[str]
) -> None:
    said = node(*words)
    assert said.status == 1
    assert str(tmp_path / "elsewhere") in said.err
    assert node("token", "list").status == 0


@pytest.mark.parametrize(
    "words", [["status"], ["doctor"], ["event", "list"], ["retry", "--everything"], ["backup", "x"]]
)
def test_no_node_is_made_and_the_folder_is_named_when_a_command_runs_elsewhere(
    node: Run, tmp_path: Path, words: list[str]
) -> None:
    other = tmp_path / "other"
    said = node(*words, "--data-dir", other)
    assert said.status == 1
    assert f"there is no database in {other}" in said.out + said.err
    assert "resultsq up` or" not in said.out + said.err
    assert not other.exists()


@pytest.mark.parametrize("words", [["status"], ["doctor"]])
def test_the_folder_that_was_looked_into_is_named_when_the_node_is_looked_at(
    node: Run, tmp_path: Path, words: list[str]
) -> None:
    assert node(*words).out.startswith(f"The node: {tmp_path / 'data'}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_when_it_reads_the_script(run: Run, shell: str) -> None:
    said = run("completion", shell)
    assert (said.status, said.err) == (0, "")
    assert "_RESULTSQ_COMPLETE" in said.out


def test_bash_completes_a_command_when_it_has_read_the_script(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "resultsq"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m resultsq "$@"\n')
    program.chmod(0o755)
    asked = f'COMP_WORDS=(resultsq sta); COMP_CWORD=1; _resultsq_completion {program}; echo "${{COMPREPLY[@]}}"'
    shell = ["bash", "-c", f"{run('completion', 'bash').out}\n{asked}"]
    done = subprocess.run(shell, capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.strip() == "status"


@pytest.mark.filterwarnings("ignore:'click.utils:DeprecationWarning")  # click-man's, good until click 9
def test_each_command_has_a_manual_page_when_they_are_written(run: Run, tmp_path: Path) -> None:
    assert run("manual", tmp_path / "man1").status == 0
    pages = {page.name for page in (tmp_path / "man1").iterdir()}
    assert {"resultsq.1", *(f"resultsq-{name}.1" for name in LISTED)} <= pages
    assert "Say what waits" in (tmp_path / "man1" / "resultsq-status.1").read_text()


def test_the_way_out_is_told_when_there_are_no_tables_yet(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "resultsq.db").touch()
    said = run("event", "list")
    assert (said.status, said.err) == (
        1,
        "resultsq: The node's database has no tables yet. Run `resultsq db upgrade`.\n",
    )


@pytest.mark.parametrize("url", ["rubbish", "oracle+none://x", "postgresql+psycopg://127.0.0.1:1/x"])
@pytest.mark.parametrize("words", [["status"], ["db", "upgrade"]])
def test_a_sentence_is_told_when_the_database_cannot_be_had(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str, words: list[str]
) -> None:
    monkeypatch.setenv("RESULTSQ_DATABASE_URL", url)
    said = run(*words)
    assert said.status == (1 if url.startswith("postgresql") else 2)
    assert said.err.startswith("resultsq: ")
    assert "Traceback" not in said.err


def test_the_database_is_another_folders_when_one_is_named(node: Run, tmp_path: Path) -> None:
    assert node("--data-dir", tmp_path / "other", "db", "upgrade").status == 0
    assert json.loads(node("--data-dir", tmp_path / "other", "event", "list", "--json").out) == []
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "other" / "resultsq.db").stat().st_mode & 0o777 == 0o600


# settings and schema


def test_settings_are_shown_masked_and_with_their_source_when_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESULTSQ_MASTER_TOKEN", "s3cret")
    for said in (run("settings"), run("settings", "--json")):
        assert "s3cret" not in said.out
        assert "RESULTSQ_MASTER_TOKEN" in said.out
    rows = {row["setting"]: row for row in json.loads(run("settings", "--json").out)}
    assert (rows["master_token"]["value"], rows["port"]["from"]) == ("(hidden)", "default")


def test_the_schema_goes_there_and_back_when_told(run: Run) -> None:
    assert "none (" in run("db", "current").out
    assert run("db", "upgrade").status == 0
    assert run("db", "current").out.endswith("(as needed)\n")
    assert run("db", "downgrade", "base", stdin="n\n").status == 1
    assert run("db", "downgrade", "base", "--yes").out == "The database is at revision none.\n"
    assert run("db", "upgrade", "nonsense").status == 2


def test_a_first_admin_is_made_once_when_asked_for(run: Run, tmp_path: Path) -> None:
    said = run("db", "upgrade", "--first-admin")
    file = tmp_path / "data" / "admin-password"
    assert str(file) in said.out
    assert file.stat().st_mode & 0o777 == 0o600
    with _database(tmp_path).read() as conn:
        found = accounts.verify(conn, "admin", file.read_text().strip())
    assert found is not None
    assert found.role is Role.ADMIN
    file.unlink()
    assert run("db", "upgrade", "--first-admin").out == ""
    assert not file.exists()


# events, accounts, tokens


def test_events_are_there_when_they_were_added_and_imported(node: Run, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("\ufeffslug,name,timezone\nbushy,Another,\nperth,Perth Park,Australia/Perth\n", "utf-8")
    assert node("event", "import", file).out == "Added 1 event; 1 were here before.\n"
    rows = json.loads(node("event", "list", "--json").out)
    assert [(row["slug"], row["name"], row["time_zone"]) for row in rows] == [
        ("bushy", "Bushy Park", "Europe/London"),
        ("perth", "Perth Park", "Australia/Perth"),
    ]
    assert "Perth Park" in node("event", "list").out


def test_files_are_judged_by_what_a_run_takes_at_the_event(node: Run, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("position,time\n1,07:31:00\n2,11:40:00\n")
    submit = ("submit", str(table), "--event", "little", "--date", DAY)
    assert node("event", "add", "little", "Little", "--run", "junior").status == 0
    assert node("check", str(table)).status == 0
    assert "implausible-times" in node("check", str(table), "--event", "little").out
    assert node(*submit).status == 1
    assert node("check", str(table), "--event", "nowhere").status == 1
    hours = ("--first-from", "1:00:00", "--first-to", "8:00:00", "--slowest", "12:00:00")
    assert "first from 01:00:00" in node("event", "set", "little", *hours).out
    assert node(*submit).status == 0
    assert node("event", "set", "little", "--fastest", "2:00:00").status == 1


@pytest.mark.parametrize("content", [b"slug;name\na;b\n", b"slug,name\nok,Fine\nBAD SLUG,x\n", b"\xff\xfe"])
def test_no_event_is_added_when_the_file_is_wrong(node: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events.csv"
    file.write_bytes(content)
    said = node("event", "import", file)
    assert said.status == 1
    assert said.err.startswith("resultsq: ")
    assert len(json.loads(node("event", "list", "--json").out)) == 1


def test_a_password_is_told_once_when_an_account_is_added(node: Run, tmp_path: Path) -> None:
    name, password = node("account", "add", "joe", "--event", "bushy").out.rstrip("\n").split("\t")
    said = node("account", "add", "ann", "--role", "admin", "--password-stdin", stdin="correct horse\n")
    assert (said.status, "correct horse" in said.out) == (0, False)
    with _database(tmp_path).read() as conn:
        assert accounts.verify(conn, name, password) is not None
    with _database(tmp_path).read() as conn:
        assert accounts.verify(conn, "ann", "correct horse") is not None
    rows = json.loads(node("account", "list", "--json").out)
    assert [(row["name"], row["role"], row["events"]) for row in rows] == [
        ("ann", "admin", []),
        ("joe", "team", ["bushy"]),
    ]


def test_nobody_logs_in_when_an_account_is_disabled(node: Run, tmp_path: Path) -> None:
    node("account", "add", "joe", "--event", "bushy", "--password-stdin", stdin="correct horse\n")
    assert node("account", "disable", "joe").status == 0
    with _database(tmp_path).read() as conn:
        assert accounts.verify(conn, "joe", "correct horse") is None
    assert node("account", "disable", "nobody").status == 1


def test_the_old_password_is_good_no_more_when_a_new_one_is_given(node: Run, tmp_path: Path) -> None:
    node("account", "add", "joe", "--event", "bushy", "--password-stdin", stdin="correct horse\n")
    new = node("account", "passwd", "joe").out.rstrip("\n").split("\t")[1]
    for password, good in ((new, True), ("correct horse", False)):
        with _database(tmp_path).read() as conn:
            assert (accounts.verify(conn, "joe", password) is not None) is good
    assert node("account", "passwd", "joe", "--password-stdin", stdin="short\n").status == 1


def test_an_accounts_mail_address_is_set_and_removed(node: Run) -> None:
    node("account", "add", "joe", "--event", "bushy", "--password-stdin", stdin="correct horse\n")
    assert node("account", "mail", "joe", "joe@bushy.example").out == "joe is mailed at joe@bushy.example.\n"
    assert node("account", "mail", "joe", "joe").status == 1
    assert "@" not in node("audit", "--json").out
    assert node("account", "mail", "joe").out == "joe is mailed no more.\n"
    assert node("account", "mail", "ann", "ann@bushy.example").status == 1


def test_links_for_passwords_are_printed_when_accounts_are_imported(node: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,role,events\njoe,team,bushy\nann,operator,\n")
    lines = list(csv.reader(node("account", "import", file).out.splitlines(), delimiter="\t"))
    assert [name for name, _ in lines] == ["joe", "ann"]
    secrets = [link.rpartition("/")[2] for _, link in lines]
    secrets.append(node("account", "link", "joe").out.strip().rpartition("/")[2])
    database, hashed = _database(tmp_path), accounts.hash_password("correct horse")
    with database.read() as conn:
        now = conn.execute(select(PasswordLink.expires_at)).scalars().first()
    assert now is not None
    moment = now - accounts.LINK_LIFE
    assert database.write(lambda conn: accounts.use_password_link(conn, moment, secrets[1], hashed)) == "ann"


@pytest.mark.parametrize("line", ["joe,chief,", "joe,team,nowhere", "joe,team,"])
def test_no_account_is_added_when_a_line_is_wrong(node: Run, tmp_path: Path, line: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"name,role,events\nann,admin,\n{line}\n")
    said = node("account", "import", file)
    assert (said.status, said.out) == (1, "")
    assert "Line 3" in said.err
    assert json.loads(node("account", "list", "--json").out) == []


def test_a_token_is_printed_alone_when_it_is_issued(node: Run, tmp_path: Path) -> None:
    token = node("token", "issue", "--event", "bushy", "--label", "stopwatch app").out
    assert token == f"{token.strip()}\n"
    with _database(tmp_path).read() as conn:
        bearer = tokens.verify(conn, token.strip())
    assert bearer is not None
    assert bearer.event_slug == "bushy"
    listed = node("token", "list", "--json")
    assert token.strip() not in listed.out
    [row] = json.loads(listed.out)
    assert (row["label"], row["revoked_at"]) == ("stopwatch app", None)
    assert node("token", "revoke", row["id"]).status == 0
    with _database(tmp_path).read() as conn:
        assert tokens.verify(conn, token.strip()) is None
    assert node("token", "issue", "--event", "nowhere").status == 1


# results


def test_files_are_counted_and_judged_when_they_are_checked(run: Run, files: Sequence[Path], tmp_path: Path) -> None:
    report = json.loads(run("check", *files, "--json").out)
    assert [(row["name"], row["used"], row["set_aside"]) for row in report["files"]] == [
        ("scans.txt", 1, 1),
        ("times.csv", 2, 0),
    ]
    assert len(report["finishers"]) == 2
    said = run("check", *files)
    assert (said.status, "2 finishers, 1 of them Unknown." in said.out) == (0, True)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\x00")
    said = run("check", *files, tmp_path / "photo.jpg")
    assert (said.status, "photo.jpg" in said.out) == (0, True)
    (tmp_path / "more.zip").write_bytes(b"PK\x03\x04")
    said = run("check", *files, tmp_path / "more.zip")
    assert (said.status, "cannot be published" in said.out) == (1, True)
    assert not (tmp_path / "data").exists()


def test_results_are_in_the_queue_when_files_are_submitted(node: Run, files: Sequence[Path], tmp_path: Path) -> None:
    words = ["--event", "bushy", "--date", DAY]
    said = node("submit", *files, *words)
    assert said.status == 0
    assert "set aside" in said.err
    again = node("submit", *files, *words, "--json").json
    assert isinstance(again, dict)
    assert (again["id"], again["state"]) == (said.out.strip(), "queued")
    status = json.loads(node("status", "--json").out)
    assert (status["counts"]["queued"], status["waiting"], status["link"]) == (1, 1, None)
    assert "1 wait" in node("status").out
    with _database(tmp_path).read() as conn:
        [body] = conn.execute(select(Payload.body)).scalars()
        names = set(conn.execute(select(Original.name)).scalars())
    assert json.loads(body)["finishers"][0] == {"position": 1, "athlete": "A1234567", "time": "00:17:31"}
    assert names == {"times.csv", "scans.txt"}


def test_a_message_is_in_the_queue_when_it_is_written(node: Run, tmp_path: Path) -> None:
    about = str(uuid.uuid4())
    text = "The clock\twas slow" + " by a minute" * 10 + ".\nThanks."
    said = node("message", "bushy", text, "--about", about)
    assert said.status == 0, said.err
    again = node("message", "bushy", "Thanks.", "--subject", "Last one", "--by", "ann", "--json").json
    assert isinstance(again, dict)
    assert (again["event"], again["state"]) == ("bushy", "queued")
    with _database(tmp_path).read() as conn:
        kept = {id_: json.loads(body) for id_, body in conn.execute(select(Submission.id, Payload.body).join(Payload))}
        assert set(conn.execute(select(Submission.kind)).scalars()) == {"messages"}
    assert set(kept) == {said.out.strip(), again["id"]}
    first, second = kept[said.out.strip()], kept[again["id"]]
    assert (first["about"], first["subject"]) == (about, "The clock was slow" + " by a minute" * 5 + "…")
    assert first["text"] == text
    assert (second["about"], second["subject"], second["submitted_by"]) == (None, "Last one", "ann")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere", "Thanks."), "There is no event called nowhere"),
        (("bushy", " "), "A text has 1 to 10,000 characters"),
        (("bushy", "x" * 10_001), "A text has 1 to 10,000 characters"),
        (("bushy", "Thanks.", "--about", "latest"), "the id of a submission"),
        (("bushy", "Thanks.", "--subject", "two\nlines"), "A subject is one line"),
    ],
)
def test_a_message_that_cannot_be_taken_is_not_stored(
    node: Run, tmp_path: Path, words: Sequence[str], sentence: str
) -> None:
    said = node("message", *words)
    assert (said.status, sentence in said.err) == (1, True), said.err
    with _database(tmp_path).read() as conn:
        assert conn.execute(select(Submission.id)).first() is None


def test_an_entry_that_a_device_saved_names_its_event_and_day_and_is_there_once(
    node: Run, files: Sequence[Path], tmp_path: Path
) -> None:
    listed = [(file.name, file.read_bytes()) for file in files]
    entry = {
        **{"resultsq-entry": 2, "id": str(uuid.uuid4()), "event": "bushy", "date": DAY, "publish": True},
        "files": [
            {
                **{"name": name, "length": len(content), "sha256": hashlib.sha256(content).hexdigest()},
                "content": base64.b64encode(content).decode(),
            }
            for name, content in listed
        ],
    }
    carried = tmp_path / "results-bushy.json"
    carried.write_text(json.dumps(entry, separators=(",", ":")))
    said = node("submit", carried)
    assert said.status == 0, said.err
    assert node("submit", carried).out == said.out
    with _database(tmp_path).read() as conn:
        assert set(conn.execute(select(Original.name)).scalars()) == {"times.csv", "scans.txt"}
        assert list(conn.execute(select(ClientKey.key)).scalars()) == [entry["id"]]
    assert "did not arrive whole" in node("submit", _cut(carried)).err
    assert "--event and --date" in node("submit", *files).err


def _cut(file: Path) -> Path:
    file.write_bytes(file.read_bytes()[:-20])
    return file


def test_today_is_taken_with_a_warning_when_the_clock_is_a_year_behind(
    node: Run, files: Sequence[Path], tmp_path: Path
) -> None:
    real, database = datetime.now(UTC) + timedelta(days=365), _database(tmp_path)
    words = ["--event", "bushy", "--date", f"{real:%Y-%m-%d}"]
    said = node("submit", *files, *words)
    assert (said.status, "still to come" in said.err) == (1, True)

    def known(conn: Connection) -> None:
        links.ensure(conn, real, 8)
        number = links.start_probe(conn, real, 0.5)
        links.probe_answered(conn, real, number, ProbeAnswer(None, "", 0.01, master_time_offset_s=0.0), 8, 0.5)

    database.write(known)
    database.close()
    said = node("submit", *files, *words)
    assert (said.status, "[date-to-come]" in said.err) == (0, True)
    findings = json.loads(node("doctor", "--part", "link", "--json").out)
    assert [one["level"] for one in findings if "clock is 36" in one["text"]] == ["bad"]


def test_last_weeks_finishers_are_refused_when_they_are_submitted_again(node: Run, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("position,time,athlete\n" + "".join(f"{at},{20 + at}:00,A{at}\n" for at in range(1, 13)))
    submit = ("submit", str(table), "--event", "bushy", "--date")
    assert node(*submit, DAY).status == 0
    refused = node(*submit, LAST_WEEK)
    assert refused.status == 1
    assert "cannot be published" in refused.err
    checked = node("check", str(table), "--event", "bushy", "--date", LAST_WEEK)
    assert (checked.status, SPOKEN in checked.out) == (1, True)
    assert node(*submit, LAST_WEEK, "--as-given", "already-here").status == 0


def test_a_day_of_years_ago_is_asked_about_by_check_and_submit(node: Run, files: Sequence[Path]) -> None:
    for words in (["check", files[0]], ["check", files[0], "--event", "bushy"], ["submit", *files, "--event", "bushy"]):
        said = node(*words, "--date", "2013-12-07")
        assert (said.status, "7 December 2013 is more than a year ago" in said.out + said.err) == (1, True), words
    words = ["submit", *files, "--event", "bushy", "--date", "2013-12-07", "--as-given", "day-long-ago"]
    said = node(*words)
    assert (said.status, "[day-long-ago]" in said.err) == (0, True)


def test_a_colleague_is_not_overwritten_when_a_correction_names_no_version(node: Run, files: Sequence[Path]) -> None:
    words = ["--event", "bushy", "--date", DAY]
    first = node("submit", *files, *words).out.strip()
    said = node("submit", files[0], *words)
    assert (said.status, said.out) == (1, "")
    assert first in said.err
    assert node("submit", files[0], *words, "--corrects", first).status == 0
    assert node("submit", files[0], *words, "--corrects", first).err.endswith("were here before.\n")
    assert node("submit", *files, *words, "--corrects", "latest").status == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--event", "nowhere", "--date", DAY],
        ["--event", "bushy", "--date", "2999-01-01"],
        ["--event", "bushy", "--date", DAY, "--volunteers", "scans.txt"],
    ],
)
def test_nothing_is_stored_when_a_submission_cannot_be_taken(
    node: Run, files: Sequence[Path], words: list[str]
) -> None:
    said = node("submit", *files, *words)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("resultsq: ")
    assert json.loads(node("status", "--json").out)["waiting"] == 0


def test_volunteers_are_in_the_sheet_when_their_file_is_given(node: Run, files: Sequence[Path], tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").write_text("athlete,role\nA55501,Timekeeper\n")
    volunteers = ["--volunteers", "volunteers.csv"]
    assert node("submit", *files, "--event", "bushy", "--date", DAY, *volunteers).status == 0
    with _database(tmp_path).read() as conn:
        [body] = conn.execute(select(Payload.body)).scalars()
    assert json.loads(body)["volunteers"] == [{"athlete": "A55501", "role": "Timekeeper"}]


def test_files_are_refused_when_they_are_over_the_limit(
    node: Run, files: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESULTSQ_MAX_BODY_BYTES", "1024")
    files[1].write_bytes(SCANS * 100)
    said = node("submit", *files, "--event", "bushy", "--date", DAY)
    assert said.status == 1
    assert "1,024 bytes" in said.err


# health


def test_every_part_is_told_when_everything_is_down(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = {
        "RESULTSQ_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/x",
        "RESULTSQ_BROKER_URL": "redis://127.0.0.1:1/0",
        "RESULTSQ_MASTER_URL": "http://127.0.0.1:1",
        "RESULTSQ_MASTER_TOKEN": "s3cret",
    }
    for name, value in dead.items():
        monkeypatch.setenv(name, value)
    said = run("doctor", "--json")
    assert said.status == 1
    levels = {finding["part"]: finding["level"] for finding in json.loads(said.out)}
    assert {part for part, level in levels.items() if level == "bad"} == {
        "store",
        "schema",
        "workers",
        "queue",
        "rows",
        "link",
    }
    assert (levels["broker"], levels["master"]) == ("warn", "warn")
    assert "s3cret" not in said.out


def test_the_other_parts_are_told_when_master_and_broker_never_say_a_word(
    node: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("RESULTSQ_MASTER_URL", f"http://{where}")
        monkeypatch.setenv("RESULTSQ_BROKER_URL", f"redis://{where}/0")
        began = time.monotonic()
        said = node("doctor", "--json")
        assert time.monotonic() - began < 60
    texts = {finding["part"]: finding["text"] for finding in json.loads(said.out)}
    assert "takes writes" in texts["store"]
    assert "The broker does not answer." in texts["broker"]
    assert "The master cannot be reached" in texts["master"]


def test_it_is_said_that_a_proxy_of_the_environment_is_ignored(node: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert json.loads(node("doctor", "--part", "proxies", "--json").out) == []
    monkeypatch.setenv("https_proxy", "http://node:s3cret@proxy.test:3128")
    (finding,) = json.loads(node("doctor", "--part", "proxies", "--json").out)
    assert finding["level"] == "warn"
    assert "of the environment is ignored: HTTPS_PROXY." in finding["text"]
    assert "s3cret" not in finding["text"]
    monkeypatch.setenv("RESULTSQ_MASTER_PROXY", "http://proxy.test:3128")
    (finding,) = json.loads(node("doctor", "--part", "proxies", "--json").out)
    assert finding["level"] == "ok"


def test_one_part_alone_is_told_when_it_is_named(node: Run) -> None:
    said = node("doctor", "--part", "store", "--json")
    assert [finding["part"] for finding in json.loads(said.out)] == ["store"]
    assert said.status == 0
    assert node("doctor", "--part", "workers").status == 1


def test_what_was_left_to_wait_for_ever_goes_on_when_the_doctor_mends_it(node: Run, tmp_path: Path) -> None:
    assert node("doctor", "--part", "rows").status == 0
    with closing(_database(tmp_path)) as database:
        store = StoreNode(database, events=("richmond",))
        made = store.accept("richmond").id
        left = update(Submission).where(Submission.id == made).values(blocked=True)
        database.write(lambda conn: conn.execute(left))
        said = node("doctor", "--part", "rows")
        assert said.status == 1
        assert "resultsq doctor --mend" in said.out
        mended = node("doctor", "--part", "rows", "--mend")
        assert mended.status == 0
        assert "Mended: 1 correction waits" in mended.err
        assert not store.row(made).blocked


def test_what_to_do_is_told_when_no_worker_is_alive(node: Run) -> None:
    said = node("doctor")
    assert said.status == 1
    assert "Start `resultsq worker`" in said.out
    assert "takes writes" in said.out


def test_the_readmes_files_can_be_submitted_when_they_are_checked(run: Run) -> None:
    named = set(re.findall(r"@(tests/samples/\S+)", (ROOT / "README.md").read_text()))
    assert len(named) == 2
    said = run("check", *(ROOT / name for name in sorted(named)))
    assert said.status == 0, said


def test_status_does_not_call_a_link_up_on_which_nothing_goes(node: Run, tmp_path: Path) -> None:
    database = _database(tmp_path)
    stage = StoreNode(database, events=["richmond"])
    stage.probe()
    stage.accept_many(6, "richmond")
    stage.stall()
    database.close()
    assert "The master answers, but takes no results, since 2013-12-07 12:05 UTC" in node("status").out
    link = node("status", "--json").json["link"]  # type: ignore[index]  # an object
    assert (link["state"], link["stalled"], link["since"][:16]) == ("takes-nothing", True, "2013-12-07T12:05")
    said = [one["text"] for one in node("doctor", "--part", "link", "--json").json]  # type: ignore[attr-defined]
    assert any("takes no results" in text for text in said)


# registrations


def test_registrations_are_listed_a_page_at_a_time_without_other_data_of_a_runner(node: Run, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'data' / 'resultsq.db'}", lambda: PersonalKeys.of([bytes(32)]))
    context = AppContext(Settings(data_dir=tmp_path / "data"), database, SystemClock(), Bell(""))
    value = {"family_name": "Miller", "born": "1990-01-31", "email": "zoe@mail.example", "consents": []}
    for given in ("Ada", "Bea", "Cy"):
        register(context, {"given_name": given, **value}, str(uuid.uuid4()))
    database.close()
    first = node("registration", "list", "--size", "2")
    assert [re.findall(r"queued +(\w+) Miller", line) for line in first.out.splitlines()[1:]] == [["Cy"], ["Bea"]]
    key = re.fullmatch(r"There are more: --after (\d+)\n", first.err)
    assert key is not None
    second = node("registration", "list", "--json", "--after", key[1])
    assert isinstance(second.json, list)
    assert [(one["name"], one["number"], one["state"]) for one in second.json] == [("Ada Miller", None, "queued")]
    assert node("registration", "list", "--json", "--state", "published").json == []
    assert not [one for one in ("1990", "zoe@") if one in first.out + second.out]
