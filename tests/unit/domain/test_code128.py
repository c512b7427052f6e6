"""Barcodes: what a scanner's arithmetic asks of them."""

import pytest

from resultsq.domain import code128


def symbols(text: str) -> list[str]:
    widths = code128.widths(text)
    assert widths.endswith("2331112")
    whole = widths[: -len("2331112")]
    return [whole[at : at + 6] for at in range(0, len(whole), 6)]


def test_a_barcode_is_as_another_encoder_makes_it() -> None:
    # python-barcode 0.16.1, set B: start, A1234567, check, stop
    assert code128.widths("A1234567") == "2112141113231232212232112211322212312132122231123121312313112331112"


def test_each_symbol_is_eleven_modules_wide_for_all_that_set_b_has() -> None:
    found = symbols("".join(map(chr, range(32, 127))))
    assert {sum(map(int, one)) for one in found} == {11}
    assert len(set(found[:-1])) == len(found) - 1, "a start, and each character its own; the check may be any"


@pytest.mark.parametrize("text", ["\x1f", "\x7f", "A1\n", "é"])
def test_what_set_b_lacks_is_no_barcode(text: str) -> None:
    with pytest.raises(ValueError, match="set B"):
        code128.widths(text)


def test_a_barcode_stands_free_by_ten_modules() -> None:
    assert code128.QUIET >= 10
