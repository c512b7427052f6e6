"""Properties are tried without an eye on the clock: what a busy machine takes for an example says nothing.

Where time is what a test is about, it says so itself."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # all else as it was: in CI that is the same each time
settings.load_profile("unhurried")
