"""The command line speaks the language of its environment where a command has its sentences; programs read English."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resultsq.cli import main
from resultsq.cli.language import of_environment
from tests.support import tongues
from tests.support.nodes import StoreNode, migrated


@pytest.fixture(autouse=True)
def spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tongues.spoken_in(tmp_path / "tongues", monkeypatch)
    yield
    tongues.forget()


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_AT.UTF-8"}, "de"),
        ({"LANG": "pt_PT"}, "pt_BR"),
        ({"LANG": "de_DE", "LC_MESSAGES": "nb_NO.UTF-8"}, "nb"),
        ({"LANG": "de_DE", "LC_MESSAGES": "nb_NO", "LC_ALL": "C"}, "en"),
        ({"LANG": "no_NO@euro"}, "nb"),
        ({"LANG": "de_DE", "LC_ALL": ""}, "de"),
        ({"LANG": "tlh"}, "en"),
    ],
)
def test_the_first_variable_that_is_set_chooses(environ: Mapping[str, str], code: str) -> None:
    assert of_environment(environ) == code


def test_a_status_is_in_the_language_of_the_environment_and_json_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = StoreNode(migrated(f"sqlite:///{tmp_path / 'resultsq.db'}"))

    def status(language: str, *more: str) -> str:
        monkeypatch.setenv("LC_ALL", language)
        mask = os.umask(0)
        with pytest.raises(SystemExit):
            main(["--data-dir", str(tmp_path), "status", *more])
        os.umask(mask)
        return capsys.readouterr().out

    known, german = "Die Verbindung steht seit", ""
    for _ in range(5):  # a busy machine may take longer than a probe is fresh, a quick one is here before it has ended
        node.now = datetime.now(UTC) - timedelta(seconds=1)
        node.probe()
        if known in (german := status("de_DE.UTF-8")):
            break
    assert known in german
    assert "Nichts wartet." in german
    assert "Nothing waits." in status("C.UTF-8"), "one command's language is not the next one's"
    assert json.loads(status("de_DE.UTF-8", "--json"))["link"]["state"] == "up"
