"""The product's own processes and another master, started, watched, killed and always ended."""

import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Self

from tests.support.freezing import freeze
from tests.support.nursery import MASTER, PRODUCT, Nursery
from tests.support.services import HOST, Running, Server
from tests.support.waiting import wait_until as wait_until

ROOT = Path(__file__).parent.parent.parent
RESULTSQ = (sys.executable, "-m", "resultsq")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a child process sees: this tree, nothing of the developer's own settings, and `extra`."""
    inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR", "TZ") if key in os.environ}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(extra or {})}


_nurseries: list[tuple[Mapping[str, str], Nursery]] = []
"""Each with what its processes see before their first line. Of a run of tests there is one, and of a short run of
benchmarks; of a whole one none, since it measures starts too."""


@contextmanager
def forking(before: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """For the length of a block our own processes are forked from one that has loaded what they run. `before`: what a
    program asks for before its first line; those that see just this, too, are forked."""
    nursery = Nursery(environment(before))
    if sys.platform == "linux":
        _nurseries.append((before, nursery))
    try:
        yield
    finally:
        _nurseries[:] = [one for one in _nurseries if one[1] is not nursery]
        nursery.close()


def are_forked() -> bool:
    """Whether it is so now."""
    return bool(_nurseries)


def _nursery(env: Mapping[str, str] | None) -> Nursery | None:
    """Whence a process that sees this, too, can be forked."""
    before = {name: value for name, value in (env or {}).items() if name[:9] != "RESULTSQ_" and name != "TMPDIR"}
    return next((nursery for seen, nursery in _nurseries if seen == before), None)


class Process:
    """One process. Its output goes to files, so that it can neither block nor be lost.

    `arguments` are resultsq's, or a whole command line where `program` is given. `afresh`: by a new Python, where the
    start is what is looked at."""

    def __init__(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = RESULTSQ,
        cwd: Path | None = None,
        afresh: bool = False,
    ) -> None:
        self.command = [*program, *(str(argument) for argument in arguments)]
        self._orphans: dict[int, str] = {}
        with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as err:
            self._out, self._err = os.dup(out.fileno()), os.dup(err.fileno())
            self.popen: Running
            if tuple(program) == RESULTSQ and not afresh and (nursery := _nursery(env)):
                words = self.command[len(program) :]
                self.popen = nursery.start(PRODUCT, words, environment(env), cwd, out=self._out, err=self._err)
                return
            self.popen = subprocess.Popen(
                self.command,
                env=environment(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def stdout(self) -> str:
        return _whole(self._out)

    @property
    def stderr(self) -> str:
        return _whole(self._err)

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Until it has written `text`, on whichever output.

        :raises AssertionError: when it ends without, or takes longer; with all that it wrote."""

        def written() -> bool:
            return text in self.stdout + self.stderr or not self.running

        with suppress(AssertionError):
            wait_until(written, timeout_s)
        assert text in self.stdout + self.stderr, f"{text!r} did not come: {self}"

    def wait(self, timeout_s: float = 60.0) -> int:
        """Until it ends by itself; its exit status."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s:g} s: {self}") from None

    def children(self) -> dict[int, str]:
        """Its living descendants: pid → command line."""
        return _descendants(self.pid)

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """kill -9 of this process alone; what it leaves behind is ended by `close`."""
        self._orphans |= self.children()
        self.popen.kill()
        self.popen.wait(10)

    def terminate(self, timeout_s: float = 60.0) -> int:
        """SIGTERM and wait; the exit status."""
        self._orphans |= self.children()
        self.popen.terminate()
        return self.wait(timeout_s)

    def freeze(self) -> None:
        freeze(self.pid)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def close(self) -> None:
        """End it and all that it started."""
        if self.running:
            self.thaw()
            with suppress(AssertionError):
                self.terminate(5)
            if self.running:
                self.kill()
        for pid, command in self._orphans.items():
            if _command_line(pid) == command:  # the number may have passed to a stranger
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        os.close(self._out)
        os.close(self._err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        status = "running" if self.running else f"ended with {self.popen.returncode}"
        return f"{' '.join(self.command)} ({status})\n{self.stdout}\n{self.stderr}"


def _whole(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def _command_line(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return None


def _descendants(ancestor: int) -> dict[int, str]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            # the name of a program, in brackets, may hold blanks and brackets
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    line = [ancestor]
    while line:
        parent = line.pop()
        for child in (pid for pid, of in parents.items() if of == parent):
            line.append(child)
            if command := _command_line(child):
                found[child] = command
    return found


class OtherMaster(Server):
    """The master of masters.py as a process. Killed and started again it knows all that it committed."""

    name = "master"

    def __init__(self, *arguments: str, port: int | None = None, certificate: Path | None = None) -> None:
        """`certificate`: it speaks TLS, with this chain and its key in one file."""
        self._arguments = [*arguments, *(["--certificate", str(certificate)] if certificate else [])]
        self._tls = ssl._create_unverified_context() if certificate else None  # it is asked for what it saw
        super().__init__(port)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}"

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def _command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", MASTER, *self._words()]

    def _words(self) -> list[str]:
        return ["--port", str(self.port), "--state", str(self._journal), *self._arguments]

    def _begun(self, log: IO[bytes]) -> Running:
        if (nursery := _nursery(None)) is None:
            return super()._begun(log)
        return nursery.start(MASTER, self._words(), environment(), self.folder, out=log.fileno(), err=log.fileno())

    def _options(self) -> dict[str, Any]:
        return {"env": environment()}

    def _answers(self) -> bool:
        self._call("/__report?puts=no")
        return True

    def _call(self, path: str, value: Any = None) -> Any:
        body = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(f"{self.url}{path}", body, timeout=10, context=self._tls) as answer:
            return json.load(answer)

    def back_up(self) -> bytes:
        """All that it has committed so far."""
        return self._journal.read_bytes()

    def restore(self, backup: bytes) -> None:
        """Before it is started again: it knows what it had committed by then, and nothing else."""
        self._journal.write_bytes(backup)

    def report(self) -> dict[str, Any]:
        """What it saw since its last start, and all receipts; the shape is told in masters.py."""
        report: dict[str, Any] = self._call("/__report")
        return report

    def receipts(self) -> dict[str, dict[str, Any]]:
        """Submission id → receipt, of all that was ever committed."""
        return {receipt["submission"]: receipt for receipt in self._call("/__report?puts=no")["receipts"]}

    def commits(self) -> list[dict[str, Any]]:
        """All that it has committed, in its order: receipts, and `base`, what each went on top of."""
        lines = self._journal.read_text().splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "sheet"} for line in lines]

    def script(self, *steps: Mapping[str, Any]) -> None:
        """What to answer to the next calls that fit; the steps are told in masters.py."""
        self._call("/__script", steps)

    def forget(self) -> None:
        """From now on it answers as it does without a script."""
        self._call("/__forget", {})

    def settings(self, **settings: float) -> None:
        """`delay`: seconds of work on a PUT; a shorter one holds for those at work too. `slots`: how many at once.
        `patient` False: others are sent away."""
        self._call("/__settings", settings)
