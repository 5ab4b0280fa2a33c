"""Every name of the torch namespace gives what NumPy or SciPy gives."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
scipy_linalg = pytest.importorskip("scipy.linalg")
scipy_special = pytest.importorskip("scipy.special")

from rulebook.bridges._torch.namespace import NAMESPACE as xp  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.uniform(0.1, 0.9, size=(3, 4))
Y = RNG.uniform(0.1, 0.9, size=(3, 4))
S = X[:, :3] @ X[:, :3].T + 3 * np.eye(3)
B = RNG.normal(size=(3, 2))
V = RNG.normal(size=3)
ORDER = np.array([[2, 0, 1, 1], [0, 0, 2, 1], [1, 2, 0, 0]])
BOOLS = X > 0.5

_TWO = (
    *("add", "arctan2", "copysign", "divide", "equal", "floor_divide", "fmax", "fmin", "fmod", "greater", "greater_equal", "heaviside"),
    *("hypot", "less", "less_equal", "logaddexp", "logaddexp2", "maximum", "minimum", "mod", "multiply", "not_equal", "power", "pow"),
    *("remainder", "subtract", "true_divide", "isclose", "allclose", "array_equal", "broadcast_arrays"),
)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((name, (X, Y), {}) for name in _TWO),
    *((name, (BOOLS, ~BOOLS), {}) for name in ("logical_and", "logical_or", "logical_xor")),
    ("maximum", (X, 0.5), {}),
    ("power", (X, 2), {}),
    ("arccosh", (1 + X,), {}),
    ("sqrt", (np.arange(4),), {}),
    ("sign", (X[0] + 1j * Y[0],), {}),
    ("abs", (X[0] + 1j * Y[0],), {}),
    ("real", (X[0] + 1j * Y[0],), {}),
    ("imag", (X[0] + 1j * Y[0],), {}),
    ("imag", (X,), {}),
    ("round", (X,), {"decimals": 1}),
    ("clip", (X, 0.3, 0.6), {}),
    ("clip", (X,), {"max": 0.5}),
    ("where", (BOOLS, X, 0.0), {}),
    ("where", (BOOLS,), {}),
    ("nan_to_num", (np.array([np.nan, np.inf, 1.0]),), {"posinf": 2.0}),
    *(
        (name, (X,), {"axis": axis, "keepdims": keep})
        for name in ("sum", "prod", "mean", "std", "var", "max", "min", "amax", "amin", "all", "any", "nansum")
        for axis in (None, 0, (0, 1), -1)
        for keep in (False, True)
    ),
    ("sum", (X,), {"axis": ()}),
    ("mean", (np.arange(4),), {}),
    ("sum", (np.arange(4),), {"dtype": float}),
    ("prod", (np.arange(4),), {"dtype": float}),
    ("var", (X,), {"axis": 1, "ddof": 1}),
    ("argmax", (X,), {"axis": 1}),
    ("argmin", (X,), {}),
    ("count_nonzero", (BOOLS,), {"axis": 0}),
    ("cumsum", (X,), {"axis": 1}),
    ("cumprod", (X,), {}),
    ("diff", (X,), {"n": 2, "axis": 1}),
    ("trapezoid", (X,), {"axis": 0}),
    ("trapezoid", (X[0], np.sort(Y[0])), {}),
    ("shape", (X,), {}),
    ("ndim", (X,), {}),
    ("size", (X,), {}),
    ("reshape", (X, (2, 6)), {}),
    ("transpose", (X[None],), {}),
    ("transpose", (X[None], (1, 0, 2)), {}),
    ("permute_dims", (X[None], (1, 0, 2)), {}),
    ("matrix_transpose", (X,), {}),
    ("moveaxis", (X[None], 0, -1), {}),
    ("swapaxes", (X, 0, 1), {}),
    ("expand_dims", (X, (0, -1)), {}),
    ("squeeze", (X[None, :, None],), {"axis": (0, 2)}),
    ("squeeze", (X[None],), {}),
    ("broadcast_to", (V, (2, 3)), {}),
    ("concatenate", ((X, Y),), {"axis": 1}),
    ("concatenate", ((X, V),), {"axis": None}),
    ("concat", ((X, np.ones((1, 4), dtype=int)),), {}),
    ("stack", ((X, Y),), {"axis": -1}),
    ("vstack", ((X, Y[0]),), {}),
    ("hstack", ((X, Y),), {}),
    ("column_stack", ((V, B),), {}),
    ("split", (X, 2), {"axis": 1}),
    ("split", (X, [1, 3]), {"axis": 1}),
    ("array_split", (X, 3), {"axis": 1}),
    ("repeat", (X, 2), {"axis": 1}),
    ("repeat", (X, 2), {}),
    ("tile", (V, (2, 2)), {}),
    ("roll", (X, 1), {"axis": 1}),
    ("roll", (X, 2), {}),
    ("flip", (X,), {"axis": 0}),
    ("flip", (X,), {}),
    ("pad", (X, ((1, 0), (2, 1))), {"constant_values": 3.0}),
    ("atleast_1d", (2.0,), {}),
    ("atleast_2d", (V,), {}),
    ("diag", (V,), {"k": 1}),
    ("diag", (X,), {}),
    ("diagonal", (X,), {"offset": 1}),
    ("trace", (X,), {}),
    ("tril", (X,), {"k": -1}),
    ("triu", (X,), {}),
    ("meshgrid", (V, X[0]), {}),
    ("meshgrid", (V, X[0]), {"indexing": "ij"}),
    ("take", (X, np.array([[0, 2], [1, -1]])), {"axis": 1}),
    ("take", (X, np.array([5, 1])), {}),
    ("take_along_axis", (X, ORDER), {"axis": 1}),
    ("sort", (X,), {"axis": 0}),
    ("sort", (X,), {"axis": None}),
    ("argsort", (X,), {}),
    ("searchsorted", (np.sort(V), X[0]), {"side": "right"}),
    ("nonzero", (BOOLS,), {}),
    ("dot", (X, Y.T), {}),
    ("dot", (V, V), {}),
    ("dot", (2.0, V), {}),
    ("dot", (X.T, V), {}),
    ("vdot", (V + 1j, V), {}),
    ("inner", (X, Y), {}),
    ("outer", (V, X), {}),
    ("kron", (X, B), {}),
    ("matmul", (X, Y.T), {}),
    ("cross", (S, S + V), {}),
    ("tensordot", (X, Y), {"axes": ([0], [0])}),
    ("tensordot", (X, Y), {"axes": (1, 1)}),
    ("tensordot", (X, Y), {}),
    ("einsum", ("ij,kj->ik", X, Y), {}),
    ("polyval", (V, X), {}),
    ("array", ([1.0, 2.0],), {}),
    ("asarray", ([[1, 2], [3, 4]],), {"dtype": float}),
    ("astype", (X, np.float32), {}),
    ("copy", (X,), {}),
    ("zeros", ((2, 3),), {}),
    ("zeros", (3,), {"dtype": np.float32}),
    ("ones", ((2, 3),), {}),
    ("full", ((2, 2), 3.0), {}),
    ("full", (2, 3), {}),
    ("zeros_like", (X,), {}),
    ("ones_like", (X,), {"dtype": int}),
    ("full_like", (X, 2.5), {}),
    ("arange", (2, 8, 3), {}),
    ("arange", (3.0,), {}),
    ("linspace", (0.0, 1.0), {"num": 5}),
    ("linspace", (0.0, 1.0, 4), {"endpoint": False}),
    ("linspace", (V, V + 1, 4), {}),
    ("eye", (3,), {"k": 1}),
    ("eye", (2, 3), {}),
    ("identity", (3,), {}),
    *(
        (f"linalg.{n}", (S,), {})
        for n in (
            "inv",
            "det",
            "slogdet",
            "cholesky",
            "eigvalsh",
            "pinv",
            "svdvals",
            "norm",
            "matrix_norm",
            "vector_norm",
            "cond",
            "matrix_rank",
            "trace",
            "diagonal",
            "matrix_transpose",
        )
    ),
    ("linalg.cholesky", (S,), {"upper": True}),
    ("linalg.solve", (S, V), {}),
    ("linalg.solve", (S, B), {}),
    ("linalg.norm", (X,), {"axis": 1, "keepdims": True}),
    ("linalg.norm", (X,), {"ord": 1}),
    ("linalg.norm", (V,), {"ord": np.inf}),
    ("linalg.norm", (X,), {"keepdims": True}),
    ("linalg.vector_norm", (X,), {"axis": 0, "ord": 1}),
    ("linalg.matrix_power", (S, 3), {}),
    ("linalg.multi_dot", ([S, S, B],), {}),
    ("linalg.qr", (X,), {"mode": "r"}),
    ("linalg.svd", (X,), {"compute_uv": False}),
    ("linalg.expm", (S / 4,), {}),
    *(
        ("linalg.solve_triangular", (np.tril(S) if low else np.triu(S), b), {"lower": low, "trans": t, "unit_diagonal": u})
        for low in (False, True)
        for t in (0, 1, "C")
        for b, u in ((V, False), (B, True))
    ),
    ("linalg.solve_triangular", (np.triu(S + 1j * S), B + 0j), {"trans": 2}),
    ("linalg.lu_factor", (S[::-1].copy(),), {}),
    *(
        ("linalg.lu_solve", (scipy_linalg.lu_factor(S[::-1] + X[:, :3] + shift), b), {"trans": t})
        for t in (0, 1, 2)
        for b in (V, B)
        for shift in (0, 1j)
    ),
    *(
        ("linalg.cho_solve", (scipy_linalg.cho_factor(np.asarray(m), lower=low), V), {})
        for low in (False, True)
        for m in (S, S + 0.3j * np.triu(S, 1) - 0.3j * np.triu(S, 1).T)
    ),
    ("linalg.cross", (S, S + V), {}),
    ("linalg.outer", (V, V), {}),
    ("linalg.matmul", (X, Y.T), {}),
    ("linalg.tensordot", (X, Y), {}),
    *((f"special.{n}", (X, Y), {}) for n in ("gammainc", "gammaincc", "xlog1py", "xlogy", "beta", "betaln", "rel_entr")),
    ("special.zeta", (1.5 + X, 1 + Y), {}),
    ("special.gamma", (np.array([0.5, 3.0, -0.5, -2.3]),), {}),
    ("special.polygamma", (2, X), {}),
    ("special.logsumexp", (X,), {"axis": 1, "keepdims": True}),
    ("special.softmax", (X,), {"axis": 0}),
    ("special.log_softmax", (X,), {}),
    *(
        (f"fft.{n}", (X,), {"norm": "ortho"})
        for n in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")
    ),
    ("fft.fft", (X,), {"n": 3, "axis": 0}),
    ("fft.fftn", (X,), {"axes": (0,)}),
    ("fft.fftfreq", (5, 0.1), {}),
    ("fft.rfftfreq", (5,), {}),
    ("fft.fftshift", (X,), {"axes": 0}),
    ("fft.ifftshift", (X,), {}),
]
_FACTORS = {"eigh", "eig", "eigvals", "svd", "qr", "cho_factor"}  # unique up to signs, checked by what they multiply to


def _names() -> list[str]:
    spaces = {"": xp, "linalg.": xp.linalg, "special.": xp.special, "fft.": xp.fft}
    return [
        prefix + n for prefix, space in spaces.items() for n, v in vars(space).items() if inspect.isfunction(v) and not n.startswith("_")
    ]


def _counterpart(name: str) -> Any:
    head, _, tail = name.rpartition(".")
    homes = {"": [np], "linalg": [np.linalg, scipy_linalg], "special": [scipy_special], "fft": [np.fft]}[head]
    return next(getattr(h, tail) for h in homes if hasattr(h, tail))


def _find(name: str) -> Any:
    head, _, tail = name.rpartition(".")
    return getattr(getattr(xp, head) if head else xp, tail)


def _tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
        return tuple(_tensors(v) for v in value)
    return [_tensors(v) for v in value] if isinstance(value, list) and isinstance(value[0], np.ndarray) else value


def _same(found: Any, expected: Any) -> None:
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            _same(f, e)
        return
    found = found.resolve_conj().numpy() if isinstance(found, torch.Tensor) else found
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    if isinstance(expected, np.ndarray) and expected.dtype.kind in "fc":
        assert found.dtype == expected.dtype


def _covered() -> set[str]:
    return {name for name, _, _ in CALLS} | {f"linalg.{n}" for n in _FACTORS} | {"empty", "empty_like", "finfo"}


ONE = [n for n in _names() if n not in _covered()]


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_array(name: str) -> None:
    value = V if name in ("diagflat",) else BOOLS if name == "logical_not" else X
    _same(_find(name)(_tensors(value)), _counterpart(name)(value))


@pytest.mark.parametrize(("name", "args", "options"), CALLS, ids=[f"{i}-{c[0]}" for i, c in enumerate(CALLS)])
def test_against_numpy_and_scipy(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    _same(_find(name)(*[_tensors(a) for a in args], **options), _counterpart(name)(*args, **options))


def test_decompositions_multiply_to_the_matrix() -> None:
    s, x = _tensors(S), _tensors(X)
    w, q = xp.linalg.eigh(s)
    _same(q @ torch.diag(w) @ q.T, S)
    w, q = xp.linalg.eig(s)
    _same((q @ torch.diag(w) @ torch.linalg.inv(q)).real, S)
    _same(torch.sort(xp.linalg.eigvals(s).real).values, np.linalg.eigvalsh(S))
    u, sigma, vh = xp.linalg.svd(x, full_matrices=False)
    _same(u @ torch.diag(sigma) @ vh, X)
    q, r = xp.linalg.qr(x)
    _same(q @ r, X)
    c, lower = xp.linalg.cho_factor(s)
    assert not lower
    _same(c.T @ c, S)
    assert xp.empty((2, 3)).shape == (2, 3)
    assert xp.empty_like(x).dtype is torch.float64
    assert xp.finfo(np.float32).eps == np.finfo(np.float32).eps


def test_dtypes_and_constants() -> None:
    assert xp.pi == np.pi
    assert xp.newaxis is None
    assert xp.zeros(2, dtype=xp.float32).dtype is torch.float32
    assert xp.sin(torch.ones(2)).dtype is torch.float32
    assert xp.maximum(torch.ones(2), 0.5).dtype is torch.float32
    assert xp.sin(2).dtype is torch.float64


def test_a_name_that_is_missing_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"xp\.busday_count has no counterpart in torch"):
        _ = xp.busday_count
    with pytest.raises(NotImplementedError, match=r"xp\.lstsq has no counterpart in torch\.linalg"):
        _ = xp.linalg.lstsq
    with pytest.raises(NotImplementedError, match="mode='reflect' has no counterpart in torch"):
        xp.pad(torch.ones(2), 1, mode="reflect")
