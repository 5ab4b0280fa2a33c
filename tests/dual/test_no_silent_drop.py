"""Every function of NumPy, called with duals: no float that depends on them comes out plain, and each dual that comes out is right."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
import pytest

from rulebook import trees
from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import seed
from rulebook.dual.parts import peel
from rulebook.dual.tags import new_tag

# Their derivative is zero, or they speak of shape, dtype or text alone.
STEPS = {
    "floor",
    "ceil",
    "trunc",
    "rint",
    "fix",
    "sign",
    "floor_divide",
    "divmod",
    "modf",
    "spacing",
    "round",
    "around",
    "zeros_like",
    "empty_like",
    "ones_like",
    "finfo",
    "iinfo",
    "promote_types",
    "base_repr",
    "typename",
    "set_printoptions",
    "printoptions",
    "histogram_bin_edges",
    "digitize",
    "empty",
}
SKIP = {
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
    "load",
    "loadtxt",
    "genfromtxt",
    "fromfile",
    "fromregex",
    "memmap",
    "info",
    "source",
    "show_config",
    "show_runtime",
    "test",
    "lookfor",
    "seterr",
    "seterrcall",
    "setbufsize",
    "set_printoptions",
    "errstate",
    "get_include",
    "busday_count",
    "is_busday",
    "busday_offset",
    "DataSource",
    "printoptions",
    "vectorize",
    "frompyfunc",
    "object_",
    "void",
    "ndarray",
}


def _functions():
    for module in (np, np.linalg, np.fft):
        for name in dir(module):
            fn = getattr(module, name)
            if name.startswith("_") or name in SKIP or not callable(fn) or inspect.isclass(fn) or isinstance(fn, type):
                continue
            yield pytest.param(fn, id=f"{module.__name__}.{name}")


def _duals():
    tag, rng = new_tag(), np.random.default_rng(0)
    make = lambda *shape: seed(rng.uniform(0.2, 0.8, size=shape) if shape else 0.4, rng.normal(size=(3, *shape)), tag)
    return make(), make(3), make(3, 3)


def _calls():
    s, v, m = _duals()
    plain = np.array([0.1, 0.2, 0.3])
    for x in (s, v, m):
        yield from (
            (x,),
            (x, x),
            (x, plain),
            (plain, x),
            (x, 1),
            (x, 0.5),
            (0.5, x),
            (x, x, x),
            (plain, plain, x),
            (plain, x, plain),
            ([x, x],),
            ((x, plain),),
        )
        yield from (
            ("i,i", v, plain),
            (x, (3,)),
            (x, np.array([0, 1])),
            ([True, False, True], x),
            (3, x),
            (np.zeros((3, 3)), 0, x),
            (0.0, x, 5),
        )


def _is_plain_float(value):
    return isinstance(value, (float, complex, np.inexact)) or (isinstance(value, np.ndarray) and value.dtype.kind in "fc")


def _try(fn, args):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fn(*args), True
    except Exception:
        return None, False


def _moved(args, by):
    """The arguments with the primals of duals, each moved by its own amount."""
    leaves, structure = trees.flatten(args)
    steps = iter(by)
    return structure.unflatten(iter([np.asarray(peel(x) + next(steps))[()] if isinstance(x, (Dual, DualArray)) else x for x in leaves]))


def _drops(fn, args):
    """Whether a plain float comes out that moves with the primals of the duals that went in."""
    result, done = _try(fn, copy.deepcopy(args))
    leaves = trees.flatten(result)[0]
    if not done or not any(map(_is_plain_float, leaves)):
        return False
    (here, done), (there, done_too) = (_try(fn, _moved(args, [by] * 9)) for by in (0.0, 0.01))
    triples = zip(leaves, trees.flatten(here)[0], trees.flatten(there)[0], strict=False)
    return (
        done
        and done_too
        and any(_is_plain_float(f) and _is_plain_float(a) and not np.array_equal(a, b, equal_nan=True) for f, a, b in triples)
    )


@pytest.mark.parametrize("fn", list(_functions()))
def test_no_plain_float_comes_out(fn):
    if fn.__name__ not in STEPS:
        for args in _calls():
            if any(isinstance(v, (Dual, DualArray)) for v in trees.flatten(args)[0]):
                assert not _drops(fn, args), (fn.__name__, tuple(map(repr, args)))


def _wrong(fn, args):
    """What is wrong with the duals that come out: their primal against NumPy's, their tangents against differences."""
    result, done = _try(fn, copy.deepcopy(args))
    leaves = trees.flatten(result)[0]
    if not done or not any(isinstance(x, (Dual, DualArray)) for x in leaves):
        return ""
    duals = [x for x in trees.flatten(args)[0] if isinstance(x, (Dual, DualArray))]
    plain, done = _try(fn, _moved(args, [0.0 * peel(x) for x in duals]))
    if not done:
        return ""  # we may take what NumPy refuses
    values = trees.flatten(plain)[0]
    if len(values) != len(leaves):
        return f"{len(leaves)} results, NumPy gives {len(values)}"
    for i, (x, value) in enumerate(zip(leaves, values, strict=True)):
        if not _is_plain_float(value):
            continue
        if np.shape(peel(x)) != np.shape(value) or not np.allclose(np.asarray(peel(x)), value, rtol=1e-12, equal_nan=True):
            return f"primal {peel(x)!r}, NumPy gives {value!r}"
        if isinstance(x, (Dual, DualArray)) and fn.__name__ not in STEPS | {"std"}:  # the root of a variance of zero has no slope
            expected = _slopes(fn, args, duals, i)
            smooth = np.abs(expected) < 1e3  # not at a step, nor at a pole
            if not np.allclose(x.tangent[smooth], expected[smooth], rtol=1e-5, atol=1e-5):
                return f"tangent {x.tangent!r}, differences {expected!r}"
    return ""


