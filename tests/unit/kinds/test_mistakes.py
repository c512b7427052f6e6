"""Files as they come, with the mistakes that teams make: what is told, what is offered, and what comes of it.

The files in tests/samples/mistakes are made after public reports; those built here are more of the same kinds.
"""

from pathlib import Path

import pytest

from resultsq.domain.problem import Fix, Problem
from resultsq.kinds.results.check import Report, report
from resultsq.kinds.results.corrections import correction_of
from resultsq.kinds.results.join import Joined, Work, apply, evaluate
from resultsq.kinds.results.plausible import Occasion
from resultsq.readers import read
from tests.unit.kinds.builders import checked, codes, pairs, scans, watch, work

MISTAKES = Path(__file__).parent.parent.parent / "samples" / "mistakes"
TWELVE = "stopwatch-twelve-times.txt"


def content(name: str) -> bytes:
    return (MISTAKES / name).read_bytes()


def sample(*names: str) -> Report:
    return report([(name, content(name)) for name in names])


def blocking(found: Report | Joined) -> list[Problem]:
    return [problem for problem in found.problems if problem.blocks]


def fix_of(found: Report | Joined, code: str, label: str) -> Fix:
    return next(
        fix for problem in found.problems if problem.code == code for fix in problem.fixes if label in fix.label
    )


def mended(of: Work, code: str, label: str) -> Work:
    fix = fix_of(evaluate(of), code, label)
    return apply(of, correction_of(fix.action, {key: str(value) for key, value in fix.arguments.items()}), by="bushy")


def sheet(found: Report | Joined) -> list[tuple[str | None, str | None]]:
    return [(row.athlete, row.time) for row in found.finishers]


# columns


@pytest.mark.parametrize("name", ["Athlete", "Barcode", "Bib", "Number"])
@pytest.mark.parametrize("cells", [("a12", "A7", "a9"), ("12", "7", ""), ("12", "A7", "-")])
def test_loosely_written_athletes_are_asked_about_once_for_the_whole_file(name: str, cells: tuple[str, ...]) -> None:
    lines = "".join(f"{at},{17 + at}:31,{cell}\n" for at, cell in enumerate(cells, 1))
    of = work(f"Pos,Time,{name}\n{lines}".encode())
    assert [problem.code for problem in blocking(evaluate(of))] == ["column-not-understood"]

    joined = evaluate(mended(of, "column-not-understood", f"{cells[0]} is A12"))

    assert [row.athlete for row in joined.finishers] == ["A12", "A7", "A9" if "9" in cells[2] else None]
    assert not blocking(joined)


def test_numbers_of_shirts_are_no_question_where_there_are_barcodes() -> None:
    joined = evaluate(work(b"Pos,Time,Barcode,Bib\n1,17:31,A12,400\n2,18:02,A7,77\n"))
    assert [row.athlete for row in joined.finishers] == ["A12", "A7"]
    assert [problem.code for problem in joined.problems] == ["columns-not-used"]


@pytest.mark.parametrize("cells", [("1st", "2nd", "3rd"), ("1.", "2.", "3."), ("1ST", "02", "3")])
def test_a_position_is_read_as_an_ordinal(cells: tuple[str, ...]) -> None:
    lines = "".join(f"{cell},{17 + at}:31,A{at}\n" for at, cell in enumerate(cells, 1))
    joined = evaluate(work(f"Pos,Time,Athlete\n{lines}".encode()))
    assert [(row.position, row.athlete) for row in joined.finishers] == [(1, "A1"), (2, "A2"), (3, "A3")]
    assert not joined.problems


