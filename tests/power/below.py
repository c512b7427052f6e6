"""Below SQLite: a file system of SQLite's own kind (a VFS) that notes each write and sync of the product's library.

It is laid over the usual one by ctypes, in the very library that the product's driver brings: no compiler, no root and
no device is needed, and the product's code is as ever. Only new connections of this process go through it."""

import ctypes
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from resultsq import sqlite

_OK = 0
_Pointer = ctypes.c_void_p
_Open = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, _Pointer, ctypes.c_int, _Pointer)
_Delete = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_char_p, ctypes.c_int)
_SetCall = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_char_p, _Pointer)
_GetCall = ctypes.CFUNCTYPE(_Pointer, _Pointer, ctypes.c_char_p)
_OpenFolder = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, _Pointer)
_Write = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int, ctypes.c_int64)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int)
_Close = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("os_file", ctypes.c_int),
        ("longest_name", ctypes.c_int),
        ("next", _Pointer),
        ("name", ctypes.c_char_p),
        ("data", _Pointer),
        ("open", _Open),
        ("delete", _Delete),
        ("access", _Pointer),
        ("full_name", _Pointer),
        ("libraries", _Pointer * 4),
        ("randomness", _Pointer),
        ("sleep", _Pointer),
        ("time", _Pointer),
        ("last_error", _Pointer),
        ("time64", _Pointer),
        ("set_call", _SetCall),
        ("get_call", _GetCall),
        ("next_call", _Pointer),
    ]


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 3: what a file of the VFS can do."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("close", _Close),
        ("read", _Pointer),
        ("write", _Write),
        ("truncate", _Truncate),
        ("sync", _Sync),
        ("others", _Pointer * 13),
    ]


@dataclass(frozen=True, slots=True)
class Made:
    """A file is there from now on. Its name is on the disk when its folder was synced."""

    file: str


@dataclass(frozen=True, slots=True)
class Written:
    file: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file was truncated."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    file: str


@dataclass(frozen=True, slots=True)
class FolderSynced:
    pass


@dataclass(frozen=True, slots=True)
class Removed:
    file: str


@dataclass(frozen=True, slots=True)
class Said:
    """What happened above the disk: a promise was given, or the master committed."""

    what: Any


Step = Made | Written | Cut | Synced | FolderSynced | Removed | Said


class Recorder:
    """Notes the steps of the files in one folder, in the order in which they happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.steps: list[Step] = []
        self.faults: list[BaseException] = []
        self._lock = Lock()
        self._library = library()
        self._usual = _Vfs.from_address(self._library.sqlite3_vfs_find(None))
        self._files: dict[int, tuple[str, Any]] = {}
        self._methods: dict[int, _Methods] = {}
        self._vfs = _Vfs.from_buffer_copy(self._usual)
        self._vfs.name = b"recorded"
        self._vfs.open, self._vfs.delete = _Open(self._open), _Delete(self._delete)
        self._folder_call = self._usual.get_call(ctypes.addressof(self._usual), b"openDirectory")
        self._open_folder = _OpenFolder(self._folder_opened)

    def say(self, what: Any) -> None:
        self._note(Said(what))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Connections that are opened meanwhile are recorded, until they are closed."""
        usual, ours = ctypes.addressof(self._usual), ctypes.addressof(self._vfs)
        self._library.sqlite3_vfs_register(ours, 1)
        self._usual.set_call(usual, b"openDirectory", ctypes.cast(self._open_folder, _Pointer))
        try:
            yield
        finally:
            self._usual.set_call(usual, b"openDirectory", None)
            self._library.sqlite3_vfs_unregister(ours)
            self._library.sqlite3_vfs_register(usual, 1)
        if self.faults:
            raise self.faults[0]

    def _note(self, step: Step) -> None:
        with self._lock:
            self.steps.append(step)

    def _name(self, path: bytes) -> str | None:
        """The file's name, if it is one that outlives a power cut: the index of the log (-shm) does not."""
        named = Path(path.decode())
        return named.name if named.parent.resolve() == self.folder and not named.name.endswith("-shm") else None

    def _open(self, _vfs: int, path: int | None, file: int, flags: int, out: int) -> int:
        # SQLite keeps this very pointer, and reads more behind the name
        name = None if path is None else self._name(ctypes.string_at(path))
        there = name is not None and (self.folder / name).exists()
        answer = int(self._usual.open(ctypes.addressof(self._usual), path, file, flags, out))
        if answer != _OK or name is None:
            return answer
        if not there:
            self._note(Made(name))
        methods = ctypes.cast(file, ctypes.POINTER(_Pointer))
        usual = methods[0]
        assert usual is not None
        if usual not in self._methods:
            self._methods[usual] = self._noting(usual)
        self._files[file] = (name, _Methods.from_address(usual))
        methods[0] = ctypes.addressof(self._methods[usual])
        return answer

    def _noting(self, usual: int) -> _Methods:
        ours = _Methods.from_buffer_copy(_Methods.from_address(usual))
        ours.close, ours.write = _Close(self._closed), _Write(self._written)
        ours.truncate, ours.sync = _Truncate(self._truncated), _Sync(self._synced)
        return ours

    def _closed(self, file: int) -> int:
        _, usual = self._files.pop(file)
        return int(usual.close(file))

    def _written(self, file: int, data: int, size: int, at: int) -> int:
        name, usual = self._files[file]
        answer = int(usual.write(file, data, size, at))
        if answer == _OK:
            self._note(Written(name, at, ctypes.string_at(data, size)))
        return answer

    def _truncated(self, file: int, size: int) -> int:
        name, usual = self._files[file]
        answer = int(usual.truncate(file, size))
        if answer == _OK:
            self._note(Cut(name, size))
        return answer

    def _synced(self, file: int, flags: int) -> int:
        name, usual = self._files[file]
        answer = int(usual.sync(file, flags))
        if answer == _OK:
            self._note(Synced(name))
        return answer

    def _delete(self, _vfs: int, path: bytes, sync_folder: int) -> int:
        name = self._name(path)
        if name is not None and (self.folder / name).exists():
            self._note(Removed(name))  # before the folder's sync, which this call makes
        return int(self._usual.delete(ctypes.addressof(self._usual), path, sync_folder))

    def _folder_opened(self, path: bytes, out: int) -> int:
        """SQLite opens a folder only to sync it, at once."""
        if self._folder_call is None:
            return 1
        answer = _OpenFolder(self._folder_call)(path, out)
        if answer == _OK:
            self._note(FolderSynced())
        return int(answer)


def library() -> ctypes.CDLL:
    """The SQLite that the product's driver runs on."""
    module = importlib.import_module("pysqlite3._sqlite3" if "pysqlite3" in sqlite.driver.__name__ else "_sqlite3")
    assert module.__file__ is not None
    found = ctypes.CDLL(module.__file__)
    found.sqlite3_vfs_find.restype = _Pointer
    found.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    found.sqlite3_vfs_register.argtypes = [_Pointer, ctypes.c_int]
    found.sqlite3_vfs_unregister.argtypes = [_Pointer]
    return found
