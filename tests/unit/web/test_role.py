"""Which role covers which."""

import pytest

from resultsq.domain.role import Role


@pytest.mark.parametrize(
    ("role", "covers"),
    [
        (Role.TEAM, {Role.TEAM}),
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.TEAM, Role.VIEWER, Role.OPERATOR}),
        (Role.ADMIN, {Role.TEAM, Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    ],
)
def test_a_role_may_do_what_the_ones_it_covers_may_when_it_is_asked(role: Role, covers: set[Role]) -> None:
    assert {needed for needed in Role if role.at_least(needed)} == covers


def test_a_team_alone_is_bound_to_its_events_when_it_looks() -> None:
    assert [role for role in Role if not role.sees_all_events] == [Role.TEAM]
