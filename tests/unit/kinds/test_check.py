"""The report on a pile of files, as the command line prints it and the API answers it."""

import itertools
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resultsq.domain.event_files import FileKind
from resultsq.domain.problem import Severity
from resultsq.kinds.results.check import report
from tests.unit.kinds.builders import scans, watch

WATCH = watch([1000, 1010])
SCANS = scans("A1,P1", "A2,P2", "bad")


def test_the_answer_has_exactly_its_fields() -> None:
    found = report([("watch", WATCH), ("scanner", SCANS)])
    answer = json.loads(found.model_dump_json())

    digests = [sha256(content).hexdigest()[:16] for content in (SCANS, WATCH)]
    assert answer == found.model_dump(mode="json")
    assert list(answer) == ["finishers", "problems", "files", "names_as_of"]
    assert answer["finishers"][0] == {"position": 1, "athlete": "A1", "time": "00:16:40"}
    assert answer["files"] == [
        {"name": "scanner", "kind": "scanner", "lines": 3, "used": 2, "set_aside": 1, "digest": digests[0]},
        {"name": "watch", "kind": "stopwatch", "lines": 5, "used": 2, "set_aside": 0, "digest": digests[1]},
    ]
    [problem] = answer["problems"]
    assert list(problem) == ["code", "severity", "message", "where", "fixes"]
    assert (problem["code"], problem["severity"], problem["where"][0]["line"]) == ("line-set-aside", "warns", 3)


def test_an_unreadable_file_blocks_and_the_others_are_shown() -> None:
    found = report([("watch", WATCH), ("photo.jpg", b"\xff\xd8\xff\xe0\n\r\n"), ("cut", WATCH[:100])])

    assert found.blocked
    assert len(found.finishers) == 2
    assert [(problem.code, problem.where[0].file) for problem in found.problems] == [
        ("bad-line", "cut"),
        ("file-not-results", "photo.jpg"),
    ]
    assert [(file.name, file.kind, file.lines, file.used) for file in found.files] == [
        ("watch", FileKind.STOPWATCH, 5, 2),
        ("cut", None, 3, 0),
        ("photo.jpg", None, 2, 0),
    ]


def test_the_reason_stands_alone_when_no_file_could_be_read() -> None:
    assert [problem.code for problem in report([("empty", b"")]).problems] == ["file-empty"]
    assert report([("empty", b"")]).files[0].lines == 0


def test_the_report_is_the_same_when_the_files_come_in_any_order() -> None:
    files = [
        ("one", watch([1000, 1100, 1300, 1290])),
        ("other", watch([1000, 1120, 1300, 1400])),
        ("third", watch([1000])),
        ("scanner", scans("A1,P1", "A2,P2", "bad", "A2,P3")),
        ("same name", scans("A9,P1", ",P4", "A123456789,")),
        ("same name", scans("A9,P1", ",P4", clock="")),
        ("photo", b"GIF89a"),
        ("copy of scanner", scans("A1,P1", "A2,P2", "bad", "A2,P3")),
    ]
    expected = report(files)

    assert len(expected.problems) == 8
    for order in itertools.islice(itertools.permutations(files), 0, None, 733):
        assert report(order) == expected


LINES = st.lists(
    st.builds("{},{}".format, st.sampled_from(["", "A1", "A2", "A3", "A4"]), st.sampled_from(["", "P1", "P2", "P3"])),
    min_size=1,
    max_size=6,
)
CONTENTS = st.one_of(
    st.lists(st.integers(100, 130), min_size=1, max_size=6).map(watch),
    LINES.map(lambda lines: scans("A5,P1", *lines)),
    st.lists(st.integers(1, 4), min_size=1, max_size=4).map(
        lambda positions: "\n".join(["position,athlete", *(f"{place},A{place}" for place in positions)]).encode()
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(CONTENTS, max_size=5))
def test_the_report_is_the_same_when_any_files_come_in_any_order(data: st.DataObject, contents: list[bytes]) -> None:
    files = [(f"file{number}", content) for number, content in enumerate(contents)]

    assert report(data.draw(st.permutations(files))) == report(files)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.lists(CONTENTS, max_size=4))
def test_the_sheet_is_the_same_when_the_files_have_other_names(data: st.DataObject, contents: list[bytes]) -> None:
    names = data.draw(st.permutations([f"file{number}" for number in range(len(contents))]))
    found = report(list(zip(names, contents, strict=True)))

    if not found.blocked:
        assert found.finishers == report([("x", content) for content in contents]).finishers


@settings(max_examples=60, deadline=None)
@given(st.lists(CONTENTS, max_size=5))
def test_every_line_is_in_the_sheet_a_problem_or_a_count(contents: list[bytes]) -> None:
    found = report([(f"file{number}", content) for number, content in enumerate(contents)])

    assert sum(file.lines for file in found.files) == sum(len(content.splitlines()) for content in contents)
    aside = {
        (where.file, where.line)
        for problem in found.problems
        if problem.code == "line-set-aside"
        for where in problem.where
    }
    # the same content under another name is reported once
    assert len(aside) <= sum(file.set_aside for file in found.files)


SEEN_ONLY = {
    "photo.jpg": b"\xff\xd8\xff\xe0JFIF",
    "photo.heic": b"\0\0\0\x18ftypheic",
    "results.pdf": b"%PDF-1.7",
    "notes.docx": b"PK\x03\x04 word/document.xml PK\x05\x06",
}


@pytest.mark.parametrize("name", SEEN_ONLY)
def test_a_picture_among_the_right_files_is_told_once_and_stands_in_nobodys_way(name: str) -> None:
    wrong = (name, SEEN_ONLY[name])

    found = report([("watch", WATCH), ("scanner", scans("A1,P1", "A2,P2")), wrong])

    assert not found.blocked
    assert [(one.code, one.severity, one.where[0].file) for one in found.problems] == [
        ("file-not-results", Severity.WARNS, name)
    ]
    assert len(found.finishers) == 2
    for others in ([], [("watch", WATCH)], [("scanner", SCANS)]):
        assert report([*others, wrong]).blocked, "times or athletes may be in it alone"


MAY_HOLD_RESULTS = {
    "scans.zip": b"PK\x03\x04 scans.txt PK\x05\x06",
    "scans.txt.gz": b"\x1f\x8bstuff",
    "old.xls": b"\xd0\xcf\x11\xe0old",
    "cut.xlsx": b"PK\x03\x04 xl/workbook.xml",
    "table.csv": b"Posit\0ion",
    "lines.txt": b"A1 P1\nA2 P2\n",
    "empty.csv": b"",
}


@pytest.mark.parametrize("name", MAY_HOLD_RESULTS)
def test_a_file_that_may_hold_results_blocks_beside_right_ones(name: str) -> None:
    wrong = (name, MAY_HOLD_RESULTS[name])

    assert report([("watch", WATCH), ("scanner", scans("A1,P1", "A2,P2")), wrong]).blocked


def test_a_fix_says_what_it_asks_of_a_person_where_no_form_shows_it() -> None:
    times = b"STARTOFEVENT,14/03/2026 09:00:00,x\n0,14/03/2026 09:18:00,00:18:00\nENDOFEVENT,14/03/2026 10:00:00\n"
    scans = b"A1,P0001,14/03/2026 09:20:00\nA2,P0002,14/03/2026 09:21:00\n"
    found = report([("t.csv", times), ("s.csv", scans)])
    [problem] = [one for one in found.problems if one.code == "token-beyond-times"]

    assert [(fix.action, fix.asks) for fix in problem.fixes] == [
        ("insert-time", ("position",)),
        ("drop-tokens-beyond", ()),
    ]
