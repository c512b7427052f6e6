"""What tests and benchmarks stand on: real services, bad networks, another master. Knows no pytest."""
