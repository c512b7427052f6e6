"""What the tests would miss: one small change to the code at a time, and the tests that should fail by it."""
