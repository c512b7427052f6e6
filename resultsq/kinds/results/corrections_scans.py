"""Corrections of athletes and finish tokens."""

from typing import Literal

from pydantic import Field

from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.sheet import AthleteId
from resultsq.kinds.results.corrections_base import (
    HIGHEST_TOKEN,
    Athlete,
    CorrectionBase,
    Position,
    Token,
    demand_highest,
    demand_new,
    demand_scanned,
    token_range,
    who,
)
from resultsq.kinds.results.join_state import JoinState, Scan
from resultsq.readers import MAX_ROWS


class EditAthlete(CorrectionBase):
    action: Literal["edit-athlete"] = "edit-athlete"
    position: Position
    athlete: Athlete

    def on(self, board: JoinState) -> str:
        old = board.athletes_of(self.position)
        if old == [self.athlete] or (not old and self.athlete is None):
            raise InputRefused(
                gettext(
                    "Position {position} already has {athlete}.",
                    position=self.position,
                    athlete=who(self.athlete),
                )
            )
        if board.times:
            board.index_of(self.position)
        if self.athlete not in old:
            demand_new(board, self.athlete)
        board.scans = [scan for scan in board.scans if scan.token != self.position or scan.athlete is None]
        if self.athlete is not None:
            board.scans.append(Scan(self.athlete, self.position))
        was = who(*old)
        return gettext(
            "Position {position}: {was} became {athlete}.",
            position=self.position,
            was=was,
            athlete=who(self.athlete),
        )


class EditToken(CorrectionBase):
    """Give an athlete who was scanned another token, or the one that is missing."""

    action: Literal["edit-token"] = "edit-token"
    athlete: AthleteId
    token: Token

    def on(self, board: JoinState) -> str:
        board.demand_regular()
        demand_scanned(board, self.athlete)
        holders = board.athletes_of(self.token)
        if holders == [self.athlete] and len(board.tokens_of(self.athlete)) == 1:
            raise InputRefused(gettext("{athlete} has token {token} already.", athlete=self.athlete, token=self.token))
        if others := [athlete for athlete in holders if athlete != self.athlete]:
            raise InputRefused(gettext("Token {token} belongs to {athlete}.", token=self.token, athlete=who(*others)))
        if board.times and self.token > board.count():
            raise InputRefused(
                gettext(
                    "There are only {count} times, so token {token} has none.", count=board.count(), token=self.token
                )
            )
        board.scans = [scan for scan in board.scans if scan.athlete != self.athlete]
        board.scans.append(Scan(self.athlete, self.token))
        return gettext("{athlete} was given token {token}.", athlete=self.athlete, token=self.token)


class ChooseToken(CorrectionBase):
    """Of an athlete's tokens one is right: the other pairs go."""

    action: Literal["choose-token"] = "choose-token"
    athlete: AthleteId
    token: Token

    def on(self, board: JoinState) -> str:
        tokens = board.tokens_of(self.athlete)
        if self.token not in tokens:
            raise InputRefused(
                gettext("{athlete} was not scanned with token {token}.", athlete=self.athlete, token=self.token)
            )
        if len(tokens) == 1:
            raise InputRefused(
                gettext("{athlete} has no other token than {token}.", athlete=self.athlete, token=self.token)
            )
        board.scans = [scan for scan in board.scans if scan.athlete != self.athlete or scan.token in (None, self.token)]
        gone = cldr.listed(sorted(tokens - {self.token}))
        return gettext(
            "{athlete} keeps token {token}; dropped: {gone}.", athlete=self.athlete, token=self.token, gone=gone
        )


class ChooseAthlete(CorrectionBase):
    """Of a token's athletes one is right: the others have no token, unless they have another."""

    action: Literal["choose-athlete"] = "choose-athlete"
    token: Token
    athlete: AthleteId

    def on(self, board: JoinState) -> str:
        athletes = board.athletes_of(self.token)
        if self.athlete not in athletes:
            raise InputRefused(
                gettext("{athlete} was not scanned with token {token}.", athlete=self.athlete, token=self.token)
            )
        if len(athletes) == 1:
            raise InputRefused(
                gettext("Token {token} has no other athlete than {athlete}.", token=self.token, athlete=self.athlete)
            )
        elsewhere = {athlete for athlete in athletes if len(board.tokens_of(athlete)) > 1}
        others = set(athletes) - {self.athlete}
        board.scans = [
            scan._replace(token=None) if scan.token == self.token and scan.athlete in others else scan
            for scan in board.scans
            if scan.token != self.token or scan.athlete not in others & elsewhere
        ]
        return gettext("Token {token} belongs to {athlete}.", token=self.token, athlete=self.athlete)


