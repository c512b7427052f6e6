"""CONTRACT.md says of each call and each answer whether the reference master serves it; that is true."""

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from resultsq.domain import sheet as sheets
from resultsq.domain.sheet import Sheet
from resultsq.master.app import TokenRule, create_app
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger

CONTRACT = Path(__file__).parents[3] / "resultsq/master/CONTRACT.md"
TOKENS = {"all": TokenRule("one"), "fulham": TokenRule("one", frozenset({"fulham"}))}
SUBMITTED_AT = "2026-03-14T10:42:11Z"
KNOWN_EVENTS = ("bushy", "fulham")
WORDS = {"event": "bushy", "date": "2026-03-14", "day": "2026-03-14"}


def _table(name: str) -> list[list[str]]:
    """The rows of a marked table, each a list of its cells."""
    marked = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", CONTRACT.read_text(), re.DOTALL)
    assert marked is not None
    return [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in marked[1].splitlines()[2:]]


CALLS = [(cells[0].strip("`"), cells[2]) for cells in _table("calls")]
ANSWERS = [(cells[0], cells[1]) for cells in _table("answers")]


def _shape(path: str) -> str:
    """An address without the names of its parts: `/v1/events/*/results/*`."""
    return re.sub(r"\{[^}]*\}|<[^>]*>", "*", path)


def _address(path: str) -> str:
    return re.sub(r"\{([^}]*)\}", lambda part: WORDS.get(part[1], str(uuid.uuid4())), path)


class Asked:
    """The reference master, asked without a socket."""

    def __init__(self, ledger: Ledger) -> None:
        self.app = create_app(ledger, tokens=TOKENS, events=KNOWN_EVENTS, max_body_bytes=2000)
        self._client = self.app.test_client()

    def call(self, method: str, path: str, token: str = "all") -> TestResponse:
        return self._client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})

    def put(
        self,
        body: bytes,
        submission: str | None = None,
        *,
        event: str = "bushy",
        token: str = "all",
        media_type: str = "application/json",
        on_top_of: str | None = None,
    ) -> TestResponse:
        precondition = {"If-None-Match": "*"} if on_top_of is None else {"If-Match": f'"{on_top_of}"'}
        headers = {
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": f'"{submission or uuid.uuid4()}"',
            **precondition,
        }
        path = f"/v1/events/{event}/results/2026-03-14"
        return self._client.put(path, data=body, headers=headers, content_type=media_type)

    def register(self) -> TestResponse:
        """One and the same person each time."""
        person = {"given_name": "Zoë", "family_name": "O'Brien", "born": "1990-01-31", "email": "zoe@example.org"}
        nothing: dict[str, object] = dict.fromkeys(("athlete", "block", "gender", "home_event", "emergency"))
        said: dict[str, object] = {**person, **nothing, "consents": [], "submitted_at": SUBMITTED_AT}
        said["schema"] = "resultsq.registration/1"
        id_ = str(uuid.uuid4())
        headers = {"Authorization": "Bearer all", "Idempotency-Key": f'"{id_}"'}
        return self._client.put(f"/v1/registrations/{id_}", json=said, headers=headers)

    def remind(self, expires_at: str) -> TestResponse:
        said = {"schema": "resultsq.reminder/1", "email": "zoe@example.org", "submitted_at": SUBMITTED_AT}
        id_ = str(uuid.uuid4())
        headers = {"Authorization": "Bearer all", "Idempotency-Key": f'"{id_}"'}
        return self._client.put(f"/v1/reminders/{id_}", json={**said, "expires_at": expires_at}, headers=headers)


def _sheet(name: str = "bushy") -> bytes:
    fields = {"event": "bushy", "date": "2026-03-14", "submitted_by": name, "submitted_at": SUBMITTED_AT}
    return sheets.canonical_bytes(Sheet.model_validate({**fields, "finishers": [], "volunteers": []}))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'master.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def master(engine: sa.Engine) -> Asked:
    ledger = Ledger(engine)
    ledger.create_tables()
    return Asked(ledger)


def test_the_reference_master_has_just_these_calls_when_they_are_marked_as_served(master: Asked) -> None:
    rules = [rule for rule in master.app.url_map.iter_rules() if rule.endpoint != "static"]
    served = {f"{method} {_shape(rule.rule)}" for rule in rules for method in (rule.methods or ())}
    served = {call for call in served if not call.startswith(("HEAD ", "OPTIONS "))}
    assert {_shape(call) for call, mark in CALLS if mark == "yes"} == served


@pytest.mark.parametrize(("call", "mark"), CALLS)
def test_a_call_is_answered_when_it_is_marked_as_served(call: str, mark: str, master: Asked) -> None:
    assert mark in ("yes", "no")
    method, _, path = call.partition(" ")
    answer = master.call(method, _address(path))
    nowhere = master.call(method, "/v1/nowhere").get_json()
    assert (answer.get_json() == nowhere) == (mark == "no")  # a call that is not served has no address


def _provoke_200(master: Asked, _engine: sa.Engine) -> TestResponse:
    first = master.put(_sheet())
    return master.put(_sheet(), first.get_json()["submission"])


def _provoke_409(master: Asked, _engine: sa.Engine) -> TestResponse:
    first = master.put(_sheet())
    return master.put(_sheet("other"), first.get_json()["submission"])


def _provoke_503(master: Asked, engine: sa.Engine) -> TestResponse:
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE master_volunteers"))
        connection.execute(sa.text("DROP TABLE master_finishers"))
        connection.execute(sa.text("DROP TABLE master_sheets"))
    return master.put(_sheet())


def _provoke_registered_already(master: Asked, _engine: sa.Engine) -> TestResponse:
    return [master.register() for _ in range(2)][1]


PROVOKED: dict[str, Callable[[Asked, sa.Engine], TestResponse]] = {
    "201": lambda master, _: master.put(_sheet()),
    "200": _provoke_200,
    "409": _provoke_409,
    "409 `already-registered`": _provoke_registered_already,
    "412": lambda master, _: master.put(_sheet(), on_top_of=str(uuid.uuid4())),
    "400": lambda master, _: master.put(b"no JSON"),
    "404": lambda master, _: master.put(_sheet(), event="elsewhere"),
    "410": lambda master, _: master.remind("2026-03-14T10:42:12Z"),
    "413": lambda master, _: master.put(b" " * 2001),
    "415": lambda master, _: master.put(_sheet(), media_type="text/plain"),
    "422": lambda master, _: master.put(b"{}"),
    "401": lambda master, _: master.put(_sheet(), token="unknown"),
    "403": lambda master, _: master.put(_sheet(), token="fulham"),
    "503": _provoke_503,
}


def test_each_answer_that_is_marked_as_served_is_provoked_here() -> None:
    assert set(PROVOKED) == {status for status, mark in ANSWERS if mark == "yes"}


@pytest.mark.parametrize("status", PROVOKED)
def test_an_answer_is_given_when_it_is_marked_as_served(status: str, master: Asked, engine: sa.Engine) -> None:
    answer = PROVOKED[status](master, engine)
    assert answer.status_code == int(status[:3])
    told = answer.get_json()
    if answer.status_code < 400:
        assert {"submission", "digest", "received_at", "event", "date", "revision"} == set(told)
        return
    assert answer.mimetype == "application/problem+json"
    assert told["status"] == answer.status_code
    assert {"title", "detail"} <= set(told)
    assert ("head" in told, "errors" in told) == (status == "412", status == "422")
