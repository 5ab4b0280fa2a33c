"""Every operator in every engine, prepared and not, for arrays of all kinds."""

import numpy as np
import pytest

import rulebook as rb
from tests.operators.subjects import ENGINES, KINDS, REAL, call, close, diagonal, first, product, second, total

pytestmark = [pytest.mark.parametrize("prepared", [False, True], ids=["", "prepared"]), pytest.mark.parametrize("engine", ENGINES)]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=repr)
each_real = pytest.mark.parametrize("kind", REAL, ids=repr)


@each_kind
def test_jvp(engine, prepared, kind):
    got = call(rb.jvp, product, ((kind.example,), (kind.v,)), ((kind.x,), (kind.v,)), prepared, engine=engine)
    close(got, (np.sin(kind.x) * kind.x, (first(kind.x) * kind.v).astype(kind.x.dtype)))


@each_kind
def test_vjp(engine, prepared, kind):
    y, pull = call(rb.vjp, product, (kind.example,), (kind.x,), prepared, engine=engine)
    close(y, np.sin(kind.x) * kind.x)
    close(pull(kind.v), ((np.conj(first(kind.x)) * kind.v).astype(kind.x.dtype),))
    close(pull(2 * kind.v), ((2 * np.conj(first(kind.x)) * kind.v).astype(kind.x.dtype),))


@each_real
def test_value_and_grad(engine, prepared, kind):
    value, gradient = call(rb.value_and_grad, total, (kind.example,), (kind.x,), prepared, engine=engine)
    close(value, np.sum(np.sin(kind.x) * kind.x))
    close(gradient, first(kind.x).astype(kind.x.dtype))


@each_kind
def test_grad(engine, prepared, kind):
    fn = lambda z: rb.xp(z).real(total(z))
    close(call(rb.grad, fn, (kind.example,), (kind.x,), prepared, engine=engine), np.conj(first(kind.x)).astype(kind.x.dtype))


@each_kind
def test_jacobian(engine, prepared, kind):
    close(call(rb.jacobian, product, (kind.example,), (kind.x,), prepared, engine=engine), diagonal(first(kind.x).astype(kind.x.dtype)))


@each_real
def test_jacobian_to_complex_numbers(engine, prepared, kind):
    fn = lambda x: product(x) * (1 + 2j)
    expected = diagonal(first(kind.x) * (1 + 2j)).astype(np.complex64 if kind.name == "float32" else complex)
    if kind.name == "float32" and engine in ("dual", "autograd"):
        expected = expected.astype(np.result_type(np.float32, 1j))
    close(call(rb.jacobian, fn, (kind.example,), (kind.x,), prepared, engine=engine), expected)


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (1, 5), (5, 1)], ids=["wide", "tall", "row", "column"])
def test_jacobian_of_any_shape(engine, prepared, shape):
    matrix = np.arange(10.0)[: shape[0] * shape[1]].reshape(shape)
    x = np.linspace(0.1, 0.9, shape[1])
    fn = lambda x: rb.xp(x).asarray(matrix) @ product(x)
    close(call(rb.jacobian, fn, (x,), (2 * x,), prepared, engine=engine), matrix * first(2 * x))


@each_real
def test_hessian(engine, prepared, kind):
    close(call(rb.hessian, total, (kind.example,), (kind.x,), prepared, engine=engine), diagonal(second(kind.x).astype(kind.x.dtype)))


@each_real
def test_hvp(engine, prepared, kind):
    got = call(rb.hvp, total, ((kind.example,), kind.v), ((kind.x,), kind.v), prepared, engine=engine)
    close(got, (second(kind.x) * kind.v).astype(kind.x.dtype))


def test_hvp_of_complex_numbers(engine, prepared):
    z, v = np.array([0.3 + 0.2j, 1.0 - 0.5j]), np.array([1j, 0.5 + 1j])
    fn = lambda z: rb.xp(z).sum(rb.xp(z).real(z) ** 3 * rb.xp(z).imag(z))
    a, b = z.real, z.imag
    expected = (6 * a * b * v.real + 3 * a**2 * v.imag) + 1j * (3 * a**2 * v.real)
    close(call(rb.hvp, fn, ((z + 1,), v), ((z,), v), prepared, engine=engine), expected)


def test_derivative_and_second_derivative(engine, prepared):
    fn = lambda t: {"y": product(t), "z": t * rb.xp(t).asarray(np.array([1.0, 2.0]))}
    close(call(rb.derivative, fn, (0.3,), (0.7,), prepared, engine=engine), {"y": first(0.7), "z": np.array([1.0, 2.0])})
    close(call(rb.second_derivative, fn, (0.3,), (0.7,), prepared, engine=engine), {"y": second(0.7), "z": np.zeros(2)})