def _slopes(fn, args, duals, i):
    """Central differences of the i-th result along each tangent."""
    step, slopes = 1e-6, []
    for j in range(3):
        ends = [fn(*_moved(args, [sign * step * x.tangent[j] for x in duals])) for sign in (1, -1)]
        above, below = (np.asarray(trees.flatten(end)[0][i]) for end in ends)
        slopes.append((above - below) / (2 * step))
    return np.stack(slopes)


@pytest.mark.parametrize("fn", list(_functions()))
@pytest.mark.filterwarnings("ignore")
def test_each_dual_that_comes_out_is_right(fn):
    for args in _calls():
        if any(isinstance(v, (Dual, DualArray)) for v in trees.flatten(args)[0]) and len(args) <= getattr(fn, "nin", 9):
            wrong = _wrong(fn, args)
            assert not wrong, (fn.__name__, tuple(map(repr, args)), wrong)


METHODS = [n for n in dir(np.ndarray) if not n.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    for x in _duals():
        if name != "round" and (name != "mT" or x.ndim > 1) and hasattr(x, name):
            assert not _drops(lambda x: getattr(x, name), (x,))
            for args in ((), (0,), (x,), (np.array([0, 1]),), (float,), (int,)):
                assert not _drops(lambda x, *args: getattr(x, name)(*args), (x, *args)), args


def test_plain_methods_with_a_dual_argument():
    plain = np.array([0.1, 0.2, 0.3])
    for x in _duals():
        for name in METHODS:
            if name in ("tofile", "dump"):
                continue
            for args in ((x,), (0, x), (x, x), (x, plain), (plain, x)):
                assert not _drops(lambda *args: getattr(plain.copy(), name)(*args), args), (name, args)


def test_ufunc_methods():
    _, v, m = _duals()
    for name in dir(np):
        ufunc = getattr(np, name)
        if not isinstance(ufunc, np.ufunc) or name in STEPS:
            continue
        for method in ("reduce", "accumulate", "outer", "reduceat"):
            run = getattr(ufunc, method)
            for args in ((v,), (m,), (v, v), (v, 0.5), (v, [0, 1]), (np.ones(3), v)):
                assert not _drops(run, args), (name, method)


def test_the_search_finds_a_drop_and_a_wrong_tangent():
    """The tests above can fail."""
    x = _duals()[1]
    assert _drops(lambda x: peel(x) * 2, (x,)) and not _drops(lambda x: x * 2, (x,))
    assert _wrong(lambda x: x * peel(x), (x,)).startswith("tangent") and not _wrong(lambda x: x * x, (x,))
    assert _wrong(lambda x: x * (2 if isinstance(x, DualArray) else 3), (x,)).startswith("primal")
