"""Gives an alert to a command of the operator's: a way out when this machine's line is dead."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping

from resultsq.watch.unsent import Unsent

_KEPT = ("PATH", "HOME", "LANG", "TZ")
"""What the command sees of the environment: no setting of the node, so no secret."""


def run(command: str, value: Mapping[str, str], timeout_s: float) -> None:
    """Run it with `value` as JSON on its standard input, without a shell.

    :raises Unsent: it cannot be run, did not end in time, or ended with another status than 0"""
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the settings
            words,
            input=json.dumps(value).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unsent(f"The command did not end within {timeout_s:g} s.") from None
    except (OSError, ValueError) as error:
        raise Unsent(f"The command cannot be run ({type(error).__name__}).") from None
    if done.returncode:
        raise Unsent(f"The command ended with status {done.returncode}.")
