"""The disk after a power cut: at any step, what was synced is there, and of the rest whatever the drive had got to."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.power.below import Cut, FolderSynced, Made, Removed, Said, Step, Synced, Written

SECTOR = 512
"""A drive writes so many bytes whole or not at all."""

Image = Mapping[str, bytes]
"""The files of the folder."""


@dataclass
class _File:
    """What is surely on the disk, and what was written since the last sync."""

    sure: bytearray
    since: list[Written | Cut]


class Drive:
    """Takes the steps one by one; `images` are disks that a power cut may leave now."""

    def __init__(self, folder: Path) -> None:
        """What lies in the folder now is on the disk."""
        self._files = {one.name: _File(bytearray(one.read_bytes()), []) for one in _kept(folder)}
        self._names = dict(self._files)  # those that are surely there
        self._names_since: list[tuple[str, _File | None]] = []

    def take(self, step: Step) -> None:
        match step:
            case Made(file):
                self._files[file] = _File(bytearray(), [])
                self._names_since.append((file, self._files[file]))
            case Removed(file):
                del self._files[file]
                self._names_since.append((file, None))
            case Written(file) | Cut(file):
                self._files[file].since.append(step)
            case Synced(file):
                found = self._files[file]
                for one in found.since:
                    _do(found.sure, one)
                found.since = []
            case FolderSynced():
                for name, file_or_none in self._names_since:
                    _name(self._names, name, file_or_none)
                self._names_since = []
            case Said():
                pass

    def image(self, how: str, random: Random) -> Image:
        """A disk as one of WAYS has it."""
        return WAYS[how](self, random)

    def lost(self, _random: Random) -> Image:
        return {name: bytes(file.sure) for name, file in self._names.items()}

    def kept(self, _random: Random) -> Image:
        return {name: self._whole(file, lambda _one: True) for name, file in self._files.items()}

    def in_order(self, random: Random) -> Image:
        """Up to some write all are there, the last of them in part, and no other is."""
        left = random.randrange(sum(len(file.since) for file in self._files.values()) + 1)
        found = {}
        for name, file in self._named(random).items():
            sure = bytearray(file.sure)
            for one in file.since[:left]:
                _do(sure, one)
            if left < len(file.since) and isinstance(torn := file.since[left], Written):
                _do(sure, Written(name, torn.at, torn.data[: random.randrange(len(torn.data) + 1)]))
            left = max(0, left - len(file.since))
            found[name] = bytes(sure)
        return found

    def torn(self, random: Random) -> Image:
        """Each sector is as some moment since its last sync had it."""
        share = random.choice((0.1, 0.5, 0.9))

        def wrote(_one: Written | Cut) -> bool:
            return random.random() < share

        return {name: self._by_sectors(file, wrote, random) for name, file in self._named(random).items()}

    def _named(self, random: Random) -> dict[str, _File]:
        """A folder's changes reach the disk in their order."""
        names = dict(self._names)
        for name, file in self._names_since[: random.randrange(len(self._names_since) + 1)]:
            _name(names, name, file)
        return names

    def _whole(self, file: _File, wanted: Callable[[Written | Cut], bool]) -> bytes:
        sure = bytearray(file.sure)
        for one in file.since:
            if wanted(one):
                _do(sure, one)
        return bytes(sure)

    def _by_sectors(self, file: _File, wrote: Callable[[Written | Cut], bool], random: Random) -> bytes:
        count = len(file.since)
        until: dict[int, int] = defaultdict(lambda: random.randrange(count + 1) if random.random() < 0.3 else count)
        there: dict[int, bool] = {}
        sure = bytearray(file.sure)
        for number, one in enumerate(file.since):
            if isinstance(one, Cut):
                if wrote(one):
                    _do(sure, one)
                continue
            for piece in _pieces(one):
                sector = piece.at // SECTOR
                if there.setdefault(sector, wrote(one)) and number < until[sector]:
                    _do(sure, piece)
        return bytes(sure)


WAYS: Mapping[str, Callable[[Drive, Random], Image]] = {
    "lost": Drive.lost,
    "kept": Drive.kept,
    "in order": Drive.in_order,
    "torn": Drive.torn,
}
"""What becomes of that which was not synced."""


def lay(image: Image, folder: Path) -> None:
    """Put the files of a disk into a folder, and nothing else."""
    for one in folder.iterdir():
        one.unlink()
    for name, content in image.items():
        (folder / name).write_bytes(content)


def _kept(folder: Path) -> Sequence[Path]:
    return [one for one in folder.iterdir() if not one.name.endswith("-shm")]


def _name(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _do(content: bytearray, one: Written | Cut) -> None:
    if isinstance(one, Cut):
        del content[one.size :]
        content.extend(bytes(one.size - len(content)))
        return
    if len(content) < one.at:
        content.extend(bytes(one.at - len(content)))
    content[one.at : one.at + len(one.data)] = one.data


def _pieces(one: Written) -> list[Written]:
    """The sectors, or parts of them, that a write covers."""
    edges = [one.at, *range((one.at // SECTOR + 1) * SECTOR, one.at + len(one.data), SECTOR), one.at + len(one.data)]
    return [
        Written(one.file, begin, one.data[begin - one.at : end - one.at]) for begin, end in itertools.pairwise(edges)
    ]
