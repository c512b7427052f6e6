"""What can be wrong with results: codes, severities and sentences, the whole table.

Codes are stable and part of the API. Each sentence names the fault, and its meaning or the remedy.
"""

from resultsq.domain.problem import ProblemRule, Severity

_BLOCKS, _WARNS = Severity.BLOCKS, Severity.WARNS

# rows, from files, a table, the form or the API

NO_FINISHERS = ProblemRule(
    "no-finishers", _BLOCKS, "There is no finisher here, so there is nothing to publish: add the files."
)
TOO_MANY_ROWS = ProblemRule(
    "too-many-rows",
    _BLOCKS,
    "There are {count} rows, and at most {limit} are taken. A misread finish token can cause this: look at the "
    "highest.",
)
TOO_MANY_ROWS_TOGETHER = ProblemRule(
    "too-many-rows",
    _BLOCKS,
    "These files have {count} rows together, and no more than {limit} are taken. Leave out files that do not belong "
    "to this event.",
)
POSITION_MISSING = ProblemRule(
    "position-missing",
    _BLOCKS,
    "No row has {positions}, so everybody behind may be in the wrong place: add the row, or mend the numbers.",
)
POSITION_TWICE = ProblemRule(
    "position-twice", _BLOCKS, "Position {position} is there {count} times: only one row can have it."
)
ATHLETE_IN_TWO_POSITIONS = ProblemRule(
    "athlete-in-two-positions",
    _BLOCKS,
    "{athlete} is in positions {positions}, and nobody finishes twice: choose the right one.",
)
TIMES_OUT_OF_ORDER = ProblemRule(
    "times-out-of-order",
    _WARNS,
    "Position {position} has {time}, but the position ahead has {before}, which is later: check both times.",
)
TIME_MISSING = ProblemRule(
    "time-missing",
    _WARNS,
    "There is no time for {positions}: type it if a watch or a note has it. Published like this, these finishers have "
    "a place and no time.",
)
NO_TIMES = ProblemRule(
    "no-times",
    _WARNS,
    "No finisher has a time. Add the stopwatch's file, or submit the order of finishing alone.",
)
OVERLONG_ATHLETE = ProblemRule(
    "overlong-athlete",
    _WARNS,
    "{athlete}, in position {position}, is longer than any barcode: two may have been read as one.",
)
ATHLETE_UNKNOWN = ProblemRule(
    "athlete-unknown",
    _WARNS,
    "{as_of}, no athlete has the number {athlete} (position {position}). It may be misread. If it is a new "
    "athlete's, leave it as it is.",
)
ATHLETE_NOT_LOCAL = ProblemRule(
    "athlete-unknown",
    _WARNS,
    "{as_of}, {athlete} (position {position}) is not known here, but a number close to it is. It may be "
    "misread. If it is a visitor's, leave it as it is.",
)
ATHLETE_RETIRED = ProblemRule(
    "athlete-retired",
    _WARNS,
    "{as_of}, {athlete} (position {position}) is a number that is no longer used: ask for the new one.",
)
VOLUNTEER_UNKNOWN = ProblemRule(
    "athlete-unknown",
    _WARNS,
    "{as_of}, no athlete has the number {athlete} of a volunteer ({role}). It may be misread. If it is a new "
    "athlete's, leave it as it is.",
)
VOLUNTEER_NOT_LOCAL = ProblemRule(
    "athlete-unknown",
    _WARNS,
    "{as_of}, {athlete} of a volunteer ({role}) is not known here, but a number close to it is. It may be "
    "misread. If it is a visitor's, leave it as it is.",
)
VOLUNTEER_RETIRED = ProblemRule(
    "athlete-retired",
    _WARNS,
    "{as_of}, {athlete} of a volunteer ({role}) is a number that is no longer used: ask for the new one.",
)
BAD_VALUE = ProblemRule("bad-value", _BLOCKS, "{place}: {reason}.")

