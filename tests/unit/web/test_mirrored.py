"""What a stylesheet's sides become for a language that is written from right to left."""

import importlib.util
from pathlib import Path

import pytest

from resultsq.web.form.mirrored import mirror


@pytest.mark.parametrize(
    ("plain", "mirrored"),
    [
        ("a{margin-left:1px}", "a{margin-right:1px}"),
        ("a{left:0;text-align:right!important}", "a{right:0;text-align:left!important}"),
        ("a{padding:1px 2px 3px 4px}", "a{padding:1px 4px 3px 2px}"),
        ("a{padding:calc(1px + 2px) 2px 3px var(--b,4px)}", "a{padding:calc(1px + 2px) var(--b,4px) 3px 2px}"),
        ("a{border-radius:1px 2px 3px 4px}", "a{border-radius:2px 1px 4px 3px}"),
        ("a{border-top-left-radius:var(--r)}", "a{border-top-right-radius:var(--r)}"),
        ("a{transform:translateX(-50%)}", "a{transform:translateX(50%)}"),
        ("a{transform:translate(50%,-50%)}", "a{transform:translate(-50%,-50%)}"),
        ("a{background-position:right .75rem center}", "a{background-position:left .75rem center}"),
        ("a{margin:0 auto}", "a{margin:0 auto}"),
        ("a{--bs-left:left}", "a{--bs-left:left}"),
        (".float-left{color:red}", ".float-left{color:red}"),
        ("a{background:url(\"data:image/svg+xml,%3csvg style='left:1'%3e\")}",) * 2,
    ],
)
def test_every_left_becomes_a_right(plain: str, mirrored: str) -> None:
    assert mirror(plain) == mirrored


def test_the_whole_sheet_mirrored_twice_is_the_sheet() -> None:
    found = importlib.util.find_spec("flask_bootstrap")
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    sheet = (folder / "static/bootstrap5/css/bootstrap.min.css").read_text()
    assert mirror(sheet) != sheet
    assert mirror(mirror(sheet)) == sheet
