"""benchmarks/reference/empty_program.py: a rank that does nothing."""
