"""The conformance kit: it passes the masters that are right, and finds what is wrong with those that are not."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from resultsq.cli import commands
from resultsq.domain.errors import SettingsError
from resultsq.master.conformance.client import Client
from resultsq.master.conformance.rules import RULES
from resultsq.master.conformance.run import RuleVerdict, announcement, check, run
from resultsq.master.conformance.trial import Stopped, Trial
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from resultsq.readers.athletes_list import ListedAthlete
from tests.integration.master.test_master_http import Master, running
from tests.support.athletes import athletes, put
from tests.support.broken_masters import FAULTS, Fault, broken

MAIL_KEY = f"team:{base64.b64encode(bytes(range(32))).decode()}"
OF_ATHLETES = {"list of athletes", "hashes of addresses", "unchanged list", "void handle"}
OF_REMINDERS = {"reminder", "late reminder"}
OF_BLOCKS = {"athlete block", "two blocks", "blocks of two nodes"}
OF_REGISTRATIONS = {"registration", "number to give", "number outside its block"}
BY_NAME = {rule.name: rule for rule in RULES}
NOT_PROVOKED = {"pauses", "newest receipt", "additions of 1.1", "uncovered event"}
"""Rules that a master by other hands cannot break: it has none of this."""


def _trial(url: str, token: str = "one", other_token: str = "", uncovered_event: str = "") -> Trial:
    return Trial(Client(url, token), "bushy", other_token, uncovered_event)


@pytest.fixture(params=["sqlite", "postgresql"])
def reference(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Master]:
    """The reference master over a database of each make."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'master.db'}"
        with running(url, mail_keys=[MAIL_KEY]) as master:
            _list_athletes(url)
            yield master
    else:
        with request.getfixturevalue("postgresql").database() as url, running(url, mail_keys=[MAIL_KEY]) as master:
            _list_athletes(url)
            yield master


def _list_athletes(url: str) -> None:
    engine = open_engine(url)
    listed = athletes(5)
    put(Ledger(engine), listed[1:])
    Ledger(engine).athletes.put([ListedAthlete(listed[0], address="jane@example.org")])
    engine.dispose()


def test_the_reference_master_holds_every_rule(reference: Master) -> None:
    results = list(run(_trial(reference.url, "team-secret", "relay-secret", "richmond")))
    assert {result.rule: result.reason for result in results if result.result is RuleVerdict.FAILED} == {}
    assert [result.rule for result in results if result.result is RuleVerdict.SKIPPED] == ["pauses"]
    assert [result.rule for result in results] == list(BY_NAME)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_rules_that_are_for_it(fault: str, tmp_path: Path) -> None:
    wrong, names = FAULTS[fault]
    with broken(wrong, tmp_path, "one", "other") as url:
        trial = _trial(url, other_token="other")
        results = [check(BY_NAME[name], trial) for name in sorted(names)]
    assert {result.rule for result in results if result.result is RuleVerdict.FAILED} == names
    assert all(result.came and result.reason for result in results)
    assert not any(result.reason == "The master did not answer." for result in results)


def test_every_rule_has_a_master_that_breaks_it() -> None:
    assert {name for _, names in FAULTS.values() for name in names} == set(BY_NAME) - NOT_PROVOKED


@contextmanager
def _right(folder: Path) -> Iterator[str]:
    with broken(Fault(), folder, "one") as url:
        yield url


def test_a_run_is_stopped_with_a_sentence_when_nothing_can_be_checked(tmp_path: Path) -> None:
    with _right(tmp_path) as url:
        with pytest.raises(Stopped, match="does not know this token"):
            list(run(_trial(url, "unknown")))
        gone = url
    with pytest.raises(Stopped, match="No master answers"):
        list(run(_trial(gone)))
    with pytest.raises(SettingsError, match="plain http"):
        Client("http://master.example.org", "one")


def test_the_days_after_the_named_one_are_used_when_it_is_named(tmp_path: Path) -> None:
    with _right(tmp_path) as url:
        trial = Trial(Client(url, "one"), "bushy", first_day=date(2013, 12, 7))
        assert "2013-12-07" in announcement(trial)
        assert trial.publish(trial.entry())["date"] == "2013-12-07"
        trial.first_day = date(2013, 12, 7)
        assert trial.publish(trial.entry())["date"] == "2013-12-08"  # the day before is taken


def test_a_master_by_other_hands_holds_every_rule_of_version_1_when_the_command_checks_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    options = ["--token-file", str(token), "--other-token", "other", "--event", "bushy", "--json"]
    with broken(Fault(), tmp_path, "one", "other") as url:
        done = CliRunner().invoke(commands, ["master", "check", url, *options])
    assert done.exit_code == 0, done.stdout
    assert "Their receipts stay at the master for ever." in done.stderr
    told = json.loads(done.stdout)
    assert (told["url"], told["event"]) == (url, "bushy")
    assert {one["rule"]: one["came"] for one in told["rules"] if one["result"] == "failed"} == {}
    skipped = {one["rule"]: one["reason"] for one in told["rules"] if one["result"] == "skipped"}
    of_1_1 = {*OF_ATHLETES, *OF_BLOCKS, *OF_REGISTRATIONS, *OF_REMINDERS, "notices"}
    assert set(skipped) == {"pauses", "newest receipt", "uncovered event", *of_1_1}
    assert all(skipped.values())


def test_the_command_prints_a_table_and_fails_when_a_rule_does_not_hold(tmp_path: Path) -> None:
    with broken(FAULTS["counts no revisions"][0], tmp_path, "one") as url:
        done = CliRunner().invoke(commands, ["master", "check", url, "--token", "one", "--event", "bushy"])
    assert done.exit_code == 1
    assert all(rule.name in done.stdout for rule in RULES)
    assert "The revision" in done.stdout  # the reason, whose cell has several lines
    assert re.search(r"\d+ ok, [1-9] failed, 17 skipped\.", done.stdout)


def test_the_command_asks_for_what_it_needs() -> None:
    runner = CliRunner()
    without_event = runner.invoke(commands, ["master", "check", "http://127.0.0.1:1", "--token", "one"])
    assert without_event.exit_code == 2
    assert "--event" in without_event.stderr
    without_token = runner.invoke(commands, ["master", "check", "http://127.0.0.1:1", "--event", "bushy"])
    assert isinstance(without_token.exception, SettingsError)
