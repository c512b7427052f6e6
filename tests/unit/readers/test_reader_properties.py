"""What holds for any file: no line is lost, and any bytes end in a result or in a refusal."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import ReadFile, TableFile
from resultsq.domain.problem import Problem, Severity
from resultsq.kinds.results.check import report
from resultsq.readers import read
from resultsq.readers.rules import SYSTEM_FILE
from tests.support import spreadsheets
from tests.support.cpu import cpu_at_most

MOST_S = 1.0
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
CELLS = st.one_of(
    st.sampled_from(["A1234567", "P0001", "P0000", "null", "", "0", "1", "2", "x", "a1", '"', "62:10", "0:0:0"]),
    st.sampled_from(["00:18:11", "18:11", "0:19:8", "00:18:11.000", "01/01/2001 00:00:00", "position", "time", "T"]),
    st.text(alphabet=st.characters(blacklist_categories=["Cc", "Cs"]), max_size=6),
)
LINES = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "STARTOFEVENT,01/01/2001 00:00:00,x",
            "ENDOFEVENT,01/01/2001 00:00:00",
            "0,01/01/2001 00:00:00",
            "I, CP765, 47",
            "S, 001, SPLIT",
            "Start of File,x,y",
            "position;time;athlete",
        ]
    ),
    st.lists(CELLS, min_size=1, max_size=5).map(",".join),
    st.builds("{},01/01/2001 00:00:00,{}".format, st.integers(0, 5), CELLS),
    st.builds("A{},P{},14/03/2026 09:20:00".format, st.integers(0, 50), st.integers(0, 50)),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Files that are nearly of a real format: a real beginning, lines of any kind, any line ends."""
    start = draw(LINES)
    lines = [start, *draw(st.lists(LINES, max_size=12))]
    end = draw(LINE_ENDS)
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


def counted(content: bytes) -> int:
    """The lines of a file, counted by somebody else."""
    return len(content.splitlines())


def read_or_refused(content: bytes) -> None:
    try:
        with cpu_at_most(MOST_S):
            outcome: ReadFile | FileRefused = read("any", content)
    except FileRefused as refused:
        outcome = refused
    if isinstance(outcome, FileRefused):
        assert outcome.problems
        for problem in outcome.problems:
            assert problem.severity is Severity.BLOCKS or problem.code == SYSTEM_FILE.code
            assert problem.where[0].file == "any"
            assert 1 <= (problem.where[0].line or 0) <= max(counted(content), 1)
        return
    assert outcome.lines == counted(content) == outcome.used + outcome.set_aside + outcome.idle
    assert outcome.used + outcome.set_aside
    used = {row.line for row in outcome.rows}
    assert len(used) == outcome.used
    assert used.isdisjoint(line.line for line in outcome.aside)
    if isinstance(outcome, TableFile) and b'"' not in content:
        assert len(unnamed(outcome, used, content)) <= 1, "the header alone"


def unnamed(table: TableFile, used: set[int], content: bytes) -> list[str]:
    """The lines of a table that hold anything, and are neither used nor named in a problem."""
    named = used | {where.line for problem in table.problems for where in problem.where}
    lines = [line.decode(errors="replace") for at, line in enumerate(content.splitlines(), 1) if at not in named]
    return [line for line in lines if any(map(str.isalnum, line))]


TITLED = st.builds(
    lambda above, below: "\n".join([*above, "position;time;athlete", *below, "1;18:11;A12"]).encode(),
    st.lists(LINES, max_size=4),
    st.lists(st.sampled_from(["2;19:08;", ";;", "", "3;;A5"]), max_size=4),
)


@settings(max_examples=100)
@given(TITLED)
def test_every_line_is_used_or_named_when_a_table_has_lines_above_its_header(content: bytes) -> None:
    read_or_refused(content)


@settings(max_examples=200)
@given(files())
def test_every_line_is_accounted_for_when_a_file_is_nearly_real(content: bytes) -> None:
    read_or_refused(content)


@settings(max_examples=100)
@given(st.binary(max_size=2000))
def test_a_result_or_a_refusal_comes_when_bytes_are_raw(content: bytes) -> None:
    read_or_refused(content)


@settings(max_examples=100)
@given(files(), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_result_or_a_refusal_comes_when_a_file_is_damaged(content: bytes, at: int, damage: bytes) -> None:
    read_or_refused(content[:at] + damage + content[at:])


def test_a_last_line_of_invisible_marks_is_a_line() -> None:
    read_or_refused(b"A0,P0,14/03/2026 09:20:00\n\xef\xbb\xbf")


VALUES = st.one_of(
    st.sampled_from(["18:11", "19:08", "A12", "A1234567", "1", "2", "Harriers", "-", "25:02:00", "12.5", "0.0126"]),
    st.text(alphabet="abcXYZ 0123456789.:", max_size=8),
)
HEADS = st.sampled_from(["position", "time", "athlete", "Club", "", "Gun", "Notes"])
GRIDS = st.integers(2, 6).flatmap(
    lambda width: st.tuples(
        st.lists(HEADS, min_size=width, max_size=width),
        st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=5),
    )
)


def as_csv(rows: list[list[str]]) -> bytes:
    return "\n".join(";".join(row) for row in rows).encode()


def as_xlsx(rows: list[list[str]]) -> bytes:
    cells = ("".join(f"<c t='inlineStr'><is><t>{cell}</t></is></c>" for cell in row) for row in rows)
    return spreadsheets.xlsx("".join(f"<row>{row}</row>" for row in cells))


def as_ods(rows: list[list[str]]) -> bytes:
    cell = "<t:table-cell o:value-type='string'><x:p>{}</x:p></t:table-cell>"
    return spreadsheets.ods(
        "".join(f"<t:table-row>{''.join(cell.format(one) for one in row)}</t:table-row>" for row in rows)
    )


@settings(max_examples=150)
@given(GRIDS, st.sampled_from([as_csv, as_xlsx, as_ods]))
@example((["", "time"], [["18:11", ""]]), as_xlsx)
@example((["", "time", ""], [["1", "18:11", "A1"], ["2", "18:12", "A5"]]), as_csv)
def test_every_column_with_anything_in_it_is_used_asked_about_or_named(
    grid: tuple[list[str], list[list[str]]], write: Callable[[list[list[str]]], bytes]
) -> None:
    heads, rows = grid
    if not {"position", "time", "athlete"}.intersection(heads):
        heads = ["time", *heads[1:]]
    content = write([heads, *rows])
    with suppress(FileRefused), cpu_at_most(MOST_S):
        if isinstance(read("t", content), TableFile):
            demand_every_column(heads, rows, report([("t", content)]).problems)


def demand_every_column(heads: list[str], rows: list[list[str]], problems: Iterable[Problem]) -> None:
    told = " ".join(one.message + " ".join(fix.label for fix in one.fixes) for one in problems)
    whole = told.replace("“", "").replace("”", "")
    for at, head in enumerate(heads):
        letter = chr(ord("A") + at)
        filled = any(row[at].strip() for row in rows)
        if filled and not head:
            assert f"column {letter} (" in whole, (letter, heads, rows)
        elif filled and head in ("Club", "Notes"):
            assert head in whole, (heads, rows)
