"""What can be wrong with results: codes, severities and sentences, the whole table.

Codes are stable and part of the API. Each sentence says what was seen, and what it means or what to do.
"""

from resultsq.domain.problem import Rule, Severity

_BLOCKS, _WARNS = Severity.BLOCKS, Severity.WARNS

# rows, whichever road they came by

NO_FINISHERS = Rule(
    "no-finishers", _BLOCKS, "There is not one finisher here, so there is nothing to publish: add the files."
)
TOO_MANY_ROWS = Rule(
    "too-many-rows",
    _BLOCKS,
    "There are {count} rows, and no more than {limit} are taken. A misread finish token can do this: look for "
    "the highest.",
)
TOO_MANY_ROWS_TOGETHER = Rule(
    "too-many-rows",
    _BLOCKS,
    "These files have {count} rows together, and no more than {limit} are taken. Leave out files that do not belong "
    "to this event.",
)
POSITION_MISSING = Rule(
    "position-missing",
    _BLOCKS,
    "No row has {positions}. Everybody behind the hole may be in the wrong place: add the row, or mend the numbers.",
)
POSITION_TWICE = Rule(
    "position-twice", _BLOCKS, "Position {position} is there {count} times: only one row can have it."
)
ATHLETE_IN_TWO_POSITIONS = Rule(
    "athlete-in-two-positions",
    _BLOCKS,
    "{athlete} is in positions {positions}, and nobody finishes twice: choose the right one.",
)
TIMES_OUT_OF_ORDER = Rule(
    "times-out-of-order",
    _WARNS,
    "Position {position} has {time}, which is less than {before} of the position ahead: check both times.",
)
OVERLONG_ATHLETE = Rule(
    "overlong-athlete",
    _WARNS,
    "{athlete}, in position {position}, is longer than barcodes are: two may have been read as one.",
)
BAD_VALUE = Rule("bad-value", _BLOCKS, "{place}: {reason}.")

# times

TOO_MANY_STOPWATCHES = Rule(
    "too-many-stopwatches",
    _BLOCKS,
    "There are {count} stopwatch files ({files}), and at most two can be joined: leave out all but two.",
)
TIMES_FROM_TWO_PLACES = Rule(
    "times-from-two-places",
    _BLOCKS,
    "Times come from {files}, and a table's times cannot be joined with others: leave out all but one.",
)
SAME_STOPWATCH_TWICE = Rule(
    "same-stopwatch-twice",
    _WARNS,
    "{files} hold the same times, so one watch was probably downloaded twice. They count once: leave one out, "
    "and look for the other watch.",
)
STOPWATCH_OFFSET = Rule(
    "stopwatch-offset",
    _WARNS,
    "{ahead} shows {seconds} s more than {behind} all the way, as if it had been started earlier. Nothing was "
    "shifted: find out which one is right.",
)
UNUSUAL_COUNT = Rule(
    "unusual-count",
    _WARNS,
    "There are {times} times, but the highest finish token is {highest}: somebody was timed twice, or went "
    "without a token. If it was in the middle, everybody behind is off by one.",
)

# scans

LINE_SET_ASIDE = Rule(
    "line-set-aside",
    _WARNS,
    "Line {line} of {file} was set aside: {reason}. The rest of the file is used.",
)
FILES_FROM_DIFFERENT_DAYS = Rule(
    "files-from-different-days",
    _WARNS,
    "The last scans of these files are of different days ({days}): one may be from another event. A scanner's "
    "clock can also be wrong.",
)
TOKEN_BEFORE_ATHLETE = Rule(
    "token-before-athlete",
    _WARNS,
    "Lines {first} to {last} of {file} begin with a finish token alone and end with an athlete alone: there the "
    "token was scanned before the athlete, so every pair in between is off by one.",
)
POSITION_WITH_TWO_ATHLETES = Rule(
    "position-with-two-athletes",
    _BLOCKS,
    "Finish token {token} was scanned with {athletes}, and it belongs to one person: choose the right one.",
)
TOKEN_BEYOND_TIMES = Rule(
    "token-beyond-times",
    _BLOCKS,
    "There are {times} times, but finish tokens up to {highest} were scanned: {count} beyond the last time. "
    "Insert times that were missed, or drop these scans.",
)
ATHLETE_WITHOUT_TOKEN = Rule(
    "athlete-without-token",
    _WARNS,
    "{athlete} was scanned without a finish token and is not in the results: type the token, or drop the scan.",
)
ATHLETE_WITH_AND_WITHOUT_TOKEN = Rule(
    "athlete-with-and-without-token",
    _WARNS,
    "{athlete} was scanned with token {token}, and once more without any: the lone scan can be dropped.",
)
MISREAD_ATHLETE = Rule(
    "misread-athlete",
    _WARNS,
    "{athlete} was scanned alone, is longer than barcodes are, and begins like {like}: most likely a misread "
    "that can be dropped.",
)
TOKEN_WITHOUT_ATHLETE = Rule(
    "token-without-athlete",
    _WARNS,
    "Finish token {token} was scanned without an athlete: its position stays Unknown.",
)
