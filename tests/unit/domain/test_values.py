"""The domain's values: none changes once it is made, equal ones are one, and none takes an attribute that it lacks."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest
from pydantic import BaseModel, ValidationError

from resultsq import domain
from resultsq.domain.event_files import ScannerFile, StopwatchFile, TableFile
from resultsq.domain.public_status import PublicFacts
from resultsq.domain.sheet import Rows

MODULES = [importlib.import_module(f"{domain.__name__}.{one.name}") for one in pkgutil.iter_modules(domain.__path__)]
CLASSES = [
    one for module in MODULES for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__
]
VALUES = [one for one in CLASSES if isinstance(one, type) and dataclasses.is_dataclass(one)]
MODELS = [one for one in CLASSES if isinstance(one, type) and issubclass(one, BaseModel) and one.model_fields]


def name_of(kind: type) -> str:
    return kind.__qualname__


@pytest.mark.parametrize("kind", VALUES, ids=name_of)
def test_a_value_does_not_change(kind: type) -> None:
    made: object = object.__new__(kind)
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, None)


@pytest.mark.parametrize("kind", [one for one in VALUES if not dataclasses.fields(one)], ids=name_of)
def test_values_without_fields_are_one(kind: type) -> None:
    assert len({kind(), kind()}) == 1


@pytest.mark.parametrize("kind", [one for one in VALUES if one is not Rows], ids=name_of)
def test_a_value_has_no_more_than_its_fields(kind: type) -> None:
    with pytest.raises(AttributeError):
        object.__setattr__(object.__new__(kind), "misspelt", None)


def test_rows_find_their_digest_once() -> None:
    """Which is why they alone may have more than their fields."""
    rows = Rows(b'{"finishers":[{"position":1,"athlete":"A1"}],"volunteers":[]}', 10)
    assert rows.digest_of_finishers is rows.digest_of_finishers is not None


@pytest.mark.parametrize("kind", MODELS, ids=name_of)
def test_a_model_does_not_change(kind: type[BaseModel]) -> None:
    made = kind.model_construct()
    for name in kind.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(made, name, None)


@pytest.mark.parametrize("kind", [StopwatchFile, ScannerFile, TableFile, PublicFacts], ids=name_of)
def test_what_has_many_fields_alike_is_made_by_their_names(kind: type) -> None:
    kinds = {one.kind for one in inspect.signature(kind).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
