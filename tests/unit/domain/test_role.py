"""Who may do what: a viewer changes nothing, and programs do their one thing."""

from resultsq.domain.role import PEOPLE, Role


def test_a_role_covers_these() -> None:
    covers = {role: {needed for needed in Role if role.at_least(needed)} for role in Role}
    assert covers == {
        Role.TEAM: {Role.TEAM},
        Role.VIEWER: {Role.VIEWER},
        Role.OPERATOR: {Role.TEAM, Role.VIEWER, Role.OPERATOR},
        Role.ADMIN: {Role.TEAM, Role.VIEWER, Role.OPERATOR, Role.ADMIN},
        Role.NODE: {Role.NODE},
        Role.COPY: {Role.COPY},
    }


def test_only_a_team_sees_its_own_events_alone() -> None:
    assert {role for role in Role if not role.sees_all_events} == {Role.TEAM}


def test_people_have_no_role_of_a_node() -> None:
    assert PEOPLE == (Role.TEAM, Role.VIEWER, Role.OPERATOR, Role.ADMIN)
