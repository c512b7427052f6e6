"""What a model refused: few faults, each with its place, and never a list of all of them."""

from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from resultsq.domain import invalid


class Row(BaseModel):
    """One row."""

    model_config = ConfigDict(extra="forbid")
    position: int


class Body(BaseModel):
    """Rows below a head."""

    model_config = ConfigDict(extra="forbid")
    event: str
    rows: list[Row]


def refusal_of(value: object) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate(value)
    return refused.value


class Bounded(BaseModel):
    """Values with bounds."""

    at_least: int = Field(3, ge=3)
    more: int = Field(4, gt=3)
    at_most: int = Field(3, le=3)
    word: Literal["a", "b", "c"] = "a"
    short: str = Field("", max_length=2)
    own: str = ""

    @field_validator("own")
    @classmethod
    def _never(cls, _value: str) -> str:
        raise ValueError("A check's own sentence.")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("at_least", 2, "It must be 3 or more."),
        ("more", 3, "It must be more than 3."),
        ("at_most", 4, "It must be 3 or less."),
        ("at_most", "x", "It must be a whole number."),
        ("word", "d", "It must be one of these: 'a', 'b', 'c'."),
        ("short", "abc", "It is too long."),
        ("short", 1, "It must be a text."),
        ("own", "x", "A check's own sentence."),
    ],
)
def test_a_fault_is_said_with_its_bounds(name: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Bounded.model_validate({name: value})
    assert invalid.in_words(invalid.first(refused.value)) == said


@pytest.mark.parametrize(
    ("body", "no_json"), [(b"{", True), (b"", True), (b"[]", False), (b"{}", False), (b'{"event":"a"}', False)]
)
def test_what_is_no_json_is_told_from_what_is_no_body(body: bytes, no_json: bool) -> None:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate_json(body)
    assert invalid.is_no_json(refused.value) is no_json


def test_a_thousand_faults_are_listed_and_more_are_one() -> None:
    whole = invalid.listed(refusal_of({"event": "bushy", "rows": [{}] * 1_000}))
    assert len(whole) == 1_000
    assert whole[-1].pointer == "/rows/999/position"
    [fault] = invalid.listed(refusal_of({"event": "bushy", "rows": [{}] * 1_001}))
    assert (fault.kind, fault.message) == ("too_many", "1001 values of it are wrong")


@pytest.mark.parametrize("at", [0, 49, 50, 51, 149, 4_321])
def test_a_fault_is_named_with_its_row_wherever_it_is(at: int) -> None:
    rows: list[object] = [{"position": 1}] * 5_000
    rows[at] = {"position": "x"}
    [fault] = invalid.faults_of(Body, {"event": "bushy", "rows": rows}, 50)
    assert (fault.kind, fault.pointer) == ("int_parsing", f"/rows/{at}/position")
    rows[at] = "no row at all"
    [fault] = invalid.faults_of(Body, {"event": "bushy", "rows": rows}, 50)
    assert (fault.kind, fault.pointer) == ("model_type", f"/rows/{at}")


def test_the_same_faults_are_found_piecewise_as_at_once() -> None:
    value = {"evnt": 1, "a/b~c": 2, "rows": [{"position": "x", "role": n} if n % 60 == 0 else {"position": n}
                                            for n in range(500)]}  # fmt: skip
    assert sorted(invalid.faults_of(Body, value, 1000)) == sorted(invalid.listed(refusal_of(value)))
    assert {"/evnt", "/a~1b~0c", "/event"} <= {fault.pointer for fault in invalid.faults_of(Body, value, 1000)}


@pytest.mark.parametrize(
    "value", [None, 7, [], [{}] * 9, "text", {}, {"rows": []}, {"rows": {}}, {"event": [], "rows": 1}]
)
def test_what_is_no_body_at_all_has_its_faults_too(value: object) -> None:
    assert list(invalid.faults_of(Body, value, 50)) == invalid.listed(refusal_of(value))


@pytest.mark.parametrize(
    "value",
    [
        {"event": "bushy", "rows": [{}] * 100_000},
        {"event": "bushy", "rows": [{str(n): 0 for n in range(100_000)}]},
        {str(n): 0 for n in range(100_000)},
    ],
    ids=["rows", "fields of a row", "fields"],
)
def test_no_list_of_all_errors_is_made_when_there_are_very_many(
    value: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def noting(error: ValidationError) -> list[invalid.Fault]:
        found = _listed(error)
        made.append(len(found))
        return found

    _listed = invalid.listed
    monkeypatch.setattr(invalid, "listed", noting)
    assert 1 <= len(invalid.faults_of(Body, value, 50)) <= 50
    assert sum(made) <= invalid.MOST_LISTED
    assert len(invalid.listed(refusal_of(value))) == 1
