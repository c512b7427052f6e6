"""What a kind reads, keeps and sends does not change once it is made."""

import dataclasses
import importlib
import pkgutil

import pytest
from pydantic import BaseModel, ValidationError

from resultsq import kinds

MODULES = [importlib.import_module(one.name) for one in pkgutil.walk_packages(kinds.__path__, f"{kinds.__name__}.")]
CLASSES = [
    one
    for module in MODULES
    for one in vars(module).values()
    if isinstance(one, type) and one.__module__ == module.__name__
]


def name_of(kind: type) -> str:
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__qualname__}"


@pytest.mark.parametrize(
    "kind", [one for one in CLASSES if issubclass(one, BaseModel) and one.model_fields], ids=name_of
)
def test_a_model_does_not_change(kind: type[BaseModel]) -> None:
    made = kind.model_construct()
    for name in kind.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(made, name, None)


@pytest.mark.parametrize("kind", [one for one in CLASSES if dataclasses.is_dataclass(one)], ids=name_of)
def test_a_value_does_not_change(kind: type) -> None:
    made: object = object.__new__(kind)
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, None)
