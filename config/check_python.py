"""Says in one sentence whether this Python can run resultsq, before pip says it in many. Runs on any Python 3."""

import sys

FIRST, LAST = (3, 11), (3, 13)

if not FIRST <= sys.version_info[:2] <= LAST:
    this = ".".join(map(str, sys.version_info[:2]))
    sys.exit("resultsq needs Python 3.11 to 3.13; this is Python " + this + ". Name another one in place of python3.")
