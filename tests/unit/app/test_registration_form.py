"""The rules of the registration form, which the page and the API share: each fault has a pointer and a sentence."""

from datetime import date
from typing import Any

import pytest

from resultsq.app.registration_form import RegistrationForm, faults

TODAY = date(2013, 12, 7)
GOOD = {
    "given_name": "Zoë",
    "family_name": "O'Brien",
    "born": "1990-01-31",
    "gender": None,
    "email": "zoe@example.org",
    "home_event": None,
    "emergency": {"name": "Max", "phone": "+44 20 7946 0000"},
    "consents": ["results-1", "risk-1"],
}
NEEDED = "This is needed."
TOO_MUCH = "This node does not ask for this. Leave it out."
PARENT = "Under 16, the e-mail address of a parent is needed."
YOUNG = "Runners are at least 4 years old."


@pytest.mark.parametrize(
    ("form", "changes", "found"),
    [
        ({}, {}, {}),
        ({}, {"given_name": "", "family_name": ""}, {"/given_name": NEEDED, "/family_name": NEEDED}),
        ({}, {"born": "", "email": ""}, {"/born": NEEDED, "/email": NEEDED}),
        ({}, {"born": "yesterday"}, {}),  # the kind's own fault
        ({}, {"born": "2009-12-08"}, {"/born": YOUNG}),
        ({}, {"born": "2009-12-07"}, {}),
        ({}, {"born": "1997-12-08", "email": ""}, {"/email": PARENT}),
        ({}, {"born": "1997-12-07", "email": ""}, {"/email": NEEDED}),
        ({"child_age": 0}, {"born": "1997-12-08", "email": ""}, {"/email": NEEDED}),
        ({}, {"emergency": None}, {"/emergency": NEEDED}),
        ({}, {"emergency": {"name": "", "phone": "1"}}, {"/emergency/name": NEEDED}),
        ({"emergency": "optional"}, {"emergency": None}, {}),
        ({"emergency": "off"}, {}, {"/emergency": TOO_MUCH}),
        ({"gender": "required"}, {}, {"/gender": NEEDED}),
        ({"gender": "off"}, {"gender": "F"}, {"/gender": TOO_MUCH}),
        ({"home_event": "required"}, {}, {"/home_event": NEEDED}),
        ({"home_event": "off"}, {"home_event": "bushy"}, {"/home_event": TOO_MUCH}),
        ({}, {"consents": ["risk-1"]}, {"/consents": "The runner has to agree to results-1."}),
        ({"consents": [{"id": "news", "text": "Write to me.", "required": False}]}, {"consents": []}, {}),
    ],
)
def test_each_rule_of_the_form_has_its_place(
    form: dict[str, Any], changes: dict[str, Any], found: dict[str, str]
) -> None:
    assert faults(RegistrationForm(**form), GOOD | changes, TODAY) == found
