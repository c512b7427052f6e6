"""Small changes to the code, of which `python -m tests.mutation` asks whether the tests notice."""

import ast

from tests.mutation.mutants import changed, mutants

SOURCE = '''
def may_go(waits: int, held: bool) -> bool:
    """Whether."""
    return waits > 0 and not held
'''


def test_each_change_is_one_and_annotations_stay() -> None:
    found = list(mutants("toy", SOURCE))
    assert [(one.was, one.now) for one in found] == [
        ("0", "1"),
        ("waits > 0", "waits >= 0"),
        ("not held", "held"),
        ("waits > 0 and (not held)", "waits > 0 or not held"),
        ("return waits > 0 and (not held)", "return None"),
    ]
    assert {one.line for one in found} == {4}


def test_a_change_alone_is_made() -> None:
    bound = next(one for one in mutants("toy", SOURCE) if one.now == "waits >= 0")
    assert "return waits >= 0 and (not held)" in ast.unparse(changed(SOURCE, bound))
