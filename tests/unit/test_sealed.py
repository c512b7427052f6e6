"""Personal data at rest: what seals it, who can open it, and where the key lies."""

import multiprocessing
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from resultsq import sealed
from resultsq.domain.errors import SettingsError
from resultsq.sealed import KeyMissing, SealBroken, personal_keys

PLAIN = '{"family_name": "Müller", "born": "2011-04-02", "email": "ann@example.org"}'.encode()


def _name_of(folder: str) -> str:
    return personal_keys("", Path(folder)).names[0]


def test_what_is_sealed_opens_for_its_owner_alone(tmp_path: Path) -> None:
    keys = personal_keys("", tmp_path)
    value = keys.seal(PLAIN, "one")
    assert keys.open(value, "one") == PLAIN
    with pytest.raises(SealBroken):
        keys.open(value, "another")


def test_a_sealed_value_shows_nothing_and_is_never_the_same_twice(tmp_path: Path) -> None:
    keys = personal_keys("", tmp_path)
    first, second = keys.seal(PLAIN, "one"), keys.seal(PLAIN, "one")
    assert first != second
    for word in (b"family_name", "Müller".encode(), b"2011", b"ann@"):
        assert word not in first + second


def test_any_changed_or_missing_byte_is_found(tmp_path: Path) -> None:
    keys = personal_keys("", tmp_path)
    value = keys.seal(PLAIN, "one")
    changed = [value[:n] + bytes([value[n] ^ 1]) + value[n + 1 :] for n in range(len(value))]
    cut = [value[:n] for n in range(len(value))]
    for damaged in [*changed, *cut, value + b"\0"]:
        with pytest.raises((SealBroken, KeyMissing)):
            keys.open(damaged, "one")


def test_keys_are_changed_without_a_gap(tmp_path: Path) -> None:
    old, new = sealed.new_key(), sealed.new_key()
    before = personal_keys(old, tmp_path).seal(PLAIN, "one")
    both = personal_keys(f"{new}, {old}", tmp_path)
    assert both.open(before, "one") == PLAIN
    assert personal_keys(new, tmp_path).open(both.seal(PLAIN, "one"), "one") == PLAIN


def test_a_missing_key_is_named_and_is_no_damage(tmp_path: Path) -> None:
    old = personal_keys(sealed.new_key(), tmp_path)
    value = old.seal(PLAIN, "one")
    with pytest.raises(KeyMissing, match=old.names[0]):
        personal_keys(sealed.new_key(), tmp_path).open(value, "one")


def test_the_key_is_made_once_and_its_owner_alone_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    value = personal_keys("", folder).seal(PLAIN, "one")
    assert personal_keys("", folder).open(value, "one") == PLAIN
    assert stat.S_IMODE((folder / sealed.KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [sealed.KEY_FILE]


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("fork")
    for round_ in range(5):
        with ProcessPoolExecutor(4, spawned) as pool:
            names = set(pool.map(_name_of, [str(tmp_path / str(round_))] * 8))
        assert len(names) == 1


@pytest.mark.parametrize("given", ["short", "ä" * 43, f"{'A' * 42}=", ",", " , "])
def test_a_key_that_makes_no_sense_is_refused_and_not_repeated(given: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        personal_keys(given, tmp_path)
    assert given.strip(" ,") == "" or given not in str(refused.value)


def test_an_empty_key_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / sealed.KEY_FILE
    file.touch()
    with pytest.raises(SettingsError, match="empty"):
        personal_keys("", tmp_path)
    assert file.read_bytes() == b""


def test_a_key_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / sealed.KEY_FILE).write_bytes(bytes(range(256)))
    with pytest.raises(SettingsError, match="holds no key"):
        personal_keys("", tmp_path)


def test_keys_do_not_show_when_they_are_printed() -> None:
    key = sealed.new_key()
    assert repr(personal_keys(key, Path("/nowhere"))) == "PersonalKeys()"
