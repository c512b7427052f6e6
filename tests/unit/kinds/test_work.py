"""A team's work: kept as JSON, its record, undo, and files that come later."""

import pytest

from resultsq.domain.errors import InputRefused
from resultsq.domain.sheet import Finisher
from resultsq.kinds.results.corrections import correction_of
from resultsq.kinds.results.join import Work, add, apply, evaluate, join, undo, without_words
from resultsq.readers import read
from tests.unit.kinds.builders import clocks, pairs, scans, watch


def busy() -> Work:
    """Work with a file of each kind and something in every field."""
    files = [
        read("watch", b"STARTOFEVENT,x,y\n1,x,00:00:00\n3,x,18:11\n"),
        read("scanner", scans("A7,P1", "&d084", ",P1")),
        read("typed rows", b"position,athlete\n1,A7\n2,\n"),
    ]
    work = apply(Work.from_files(files), correction_of("edit-time", {"position": 1, "time": "18:12"}), by="bushy")
    return apply(work, correction_of("drop-line", {"file": files[1].digest, "line": 2}), by="parkrun office")


def test_work_is_the_same_when_it_comes_back_from_json() -> None:
    work = busy()
    back = Work.model_validate_json(work.model_dump_json())

    assert back == work
    assert evaluate(back) == evaluate(work)
    assert [type(file) for file in back.files] == [type(file) for file in work.files]
    assert type(back.changes[0].correction) is type(work.changes[0].correction)


def test_the_record_says_what_was_changed_by_whom() -> None:
    assert [(change.by, change.said) for change in busy().changes] == [
        ("bushy", "Position 1: 00:18:11 became 00:18:12."),
        ("parkrun office", "Line 2 of scanner was dropped."),
    ]


def test_the_last_change_is_undone_and_then_the_one_before() -> None:
    work = busy()

    assert "line-set-aside" not in [problem.code for problem in evaluate(work).problems]
    assert "line-set-aside" in [problem.code for problem in evaluate(undo(work)).problems]
    assert evaluate(undo(undo(work))).finishers[0].time == "00:18:11"
    with pytest.raises(InputRefused, match="nothing to undo"):
        undo(undo(undo(work)))


def test_a_persons_word_can_be_taken_back_and_other_changes_stay() -> None:
    work = busy()
    for code in ("other-day", "times-changed"):
        work = apply(work, correction_of("as-given", {"code": code}), by="bushy")
    assert work.confirmed == {"other-day", "times-changed"}

    less = without_words(work, ["other-day"])

    assert less.confirmed == {"times-changed"}
    assert [one.correction.action for one in less.changes] == ["edit-time", "drop-line", "as-given"]


def test_the_work_is_as_before_when_a_correction_is_refused() -> None:
    work = busy()
    before = work.model_dump_json()
    with pytest.raises(InputRefused):
        apply(work, correction_of("edit-time", {"position": 9, "time": "18:12"}), by="bushy")

    assert work.model_dump_json() == before


def test_files_come_later_when_times_are_untouched_or_they_are_scanners() -> None:
    work = Work.from_files([read("watch", watch([1000, 1010]))])
    later = add(work, [read("other", watch([1000, 1200])), read("scanner", pairs([1]))])
    edited = apply(work, correction_of("edit-time", {"position": 1, "time": "16:41"}), by="bushy")

    assert [row.time for row in evaluate(later).finishers] == clocks([1000, 1010, 1200])
    assert evaluate(add(edited, [read("scanner", pairs([1]))])).finishers[0].athlete == "A1001"
    with pytest.raises(InputRefused, match="Undo those edits before you add"):
        add(edited, [read("other", watch([1000, 1200]))])


def test_the_rows_of_a_sheet_become_work_that_can_be_corrected() -> None:
    rows = (
        Finisher(position=1, athlete="A1", time="00:18:11"),
        Finisher(position=2, athlete=None, time=None),
    )
    work = Work.from_rows("published", rows)

    [table] = work.files
    assert (table.lines, table.used, table.set_aside, table.idle) == (3, 2, 0, 1)
    assert evaluate(work).finishers == rows
    assert [problem.code for problem in evaluate(work).problems] == ["time-missing"]
    work = apply(work, correction_of("edit-athlete", {"position": 2, "athlete": "A2"}), by="bushy")
    assert evaluate(Work.model_validate_json(work.model_dump_json())).finishers[1].athlete == "A2"


def test_choices_are_made_when_files_are_joined() -> None:
    files = [read("watch", watch([1000, 1010])), read("scanner", pairs([1, 2, 3]))]
    joined = join(files, [correction_of("drop-tokens-beyond", {"last": 2})])

    assert (len(joined.finishers), joined.problems, joined.blocked) == (2, (), False)
    assert join(files).blocked


def test_the_lines_of_every_time_and_scan_are_known() -> None:
    files = [read("watch", watch([1000, 1010])), read("other", watch([1000, 1200])), read("scanner", pairs([1]))]
    joined = join(files)

    by_name = {file.digest: file.name for file in files}
    assert {by_name[digest] for digest in joined.sources} == {"watch", "other"}
    assert [sorted(filter(None, (time.one, time.other))) for time in joined.times] == [[3, 3], [4], [4]]
    assert [(by_name[scan.file or ""], scan.line) for scan in joined.scans] == [("scanner", 1)]
