"""The reference master's blocks of athlete numbers, on both databases: no number is in two blocks."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from resultsq.domain.athletes import Athlete
from resultsq.master.app import TokenRule, create_app
from resultsq.master.blocks import FIRST_NUMBER, LEASE, MOST_NUMBERS
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from resultsq.readers.athletes_list import ListedAthlete

TOKENS = {"one": TokenRule("one"), "two": TokenRule("two")}


class Caller:
    """The master, called without a socket."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._app = create_app(ledger, tokens=TOKENS)

    def call(
        self, method: str, path: str, content: object, key: str | None = None, token: str = "one", body: str = ""
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": f'"{key}"'} if key else {})}
        with self._app.test_client() as client:
            return client.open(
                path,
                method=method,
                data=body or json.dumps(content),
                headers=headers,
                content_type="application/json",
            )

    def post(self, size: object, key: str | None = None, token: str = "one") -> TestResponse:
        return self.call("POST", "/v1/athlete-blocks", {"size": size}, key or str(uuid.uuid4()), token)

    def lease(self, size: int, key: str | None = None, token: str = "one") -> dict[str, Any]:
        answer = self.post(size, key, token)
        assert answer.status_code == 201
        leased: dict[str, Any] = answer.get_json()
        return leased

    def delete(self, block: str, used_up_to: object, token: str = "one") -> TestResponse:
        return self.call("DELETE", f"/v1/athlete-blocks/{block}", {"used_up_to": used_up_to}, token=token)


@pytest.fixture
def master(store_url: str) -> Iterator[Caller]:
    engine = open_engine(store_url)
    ledger = Ledger(engine)
    ledger.create_tables()
    yield Caller(ledger)
    engine.dispose()


def _numbers(block: dict[str, Any]) -> set[int]:
    return set(range(block["first"], block["last"] + 1))


def test_a_block_has_as_many_numbers_as_were_asked_for_and_an_end_of_its_lease(master: Caller) -> None:
    before = datetime.now(UTC)
    block = master.lease(200)
    assert set(block) == {"block", "first", "last", "expires_at"}
    assert (block["first"], block["last"]) == (FIRST_NUMBER, FIRST_NUMBER + 199)
    assert before + LEASE <= datetime.fromisoformat(block["expires_at"]) <= datetime.now(UTC) + LEASE


def test_the_same_key_gets_the_same_block_and_another_node_another(master: Caller) -> None:
    key = str(uuid.uuid4())
    block = master.lease(3, key)
    assert master.lease(3, key) == block
    others = [master.lease(3, key, "two"), master.lease(3)]
    assert len({*_numbers(block), *_numbers(others[0]), *_numbers(others[1])}) == 9


def test_numbers_that_the_list_of_athletes_has_are_passed_over(master: Caller) -> None:
    there = [FIRST_NUMBER + 1, FIRST_NUMBER + 9, FIRST_NUMBER + 25, 9 * 10**10]
    master.ledger.athletes.put([ListedAthlete(Athlete(f"A{number}", "Jane")) for number in there])
    master.ledger.athletes.retire([f"A{FIRST_NUMBER + 12}"])
    block, other = master.lease(10), master.lease(10)
    assert (block["first"], other["first"]) == (FIRST_NUMBER + 13, FIRST_NUMBER + 26)


def test_a_block_does_not_begin_with_numbers_of_fewer_digits_than_it_ends_with(master: Caller) -> None:
    master.ledger.athletes.put([ListedAthlete(Athlete(f"A{number}", "Jane")) for number in (10**8 + 1, FIRST_NUMBER)])
    last = master.lease(1)["first"]
    assert last == FIRST_NUMBER + 1
    with master.ledger._engine.begin() as connection:
        connection.execute(sa.text("UPDATE master_athlete_numbers SET next = 99999995"))
    assert master.lease(10)["first"] == 10**8 + 2


def test_a_key_that_comes_with_another_size_is_refused(master: Caller) -> None:
    key = str(uuid.uuid4())
    master.lease(3, key)
    answer = master.post(4, key)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "id-reused")


def test_no_number_is_in_two_blocks_when_many_lease_at_once(master: Caller) -> None:
    keys = [str(uuid.uuid4()) for _ in range(12)] * 2  # each is sent twice, as after a lost answer
    with ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(lambda key: master.lease(5, key), keys))
    assert blocks[:12] == blocks[12:]
    assert len(set().union(*map(_numbers, blocks[:12]))) == 60


def test_a_returned_rest_is_in_no_later_block_and_a_second_word_changes_nothing(master: Caller) -> None:
    block = master.lease(10)
    used = block["first"] + 3
    assert [master.delete(block["block"], used).status_code for _ in range(2)] == [204, 204]
    assert master.delete(block["block"], used + 1).status_code == 409
    assert not _numbers(block) & _numbers(master.lease(10))


def test_a_block_of_which_no_number_was_used_is_returned_by_the_number_before_it(master: Caller) -> None:
    block = master.lease(10)
    assert master.delete(block["block"], block["first"] - 1).status_code == 204


def test_a_number_outside_the_block_is_refused(master: Caller) -> None:
    block = master.lease(10)
    for used in (block["first"] - 2, block["last"] + 1, 10**30):
        answer = master.delete(block["block"], used)
        assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/used_up_to")


@pytest.mark.parametrize("name", ["b-999", "b-0", "b-01", "41", "b-99999999999999999999", "%00", "b-1%0A"])
def test_a_block_that_is_not_there_is_not_found(name: str, master: Caller) -> None:
    master.lease(1)
    assert master.delete(name, 1).status_code == 404


def test_a_block_of_another_node_is_not_found(master: Caller) -> None:
    block = master.lease(10)
    assert master.delete(block["block"], block["first"], token="two").status_code == 404
    assert master.delete(block["block"], block["first"]).status_code == 204


@pytest.mark.parametrize("size", [0, -1, MOST_NUMBERS + 1, 10**30, 1.5, "5", True, None])
def test_a_size_that_makes_no_sense_is_refused(size: object, master: Caller) -> None:
    answer = master.post(size)
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/size")
    assert master.lease(1)["first"] == FIRST_NUMBER  # nothing was leased


def test_a_lease_needs_a_key_and_credentials_and_json(master: Caller) -> None:
    assert master.call("POST", "/v1/athlete-blocks", {"size": 1}).status_code == 400
    assert master.post(1, token="unknown").status_code == 401
    assert master.call("POST", "/v1/athlete-blocks", None, str(uuid.uuid4()), body="{").status_code == 400
    assert master.delete("b-1", 1, token="unknown").status_code == 401
