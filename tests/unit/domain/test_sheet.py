"""A sheet's bytes and digests: fixed once, equal for equal content, and exactly the contract's."""

import base64
import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from resultsq.domain.sheet import (
    Finisher,
    Sheet,
    Volunteer,
    canonical_bytes,
    digest,
    finishers_digest,
    parse,
    parse_rows,
    rows_digest,
    rows_of,
    sheet_bytes,
)

BUSHY = (
    b'{"schema":"resultsq.results/1","event":"bushy","date":"2013-12-07","submitted_by":"bushy",'
    b'"submitted_at":"2013-12-07T10:42:11Z","finishers":[{"position":1,"athlete":"A1234567","time":"00:17:31"},'
    b'{"position":2,"athlete":null,"time":"00:18:02"},{"position":3,"athlete":null,"time":null}],'
    b'"volunteers":[{"athlete":"A55501","role":"Timekeeper"}]}'
)
FINISHERS = (
    Finisher(position=1, athlete="A1234567", time="00:17:31"),
    Finisher(position=2, time="00:18:02"),
    Finisher(position=3),
)
VOLUNTEERS = (Volunteer(athlete="A55501", role="Timekeeper"),)


def bushy(**changes: Any) -> Sheet:
    values = {
        "event": "bushy",
        "date": date(2013, 12, 7),
        "submitted_by": "bushy",
        "submitted_at": datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC),
        "finishers": FINISHERS,
        "volunteers": VOLUNTEERS,
    }
    return Sheet(**values | changes)


def test_the_bytes_are_the_contracts_when_a_sheet_is_written() -> None:
    assert canonical_bytes(bushy()) == BUSHY


def test_the_moment_is_written_in_utc_and_to_the_second_whatever_zone_it_came_in() -> None:
    here = datetime(2013, 12, 7, 21, 42, 11, 987_654, tzinfo=timezone(timedelta(hours=11)))
    assert canonical_bytes(bushy(submitted_at=here)) == BUSHY


athletes = st.none() | st.from_regex(r"A[1-9][0-9]{0,11}", fullmatch=True)
times = st.none() | st.from_regex(r"[0-9]{2}:[0-5][0-9]:[0-5][0-9]", fullmatch=True)
lines = st.lists(st.tuples(athletes, times), max_size=20)
CONTROL = "".join(map(chr, (*range(32), 127)))
roles = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters=CONTROL), min_size=1, max_size=100
)


@given(lines, roles)
def test_a_sheet_comes_back_the_same_and_its_bytes_too_when_it_is_read(
    rows: list[tuple[str | None, str | None]], role: str
) -> None:
    finishers = tuple(Finisher(position=n, athlete=a, time=t) for n, (a, t) in enumerate(rows, 1))
    sheet = bushy(finishers=finishers, volunteers=(Volunteer(athlete="A1", role=role),))
    body = canonical_bytes(sheet)
    assert parse(body) == sheet
    assert canonical_bytes(parse(body)) == body


