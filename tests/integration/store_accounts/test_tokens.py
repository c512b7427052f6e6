"""Bearer tokens: issued once, believed until they are revoked."""

import pytest
from sqlalchemy import select

from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.role import Role
from resultsq.store.admin import events, tokens
from resultsq.store.admin.tokens import Bearer
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import ApiToken
from tests.support.nodes import NOW


@pytest.fixture
def bushy(database: Database) -> int:
    return database.write(lambda conn: events.add(conn, NOW, "bushy", "Bushy", "Europe/London"))


def test_a_token_tells_whose_it_is_when_it_is_shown(database: Database, bushy: int) -> None:
    team = database.write(lambda conn: tokens.issue(conn, NOW, "laptop", Role.TEAM, bushy))
    viewer = database.write(lambda conn: tokens.issue(conn, NOW, "monitor", Role.VIEWER))
    with database.read() as conn:
        first, second = (one.bearer.id for one in tokens.every(conn))
        assert tokens.verify(conn, team) == Bearer(
            first, "laptop", Role.TEAM, bushy, "bushy", time_zone="Europe/London"
        )
        assert tokens.verify(conn, viewer) == Bearer(second, "monitor", Role.VIEWER, None, None)
        assert tokens.verify(conn, team[:-1]) is None
        assert tokens.verify(conn, "") is None


def test_the_store_keeps_no_token_when_one_is_issued(database: Database, bushy: int) -> None:
    token = database.write(lambda conn: tokens.issue(conn, NOW, "laptop", Role.TEAM, bushy))
    assert token.startswith("rq_")
    assert len(token) > 40
    with database.read() as conn:
        kept = [str(value) for value in conn.execute(select(ApiToken)).one()]
    assert not [value for value in kept if token in value or token[3:] in value]


def test_a_token_is_good_no_more_when_it_was_revoked(database: Database, bushy: int) -> None:
    token = database.write(lambda conn: tokens.issue(conn, NOW, "laptop", Role.TEAM, bushy))
    with database.read() as conn:
        (issued,) = tokens.every(conn)
    number = issued.bearer.id
    database.write(lambda conn: tokens.revoke(conn, NOW, number))
    database.write(lambda conn: tokens.revoke(conn, NOW.replace(year=2014), number))  # once is for ever
    with database.read() as conn:
        assert tokens.verify(conn, token) is None
        assert [one.revoked_at for one in tokens.every(conn)] == [NOW]
    with pytest.raises(NotThere, match="no token"):
        database.write(lambda conn: tokens.revoke(conn, NOW, number + 1))


@pytest.mark.parametrize(
    ("label", "role", "with_event", "says"),
    [
        ("laptop", Role.TEAM, False, "one event"),
        ("laptop", Role.OPERATOR, True, "name none"),
        ("", Role.OPERATOR, False, "1 to 100"),
        ("a\nb", Role.OPERATOR, False, "1 to 100"),
    ],
)
def test_a_token_is_refused_when_it_makes_no_sense(
    database: Database, bushy: int, label: str, role: Role, with_event: bool, says: str
) -> None:
    with pytest.raises(InputRefused, match=says):
        database.write(lambda conn: tokens.issue(conn, NOW, label, role, bushy if with_event else None))
    with database.read() as conn:
        assert tokens.every(conn) == []
