"""What every test needs before an engine is imported, and which files need an engine that is not installed."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
import pytest

# Eight host devices and 64-bit numbers have to be chosen before JAX starts.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Doctests import every module; those of an engine can only be imported where it is installed.
collect_ignore_glob = [
    pattern
    for engine in ("jax", "torch", "autograd")
    if importlib.util.find_spec(engine) is None
    for pattern in (f"rulebook/bridges/{engine}.py", f"rulebook/bridges/_{engine}*", f"tests/conformance/engines/{engine}.py")
]
if importlib.util.find_spec("scipy") is None:
    collect_ignore_glob += ["rulebook/demo/*", *(f"rulebook/rules/{name}.py" for name in ("linalg", "optimize", "integrate"))]


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    """What an example may use without importing it."""
    doctest_namespace["np"] = np
