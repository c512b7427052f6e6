"""Prepare one of the peers, or enqueue the jobs of a file with it: `python -m tests.bench.peers MODULE [FILE]`."""

import importlib
import sys
from pathlib import Path

from tests.bench import work

peer = importlib.import_module(f"tests.bench.peers.{sys.argv[1]}")
if len(sys.argv) == 2:
    peer.prepare()
else:
    peer.send(work.read(Path(sys.argv[2])))