def test_hvp_without_primals_is_a_function_of_them(engine, prepared):
    x, v = np.array([0.2, 0.5]), np.array([1.0, -1.0])
    fn = lambda x, k: k * total(x)
    close(rb.hvp(fn, engine=engine)(x, 2.0, v), 2 * second(x) * v)
    close(rb.hvp(fn, engine=engine, argnums=(0, 1))(x, 2.0, (v, 0.5)), (2 * second(x) * v + 0.5 * first(x), np.sum(first(x) * v)))


def test_hvp_takes_one_argument_and_its_tangent_alone_or_in_tuples(engine, prepared):
    x, v = np.array([0.2, 0.5]), np.array([1.0, -1.0])
    for primals, tangents in (((x,), (v,)), (x, v), ([x], [v]), (x, (v,))):
        close(call(rb.hvp, total, (primals, tangents), (primals, tangents), prepared, engine=engine), second(x) * v)
    inside = lambda pair: total(pair[0])  # the argument is itself a sequence of one
    for tangents in ((v,), ((v,),)):
        close(call(rb.hvp, inside, (((x,),), tangents), (((x,),), tangents), prepared, engine=engine), (second(x) * v,))
    with pytest.raises(rb.RuleSignatureError, match=r"rb\.hvp"):
        call(rb.hvp, total, ((x,), (v, v)), ((x,), (v, v)), prepared, engine=engine)


# -- many directions at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0, 1, 4])
@each_kind
def test_batches(engine, prepared, kind, k):
    many = np.random.default_rng(4).normal(size=(k, *kind.x.shape)).astype(kind.x.dtype)
    y, y_dots = call(rb.jvp, product, ((kind.example,), (many,)), ((kind.x,), (many,)), prepared, engine=engine, batch=True)
    close(y, np.sin(kind.x) * kind.x)
    close(y_dots, (first(kind.x) * many).astype(kind.x.dtype))
    _, pull = call(rb.vjp, product, (kind.example,), (kind.x,), prepared, engine=engine, batch=True)
    close(pull(many), ((np.conj(first(kind.x)) * many).astype(kind.x.dtype),))
    if kind.name != "complex":
        got = call(rb.hvp, total, ((kind.example,), many), ((kind.x,), many), prepared, engine=engine, batch=True)
        close(got, (second(kind.x) * many).astype(kind.x.dtype))


def test_batches_with_a_zero_and_a_container(engine, prepared):
    x, w = np.array([0.3, 0.6]), np.array([2.0, 3.0])
    many = np.eye(2)
    fn = lambda p: {"u": p["x"] * p["w"], "v": [p["w"] ** 2]}
    example = (({"x": w, "w": w},), ({"x": many, "w": None},))
    y, y_dots = call(rb.jvp, fn, example, (({"x": x, "w": w},), ({"x": many, "w": None},)), prepared, engine=engine, batch=True)
    close(y, {"u": x * w, "v": [w**2]})
    close(y_dots, {"u": np.diag(w), "v": [np.zeros((2, 2))]})


# -- which arguments -------------------------------------------------------------------------------------------


def test_argnums(engine, prepared):
    x, w = np.array([0.3, 0.6]), np.array([2.0, 3.0])
    fn = lambda x, k, w: product(x) ** k * w
    power = lambda x: 2 * np.sin(x) * x * first(x)
    square = (np.sin(x) * x) ** 2
    at = (x, 2, w)
    example = (w, 2, x)
    close(call(rb.jvp, fn, (example, w), (at, w), prepared, engine=engine, argnums=2)[1], square * w)
    close(call(rb.jvp, fn, (example, (x, x)), (at, (w, x)), prepared, engine=engine, argnums=(2, 0))[1], square * w + power(x) * w * x)
    close(call(rb.vjp, fn, example, at, prepared, engine=engine, argnums=0)[1](w), power(x) * w * w)
    close(call(rb.vjp, fn, example, at, prepared, engine=engine, argnums=(2, 0))[1](w), (square * w, power(x) * w * w))
    close(call(rb.jacobian, fn, example, at, prepared, engine=engine, argnums=-1), diagonal(square))
    close(call(rb.jacobian, fn, example, at, prepared, engine=engine, argnums=(0, 2)), (diagonal(power(x) * w), diagonal(square)))
    number = lambda x, k, w: rb.xp(x).sum(product(x) * w**k)
    got = call(rb.hessian, number, example, at, prepared, engine=engine, argnums=(0, 2))
    cross = diagonal(first(x) * 2 * w)
    close(got, ((diagonal(second(x) * w**2), cross), (cross, diagonal(2 * np.sin(x) * x))))