@pytest.mark.parametrize(
    ("chosen", "times"), [("Chip Time", ["00:17:29", "00:18:00"]), ("Gun Time", ["00:17:31", "00:18:02"])]
)
def test_two_columns_of_times_block_until_one_is_chosen(chosen: str, times: list[str]) -> None:
    of = work(content("table-gun-and-chip-time.csv"))
    assert [problem.code for problem in blocking(evaluate(of))] == ["column-not-understood"]
    assert [row.time for row in evaluate(of).finishers] == [None, None]

    joined = evaluate(mended(of, "column-not-understood", chosen))

    assert sheet(joined) == list(zip(["A11", "A12"], times, strict=True))
    assert [(problem.code, problem.blocks) for problem in joined.problems] == [("columns-not-used", False)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table-zeit-column.csv", [("A11", "00:17:31"), ("A12", "00:18:02")]),
        ("table-id-column.csv", [("A11", "00:17:31"), ("A12", "00:18:02")]),
        ("table-sep-line.csv", [("A11", "00:17:31"), ("A12", "00:18:02")]),
        ("table-decimal-comma.csv", [("A11", "00:17:31"), ("A12", "00:18:02")]),
        ("excel-unicode-text-utf16le-bom.txt", [("A11", "00:17:31"), ("A12", "00:18:02"), ("A13", "00:19:40")]),
        (
            "table-unknown-written-otherwise.csv",
            [("A11", "00:17:31"), (None, "00:18:02"), (None, "00:18:05"), (None, "00:18:10"), (None, "00:18:15")],
        ),
    ],
)
def test_a_table_is_read_without_a_word_as_its_spreadsheet_wrote_it(
    name: str, expected: list[tuple[str | None, str]]
) -> None:
    found = sample(name)

    assert sheet(found)[: len(expected)] == expected
    assert found.problems == ()


def test_a_title_above_the_header_is_named_as_not_used_and_blocks_nothing() -> None:
    found = sample("table-title-above-header.csv")

    assert sheet(found) == [("A11", "00:17:31"), ("A12", "00:18:02")]
    [problem] = found.problems
    assert (problem.code, problem.blocks) == ("lines-above-header", False)
    assert [where.line for where in problem.where] == [1]


def test_a_hole_in_the_positions_blocks_when_the_column_is_called_pos() -> None:
    assert codes(sample("table-pos-column-with-a-hole.csv")) == ["position-missing"]


@pytest.mark.parametrize(
    "header",
    [
        "#,Gun,Barcode", "Rank,Timing,ID", "Pos.,Chip time,Number", "Platz;Zeit;Startnummer", "Rang;Laufzeit;Läufer-ID",
        "Classement;Temps officiel;Code-barres", "Miejsce;Czas netto;Kod kreskowy", "Posizione;Tempo;Pettorale",
        "Posición;Tiempo;Dorsal", "Plaats;Tijd;Deelnemer", "Placering;Tid;Løber", "Plats;Tid;Löpare",
        "Sijoitus;Aika;Juoksija", "Plassering;Sluttid;Løper", "Posição;Tempo líquido;Código", "PLACE\tTIME\tATHLETE ID",
    ],
)  # fmt: skip
def test_a_header_is_understood_in_the_languages_of_the_events(header: str) -> None:
    delimiter = next(sign for sign in ";\t," if sign in header)
    lines = [header, *(delimiter.join(row) for row in (("1", "17:31", "A11"), ("2", "18:02", "A12")))]

    found = checked("\n".join(lines).encode())

    assert (sheet(found), found.problems) == ([("A11", "00:17:31"), ("A12", "00:18:02")], ())


@pytest.mark.parametrize(
    ("table", "label", "expected"),
    [
        (b"Position,Barcode,Blink\n1,A11,17:31\n2,A12,18:02\n", "Blink is the time", ("A11", "00:17:31")),
        (b"Blink,Barcode,Time\n1,A11,17:31\n2,A12,18:02\n", "Blink is the position", ("A11", "00:17:31")),
        (b"Position,Blink,Time\n1,A11,17:31\n2,A12,18:02\n", "Blink is the athlete", ("A11", "00:17:31")),
    ],
)
def test_a_column_of_an_unknown_name_is_asked_about_when_its_cells_look_like_one(
    table: bytes, label: str, expected: tuple[str, str]
) -> None:
    of = work(table)
    assert [problem.code for problem in blocking(evaluate(of))] == ["column-not-understood"]

    joined = evaluate(mended(of, "column-not-understood", label))

    assert sheet(joined)[0] == expected
    assert joined.problems == ()


def test_a_column_is_named_as_not_used_when_it_is_none_of_ours() -> None:
    found = checked("Position,Time,Barcode,Club,Category,Name\n1,17:31,A11,Harriers,VM40,Zoë\n".encode())

    [problem] = found.problems
    assert (problem.code, problem.blocks) == ("columns-not-used", False)
    assert "Club, Category and Name" in problem.message


