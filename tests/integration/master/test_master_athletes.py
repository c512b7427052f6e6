"""The reference master's feed of athletes, on both databases: in the order of changes, none passed by."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from resultsq.domain.athletes import Athlete, ListPage, ListQuestion, MustRefetch, NoList, address_hash
from resultsq.domain.errors import SettingsError
from resultsq.master.app import TokenRule, create_app
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from resultsq.master.serve import token_rules
from resultsq.readers.athletes_list import ListedAthlete
from tests.support.athletes import athletes, put


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        engine: sa.Engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
        made = Ledger(engine)
        made.create_tables()
        yield made
        engine.dispose()
        return
    with request.getfixturevalue("postgresql").database() as url:
        engine = open_engine(url)
        made = Ledger(engine)
        made.create_tables()
        yield made
        engine.dispose()


BEGINNING = ListQuestion()
KEY = bytes(range(32))
TOM = Athlete("A2", "Tom")
JANES_HASH = "iI37lWtZCESZ6kIZiUJkjg=="
"""The first 16 bytes of HMAC-SHA256 over jane@example.org by that key, as OpenSSL has them."""


def page(ledger: Ledger, question: ListQuestion = BEGINNING, limit: int = 1000) -> ListPage:
    found = ledger.athletes.page(question, limit)
    assert isinstance(found, ListPage)
    return found


def test_the_list_is_read_page_by_page_and_then_by_changes(ledger: Ledger) -> None:
    assert isinstance(ledger.athletes.page(ListQuestion()), NoList)
    put(ledger, athletes(5))
    first = page(ledger, limit=3)
    assert (len(first.athletes), first.up_to_date) == (3, False)
    second = page(ledger, ListQuestion(first.handle, first.after), limit=3)
    assert (len(second.athletes), second.up_to_date) == (2, True)
    assert [*first.athletes, *second.athletes] == athletes(5)
    end = ListQuestion(second.handle, second.after)
    assert page(ledger, end).athletes == []
    put(ledger, athletes(5))  # as they were
    assert page(ledger, end).athletes == []
    ledger.athletes.retire(["A1000002"])
    put(ledger, athletes(1, "New NAME"))
    assert {one.name for one in page(ledger, end).athletes} == {None, "New NAME-1000001"}


def test_a_place_that_is_gone_is_told(ledger: Ledger) -> None:
    put(ledger, athletes(2))
    found = page(ledger)
    for question in (
        ListQuestion("another", found.after),
        ListQuestion(found.handle, "99"),
        ListQuestion(found.handle, "x"),
    ):
        assert isinstance(ledger.athletes.page(question), MustRefetch)
    ledger.athletes.renew()
    assert isinstance(ledger.athletes.page(ListQuestion(found.handle, found.after)), MustRefetch)


def test_only_athletes_of_these_events_are_listed_and_every_retired_number(ledger: Ledger) -> None:
    ledger.athletes.put([ListedAthlete(Athlete("A1", "Jane", None, "bushy")), ListedAthlete(Athlete("A2", "Tom"))])
    ledger.athletes.put([ListedAthlete(Athlete("A3", "Eva", None, "richmond"), ("bushy",))])
    ledger.athletes.retire(["A4"])
    asked = ListQuestion(events=("bushy",))
    assert [one.number for one in page(ledger, asked).athletes] == ["A1", "A3", "A4"]


def test_no_change_is_passed_by_while_several_write(ledger: Ledger) -> None:
    put(ledger, athletes(1))
    seen: set[str] = set()
    writers = [threading.Thread(target=put, args=(ledger, athletes(20, first=n * 1000))) for n in range(1, 6)]
    for writer in writers:
        writer.start()
    place = ListQuestion()
    while any(writer.is_alive() for writer in writers):
        found = page(ledger, place, limit=7)
        seen |= {one.number for one in found.athletes}
        place = ListQuestion(found.handle, found.after)
    for writer in writers:
        writer.join()
    while not (found := page(ledger, place)).up_to_date or found.athletes:
        seen |= {one.number for one in found.athletes}
        place = ListQuestion(found.handle, found.after)
    assert len(seen) == 101


def test_each_node_gets_hashes_of_addresses_by_its_own_key_and_no_address(ledger: Ledger) -> None:
    ledger.athletes.put([ListedAthlete(Athlete("A1", "Jane"), address=" Jane@Example.org "), ListedAthlete(TOM)])
    rules = {"one": TokenRule("one", mail_key=KEY), "two": TokenRule("two", mail_key=bytes(16)), "x": TokenRule("x")}
    client = create_app(ledger, tokens=rules).test_client()

    def lines(token: str) -> list[dict[str, object]]:
        told: list[dict[str, object]] = client.get(
            "/v1/athletes", headers={"Authorization": f"Bearer {token}"}
        ).get_json()["athletes"]
        return told

    assert [one.get("mail") for one in lines("one")] == [JANES_HASH, None]
    assert lines("two")[0]["mail"] not in (JANES_HASH, None)
    assert all("mail" not in one for one in lines("x"))
    assert "example" not in str(lines("one")).lower()


def test_a_new_address_is_a_change_and_a_retired_number_has_none(ledger: Ledger) -> None:
    ledger.athletes.put([ListedAthlete(Athlete("A1", "Jane"), address="jane@example.org")])
    end = ListQuestion(page(ledger).handle, page(ledger).after)
    ledger.athletes.put([ListedAthlete(Athlete("A1", "Jane"), address="jane@example.org")])
    assert page(ledger, end).athletes == []
    ledger.athletes.put([ListedAthlete(Athlete("A1", "Jane"), address="smith@example.org")])
    changed = ledger.athletes.page(end, mail_key=KEY)
    assert isinstance(changed, ListPage)
    assert [one.mail for one in changed.athletes] == [address_hash("smith@example.org", KEY)]
    ledger.athletes.retire(["A1"])
    gone = ledger.athletes.page(ListQuestion(), mail_key=KEY)
    assert isinstance(gone, ListPage)
    assert gone.athletes == [Athlete("A1", None)]


@pytest.mark.parametrize("text", ["one", "one:", "one:short", ":AAAAAAAAAAAAAAAAAAAAAA==", "one:no base64"])
def test_a_key_for_addresses_that_makes_no_sense_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        token_rules(["one:token"], [text])
    assert text not in str(refused.value)
    assert repr(KEY) not in repr(TokenRule("one", mail_key=KEY))


def test_a_key_belongs_to_all_tokens_of_its_node() -> None:
    rules = token_rules(["one:a", "one:b", "two:c"], [f"one:{base64.b64encode(KEY).decode()}"])
    assert {token: rule.mail_key for token, rule in rules.items()} == {"a": KEY, "b": KEY, "c": None}


def test_the_feed_speaks_as_the_contract_says(ledger: Ledger) -> None:
    app = create_app(ledger, tokens={"all": TokenRule("one"), "bushy": TokenRule("two", frozenset({"bushy"}))})
    client = app.test_client()
    auth = {"Authorization": "Bearer all"}
    assert client.get("/v1/athletes").status_code == 401
    assert client.get("/v1/athletes", headers=auth).status_code == 404
    put(ledger, [*athletes(2), Athlete("A5", "Tom", None, "richmond", 1)])
    ledger.athletes.retire(["A6"])
    answer = client.get("/v1/athletes", headers=auth)
    told = answer.get_json()
    assert told["athletes"][-1] == {"athlete": "A6", "gone": True}
    assert told["athletes"][0]["name"] == "Jane SMITH-1000001"
    place = {"handle": told["handle"], "after": told["next"]}
    unchanged = client.get(
        "/v1/athletes", query_string=place, headers={**auth, "If-None-Match": answer.headers["ETag"]}
    )
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    void = client.get("/v1/athletes?handle=x&after=1", headers=auth)
    assert (void.status_code, void.get_json()["code"]) == (409, "must-refetch")
    mine = client.get("/v1/athletes", headers={"Authorization": "Bearer bushy"}).get_json()
    assert [line["athlete"] for line in mine["athletes"]] == ["A1000001", "A1000002", "A6"]
    other = client.get("/v1/athletes?events=richmond", headers={"Authorization": "Bearer bushy"})
    assert other.status_code == 403
    assert client.get("/v1/athletes?limit=0", headers=auth).status_code == 400
