"""Whatever would lose a tangent raises, and says what to use."""

from __future__ import annotations

import cmath
import math
import operator

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual.drivers import seed
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.tags import new_tag

_tag = new_tag()
S = seed(0.5, np.ones(1), _tag)
X = seed(np.array([0.1, 0.2, 0.3]), np.ones((2, 3)), new_tag())
M = seed(np.eye(3), np.ones((2, 3, 3)), new_tag())
ONE = seed(np.array([0.5]), np.ones((1, 1)), new_tag())

DROPS = {
    "float": (lambda: float(S), "rb.stop_gradient"),
    "float of an array": (lambda: float(ONE), "rb.stop_gradient"),
    "int": (lambda: int(S), "rb.stop_gradient"),
    "complex": (lambda: complex(S), "rb.stop_gradient"),
    "round": (lambda: round(S), "rb.stop_gradient"),
    "math.sin": (lambda: math.sin(S), "functions of numpy"),
    "math.floor": (lambda: math.floor(S), "functions of numpy"),
    "math.sqrt of an array": (lambda: math.sqrt(ONE), "functions of numpy"),
    "cmath.exp": (lambda: cmath.exp(S), "functions of numpy"),
    "index": (lambda: [1, 2][S], "rb.stop_gradient"),
    "index of an array": (lambda: np.arange(3)[S], "np.asarray(x)"),
    "range": (lambda: range(S), "rb.stop_gradient"),
    "operator.index": (lambda: operator.index(ONE), "rb.stop_gradient"),
    "np.asarray": (lambda: np.asarray(X), "np.stack"),
    "np.asarray of a number": (lambda: np.asarray(S), "np.stack"),
    "np.array": (lambda: np.array(X), "np.stack"),
    "np.array of a list": (lambda: np.array([S, S]), "np.stack"),
    "np.array of a mixed list": (lambda: np.array([1.0, S]), "np.stack"),
    "np.asarray with dtype": (lambda: np.asarray(X, dtype=float), "np.stack"),
    "ndarray.dot": (lambda: np.ones(3).dot(X), "functions of numpy"),
    "astype(int)": (lambda: X.astype(int), "rb.stop_gradient"),
    "astype from complex": (lambda: (X * 1j).astype(float), "x.real"),
    "plain.sum into out": (lambda: np.sum(X, out=np.zeros(())), "leave out= away"),
    "concatenate into out": (lambda: np.concatenate([X, X], out=np.zeros(6)), "leave out= away"),
    "complex into a real out": (lambda: np.multiply(X, 1j, out=np.zeros_like(X)), "dtype=np.complex128"),
    "complex into real": (lambda: np.zeros_like(X).__setitem__(0, X[0] * 1j), "value.real"),
    "real array in place": (lambda: np.zeros_like(X).__imul__(X * 1j), "dtype=np.complex128"),
    "put": (lambda: np.put(np.zeros(3), [0], X), "zeros_like"),
    "place": (lambda: np.place(np.zeros(3), [True, False, True], X), "zeros_like"),
    "putmask": (lambda: np.putmask(np.zeros(3), [True, False, True], X), "zeros_like"),
    "put_along_axis": (lambda: np.put_along_axis(np.zeros(3), np.array([0]), X[:1], 0), "zeros_like"),
    "fill_diagonal": (lambda: np.fill_diagonal(np.zeros((3, 3)), X), "zeros_like"),
    "add.at": (lambda: np.add.at(np.zeros(3), [0], X[:1]), "zeros_like"),
    "multiply.at": (lambda: np.multiply.at(np.zeros(3), [0], X[:1]), "zeros_like"),
    "bitwise_and": (lambda: np.bitwise_and(X, 1), "rb.stop_gradient"),
    "gcd": (lambda: np.gcd(S, 2), "rb.stop_gradient"),
    "invert": (lambda: np.invert(X), "rb.stop_gradient"),
    "tobytes": (lambda: X.tobytes(), "rb.stop_gradient"),
    "dumps": (lambda: X.dumps(), "pickle.dumps"),
    "take": (lambda: np.take(X, S), "np.asarray(x)"),
}


@pytest.mark.parametrize("name", DROPS)
def test_drops(name):
    run, remedy = DROPS[name]
    with pytest.raises(rb.RulebookError) as found:
        run()
    text = str(found.value)
    assert remedy in text and "engine dual" in text, text
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == ["Expected", "Got", "Do"]


def test_a_drop_is_a_type_error():
    assert issubclass(DroppedTangentError, (TypeError, rb.RulebookError))
    with pytest.raises(TypeError, match=r"(?s)a Dual, whose tangent would be lost.*Do: use functions of numpy"):
        math.sin(S)
    with pytest.raises(TypeError, match=r"(?s)a DualArray of shape \(3,\), whose tangent"):
        np.asarray(X)


MISSING = {
    "numpy.save": lambda: np.save("unused", X),
    "numpy.ix_": lambda: np.ix_(X),
    "numpy.packbits": lambda: np.packbits(X),
    "numpy.ravel_multi_index": lambda: np.ravel_multi_index((X, X), (3, 3)),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_function_without_rule(name):
    with pytest.raises(rb.RuleMissingError, match=rf"(?s){name} \(engine dual\).*Expected: a function with a rule.*Do: .*rb.primitive"):
        MISSING[name]()


OPTIONS = {
    "signature=": lambda: np.sin(X, signature="d->d"),
    "full= or cov=": lambda: np.polyfit(X, X, 1, full=True),
    "order='K'": lambda: np.ravel(seed(np.zeros((2, 3, 4)).transpose(1, 0, 2), np.ones((1, 3, 2, 4)), new_tag())[::2], "K"),
    "dtype=<class 'numpy.complex128'>": lambda: X.view(np.complex128),
    "in place": lambda: X.resize(3, 1),
    "an array of objects": lambda: np.add(X, np.array([1, "a", None], object)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_without_rule(name):
    with pytest.raises(rb.RuleMissingError) as found:
        OPTIONS[name]()
    assert name in str(found.value) and "Do: " in str(found.value)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_subclasses_of_arrays():
    """np.matrix multiplies differently, a masked array hides elements."""
    matrix = np.matrix(np.eye(3))
    masked = np.ma.masked_array(np.ones(3), [0, 1, 0])
    for run in (
        lambda: matrix * X,
        lambda: X * matrix,
        lambda: S * matrix,
        lambda: matrix + S,
        lambda: X * masked,
        lambda: S * masked,
    ):
        with pytest.raises(rb.RulebookError):
            run()


def test_hashing_and_truth():
    for x in (S, X):
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
    assert S and not (S * 0)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(X)


def test_compiled_code():
    linalg = pytest.importorskip("scipy.linalg")
    optimize = pytest.importorskip("scipy.optimize")
    for run in (lambda: linalg.solve(M, X), lambda: linalg.expm(M), lambda: optimize.minimize(lambda x: x @ x, X)):
        with pytest.raises(DroppedTangentError, match="compiled code such as SciPy's"):
            run()


def test_unknown_operands():
    for run in (lambda: S + "a", lambda: X + "a", lambda: S + None, lambda: object() * S, lambda: S @ S):
        with pytest.raises((TypeError, ValueError)):
            run()
    assert (S == "a") is False and (S != None) is True  # noqa: E711
