"""What holds for any file: no line is lost, and any bytes end in a result or in a refusal."""

from hypothesis import given, settings
from hypothesis import strategies as st

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import ReadFile, TableFile
from resultsq.domain.problem import Severity
from resultsq.readers import read
from resultsq.readers.rules import SYSTEM_FILE

WITHIN_MS = 1000
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


@settings(max_examples=100, deadline=WITHIN_MS)
@given(TITLED)
def test_every_line_is_used_or_named_when_a_table_has_lines_above_its_header(content: bytes) -> None:
    read_or_refused(content)


@settings(max_examples=200, deadline=WITHIN_MS)
@given(files())
def test_every_line_is_accounted_for_when_a_file_is_nearly_real(content: bytes) -> None:
    read_or_refused(content)


@settings(max_examples=100, deadline=WITHIN_MS)
@given(st.binary(max_size=2000))
def test_a_result_or_a_refusal_comes_when_bytes_are_raw(content: bytes) -> None:
    read_or_refused(content)


@settings(max_examples=100, deadline=WITHIN_MS)
@given(files(), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_result_or_a_refusal_comes_when_a_file_is_damaged(content: bytes, at: int, damage: bytes) -> None:
    read_or_refused(content[:at] + damage + content[at:])


def test_a_last_line_of_invisible_marks_is_a_line() -> None:
    read_or_refused(b"A0,P0,14/03/2026 09:20:00\n\xef\xbb\xbf")