@pytest.mark.parametrize(
    ("table", "code"),
    [(b"Position,Barcode\n1,A11\n2,A12\n", "no-time-column"), (b"Time,Barcode\n17:31,A11\n", "no-position-column")],
)
def test_a_table_without_a_column_blocks_until_a_person_says_that_there_is_none(table: bytes, code: str) -> None:
    of = work(table)
    assert [problem.code for problem in blocking(evaluate(of))] == [code]

    assert evaluate(apply(of, correction_of("as-given", {"code": code}), by="bushy")).problems == ()


def test_a_table_without_times_is_enough_when_a_stopwatch_has_them() -> None:
    assert checked(watch([1051, 1082]), b"Position,Barcode\n1,A11\n2,A12\n").problems == ()


# times that a spreadsheet or a person wrote in another way


@pytest.mark.parametrize(
    ("table", "label", "times"),
    [
        (
            content("excel-minutes-became-hours.csv"),
            "They are minutes and seconds",
            ["00:17:31", "00:18:02", "00:23:59", "00:24:00", "00:25:02", "00:31:10"],
        ),
        (content("hundredths-read-as-seconds.csv"), "hundredths", ["00:17:31", "00:18:02", "00:19:40"]),
        (content("table-excel-am.csv"), "Yes", ["00:17:31", "00:18:02", "01:02:10"]),
        (
            b'Position,Time,Athlete\n1,0.012164352,A11\n2,"0,012523148",A12\n',
            "Yes",
            ["00:17:31", "00:18:02"],
        ),
        (
            b"Position,Time,Athlete\n1,09:17:31,A11\n2,09:18:02,A12\n3,10:02:10,A13\n",
            "start at 09:00",
            ["00:17:31", "00:18:02", "01:02:10"],
        ),
        (b"Position,Time,Athlete\n1,17:31:00,A11\n2,62:10:00,A12\n", "minutes and seconds", ["00:17:31", "01:02:10"]),
    ],
)
def test_times_that_no_run_takes_block_and_are_read_as_they_were_meant(
    table: bytes, label: str, times: list[str]
) -> None:
    of = work(table)
    assert [problem.code for problem in blocking(evaluate(of))] == ["implausible-times"]

    joined = evaluate(mended(of, "implausible-times", label))

    assert [row.time for row in joined.finishers] == times
    assert joined.problems == ()


def test_a_clock_is_asked_about_again_when_it_is_no_time_of_a_run_either() -> None:
    of = work(b"Position,Time,Athlete\n1,5:31:00 PM,A11\n2,6:02:00 PM,A12\n")

    of = mended(of, "implausible-times", "Yes")
    assert [problem.code for problem in blocking(evaluate(of))] == ["implausible-times"]
    joined = evaluate(mended(of, "implausible-times", "minutes and seconds"))

    assert [row.time for row in joined.finishers] == ["00:17:31", "00:18:02"]


def test_times_are_left_when_a_person_says_that_they_are_right() -> None:
    of = mended(work(content("hundredths-read-as-seconds.csv")), "implausible-times", "right as they are")

    assert [row.time for row in evaluate(of).finishers] == ["17:31:42", "18:02:07", "19:40:33"]
    assert evaluate(of).problems == ()


def test_a_single_time_warns_when_it_is_far_from_the_others() -> None:
    found = checked(watch([190, 1051, 1082, 1100, 1200, 20_000]))

    assert [(problem.code, problem.blocks) for problem in found.problems] == [("implausible-time", False)] * 2
    assert [problem.where[0].row for problem in found.problems] == [1, 6]


def test_a_junior_run_is_no_mistake() -> None:
    assert checked(watch([*range(390, 1500, 30)])).problems == ()


def test_a_stuck_watch_is_told() -> None:
    found = sample("stopwatch-stuck-at-59-59.txt")

    assert codes(found) == ["times-stuck"]
    assert [where.row for where in found.problems[0].where] == list(range(7, 21))
    assert checked(watch([1051] * 4)).problems == ()


# days


def test_both_days_are_named_when_the_stopwatch_is_of_last_week() -> None:
    found = sample("stopwatch-of-7-march.csv", "scanner-of-14-march.csv")

    [problem] = found.problems
    assert (problem.code, problem.blocks) == ("files-from-different-days", False)
    assert "7 March 2026" in problem.message
    assert "14 March 2026" in problem.message