# times

TOO_MANY_STOPWATCHES = ProblemRule(
    "too-many-stopwatches",
    _BLOCKS,
    "There are {count} stopwatch files ({files}), and at most two can be joined: leave out all but two.",
)
TIMES_FROM_TWO_PLACES = ProblemRule(
    "times-from-two-places",
    _BLOCKS,
    "Times come from {files}, and a table's times cannot be joined with others: leave out all but one.",
)
SAME_STOPWATCH_TWICE = ProblemRule(
    "same-stopwatch-twice",
    _WARNS,
    "{files} hold the same times, so one watch was probably downloaded twice. They count once: leave one out, "
    "and look for the other watch.",
)
STOPWATCH_OFFSET = ProblemRule(
    "stopwatch-offset",
    _BLOCKS,
    "{ahead} shows {seconds} s more than {behind} all the way, as if it had been started earlier. Until you say which "
    "one is right, only {alone} counts.",
)
WATCHES_DISAGREE = ProblemRule(
    "watches-disagree",
    _BLOCKS,
    "{one} and {other} hardly agree: only {both} of {fewer} finishers are in both. One may be of another event. "
    "Only {alone} counts until you say which is right.",
)
WATCHES_JOINED = ProblemRule(
    "watches-disagree",
    _WARNS,
    "{one} and {other} hardly agree: only {both} of {fewer} finishers are in both. Both count, as you said.",
)
IMPLAUSIBLE_TIMES = ProblemRule(
    "implausible-times",
    _BLOCKS,
    "Most of these times are unusual for this run: the first is {first}, the last {last}. Choose how they were meant.",
)
TIMES_CHANGED = ProblemRule(
    "implausible-times",
    _BLOCKS,
    "Your spreadsheet changed the times of {file} into times of day or fractions of a day. Read back, they are "
    "{times}. If that is wrong, format the column as text in the spreadsheet and save it again.",
)
IMPLAUSIBLE_TIME = ProblemRule(
    "implausible-time",
    _WARNS,
    "Position {position} has {time}, far from the times beside it and unusual for this run: check it.",
)
TIMES_STUCK = ProblemRule(
    "times-stuck",
    _WARNS,
    "Positions {first} to {last} all have {time}. The watch may have been stuck: compare with the other watch.",
)

# tables

COLUMN_NOT_UNDERSTOOD = ProblemRule(
    "column-not-understood",
    _BLOCKS,
    "{file}: is the column {columns} the {use}? Until you say so it is not used.",
)
COLUMNS_ALIKE = ProblemRule(
    "column-not-understood",
    _BLOCKS,
    "{file} has more than one column that could be the {use}: {columns}. Say which one it is.",
)
COLUMNS_NOT_USED = ProblemRule(
    "columns-not-used",
    _WARNS,
    "Not used of {file}: {columns}. Is one of them the position, the time or the athlete? Then name it so in the first "
    "line.",
)
NO_TIME_COLUMN = ProblemRule(
    "no-time-column",
    _BLOCKS,
    "{file} has no column of times, so no finisher would have a time. Name the column in the first line, or say that "
    "there are none.",
)
NO_POSITION_COLUMN = ProblemRule(
    "no-position-column",
    _BLOCKS,
    "{file} has no column of positions. Name the column in the first line, or say that the lines are in the order of "
    "finishing.",
)

# days

OTHER_DAY = ProblemRule(
    "other-day",
    _WARNS,
    "The day of {files} is {day}, but you chose {chosen}. Which day was it?",
)
SCANS_OF_TWO_DAYS = ProblemRule(
    "scans-of-two-days",
    _BLOCKS,
    "{file} holds scans of {days}: the scanner was not cleared. Until you say so only those of {kept} count.",
)
ALREADY_HERE = ProblemRule(
    "already-here",
    _BLOCKS,
    "The very same finishers are here already, for {place}. Are these the right files, and is it the right day?",
)
UNUSUAL_COUNT = ProblemRule(
    "unusual-count",
    _WARNS,
    "There are {times} times, but the highest finish token is {highest}: a finisher was timed twice, or got no token. "
    "If that was in the middle, everybody behind is off by one.",
)

