"""What the children write, passed on to our standard error line by line, with the child's name.

The supervisor's only thread does it, between its other work: a fork copies no other thread, and what one had locked
would stay locked in the child for ever. So nothing here waits for a reader: while our standard error takes nothing, the
lines stay in the children's pipes.
"""

import os
import select
import sys
from collections import deque

from resultsq.clock import Clock

UNSHOWN_LINES = 20
"""How many lines of a quiet child are kept, to be shown when it fails."""

PIECE = 512
"""Bytes that a pipe is sure to take at once when it can be written to (PIPE_BUF in POSIX)."""

READ = 4096
LINE_MAX = 65_536
"""A longer line is passed on in parts."""


class Output:
    """The lines of one child, which writes into `sink`. Of a `quiet` one the last lines are kept."""

    def __init__(self, name: str, quiet: bool) -> None:
        self.source, self.sink = os.pipe()
        self.ended = False
        self._name = name.encode()
        self._rest = b""
        self._kept: deque[bytes] | None = deque(maxlen=UNSHOWN_LINES) if quiet else None

    def fileno(self) -> int:
        return self.source

    def started(self) -> None:
        """The child has its end of the pipe now."""
        os.close(self.sink)

    def read(self) -> bytes:
        """What is to be shown of the next piece; it waits where there is none."""
        piece = os.read(self.source, READ)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if self._rest and (not piece or len(self._rest) > LINE_MAX):
            lines.append(self._rest)
            self._rest = b""
        if not piece:
            self.ended = True
            os.close(self.source)
        shown = [b"%-6s | %s\n" % (self._name, line) for line in lines]
        if self._kept is None:
            return b"".join(shown)
        self._kept += shown
        return b""

    def last_lines(self) -> bytes:
        """The last lines of a quiet child, once."""
        kept, self._kept = self._kept or (), None
        return b"".join(kept)


class ChildLines:
    """The outputs of all children on their way to our standard error."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._outputs: list[Output] = []
        self._unwritten = b""

    def follow(self, name: str, quiet: bool) -> Output:
        """The output of a child that is about to be started."""
        output = Output(name, quiet)
        self._outputs.append(output)
        return output

    def pass_on(self, for_s: float) -> None:
        """Pass on what there is and what comes within `for_s`. Returns sooner when a child's output has ended."""
        give_up = self._clock.monotonic() + for_s
        ended = False
        while not ended and (left_s := give_up - self._clock.monotonic()) >= 0:
            if self._unwritten:
                if not select.select([], [sys.stderr], [], left_s)[1]:
                    return
                self._write()
                continue
            ready: list[Output] = select.select(self._outputs, [], [], left_s)[0]
            if not ready:
                return
            self._unwritten = b"".join(output.read() for output in ready)
            ended = any(output.ended for output in ready)
            self._outputs = [output for output in self._outputs if not output.ended]

    def finish(self, output: Output, within_s: float, failed: bool) -> None:
        """Pass on the last lines of a child that has ended; also of a quiet one, if it has `failed`."""
        give_up = self._clock.monotonic() + within_s
        while not output.ended and (left_s := give_up - self._clock.monotonic()) > 0:
            self.pass_on(left_s)
        if failed:
            self._unwritten += output.last_lines()

    def _write(self) -> None:
        try:
            written = os.write(sys.stderr.fileno(), self._unwritten[:PIECE])
        except OSError:  # no reader is left: the children must not wait for one
            written = len(self._unwritten)
        self._unwritten = self._unwritten[written:]
