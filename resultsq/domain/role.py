"""Who may do what: the roles of people and programs, and which of them covers which."""

from enum import StrEnum


class Role(StrEnum):
    """What an account or a token may do."""

    TEAM = "team"  # submits and sees its own events
    VIEWER = "viewer"  # reads everything, changes nothing
    OPERATOR = "operator"  # reads everything, and acts on submissions and on the link
    ADMIN = "admin"  # an operator who also manages accounts, tokens and events
    NODE = "node"  # another node, which hands on what it accepted: a token's role, and no account's
    COPY = "copy"  # another node, which copies the accounts, events and tokens of this one: a token's role, too

    def at_least(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may. A viewer is not at least a team: it changes nothing."""
        return needed in _COVERS[self]

    @property
    def sees_all_events(self) -> bool:
        return self is not Role.TEAM


_COVERS: dict[Role, frozenset[Role]] = {
    Role.TEAM: frozenset({Role.TEAM}),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.TEAM, Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.TEAM, Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    Role.NODE: frozenset({Role.NODE}),
    Role.COPY: frozenset({Role.COPY}),
}

PEOPLE = tuple(role for role in Role if role not in (Role.NODE, Role.COPY))
"""The roles that an account may have, and a token that a form issues."""
