"""The accounts, events and tokens of one node as another one copies them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from resultsq.domain.role import Role
from resultsq.domain.sheet import SLUG

SCHEMA: Literal["resultsq.people/1"] = "resultsq.people/1"

MOST = 100_000
"""Of each: a list with more is not taken."""

_Slug = Annotated[str, StringConstraints(pattern=rf"^{SLUG.pattern}$")]
_Plain = r"^[^\x00-\x1f\x7f]*$"
_Seconds = Annotated[int, Field(ge=0, lt=2**31)]


class _Copied(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer node may say more


class CopiedEvent(_Copied):
    """An event. `own` False: it is a copy there, too, and only named because an account needs it."""

    slug: _Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_Plain)]
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_Plain)]
    country: Annotated[str, StringConstraints(max_length=64, pattern=_Plain)]
    language: Annotated[str, StringConstraints(max_length=16, pattern=_Plain)] | None
    shows_results: bool
    run_s: tuple[_Seconds, _Seconds, _Seconds, _Seconds]
    own: bool


class CopiedAccount(_Copied):
    """An account that may log in. `sessions` changes where its sessions end there."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_Plain)]
    role: Literal[Role.TEAM, Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    password_hash: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_Plain)]
    sessions: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    mail: Annotated[str, StringConstraints(max_length=254, pattern=_Plain)] | None
    language: Annotated[str, StringConstraints(max_length=16, pattern=_Plain)] | None
    events: tuple[_Slug, ...]


class CopiedToken(_Copied):
    """A token that is good: its hash. `event` is a team's, `events` are a node's; None: all."""

    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    label: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_Plain)]
    role: Literal[Role.TEAM, Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.NODE]
    event: _Slug | None
    events: tuple[_Slug, ...] | None


class PeopleList(_Copied):
    """All that may be used at a node now: what is not on it has ended there. `source`: the node's own name."""

    format: Literal["resultsq.people/1"]
    source: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=_Plain)]
    made_at: AwareDatetime
    events: Annotated[tuple[CopiedEvent, ...], Field(max_length=MOST)]
    accounts: Annotated[tuple[CopiedAccount, ...], Field(max_length=MOST)]
    tokens: Annotated[tuple[CopiedToken, ...], Field(max_length=MOST)]

    def at(self, moment: datetime) -> "PeopleList":
        """The same, as of another moment."""
        return self.model_copy(update={"made_at": moment})