def test_one_problem_is_told_when_the_scanner_was_not_cleared() -> None:
    files = content(TWELVE), content("scanner-with-last-weeks-scans-left.txt")
    of = work(*files, day="2026-03-14")
    joined = evaluate(of)
    assert [problem.code for problem in joined.problems] == ["scans-of-two-days"]
    assert joined.finishers[0].athlete == "A600001"

    joined = evaluate(mended(of, "scans-of-two-days", "12 scans of 7 March"))

    assert joined.problems == ()
    assert [row.athlete for row in joined.finishers] == [f"A60{number:04}" for number in range(1, 13)]


def test_the_other_day_counts_when_the_chosen_one_was_left_out() -> None:
    of = work(content(TWELVE), content("scanner-with-last-weeks-scans-left.txt"))
    joined = evaluate(mended(of, "scans-of-two-days", "scans of 14 March"))

    assert [row.athlete for row in joined.finishers] == [f"A50{number:04}" for number in range(1, 13)]


def test_one_morning_is_one_day_when_the_clock_passes_midnight() -> None:
    night = scans("A1,P1", clock="13/03/2026 23:50:00") + scans("A2,P2", clock="14/03/2026 00:10:00")

    assert codes(checked(night)) == []


@pytest.mark.parametrize(
    ("day", "expected"), [("2026-03-14", []), ("2026-03-21", ["other-day"]), ("", [])], ids=["same", "other", "none"]
)
def test_another_day_than_the_chosen_one_is_told(day: str, expected: list[str]) -> None:
    of = work(watch([1051]), scans("A1,P1"), day=day)

    assert [problem.code for problem in evaluate(of).problems] == expected
    for problem in evaluate(of).problems:
        assert not problem.blocks
        assert [fix.action for fix in problem.fixes] == ["choose-day", "as-given"]
        assert evaluate(mended(of, "other-day", "clock was wrong")).problems == ()


def test_a_dummy_date_says_nothing() -> None:
    of = work(watch([1051]), scans("A1,P1", clock="12.10.2001 09:20:00"), day="2026-03-14")

    assert evaluate(of).problems == ()


# scanner files


def test_a_scanner_file_blocks_when_not_one_line_of_it_can_be_used() -> None:
    found = checked(watch([1051, 1082]), b"A12;x\nA13;y\n")

    assert [(problem.code, problem.blocks) for problem in found.problems] == [("no-line-used", True)]


def test_twelve_pairs_are_read_when_the_last_field_is_empty() -> None:
    found = sample(TWELVE, "scanner-trailing-comma.csv")

    assert [row.athlete for row in found.finishers] == [f"A{number}" for number in range(1001, 1013)]
    assert found.problems == ()


@pytest.mark.parametrize("name", ["scanner-tabs.txt", "scanner-all-cells-quoted.csv", "scanner-invisible-marks.csv"])
def test_a_scanner_file_is_read_when_a_spreadsheet_has_saved_it_again(name: str) -> None:
    found = sample(name)

    assert [row.athlete for row in found.finishers][:3] == ["A11", "A12", "A13"]
    assert found.problems == ()


@pytest.mark.parametrize(
    "lines",
    [
        b'"A11,P0001,14/03/2026 09:20:00"\n"A12,P0002,14/03/2026 09:20:00"\n',
        b"A11,P0001,14/03/2026,09:20:00\nA12,P0002,14/03/2026,09:20:00\n",
        b"A11;P0001;14.03.2026 09:20;;\nA12;P0002;14.03.2026 09:20;;\n",
        "\ufeffA11\tP0001\t14/03/2026 09:20:00\r\nA12\tP0002\t14/03/2026 09:20:00\r\n".encode("utf-16-le"),
        "A11,P0001,x\nA12,P0002,x\n".encode("utf-16-be"),
    ],
    ids=["whole lines quoted", "date and time", "empty cells", "utf-16 with a mark", "utf-16 without"],
)
def test_pairs_are_read_when_a_file_was_saved_again_in_any_way(lines: bytes) -> None:
    found = checked(lines)

    assert [row.athlete for row in found.finishers] == ["A11", "A12"]
    assert found.problems == ()