class DropScans(CorrectionBase):
    """Scans of an athlete without a token go; pairs stay."""

    action: Literal["drop-scans"] = "drop-scans"
    athlete: AthleteId

    def on(self, board: JoinState) -> str:
        kept = [scan for scan in board.scans if scan.athlete != self.athlete or scan.token is not None]
        if len(kept) == len(board.scans):
            raise InputRefused(gettext("{athlete} was not scanned without a token.", athlete=self.athlete))
        board.scans = kept
        return gettext("Dropped the lone scans of {athlete}.", athlete=self.athlete)


class DropTokensBeyond(CorrectionBase):
    """Scans with tokens above a number go, with or without an athlete."""

    action: Literal["drop-tokens-beyond"] = "drop-tokens-beyond"
    last: int = Field(ge=0, le=HIGHEST_TOKEN)

    def on(self, board: JoinState) -> str:
        kept = [scan for scan in board.scans if scan.token is None or scan.token <= self.last]
        if len(kept) == len(board.scans):
            raise InputRefused(gettext("No token above {last} was scanned.", last=self.last))
        gone = len(board.scans) - len(kept)
        board.scans = kept
        return ngettext(
            "Dropped one scan with a token above {last}.",
            "Dropped {number} scans with tokens above {last}.",
            gone,
            last=self.last,
        )


class InsertTokens(CorrectionBase):
    """A finisher got no token: from `first` on each token is `count` higher."""

    action: Literal["insert-tokens"] = "insert-tokens"
    first: Token
    count: int = Field(default=1, ge=1, le=MAX_ROWS)

    def on(self, board: JoinState) -> str:
        highest = demand_highest(board, self.first)
        if highest + self.count > HIGHEST_TOKEN:
            raise InputRefused(gettext("Finish tokens go up to {highest}.", highest=HIGHEST_TOKEN))
        board.renumber({token: token + self.count for token in range(self.first, highest + 1)})
        return gettext("From token {first} on, tokens are {count} higher.", first=self.first, count=self.count)


class RemoveTokens(CorrectionBase):
    """Tokens that were never handed out: those above move down."""

    action: Literal["remove-tokens"] = "remove-tokens"
    first: Token
    last: Token

    def on(self, board: JoinState) -> str:
        gone = token_range(self.first, self.last)
        highest = demand_highest(board, self.first)
        if holders := [scan.token for scan in board.scans if scan.token in gone and scan.athlete]:
            raise InputRefused(
                gettext("Token {token} was scanned with an athlete: take the pair out first.", token=holders[0])
            )
        board.scans = [scan for scan in board.scans if scan.token not in gone]
        board.renumber({token: token - len(gone) for token in range(self.last + 1, highest + 1)})
        return gettext(
            "Removed tokens {first} to {last}; those above are {count} lower.",
            first=self.first,
            last=self.last,
            count=len(gone),
        )


class SwapTokens(CorrectionBase):
    """Two ranges of equal length that were handed out one for the other."""

    action: Literal["swap-tokens"] = "swap-tokens"
    first: Token
    last: Token
    other: Token
    """Where the other range begins."""

    def on(self, board: JoinState) -> str:
        mine = token_range(self.first, self.last)
        theirs = range(self.other, self.other + len(mine))
        if self.other in mine or self.first in theirs:
            raise InputRefused(gettext("The two ranges overlap, so they cannot be swapped."))
        demand_highest(board, max(self.first, self.other))
        if theirs[-1] > HIGHEST_TOKEN:
            raise InputRefused(gettext("Finish tokens go up to {highest}.", highest=HIGHEST_TOKEN))
        board.renumber(dict(zip((*mine, *theirs), (*theirs, *mine), strict=True)))
        return gettext(
            "Swapped tokens {first} to {last} with those from {other}.",
            first=self.first,
            last=self.last,
            other=self.other,
        )


class ReverseTokens(CorrectionBase):
    """A range that was handed out from its end."""

    action: Literal["reverse-tokens"] = "reverse-tokens"
    first: Token
    last: Token

    def on(self, board: JoinState) -> str:
        tokens = token_range(self.first, self.last)
        if len(tokens) == 1:
            raise InputRefused(gettext("One token alone cannot be reversed."))
        demand_highest(board, self.first)
        board.renumber(dict(zip(tokens, reversed(tokens), strict=True)))
        return gettext("Reversed tokens {first} to {last}.", first=self.first, last=self.last)
