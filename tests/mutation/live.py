"""A mutant in a process that has loaded its module: the code of the functions that it changes is replaced in place.

What a module or a class does once, as it is loaded, cannot be replaced: such a mutant needs a process of its own."""

import functools
import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from tests.mutation.mutants import Mutant, changed

Place = tuple[str, str, int]
"""A function's file, qualified name and first line."""

_IS_FUNCTION = 0x0001  # CO_OPTIMIZED: neither a module nor a class


def place_of(code: CodeType) -> Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno


class Swap:
    """What a mutant does to the functions of its module. `place`: of the innermost that it changes; None: of none."""

    def __init__(self, path: Path, mutant: Mutant) -> None:
        source = path.read_text()
        was = compile(source, str(path), "exec", dont_inherit=True)
        now = compile(changed(source, mutant), str(path), "exec", dont_inherit=True)
        self._pairs = [(old, new) for old, new in _pairs(was, now) if old != new]
        inner = self._pairs[-1][0] if self._pairs else was
        self.place = place_of(inner) if inner.co_flags & _IS_FUNCTION else None

    def make(self, live: Mapping[object, list[FunctionType]]) -> None:
        """Replace them; and forget the answers of the code as it was."""
        for old, new in self._pairs:
            for function in live.get(_identity(old), ()):
                function.__code__ = new
        for one in answers_kept():
            one.cache_clear()


def _pairs(was: CodeType, now: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Each function with what it becomes, the outer ones first."""
    yield was, now
    inner = [[one for one in code.co_consts if isinstance(one, CodeType)] for code in (was, now)]
    for old, new in zip(*inner, strict=False):
        yield from _pairs(old, new)


def _identity(code: CodeType) -> object:
    """Codes are the same that have these: what the interpreter has learned of one that ran makes no difference."""
    constants = [one for one in code.co_consts if not isinstance(one, CodeType)]
    return place_of(code), code.co_code, repr(constants), code.co_names


def answers_kept() -> "Sequence[functools._lru_cache_wrapper[Any]]":
    """What remembers the answers of functions."""
    return [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]


def functions() -> Mapping[object, list[FunctionType]]:
    """Every function that there is in this process, by its code."""
    found: defaultdict[object, list[FunctionType]] = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType):
            found[_identity(one.__code__)].append(one)
    return found
