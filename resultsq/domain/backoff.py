"""From a count of failed attempts to seconds of waiting, with full jitter.

The wait is drawn evenly from [0, min(cap, base·2ⁿ)]: the jitter survives the cap, so that submissions that
failed together do not come back together for ever."""

BASE_S = 1.0
CAP_S = 60.0
RETRY_AFTER_CAP_S = 3600.0
"""A master's Retry-After over an hour is cut to an hour (upload contract, "Answers to the PUT")."""


def ceiling_s(failures: int, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """The longest wait after `failures` failed attempts (1 after the first)."""
    if failures < 1:
        return 0.0
    # 2**60 s is longer than anybody waits; the bound keeps the shift small for any number of attempts
    return min(cap_s, base_s * 2.0 ** min(failures - 1, 60))


def wait_s(failures: int, jitter: float, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """The wait itself; `jitter` is a draw from [0, 1)."""
    return ceiling_s(failures, base_s, cap_s) * jitter


def after_answer_s(retry_after_s: float | None, failures: int, jitter: float) -> float:
    """The wait after an answer "later": the master's own word where it gave one (never earlier), cut to an
    hour; else the back-off."""
    if retry_after_s is None:
        return wait_s(failures, jitter)
    return min(max(retry_after_s, 0.0), RETRY_AFTER_CAP_S)