def test_a_stopwatch_file_is_read_when_a_spreadsheet_has_saved_it_again() -> None:
    assert [row.time for row in sample("stopwatch-semicolons.csv").finishers] == ["00:17:31", "00:18:02"]
    webfms = checked(b'"I"; "CP765"; "47"\n"S"; "001"; "SPLIT"\n"T";"1";"1";"00:18:11,5"\n')
    assert ([row.time for row in webfms.finishers], webfms.problems) == (["00:18:11"], ())


@pytest.mark.parametrize(
    "file",
    [
        content("scanner-all-lower-case.csv"),
        b"11,P0001,14/03/2026 09:20:00\n12,P0002,14/03/2026 09:20:00\n13,P0003,14/03/2026 09:20:00\n",
        "А11,Р0001,x\nА12,Р0002,x\nА13,Р0003,x\n".encode(),
    ],
    ids=["small letters", "without the A", "another alphabet"],
)
def test_one_offer_mends_a_whole_scanner_file(file: bytes) -> None:
    of = work(file)
    [problem] = evaluate(of).problems
    assert (problem.code, problem.blocks) == ("no-line-used", True)

    joined = evaluate(mended(of, "no-line-used", "as they were meant"))

    assert [row.athlete for row in joined.finishers] == ["A11", "A12", "A13"]
    assert joined.problems == ()


def test_one_offer_mends_the_lines_that_have_one_habit() -> None:
    of = work(watch([1051, 1082, 1100]), b"A11,P1,x\na12,p2,x\na13,p3,x\n&d084,x\n")
    aside = [problem for problem in evaluate(of).problems if problem.code == "line-set-aside"]
    assert [len(problem.where) for problem in aside] == [2, 1]

    joined = evaluate(mended(of, "line-set-aside", "as they were meant"))

    assert [row.athlete for row in joined.finishers] == ["A11", "A12", "A13"]


def test_a_letter_of_another_alphabet_is_named() -> None:
    [problem] = checked("A11,P1,x\nА12,P2,x\n".encode()).problems

    assert "another alphabet" in problem.message


# two stopwatches


def test_one_watch_counts_when_two_are_of_different_events() -> None:
    names = "watch-a-of-another-event.txt", "watch-b-that-never-agrees.txt"
    found = sample(*names)
    assert [(problem.code, problem.blocks) for problem in found.problems] == [("watches-disagree", True)]
    assert len(found.finishers) == 62

    of = work(*map(content, names))
    assert len(evaluate(mended(of, "watches-disagree", "60 times")).finishers) == 60
    assert len(evaluate(mended(of, "watches-disagree", "62 times")).finishers) == 62
    both = evaluate(mended(of, "watches-disagree", "Use both: 91"))
    assert (len(both.finishers), both.blocked) == (91, False)


def test_one_watch_counts_while_an_offset_is_open() -> None:
    one = [1051 + 9 * index + index % 7 for index in range(140)]
    of = work(watch(one), watch([time + 7 + index % 2 for index, time in enumerate(one)]), pairs(range(1, 141)))
    joined = evaluate(of)
    assert [problem.code for problem in joined.problems] == ["stopwatch-offset"]
    assert len(joined.finishers) == 140

    left = evaluate(mended(of, "stopwatch-offset", "Leave them"))
    assert [problem.code for problem in blocking(left)] == ["watches-disagree"]
    assert len(left.finishers) == 140
    settled = evaluate(mended(of, "stopwatch-offset", "s from file2"))
    assert (settled.problems, len(settled.finishers)) == ((), 140)


def test_a_problem_of_the_scans_is_told_while_an_offset_is_open() -> None:
    one = [1051 + 30 * index for index in range(20)]
    found = checked(watch(one), watch([time + 7 for time in one]), pairs(range(1, 23)))

    assert {problem.code for problem in found.problems} == {"stopwatch-offset", "token-beyond-times"}


def test_a_double_tap_is_put_back_when_it_was_none() -> None:
    of = work(watch([0, 1051, 1082]))
    assert [row.time for row in evaluate(of).finishers] == ["00:17:31", "00:18:02"]

    joined = evaluate(mended(of, "double-tap-dropped", "put it back"))

    assert [row.time for row in joined.finishers] == ["00:00:00", "00:17:31", "00:18:02"]
    assert "double-tap-dropped" not in [problem.code for problem in joined.problems]
    assert joined.files[0].set_aside == 0


# files of the system, and files that are not there


