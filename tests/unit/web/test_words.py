"""The sentences that people read keep to plain words: a short list of what has no place in them."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.support.processes import ROOT
from tests.support.speech import CATALOGUE

BANNED = (
    r"\b[Ww]hoever\b",
    r"\b[Ss]omebody (must|needs?|releases|has to)\b",
    r"\b[Nn]obody (can|has to|has acted|sees|knows|waits)\b",
    r"\b(is|are|was|were|be) told\b",
    r"\bgood no more\b",
    r"\b[Tt]he chosen\b",
    r"\bdo not fit\b",
    r"\bparted by\b",
    r"\bwithout blanks\b",
    r"\bby themselves\b",
    r"\brung up\b",
    r"\b[Oo]ne \w+ a (finisher|line|row)\b",
    r"\bend (of an attempt )?is not known\b",
    r"^(Act|Further|Of it now)\b",
    r"\bHeld means kept\b",
    r"\bgoes by itself\b",
    r"\b(character|bytes) that no text has\b",
    r"\bwhich is obeyed\b",
    r"\b(no|that) \w+ fits\b",
    r"\bto stand on top of\b",
    r"\bis none of\b",
    r"\b(not|never) take\w* (it |anything )?like this\b",
    r"\bin (its|their) turn at once\b",
    r"\b[Nn]othing to do here\b",
    r"\b([Dd]esk|[Cc]ourier|[Hh]ousehold|dossier|lifeline|leash)\b",
)


def _sentences() -> list[str]:
    with CATALOGUE.open("rb") as file:
        entries = [entry.id for entry in read_po(file) if entry.id]
    return [text for entry in entries for text in ((entry,) if isinstance(entry, str) else entry)]


@pytest.mark.parametrize("banned", BANNED)
def test_no_sentence_that_users_see_has_a_banned_phrase(banned: str) -> None:
    sentences = _sentences()
    assert len(sentences) > 500, "the catalogue was not read"
    assert [text for text in sentences if re.search(banned, text)] == []


def _joints(module: Path) -> Iterator[tuple[str, str]]:
    """The ends of each two strings that stand behind each other and are one."""
    before = None
    with module.open() as lines:
        for token in tokenize.generate_tokens(lines.readline):
            if token.type == tokenize.STRING:
                text = token.string.strip("rbfuRBFU").strip("\"'")
                if before is not None:
                    yield before, text
                before = text
            elif token.type not in (tokenize.NL, tokenize.COMMENT):
                before = None


def test_no_two_words_of_a_sentence_are_joined_where_it_goes_on_in_the_next_line() -> None:
    glued = [
        f"{module.name}: {first[-20:]}|{second[:20]}"
        for module in (ROOT / "resultsq").rglob("*.py")
        for first, second in _joints(module)
        if re.search(r"[a-z,;.]$", first) and re.match(r"[A-Za-z]", second)
    ]
    assert glued == []