@given(lines, roles, st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_a_sheet_has_the_same_bytes_when_its_rows_were_written_before_the_rest(
    rows: list[tuple[str | None, str | None]], role: str, by: str
) -> None:
    finishers = tuple(Finisher(position=n, athlete=a, time=t) for n, (a, t) in enumerate(rows, 1))
    volunteers = (Volunteer(athlete="A1", role=role),)
    empty = bushy(finishers=(), volunteers=(), submitted_by=by)
    whole = bushy(finishers=finishers, volunteers=volunteers, submitted_by=by)
    assert sheet_bytes(empty, rows_of(finishers[::-1], volunteers)) == canonical_bytes(whole)


def test_the_finishers_alone_are_known_by_their_digest_when_they_are_ten_and_say_something() -> None:
    ten = tuple(Finisher(position=n, athlete=f"A{n}") for n in range(1, 11))
    timed = tuple(Finisher(position=n, time="00:20:00") for n in range(1, 11))
    nobody = tuple(Finisher(position=n) for n in range(1, 11))
    found = finishers_digest(canonical_bytes(bushy(finishers=ten)), 10)
    assert found is not None
    assert found == finishers_digest(canonical_bytes(bushy(finishers=ten, volunteers=(), submitted_by="x")), 10)
    assert found == rows_of(ten, VOLUNTEERS).digest_of_finishers
    assert found != rows_of(timed, VOLUNTEERS).digest_of_finishers is not None
    assert rows_of(ten[:9], VOLUNTEERS).digest_of_finishers is None
    assert rows_of(nobody, VOLUNTEERS).digest_of_finishers is None


def test_rows_say_what_they_were_made_of_in_the_order_of_positions() -> None:
    rows = parse_rows(rows_of(FINISHERS[::-1], VOLUNTEERS))
    assert (rows.finishers, rows.volunteers) == (FINISHERS, VOLUNTEERS)


def test_texts_of_people_have_up_to_a_hundred_characters() -> None:
    for text in ("x", "x" * 100):
        assert Volunteer(athlete="A1", role=text).role == bushy(submitted_by=text).submitted_by == text
    for text in ("", "x" * 101):
        with pytest.raises(ValidationError):
            Volunteer(athlete="A1", role=text)
        with pytest.raises(ValidationError):
            bushy(submitted_by=text)


def test_a_schema_is_named_as_in_json_or_as_in_code() -> None:
    assert bushy(schema="resultsq.results/1") == bushy(schema_="resultsq.results/1") == bushy()


def test_the_digest_is_rfc_9530s_over_the_bytes() -> None:
    expected = base64.b64encode(hashlib.sha256(BUSHY).digest()).decode()
    assert digest(BUSHY) == f"sha-256=:{expected}:"


def test_equal_rows_have_one_digest_whoever_sent_them_and_whenever() -> None:
    other = bushy(submitted_by="relay", submitted_at=datetime(2014, 1, 1, tzinfo=UTC))
    assert digest(canonical_bytes(other)) != digest(BUSHY)
    read = parse(canonical_bytes(other))
    assert rows_digest(read.finishers, read.volunteers) == rows_digest(FINISHERS, VOLUNTEERS)


@pytest.mark.parametrize(
    ("finishers", "volunteers"),
    [
        (FINISHERS[:2], VOLUNTEERS),
        (FINISHERS, ()),
        ((FINISHERS[0], FINISHERS[1].model_copy(update={"athlete": "A1"}), FINISHERS[2]), VOLUNTEERS),
        ((FINISHERS[0].model_copy(update={"time": "00:17:32"}), *FINISHERS[1:]), VOLUNTEERS),
        (FINISHERS, (Volunteer(athlete="A55501", role="timekeeper"),)),
    ],
)
def test_the_digest_of_rows_is_another_when_anything_of_them_is(
    finishers: tuple[Finisher, ...], volunteers: tuple[Volunteer, ...]
) -> None:
    assert rows_digest(finishers, volunteers) != rows_digest(FINISHERS, VOLUNTEERS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "resultsq.results/2"),
        (("event",), "Bushy"),
        (("event",), "-bushy"),
        (("event",), "b" * 64),
        (("event",), "bushy\n"),
        (("date",), "2013-02-30"),
        (("submitted_by",), ""),
        (("finishers", 0, "position"), 0),
        (("finishers", 0, "position"), "1"),
        (("finishers", 0, "athlete"), "A0123"),
        (("finishers", 0, "athlete"), "a123"),
        (("finishers", 0, "athlete"), "A\u0661"),
        (("finishers", 0, "time"), "17:31"),
        (("finishers", 0, "time"), "00:60:00"),
        (("finishers", 0, "time"), "00:17:31.5"),
        (("finishers", 0, "name"), "somebody"),
        (("volunteers", 0, "role"), ""),
        (("volunteers", 0, "role"), "Mar\x1bshal"),
        (("volunteers", 0, "athlete"), None),
    ],
)
def test_a_sheet_is_refused_and_the_place_named_when_something_is_wrong(path: tuple[Any, ...], value: Any) -> None:
    content = json.loads(BUSHY)
    target = content
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(ValidationError) as refused:
        parse(json.dumps(content).encode())
    assert refused.value.errors()[0]["loc"][: len(path)] == path
