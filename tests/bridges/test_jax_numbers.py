"""Python numbers as results in JAX, under every kind of rule and vmap."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

import rulebook as rb  # noqa: E402

XS = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def with_number(number, kind):
    f = rb.primitive(lambda x: (x * 2, number), name="f")
    rules = {
        "frule": lambda primals, dots: ((primals[0] * 2, number), (dots[0] * 2, None)),
        "pushforward": lambda y, primals, dots: (dots[0] * 2, None),
        "rrule": lambda x: ((x * 2, number), lambda bar: (bar[0] * 2,)),
        "pullback": lambda y, primals, bar: (bar[0] * 2,),
    }
    getattr(rb, kind)(f)(rules[kind])
    return f


@pytest.mark.parametrize("kind", ["frule", "pushforward", "rrule", "pullback"])
@pytest.mark.parametrize("number", [3, True, np.int64(3)], ids=["int", "bool", "NumPy int"])
def test_a_number_beside_an_array(number, kind):
    f = with_number(number, kind)

    def both(x):
        y, pullback = rb.vjp(f, x)
        return y, pullback((jnp.ones(3), None))[0]

    for run in (jax.vmap(both), jax.jit(jax.vmap(both))):
        (y, n), x_bar = run(XS)
        np.testing.assert_array_equal(y, 2 * XS)
        np.testing.assert_array_equal(n, [number] * 2)
        np.testing.assert_array_equal(x_bar, np.full((2, 3), 2.0))
    y, n = jax.vmap(lambda x: jax.jvp(f, (x,), (x,))[0])(XS)
    np.testing.assert_array_equal(y, 2 * XS)
    np.testing.assert_array_equal(n, [number] * 2)
