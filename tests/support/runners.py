"""A runner who registers on the page."""

FIELDS = {
    "given_name": "Zoë",
    "family_name": "O'Brien",
    "born": "1990-01-31",
    "email": "zoe@example.org",
    "home_event": "bushy",
    "emergency_name": "Max",
    "emergency_phone": "+44 20 7946 0000",
    "consent": ["results-1", "risk-1"],
}
"""What the runner types and ticks, by the names of the form's fields."""