def test_a_file_of_the_system_is_ignored_with_a_word() -> None:
    found = report([("ds-store", content("ds-store-beside-good-files.bin")), (TWELVE, content(TWELVE))])

    assert [(problem.code, problem.blocks) for problem in found.problems] == [("system-file", False)]
    assert len(found.finishers) == 12


@pytest.mark.parametrize(
    ("name", "file"),
    [("desktop.ini", b"[.ShellClassInfo]\n"), ("Thumbs.db", b"\xd0\xcf\x11\xe0x"), ("._scan.csv", b"\0\x05\x16\x07\0")],
)
def test_other_systems_files_are_ignored_as_well(name: str, file: bytes) -> None:
    assert codes(report([(name, file), ("w", watch([1051]))])) == ["system-file"]


def test_nothing_is_published_when_there_is_only_a_file_of_the_system() -> None:
    assert codes(report([(".DS_Store", b"\0\0\0\x01Bud1")])) == ["no-finishers", "system-file"]


def test_a_placeholder_says_that_the_file_has_to_be_loaded() -> None:
    [problem] = report([(".scans.csv.icloud", b"bplist00\xd2")]).problems

    assert "Open it once" in problem.message


# clocks of UTC, at events where a morning is another day there

MORNINGS = {
    "Auckland, Saturday 9:30": ("Pacific/Auckland", "13/03/2026 20:30:00"),
    "Sydney, Saturday 8:30": ("Australia/Sydney", "13/03/2026 21:30:00"),
    "Brisbane, Saturday 7:30": ("Australia/Brisbane", "13/03/2026 21:30:00"),
    "Los Angeles, Saturday 18:30": ("America/Los_Angeles", "15/03/2026 01:30:00"),
}


def at_event(zone: str, *contents: bytes, day: str = "2026-03-14") -> Work:
    files = [read(f"file{number}", one) for number, one in enumerate(contents, 1)]
    return Work.from_files(files, Occasion(day=day, zone=zone))


def volunteer(clock: str) -> bytes:
    return f"STARTOFEVENT,{clock},virtual_volunteer_x\n0,{clock},00:17:31\nENDOFEVENT,{clock}\n".encode()


@pytest.mark.parametrize(("zone", "clock"), MORNINGS.values(), ids=MORNINGS)
def test_a_clock_of_utc_is_no_other_day(zone: str, clock: str) -> None:
    local = "14/03/2026 09:30:00"

    for watch_clock, scan_clock in ((clock, clock), (local, clock), (clock, local)):
        of = at_event(zone, volunteer(watch_clock), scans("A1,P1", clock=scan_clock))
        assert evaluate(of).problems == (), (watch_clock, scan_clock)
    of = at_event(zone, volunteer(local), scans("A1,P1", clock=clock), day="")
    assert evaluate(of).problems == (), "no day is chosen"


def test_another_day_is_told_where_a_clock_may_be_of_utc() -> None:
    of = at_event("Pacific/Auckland", watch([1051]), scans("A1,P1", clock="06/03/2026 20:30:00"))

    [problem] = evaluate(of).problems
    assert problem.code == "other-day"
    offered = [fix.arguments.get("date") for fix in problem.fixes]
    assert offered == ["2026-03-06", "2026-03-07", None]
    local = at_event("Pacific/Auckland", watch([1051]), scans("A1,P1", clock="13/03/2026 09:30:00"))
    assert [one.code for one in evaluate(local).problems] == ["other-day"], "a morning is no evening of UTC"
    london = at_event("Europe/London", watch([1051]), scans("A1,P1", clock="13/03/2026 20:30:00"))
    assert [one.code for one in evaluate(london).problems] == ["other-day"]


def test_last_weeks_scans_are_withheld_where_the_clock_is_of_utc() -> None:
    last_week, today, later = (
        scans(line, clock=clock)
        for line, clock in (
            ("A9,P1", "06/03/2026 20:30:00"),
            ("A1,P1", "13/03/2026 20:30:00"),
            ("A8,P1", "20/03/2026 20:30:00"),
        )
    )
    of = at_event("Pacific/Auckland", watch([1051]), last_week + today + later)

    found = evaluate(of)

    assert [problem.code for problem in found.problems] == ["scans-of-two-days"]
    assert [row.athlete for row in found.finishers] == ["A1"]
