"""Sentences in the language of the moment, also those that were kept in English."""

from gettext import NullTranslations

import pytest

from resultsq.domain.cldr import listed
from resultsq.domain.current_language import Language, in_language
from resultsq.domain.i18n import kept_sentence, retold
from resultsq.domain.isolates import END, START, isolated, without_isolates


class Few(NullTranslations):
    """A catalogue of one sentence and one word; its head stands under the empty text, as in every catalogue."""

    def gettext(self, message: str) -> str:
        return {"": "head", "It failed.": "Es schlug fehl.", "{what} failed.": "{what} ging schief.",
                "the link": "die Leitung"}.get(message, message)  # fmt: skip


GERMAN = Language("de", Few())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It failed.", "Es schlug fehl."),
        ("It failed. (errno 5)", "Es schlug fehl. (errno 5)"),
        ("It failed. (a) (b)", "Es schlug fehl. (a) (b)"),
        ("Words of a person.", "Words of a person."),
        (" (in brackets alone)", " (in brackets alone)"),
        ("", ""),
    ],
)
def test_a_sentence_that_was_kept_is_said_in_the_language_of_the_moment(text: str, said: str) -> None:
    with in_language(GERMAN):
        assert retold(text) == said
    assert retold(text) == text


def test_a_sentence_with_gaps_is_said_with_what_fills_them() -> None:
    kept = kept_sentence("{what} failed.", what="the link")
    assert kept == "the link failed."
    with in_language(GERMAN):
        assert retold(kept) == "die Leitung ging schief."
        assert retold(kept_sentence("{what} failed.", what=7)) == "7 ging schief."


def test_only_a_language_from_right_to_left_sets_foreign_words_apart() -> None:
    assert isolated("a.csv") == "a.csv"
    with in_language(GERMAN):
        assert isolated("a.csv") == "a.csv"
    with in_language(Language("ar", Few(), isolates=True)):
        assert isolated("a.csv") == f"{START}a.csv{END}"
        assert isolated("") == ""
        assert listed(["a.csv"]) == "a.csv"
        assert listed(["a.csv", "b.csv"]).count(START) == 2
    assert without_isolates(f"{START}a.csv{END} b") == "a.csv b"
