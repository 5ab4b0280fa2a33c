"""The README's example runs as it stands, in every engine, and its commands are those that the checks run."""

from __future__ import annotations

import importlib.util
import math
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rulebook as rb

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _block(section: str) -> str:
    """The first block of code of a section."""
    return re.findall(r"```python\n(.*?)```", README.split(f"## {section}\n")[1], re.DOTALL)[0]


def _kepler(tmp_path: Path) -> Any:
    """The primitive of the first block of code, loaded from a file as a user's module would be."""
    file = tmp_path / "kepler_of_the_readme.py"
    file.write_text(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0])
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.kepler


def test_the_example_in_every_engine(tmp_path: Path) -> None:
    kepler = _kepler(tmp_path)
    E = float(kepler(1.0, 0.3))
    assert E - 0.3 * math.sin(E) == pytest.approx(1.0, abs=1e-14)
    slope = 1 / (1 - 0.3 * math.cos(E))
    for engine in ("dual", "jax", "torch", "autograd"):
        if engine == "dual" or importlib.util.find_spec(engine):
            assert float(rb.derivative(kepler, engine=engine)(1.0, 0.3)) == pytest.approx(slope, rel=1e-12)
            assert float(rb.grad(kepler, engine=engine)(1.0, 0.3)) == pytest.approx(slope, rel=1e-12)
    np.testing.assert_allclose(kepler(np.linspace(0.0, 3.0, 5), 0.3)[0], 0.0)


def test_the_first_page_has_the_same_words_and_example() -> None:
    page = (ROOT / "docs/index.md").read_text()
    opening = README.split("# rulebook\n\n")[1].split("written once:")[0]
    assert opening in page
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert f'```python title="kepler.py"\n{example}```' in page


def test_the_lines_below_it(tmp_path: Path) -> None:
    kepler = _kepler(tmp_path)
    jax = pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    autograd = pytest.importorskip("autograd")
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1]
    lines = [line.split("#")[0].strip() for line in block.splitlines()]
    found = [eval(line, {"jax": jax, "torch": torch, "autograd": autograd, "np": np, "rb": rb, "kepler": kepler}) for line in lines if line]
    slope = float(found[0])
    assert found[1].requires_grad
    assert float(found[2]) == pytest.approx(slope) and float(found[3]) == pytest.approx(slope)


def test_the_host_code() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    jax = pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    code = _block("Host code")
    definitions, uses = code[: code.index("jax.jit")], code[code.index("jax.jit") :].splitlines()
    names = {"rb": rb, "np": np, "scipy": SimpleNamespace(linalg=linalg), "jax": jax, "torch": torch}
    exec(definitions, names)
    a, b = np.random.default_rng(0).normal(size=(2, 3, 3)) + 3 * np.eye(3), np.ones((2, 3))
    found = eval(uses[0], {**names, "a": jax.numpy.asarray(a), "b": jax.numpy.asarray(b)})
    for i in range(2):
        expected = -np.outer(np.linalg.solve(a[i].T, np.ones(3)), np.linalg.solve(a[i], b[i]))
        np.testing.assert_allclose(found[i], expected, rtol=1e-5)
        tensor = torch.tensor(a[i], requires_grad=True)
        exec(uses[1].replace("fullgraph=True", "fullgraph=True, backend='aot_eager'"), {**names, "a": tensor, "b": torch.tensor(b[i])})
        np.testing.assert_allclose(tensor.grad, expected, rtol=1e-12)


def test_the_operators() -> None:
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    pytest.importorskip("scipy.sparse")
    x, v = np.array([0.3, 0.7]), np.array([1.0, -2.0])
    names = {"rb": rb, "x": x, "v": v, "f": lambda x: rb.xp(x).sum(x**3), "torch_code": lambda x: torch.sum(x**3)}
    lines = _block("One interface over the engines").splitlines()
    found = [eval(line.split(" = ", 1)[-1].split("  #")[0], names) for line in lines[:2]]
    np.testing.assert_allclose(found[0][1], 3 * x**2)
    np.testing.assert_allclose(found[1], 6 * x * v)
    sparse = eval(lines[2].split("  #")[0], {**names, "f": lambda x: x**2})
    np.testing.assert_allclose(sparse.toarray(), np.diag(2 * x))
    exec("\n".join(lines[3:]), names)
    np.testing.assert_allclose(names["gradient"](v), 3 * v**2)
    np.testing.assert_allclose(jax.jit(jax.hessian(names["solve"]))(x), np.diag(6 * x))


def test_the_commands() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    commands = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
    assert len(commands) == 3
    assert "[demo]" in commands[0] and commands[0].endswith("rulebook demo")
    assert "[all,examples,test]" in commands[1] and "pytest" in commands[1] and {"all", "examples", "test", "demo"} <= set(extras)
    assert "<!-- tests -->" in README and "README.md" in (ROOT / ".ci/run").read_text()
    assert not any(engine in " ".join(extras["demo"]) for engine in ("jax", "torch", "autograd"))


def test_the_example_of_implicit_rules() -> None:
    pytest.importorskip("scipy.optimize")
    scipy, jax, torch = map(pytest.importorskip, ("scipy", "jax", "torch"))
    define, uses = _block("Shortcuts over iterative procedures").split("\n\n\n")
    a, b, x0 = np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.ones(2)
    names: dict[str, object] = {"rb": rb, "scipy": scipy, "x0": x0, "b": b, "jax": jax, "torch": torch}
    exec(define, names)
    x = names["solve"](x0, a, b)
    slope = 3 * x**2 + a
    expected = np.diag(2 * x / slope**2 - 6 * x * x**2 / slope**3)
    first, second = uses.strip().split("\n")
    np.testing.assert_allclose(eval(first, {**names, "a": jax.numpy.asarray(a)}), expected, atol=1e-4)
    np.testing.assert_allclose(eval(second, {**names, "a": torch.tensor(a)}), expected, atol=1e-6)


def test_the_functions_of_numpy_and_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    jax = pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    code = _block("NumPy and SciPy")
    names = {"rb": rb, "np": np, "scipy": SimpleNamespace(stats=stats), "jax": jax, "torch": torch}
    *statements, hessian = re.split(r"\n(?=rb|with|jax|torch)", code)
    values = []
    for statement in statements:
        exec(re.sub(r"^(\s*)(rb\.|jax\.)", r"\1found = \2", statement, flags=re.MULTILINE), names)
        values.append(names.get("found"))
    np.testing.assert_allclose(values[1][:, 0, 0], [2.0, 0.0])
    np.testing.assert_allclose(values[2], [np.log(3.0) - 1 + np.euler_gamma, 2.0], rtol=1e-12)
    assert abs(float(values[3]) - _order_slope()) < 1e-6
    assert eval(hessian, names).shape == (2, 2, 2, 2)


def _order_slope() -> float:
    special = pytest.importorskip("scipy.special")
    return float(special.jv(0.5 + 1e-5, 2.0) - special.jv(0.5 - 1e-5, 2.0)) / 2e-5
