"""The charts of MEASURED.md: marks at their places, every figure in words, for light and for dark."""

import re
from xml.etree import ElementTree

from tests.bench import charts
from tests.bench.charts import LEFT, RIGHT, WIDTH, Line, Mark, drawn

_SVG = "{http://www.w3.org/2000/svg}"


def _chart(log: bool, *values: float) -> str:
    lines = [Line(f"line {number}", [Mark(value, f"{value:g} s")]) for number, value in enumerate(values)]
    return drawn("name", "A title", "below it", ["sort"], lines, log=log).svg


def _places(svg: str) -> list[float]:
    """Of the lines' marks; the last circle is the legend's."""
    return [float(one.get("cx", "")) for one in ElementTree.fromstring(svg).iter(f"{_SVG}circle")][:-1]


def test_on_a_scale_of_powers_ten_times_as_much_is_always_as_far() -> None:
    assert _places(_chart(True, 1.0, 10.0, 100.0)) == [LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT]
    first, second, third = _places(_chart(True, 2.0, 20.0, 200.0))
    assert abs((second - first) - (third - second)) < 0.2


def test_an_even_scale_begins_at_zero() -> None:
    zero, half, whole = _places(_chart(False, 0.0, 50.0, 100.0))
    assert (zero, whole) == (LEFT, WIDTH - RIGHT)
    assert half == (zero + whole) / 2


def test_every_figure_stands_there_in_words_for_those_who_do_not_see_it() -> None:
    svg = _chart(True, 1.0, 239.0)
    assert re.search(r"<desc[^>]*>line 0: sort 1 s; line 1: sort 239 s</desc>", svg)
    assert ">239 s</text>" in svg
    assert 'role="img"' in svg


def test_light_and_dark_have_colours_of_their_own_and_a_ground() -> None:
    svg = _chart(True, 1.0, 2.0)
    light, _, dark = svg.partition("@media (prefers-color-scheme: dark)")
    for name in ("text", ".ground", ".first", ".second", ".grid", ".never"):
        colours = [re.search(rf"{re.escape(name)} {{[^}}]*(?:fill|stroke): (#\w+)", part) for part in (light, dark)]
        assert colours[0] is not None
        assert colours[1] is not None
        assert colours[0][1] != colours[1][1], name


def test_where_there_is_nothing_to_draw_there_is_no_chart() -> None:
    assert charts.of_scenario("accept", []) == []
    assert charts.of_scenario("drain", [("a case", "resultsq", "ratio 1.5")]) == []


def test_ours_comes_first_and_the_others_by_their_first_mark() -> None:
    told = [("500 waiting, reset for 60 s", who, f"first 1 s · last {last} s · connections 9") for who, last in
            (("Celery", "239"), ("RQ", "never"), ("Huey", "11.4"), ("resultsq", "3.02"))]  # fmt: skip
    last, _ = charts.of_scenario("after-outage", told)
    assert re.findall(r'text-anchor="end">([A-Za-z]+)<', last.svg) == ["resultsq", "Huey", "Celery", "RQ"]
