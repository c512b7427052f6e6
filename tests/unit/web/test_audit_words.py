"""Each action of the audit has a sentence for people, and each has it in the languages of operators."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import resultsq
from resultsq import languages
from resultsq.app import started
from resultsq.domain.current_language import in_language
from resultsq.domain.i18n import gettext
from resultsq.store.admin.actions import Verb
from resultsq.store.engine.audit import names
from resultsq.store.outbox import aside
from resultsq.store.views.submission_detail import AuditView
from resultsq.web.dashboard import audit_words, labels
from tests.support import speech, translate
from tests.support.nodes import NOW

WRITERS = {"note": 3, "note_submission": 3, "_noted": 3}
"""What writes a line, and the place of the action in it; a transaction's own `note` has it first."""


def written() -> Iterator[str]:
    """Each action that the code writes down."""
    for path in Path(resultsq.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(call, ast.Call)
                and (name := getattr(call.func, "attr", getattr(call.func, "id", ""))) in WRITERS
            ):
                first = bool(call.args) and isinstance(call.args[0], ast.Constant | ast.IfExp)
                for part in call.args[0 if first else WRITERS[name] :][:1]:
                    yield from _texts(part)
    yield started.ACTION
    for verb in Verb:
        yield from (verb, f"{verb} skipped")


def test_each_part_of_what_an_action_was_done_to_has_a_name() -> None:
    """As far as the calls write the parts down themselves."""
    found = set()
    for path in Path(resultsq.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "note":
                for part in (one for one in call.args if isinstance(one, ast.Dict)):
                    found |= {key.value for key in part.keys if isinstance(key, ast.Constant)}
    assert len(found) > 10
    assert found - {"of"} <= audit_words._NAMES.keys() | labels.CODES.keys()


def _texts(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=one, orelse=other):
            return _texts(one) + _texts(other)
        case _:
            return []


def test_each_action_that_is_written_has_its_words_and_no_other() -> None:
    found = set(map(str, written()))
    assert len(found) > 40
    assert found == set(audit_words.ACTIONS)


@pytest.mark.parametrize("code", ["ar", "de", "es", "fr", "it", "ja", "pt_BR"])
def test_where_the_dashboard_is_translated_no_action_is_left_in_english(code: str) -> None:
    with speech.CATALOGUE.open("rb") as file:
        known = {translate.source(one) for one in read_po(file) if one.id}
    sentences = [one._args[0] for one in (*audit_words.ACTIONS.values(), *audit_words._NAMES.values())]
    assert set(sentences) <= known
    says = languages.language(code).says
    alike = {"account", "name", "action"}  # in Italian, German and French
    assert [one for one in sentences if says.gettext(one) == one and one not in alike] == []


@pytest.mark.parametrize("code", [code for code in languages.available() if code != languages.ENGLISH])
def test_why_a_node_holds_something_by_itself_is_said_in_each_language(code: str) -> None:
    with in_language(languages.language(code)):
        for reason in (aside.NO_SHEET, aside.DAMAGED, aside.NO_KIND, aside.NO_KEY, "its time has come"):
            assert gettext(reason) != reason


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"event": "bushy", "name": "Old → New", "of": "x"}, "event: bushy; name: Old → New"),
        (
            {"account": "jo", "role": "team", "events": ["bushy", "mill"]},
            "account: jo; role: team; events: bushy, mill",
        ),
        ({"filter": {"states": ["queued"]}, "count": 3}, "states: queued; count: 3"),
        ({"filter": {}}, "everything"),
        ({"scope": "destination"}, "scope: destination"),
        ({"events": names(map(str, range(52)), most=2)}, "events: 0, 1, and 50 more"),
        ({"token": 3, "event": None}, "access token: 3"),
        ({"repair": "hidden hold", "hold": 1, "kept": 2}, "damage: a hold behind another one; hold: 1; kept: 2"),
        ({"ids": ["x" * 300], "event": "bushy"}, f"submissions: {'x' * 200}…"),
    ],
)
def test_what_an_action_was_done_to_is_said_in_words(target: dict[str, object], said: str) -> None:
    parts = audit_words.target(AuditView(1, NOW, "chief", "hold", target, 1, ""))
    assert "; ".join(f"{name}: {value}" if name else value for name, value in parts) == said