VOLUNTEERS_ABOVE_HEADER = ProblemRule(
    "lines-above-header",
    _WARNS,
    "Not used of the list of volunteers {file}, because it stands above the header: {lines}. If that is a volunteer, "
    "move the line below the header and add the list again.",
)

# the day

DATE_TO_COME = ProblemRule(
    "date-to-come",
    _WARNS,
    "By this machine's clock {date} is still to come, so the clock is behind. The date was taken as given: check it, "
    "and set the clock.",
)

DAY_LONG_AGO = ProblemRule(
    "day-long-ago",
    _BLOCKS,
    "{day} is more than a year ago. Choose another day if that is a mistake, or confirm that the date is right.",
)

# scans

LINE_SET_ASIDE = ProblemRule(
    "line-set-aside",
    _WARNS,
    "Line {line} of {file} was set aside: {reason}. The rest of the file is used.",
)
NO_LINE_USED = ProblemRule(
    "no-line-used",
    _BLOCKS,
    "Not one line of {file} could be used: {reason}. Leave the file out, or read the lines as they were meant.",
)
LINES_SET_ASIDE = ProblemRule(
    "line-set-aside",
    _WARNS,
    "{count} lines of {file} were set aside: {reason}, and so on. They can be read as they were meant.",
)
FILES_FROM_DIFFERENT_DAYS = ProblemRule(
    "files-from-different-days",
    _WARNS,
    "These files are of different days: {days}. One may be of another event; a scanner's clock can also be wrong.",
)
TOKEN_BEFORE_ATHLETE = ProblemRule(
    "token-before-athlete",
    _WARNS,
    "In lines {first} to {last} of {file} each token was scanned before its athlete, so every pair is off by "
    "one: the first line is a token alone, and the last an athlete alone.",
)
POSITION_WITH_TWO_ATHLETES = ProblemRule(
    "position-with-two-athletes",
    _BLOCKS,
    "Finish token {token} was scanned with {athletes}, and it belongs to one person: choose the right one.",
)
TOKEN_BEYOND_TIMES = ProblemRule(
    "token-beyond-times",
    _BLOCKS,
    "There are {times} times, but finish tokens up to {highest} were scanned: {count} beyond the last time. "
    "Insert times that were missed, or drop these scans.",
)
ATHLETE_WITHOUT_TOKEN = ProblemRule(
    "athlete-without-token",
    _WARNS,
    "{athlete} was scanned without a finish token and is not in the results: type the token, or drop the scan.",
)
ATHLETE_WITH_AND_WITHOUT_TOKEN = ProblemRule(
    "athlete-with-and-without-token",
    _WARNS,
    "{athlete} was scanned with token {token}, and once more without any: the lone scan can be dropped.",
)
MISREAD_ATHLETE = ProblemRule(
    "misread-athlete",
    _WARNS,
    "{athlete} was scanned alone, is longer than any barcode, and begins like {like}: most likely a misread that can "
    "be dropped.",
)
TOKEN_WITHOUT_ATHLETE = ProblemRule(
    "token-without-athlete",
    _WARNS,
    "Finish token {token} was scanned without an athlete: its position stays Unknown.",
)

# volunteers

BAD_VOLUNTEER = ProblemRule(
    "bad-line",
    _BLOCKS,
    "Line {line} of the list of volunteers {file}: {reason}. Nothing was taken from the list: mend the line, or type "
    "these volunteers into the form. The results are not affected.",
)
NO_VOLUNTEERS = ProblemRule(
    "file-no-rows",
    _BLOCKS,
    "The list of volunteers {file} has no volunteer in it. Leave it out, or add the volunteers below its first line.",
)
