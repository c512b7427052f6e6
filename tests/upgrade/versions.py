"""The version before this one, built as a wheel from its last commit, and processes that run the code of either."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parents[2]
BEGAN = "changes: version 0.2.0 begins"
"""The commit behind the last one of 0.1.0, by its subject: it has no tag."""


@contextmanager
def last_of_0_1_0(folder: Path) -> Iterator[list[Path]]:
    """Where its modules are, and those of its tests: its wheel, unpacked, and a work tree of its last commit."""
    named = ["git", "log", "--format=%H", "--fixed-strings", f"--grep={BEGAN}"]
    began = subprocess.run(named, cwd=HERE, capture_output=True, text=True, check=True).stdout.split()
    if not began:
        raise LookupError("The history does not reach back to 0.1.0: fetch it whole.")
    tree, wheel = folder / "tree", folder / "wheel"
    subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tree), f"{began[-1]}~1"], cwd=HERE, check=True)
    try:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(build, cwd=tree, check=True, capture_output=True)
        with zipfile.ZipFile(next(folder.glob("resultsq-0.1.0-*.whl"))) as packed:
            packed.extractall(wheel)
        yield [wheel, tree]
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=HERE, check=True)


class Refused(Exception):
    """The version could not do it; its words are the text."""


class Version:
    """A process with the code of one version. It dies by `kill`, and begins anew when it is asked again."""

    def __init__(self, name: str, paths: list[Path]) -> None:
        self.name = name
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        self._paths = paths
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Version":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def do(self, what: str, **more: Any) -> Any:
        """:raises Refused: it could not"""
        if self._process is None:
            program = [sys.executable, str(Path(__file__).with_name("driver.py"))]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                program, env=self._env, cwd=self._paths[-1], stdin=pipe, stdout=pipe, text=True
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"do": what, **more}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(f"{self.name}, {what}: {answer['error']}")
        return answer["ok"]

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
