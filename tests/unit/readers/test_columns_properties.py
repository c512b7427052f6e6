"""Nothing of a table is dropped without a word: every filled cell is in a row, or its column is named."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from resultsq.domain.errors import FileRefused
from resultsq.kinds.results.check import report
from resultsq.readers import TableFile, read
from resultsq.readers.headings import NAMES
from resultsq.readers.marks import write_time
from tests.support.cpu import cpu_at_most

HEADINGS = st.sampled_from(
    [
        "Pos",
        "Time",
        "Gun Time",
        "Chip",
        "ID",
        "Barcode",
        "Number",
        "#",
        "Club",
        "Name",
        "Blink",
        "PB",
        "Zeit",
        "Age",
        "",
    ]
)
KINDS: dict[str, Callable[[int], str]] = {
    "times": lambda at: write_time(1000 + 11 * at),
    "positions": lambda at: str(at + 1),
    "athletes": lambda at: f"A{100 + at}",
    "words": lambda at: f"word {at}",
    "numbers": lambda at: str(40 - at),
    "nothing": lambda at: "",
}


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and rows; a column's cells are of one kind, which need not be that of its name."""
    columns = draw(st.lists(st.tuples(HEADINGS, st.sampled_from(sorted(KINDS))), min_size=2, max_size=7))
    count = draw(st.integers(1, 5))
    return [[name for name, _ in columns], *([KINDS[kind](at) for _, kind in columns] for at in range(count))]


@settings(max_examples=400)
@given(tables(), st.sampled_from([",", ";", "\t"]))
def test_every_cell_is_used_or_its_column_is_named(table: list[list[str]], delimiter: str) -> None:
    content = "\n".join(delimiter.join(row) for row in table).encode()
    try:
        with cpu_at_most(1.0):
            file = read("t", content)
    except FileRefused:
        return
    if not isinstance(file, TableFile):
        return
    told = " ".join(problem.message for problem in report([("t", content)]).problems)
    rows = {row.line: row for row in file.rows}
    for at, column in enumerate(file.columns):
        for line, cells in enumerate(table[1:], 2):
            if not cells[at] or (column.name and column.name in told):
                continue
            row = rows[line]
            used = (str(row.position), row.athlete, None if row.seconds is None else write_time(row.seconds))
            assert column.use
            assert cells[at] in used


def test_no_name_stands_for_a_time_and_something_else() -> None:
    assert not NAMES["time"] & (NAMES["position"] | NAMES["athlete"])
