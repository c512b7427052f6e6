"""Pure values and rules: standard library and pydantic only; no clock, disk, network or framework."""
