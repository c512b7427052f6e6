"""The command `athletes`: a list from a file, without any master; and what backups and prune say of it."""

import base64
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from resultsq.cli import commands
from resultsq.clock import SystemClock
from resultsq.domain.athletes import address_hash
from resultsq.domain.errors import ResultsqError

Run = Callable[..., Result]
LIST = "Athlete ID,Full Name,Club,Home Run,Runs\nA1001,Jane SMITH,Harriers,Bushy Park,57\n1002,Zoë BROWN,,,\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(commands, [*arguments, "--data-dir", str(tmp_path / "data")])

    assert invoke("db", "upgrade").exit_code == 0
    return invoke


def _file(folder: Path, content: str, coding: str = "utf-8") -> str:
    path = folder / "list.csv"
    path.write_bytes(content.encode(coding))
    os.utime(path, (1_764_140_000, 1_764_140_000))
    return str(path)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_taken_from_a_table_of_a_spreadsheet(run: Run, tmp_path: Path, coding: str) -> None:
    assert "no list of athletes" in run("athletes", "status").stdout
    assert run("athletes", "import", _file(tmp_path, LIST, coding)).stdout == "Took in 2 athletes.\n"
    told = run("athletes", "status").stdout
    assert "as of 2025-11-26 06:53 UTC, from a file. It has all athletes." in told
    assert "2 athletes.\n0 retired numbers." in told
    assert "the setting athletes is off" in told
    shown = json.loads(run("athletes", "status", "--json").stdout)
    assert (shown["source"], shown["athletes"], shown["loading"]) == ("import", 2, False)


@pytest.mark.parametrize("has_key", [True, False])
def test_of_an_address_in_the_table_only_the_keyed_hash_is_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    if has_key:
        monkeypatch.setenv("RESULTSQ_ATHLETES_MAIL_KEY", base64.b64encode(bytes(32)).decode())
    content = "Athlete,Name,E-mail\nA1,Jane,Jane@Example.org\nA2,Tom,no address\n"
    assert run("athletes", "import", _file(tmp_path, content)).exit_code == 0
    connection = sqlite3.connect(tmp_path / "data" / "resultsq.db")
    kept = [mail for (mail,) in connection.execute("SELECT mail FROM athletes ORDER BY number")]
    connection.close()
    assert kept == [address_hash("jane@example.org", bytes(32)) if has_key else None, None]
    assert not any(b"xample.org" in file.read_bytes() for file in (tmp_path / "data").iterdir() if file.is_file())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "first line"),
        ("Name,Club\nJane,X\n", "first line"),
        ("Athlete,Club\nA1,X\n", "first line"),
        ("Athlete,Name\nA1,Jane\nB7,Tom\n", "Line 3 .* number"),
        ("Athlete,Name\nA0123,Tom\n", "Line 2 .* number"),
        ("Athlete,Name\nA1,\n", "Line 2 .* name"),
        ("Athlete,Name,Name\nA1,Jane,x\n", "two columns are called name"),
        ('Athlete,Name\nA1,"' + "x" * 200_000, "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_changes_nothing(run: Run, tmp_path: Path, content: str, why: str) -> None:
    run("athletes", "import", _file(tmp_path, LIST))
    done = run("athletes", "import", _file(tmp_path, content))
    assert isinstance(done.exception, ResultsqError)
    with pytest.raises(ResultsqError, match=why):
        raise done.exception
    shown = json.loads(run("athletes", "status", "--json").stdout)
    assert (shown["athletes"], shown["loading"]) == (2, False)
    assert run("athletes", "import", _file(tmp_path, LIST)).exit_code == 0


def test_a_refresh_says_when_there_is_nothing_to_refresh(run: Run) -> None:
    done = run("athletes", "refresh")
    assert "the setting athletes is off" in str(done.exception)


def test_a_refresh_is_asked_for_and_noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESULTSQ_ATHLETES", "all")
    assert "A worker asks the master" in run("athletes", "refresh").stdout


def test_a_backup_holds_no_list_and_prune_says_that_it_stays(run: Run, tmp_path: Path) -> None:
    run("athletes", "import", _file(tmp_path, LIST))
    done = run("backup", str(tmp_path / "copy.db"))
    assert "The list of athletes is not in it" in done.stdout
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        for table in (
            "athletes",
            "athlete_names",
            "athlete_mails",
            "athlete_copies",
            "athlete_homes",
            "athletes_state",
        ):
            assert copy.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    copy.close()
    assert "The list of athletes stays: it is as of 2025-11-26" in run("prune", "--older-than", "1d").stdout


def test_check_and_submit_tell_numbers_that_nobody_has_and_who_was_meant(run: Run, tmp_path: Path) -> None:
    run("athletes", "import", _file(tmp_path, LIST))
    assert run("event", "add", "bushy-park", "Bushy Park").exit_code == 0
    table = tmp_path / "table.csv"
    table.write_text("position,time,athlete\n1,00:17:31,A1010\n2,00:18:02,A1002\n")
    named = ("--event", "bushy-park", "--date", SystemClock().now().date().isoformat())
    checked = run("check", str(table), *named).stdout
    submitted = run("submit", str(table), *named)
    for said in (checked, submitted.stderr):
        assert "no athlete has the number A1010 (position 1)" in said
        assert "It was Jane SMITH, A1001" in said
        assert "A1002" not in said
        assert "Names are as of 06:53 on 26 November 2025." in said
        assert "cannot be reached" not in said
    assert submitted.exit_code == 0
    told = json.loads(run("submit", str(table), *named, "--json").stdout)
    assert "athlete-unknown" in [one["code"] for one in told["problems"]]
    assert told["names_as_of"].startswith("Numbers of athletes")
    assert "athlete-unknown" not in run("check", str(table)).stdout  # of no event
