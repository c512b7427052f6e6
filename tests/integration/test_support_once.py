"""What is made once a process of tests is the same as what each test would make anew, and nobody gets another's."""

from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, inspect, literal, select
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine.interfaces import CacheStats
from werkzeug.routing import IntegerConverter, Map, Rule

from resultsq.store.engine.tables import Base
from tests.support import services
from tests.support.nodes import migrated
from tests.support.passwords import hashed


class Doubled(IntegerConverter):
    def to_url(self, value: Any) -> str:
        return super().to_url(2 * value)


def test_a_route_builds_its_address_with_its_own_converters_when_another_has_the_same_text_once_a_process() -> None:
    plain, doubled = Rule("/x/<int:n>/y", endpoint="x"), Rule("/x/<int:n>/y", endpoint="x")
    one, other = Map([plain]), Map([doubled], converters={"int": Doubled})
    assert one.bind("h").build("x", {"n": 2, "m": "&"}) == "/x/2/y?m=%26"
    assert other.bind("h").build("x", {"n": 2}) == "/x/4/y"
    assert plain._build.__func__ is doubled._build.__func__  # type: ignore[attr-defined]


class Shouting(SQLiteCompiler):
    def visit_bindparam(self, *about: Any, **more: Any) -> Any:
        return f"2 * {super().visit_bindparam(*about, **more)}"  # type: ignore[no-untyped-call]


def test_a_statement_is_compiled_once_a_process_for_all_engines_that_write_the_same() -> None:
    engines = [create_engine("sqlite://") for _ in range(3)]
    engines[2].dialect.statement_compiler = Shouting
    found, hits = [], []
    for engine, value in zip(engines, (1, 2, 3), strict=True):
        with engine.connect() as conn:
            result = conn.execute(select(literal(value).label("only here")))
            hits.append(result.context.cache_hit)
            found.append(result.scalar_one())
        engine.dispose()
    assert found == [1, 2, 6], "each has its own values, and its own compiler"
    assert hits[1:] == [CacheStats.CACHE_HIT, CacheStats.CACHE_MISS]


def test_an_empty_database_is_empty_when_a_copy_has_taken_the_place_of_another(
    postgresql: services.PostgreSQL,
) -> None:
    with postgresql.database() as first, postgresql.database() as second, postgresql.database() as third:
        for url in (first, second, third):
            migrated(url).close()
        engine = create_engine(third)
        assert set(inspect(engine).get_table_names()) > set(Base.metadata.tables)
        engine.dispose()
        with postgresql.database() as another:
            engine = create_engine(another)
            assert inspect(engine).get_table_names() == []
            engine.dispose()


@pytest.mark.parametrize("password", ["wet hands", "ü"])
def test_a_hash_of_a_password_is_one_that_the_product_takes(password: str) -> None:
    assert hashed(password).startswith("$argon2id$")
    assert PasswordHasher().verify(hashed(password), password)
