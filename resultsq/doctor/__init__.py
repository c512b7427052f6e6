"""`doctor`: looks at every part of a node, and says in sentences which faults there are and how to mend them.

Each part is looked at in a thread of its own and for a few seconds only, so that one that hangs hides no other:
the doctor is for when everything is down.
"""

import queue
import threading
from collections.abc import Callable, Collection, Mapping
from contextvars import copy_context

from resultsq.doctor import mail, master, node, relays
from resultsq.doctor.finding import CheckTarget as CheckTarget
from resultsq.doctor.finding import Finding as Finding
from resultsq.doctor.finding import Findings
from resultsq.doctor.finding import Level as Level
from resultsq.doctor.master import last_heard as last_heard
from resultsq.domain.errors import ResultsqError, StoreUnavailable
from resultsq.domain.i18n import gettext, retold

PATIENCE_S = 12.0
"""Longer than the probe of a master, the slowest thing that is asked, may take."""

CHECKS: Mapping[str, Callable[[CheckTarget], Findings]] = {
    "store": node.check_store,
    "schema": node.check_schema,
    "disk": node.check_disk,
    "workers": node.check_workers,
    "watch": node.check_watch,
    "queue": node.check_queue,
    "rows": node.check_rows,
    "link": master.check_link,
    "master": master.check_master,
    "proxies": master.check_proxies,
    "mail": mail.check_mail,
    "relays": relays.check_relays,
    "copies": relays.check_copies,
    "broker": node.check_broker,
}
"""The checks, in the order of their findings."""


def examine(target: CheckTarget, patience_s: float = PATIENCE_S, parts: Collection[str] | None = None) -> list[Finding]:
    """Look at every part, or at these alone, all at once. A part that has not answered after `patience_s` is a
    finding too."""
    checks = {part: check for part, check in CHECKS.items() if parts is None or part in parts}
    answers: queue.Queue[tuple[str, list[Finding]]] = queue.Queue()

    def look(part: str, check: Callable[[CheckTarget], Findings]) -> None:
        try:
            found = [Finding(part, level, sentence) for level, sentence in check(target)]
        except StoreUnavailable as error:
            found = [Finding(part, Level.BAD, gettext("Unknown: {reason}", reason=retold(error.cause)))]
        except ResultsqError as error:
            found = [Finding(part, Level.BAD, retold(error.args[0]))]
        except Exception as error:  # noqa: BLE001 - whatever it is, the other findings are worth having
            silent = gettext("This could not be looked at: {reason}.", reason=type(error).__name__)
            found = [Finding(part, Level.BAD, silent)]
        answers.put((part, found))

    for part, check in checks.items():
        in_this_language = copy_context()  # a thread begins without one
        threading.Thread(target=in_this_language.run, args=(look, part, check), name=part, daemon=True).start()
    found: dict[str, list[Finding]] = {}
    give_up = target.clock.monotonic() + patience_s
    while len(found) < len(checks) and (left_s := give_up - target.clock.monotonic()) > 0:
        try:
            part, findings = answers.get(timeout=left_s)
        except queue.Empty:
            break
        found[part] = findings
    silent = gettext("It did not answer within {number} s.", number=f"{patience_s:g}")
    return [finding for part in checks for finding in found.get(part, [Finding(part, Level.BAD, silent)])]
