"""Does the checker find small changes of right rules?  `python -m benchmarks.mutation` makes them by the thousand and counts."""
