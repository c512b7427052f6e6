"""What a model refused: few faults, each with its place, and never a list of all of them."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

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


@pytest.mark.parametrize("at", [0, 49, 50, 51, 149, 4_321])
def test_a_fault_is_named_with_its_row_wherever_it_is(at: int) -> None:
    rows: list[object] = [{"position": 1}] * 5_000
    rows[at] = {"position": "x"}
    [fault] = invalid.faults_of(Body, {"event": "bushy", "rows": rows}, 50)
    assert (fault.kind, fault.pointer) == ("int_parsing", f"/rows/{at}/position")


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
