"""Measurements against the hand-written binding for the same mathematics; `python -m benchmarks` runs all that can run."""
