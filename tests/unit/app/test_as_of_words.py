"""A language has other words before a time than before a day, also at the beginning of a sentence."""

from datetime import UTC, datetime, timedelta

import pytest

from resultsq import languages
from resultsq.app.known_athletes import as_of_beginning, as_of_sentence
from resultsq.domain.current_language import in_language

AT = datetime(2013, 12, 7, 6, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "today", "before", "names"),
    [
        ("en", "As of 06:58", "As of 06:58 on 7 December 2013", "Names are as of 06:58 on 7 December 2013."),
        ("de", "Mit Stand 06:58 Uhr", "Mit Stand 7. Dezember 2013, 06:58 Uhr,",
         "Die Namen sind auf dem Stand vom 7. Dezember 2013, 06:58 Uhr."),
        ("es", "A las 06:58", "A fecha del 7 de diciembre de 2013 a las 06:58",
         "Los nombres son del 7 de diciembre de 2013 a las 06:58."),
        ("fr", "À 06:58", "Au 7 décembre 2013 à 06:58", "Les noms datent du 7 décembre 2013 à 06:58."),
        ("pt_BR", "Às 06:58", "Em 7 de dezembro de 2013, às 06:58", "Os nomes são de 7 de dezembro de 2013, às 06:58."),
        ("sv", "Per kl. 06:58", "Per den 7 december 2013 kl. 06:58", "Namnen är från den 7 december 2013 kl. 06:58."),
    ],
)  # fmt: skip
def test_the_time_of_a_list_is_said_as_a_language_says_it(code: str, today: str, before: str, names: str) -> None:
    with in_language(languages.language(code)):
        assert as_of_beginning(AT, "UTC", AT + timedelta(hours=1)) == today
        assert as_of_beginning(AT, "UTC", AT + timedelta(days=1)) == before
        assert as_of_sentence(AT, "UTC", AT + timedelta(days=1)) == names
