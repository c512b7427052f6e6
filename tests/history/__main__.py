"""Judge a history: `python -m tests.history FILE`. The exit status is 1 where a promise was broken."""

import argparse
import json
import sys
from pathlib import Path

from tests.history.check import Judge

SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.history", description=__doc__)
    parser.add_argument("file", type=Path, help="a history: JSON, one event a line, see tests/history/check.py")
    court = Judge()
    with parser.parse_args().file.open() as lines:
        for line in lines:
            court.take(json.loads(line))
    found = court.close()
    print(", ".join(f"{count} {what}" for what, count in sorted(court.counts.items())))
    for one in found[:SHOWN]:
        print(f"{one.what}: {one.about}: {one.detail}")
    print(f"{len(found)} promises broken" if found else "every promise was kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
