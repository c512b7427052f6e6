"""Every command is run in the marked language, so a sentence that went past gettext is seen."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from resultsq.cli import COMMANDS, commands
from tests.support import said
from tests.support.days import DAY, IN_FILES

_HELP = re.compile(
    r"--[a-z][\w-]*|(?<!\w)-[a-z]\b|\[[^\]]*\]|\b[A-Z][A-Z_]+d?\b|\{[^}]*\}|resultsq[ a-z-]*(?= \[)"
    r"|\b\d[\w.<=]*|[\w.]*(<=|>=)[\w.<=]*"
)
"""Options, placeholders, choices and bounds: the same in each language."""

DATA = re.compile(
    r"(?<!\w)/\S+|\S+://\S+|Europe/London|\bsqlite\b|[0-9a-f]{8}-[0-9a-f-]{27}|\bRESULTSQ_\w+|`[^`]*`"
    r"|\b(UTC|SQLite|Bushy Park|Bushy|bushy|kempton|anna|ops|admin)\b"
    r"|\b(store|schema|disk|workers|watch|queue|rows|link|master|proxies|mail|relays|copies|broker)\b(?=\s*⟦|\s*$| )"
    r"|resultsq:|\b\w+\.(csv|txt|db|key)\b|\[[a-z-]+\]|A\d+|[\w-]{32,}=*|\d\S*"
)
"""What a person gave, what a computer made, and the names of doctor's parts, which are arguments as well."""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a node, in the marked language."""
    monkeypatch.setenv("RESULTSQ_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RESULTSQ_BUNDLE_KEYS", "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=")
    monkeypatch.setenv("RESULTSQ_PEOPLE_KEY", "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=")
    monkeypatch.chdir(tmp_path)
    with said.marked(tmp_path / "tongues", monkeypatch):
        yield tmp_path


def _paths(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*before, name)
        if isinstance(command, click.Group):
            yield from _paths(command, (*before, name))


PATHS = [(), *_paths(commands)]


def test_the_help_of_each_command_is_translated(node: Path) -> None:
    found = {}
    for path in PATHS:
        status, text = said.run(*path, "--help")
        assert status == 0
        inner = {word for one in PATHS for word in one}
        left = [word for word in said.unmarked(text, _HELP) if word not in inner]
        if left:
            found[" ".join(path)] = left
    assert found == {}
    assert {path[0] for path in PATHS if path} == {name for name, (_, sentence) in COMMANDS.items() if sentence}


TIMES = f"""STARTOFEVENT,{IN_FILES} 09:00:00,junsd
0,{IN_FILES} 09:00:00
1,{IN_FILES} 09:17:31,00:17:31
2,{IN_FILES} 09:18:02,00:18:02
ENDOFEVENT,{IN_FILES} 10:00:00
"""
SCANS = f"A1234567,P0001,{IN_FILES} 09:20:00\n&d084,{IN_FILES} 09:20:11\nA7654321,P0009,{IN_FILES} 09:21:00\n"

BEGIN = """
doctor | status | db current | db upgrade | db upgrade --first-admin | db current | db downgrade 9999
db upgrade nix | event add bushy Bushy | event add bushy Bushy | event add UPPER x | event set bushy --fastest 11:00
event set kempton | event import events.csv | event import bad.csv | event list | event add x y --timezone Berlin
event add x y --language xx | account add anna --event bushy | account add anna --event bushy | account add ben
account list | account mail anna a@example.org | account mail anna | account disable anna | account restore anna
account disable nobody | account link anna | account import accounts.csv | account passwd anna
token issue --event bushy | token issue | token list | token revoke 1 | token revoke 99
notice add Title Text --until 2050-01-01T10:00 | notice add Title Text --until soon | notice list | notice end 1
notice end 99 | node add relay | people allow other | people status | people export people.seal
people export people.seal | people import people.seal | people import people.seal --other-source | people adopt
people status | sync
"""
WORK = """
check times.csv scans.txt | check scans.txt | check nothing.txt | check times.csv --event kempton
check times.csv --date x | submit times.csv scans.txt | submit times.csv scans.txt --event nowhere --date DAY
submit scans.txt --event bushy --date DAY
submit times.csv --event bushy --date DAY --as-given no-scans --as-given unknowns
submit times.csv --event bushy --date DAY --as-given no-scans --as-given unknowns
submit times.csv scans.txt --event bushy --date DAY --corrects nix | message bushy Hello | message nowhere Hello
registration list | registration list --state queued | status | retry --everything | retry
retry --event nowhere --dry-run | hold --everything --dry-run | hold --event bushy | hold --destination --reason x
hold --whole-event bushy | hold --whole-event nowhere | hold --destination --event bushy
hold --event bushy --release-at yesterday | status | doctor | release --destination | release --whole-event bushy
release --everything | withdraw --everything | undo --everything | resend --everything | status --watch
export out.bundle | export out.bundle | import out.bundle | import times.csv | import out.bundle --to-master
reconcile | reconcile --since nix | bundle-key | athletes status | athletes refresh | athletes import athletes.csv
athletes import scans.txt | athletes status | doctor --mend | doctor --part store | backup copy.db | backup copy.db
restore copy.db | restore times.csv | prune --older-than 1d | prune --older-than x | prune | demo-data
drill --laptop --saturday | drill --saturday --outage 5 | drill --mails 5 | drill --outage 0 | drill --mode x
master check http://127.0.0.1:1 --event x | master --token a:b:c:d | nix | event nix | submit | submit /nowhere
retry --nix | retry --attempts-min x | check --json=1 times.csv | retry a b
"""


def _commands(text: str) -> list[tuple[str, ...]]:
    lines = [line for group in text.strip().splitlines() for line in group.split(" | ") if line]
    return [tuple(word.replace("DAY", DAY) for word in line.split()) for line in lines]


def test_what_each_command_says_is_translated(node: Path) -> None:
    files = {
        "times.csv": TIMES, "scans.txt": SCANS, "nothing.txt": "?", "events.csv": "slug,name\nkempton,Bushy Park\n",
        "bad.csv": "slug,name\nUPPER,x\n", "accounts.csv": "name,role,events\nops,operator,\n",
        "athletes.csv": "number,name\nA1234567,Anna\nA7654321,Ben\n",
    }  # fmt: skip
    for name, content in files.items():
        (node / name).write_text(content)
    found = {}
    for words in _commands(BEGIN + WORK):
        _status, text = said.run(*words)
        shown = [line.partition("\t")[0] for line in text.splitlines() if not line.startswith("⟦Usage:⟧")]
        left = said.unmarked("\n".join(shown), DATA)
        if left:
            found[" ".join(words)] = left
    assert found == {}
