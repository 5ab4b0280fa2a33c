"""Benchmarks: engines against each other on the same scenarios."""

from rulebook.testing.timing.api import benchmark as benchmark
from rulebook.testing.timing.rows import Row as Row
from rulebook.testing.timing.table import Table as Table
