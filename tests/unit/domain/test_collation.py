"""Names stand where a language's readers look for them, as ICU 77 ordered these, and a database orders as the other
does."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, column, select
from sqlalchemy.dialects import postgresql, sqlite

from resultsq import languages
from resultsq.domain import collation
from resultsq.domain.current_language import in_language
from resultsq.store.engine.columns import by_code_point

STORE = Path(languages.__file__).parent / "store"


def ordered(code: str, names: list[str]) -> list[str]:
    shuffled = random.Random(code).sample(names, len(names))
    with in_language(languages.language(code)):
        return collation.ordered(shuffled)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("en", "10k|2k|Bushy|bushy park|Bushy Park|Bushy-Park|Bushypark|café|Łódź|Zürich|Ялта|さくら"),
        ("de", "Aachen|Ahrensburg|Ärzteweg|Bremen|Öhringen|Osnabrück|Oz|Strasse|Straße|Strassen|Über|Uelzen|Ulm|Zoo"),
        ("fr", "cote|coté|côte|côté|coter|Œuf|offre"),
        ("sv", "Alby|Vasa|Wasa|Ystad|Zinkensdamm|Åre|Ängelholm|Örebro"),
        ("fi", "Aura|Vaasa|Zoo|Åbo|Äänekoski|Öja"),
        ("da", "Amager|Odense|Zoo|Ærø|Øster|Aabenraa|Aarhus|Aarup|Åstrup"),
        ("nb", "Asker|Oslo|Zoo|Ægir|Ørje|Ålesund|Aasen"),
        ("pl", "Cyk|Ćwik|Dom|Laka|Luz|Łąka|Łódź|Oz|Ósmy|Sz|Świt|Zyk|Źródła|Żary"),
        ("es", "Llanes|Luz|Nuevo|Nz|Ñuñoa|Oz|San José|Santos"),
        ("pt_BR", "Água|Aguas|Sala|São Paulo|Sapo"),
        ("it", "Citta|Città|Civita"),
        ("nl", "Coevorden|Één|IJmuiden|Ijs"),
        ("ja", "Tokyo|ア|あい|カー|かあ|かい|きゃ|きや|さくら|ざくろ|はな|ばな|ぱな|ファン|ふう|亜|一|大阪|東京"),
        ("ar", "آدم|آمنة|إبراهيم|أحمد|اسماء|باب|تاج|زيد|على|علي|هند|ولد|يوسف|Paris"),
    ],
)
def test_names_are_in_the_order_of_a_language(code: str, names: str) -> None:
    expected = names.split("|")
    assert ordered(code, expected) == expected


def test_hiragana_stands_before_katakana_where_all_else_is_equal() -> None:
    assert ordered("ja", ["サクラ", "さくら", "ファン", "ふぁん"]) == ["さくら", "サクラ", "ふぁん", "ファン"]


def test_every_language_has_its_order_tried() -> None:
    [mark] = [one for one in test_names_are_in_the_order_of_a_language.pytestmark if one.name == "parametrize"]  # type: ignore[attr-defined]
    assert {code for code, _ in mark.args[1]} >= set(languages.available())


def test_a_text_is_ordered_by_the_same_rule_in_both_databases() -> None:
    query: Select[Any] = select(column("name")).order_by(by_code_point(column("name")))
    assert str(query.compile(dialect=postgresql.dialect())).endswith('ORDER BY name COLLATE "C"')  # type: ignore[no-untyped-call]
    assert str(query.compile(dialect=sqlite.dialect())).endswith("ORDER BY name")


def test_no_statement_orders_texts_as_its_database_likes() -> None:
    bare = re.compile(r"order_by\(\w+\.(name|slug|label|mail)\b")
    found = [path.name for path in STORE.rglob("*.py") if bare.search(path.read_text())]
    assert found == []
