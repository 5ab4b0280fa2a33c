"""What every test needs before an engine is imported, and which files need an engine that is not installed."""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest


def _quick_to_compile() -> list[str]:
    """Flags that leave JAX's programs unoptimised: they are small, run once, and there are thousands; compiling them took most of a run.

    JAX ends the process at a flag that it does not know, and `xla_cpu_use_fusion_emitters` is gone in later versions.
    """
    flags = ["xla_backend_optimization_level=0", "xla_llvm_disable_expensive_passes=true"]
    if importlib.util.find_spec("jaxlib") and tuple(map(int, importlib.metadata.version("jaxlib").split(".")[:2])) <= (0, 10):
        flags += ["xla_cpu_use_fusion_emitters=false", "xla_cpu_parallel_codegen_split_count=1"]
    return flags


# Eight host devices and 64-bit numbers have to be chosen before JAX starts. With XLA_FLAGS set, programs are compiled as it says.
if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = " ".join(f"--{flag}" for flag in ["xla_force_host_platform_device_count=8", *_quick_to_compile()])
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Doctests import every module; those of an engine can only be imported where it is installed.
collect_ignore_glob = [
    pattern
    for engine in ("jax", "torch", "autograd")
    if importlib.util.find_spec(engine) is None
    for folder in ("rulebook/bridges", "rulebook/compat")
    for pattern in (f"{folder}/{engine}.py", f"{folder}/_{engine}*", f"tests/conformance/engines/{engine}.py")
]
if importlib.util.find_spec("scipy") is None:
    collect_ignore_glob += ["rulebook/demo/*", *(f"rulebook/rules/{name}" for name in ("linalg/*", "blas.py", "optimize.py"))]
    collect_ignore_glob += ["rulebook/rules/integrate.py"]
collect_ignore_glob += ["tests/typing/*"]  # programs for type checkers, wrong ones among them: they are read and not run


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    """What an example may use without importing it."""
    doctest_namespace["np"] = np


def pytest_collection_finish() -> None:
    """Leave what has been imported out of every later collection of garbage."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _no_program_outlives_its_module() -> Iterator[None]:
    """Drop what JAX and PyTorch have compiled: thousands of programs take gigabytes, and every collection of garbage looks through them."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    if "torch._dynamo" in sys.modules:
        sys.modules["torch._dynamo"].reset()
