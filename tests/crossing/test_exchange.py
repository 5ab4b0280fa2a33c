"""Arrays that change hands: nothing that anybody can write to is shared, and dtypes stay."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
pytest.importorskip("autograd")
jnp = jax.numpy

SIZES = (3, 100_000)  # copied, and borrowed from the second call on
WRITES = {
    "in place": lambda t: t.add_(1),
    "an element": lambda t: t.__setitem__(0, 5.0),
    "a view": lambda t: t[1:].mul_(2),
    "detached": lambda t: t.detach().add_(1),
    "data": lambda t: t.data.zero_(),
    "out=": lambda t: torch.add(t.detach(), 1, out=t.detach()),
    "memory of NumPy": lambda t: t.detach().numpy().__setitem__(0, 9.0),
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_torch_function_that_writes_to_its_argument_is_refused(write, n):
    def f(t):
        write(t)
        return t * 2

    primitive, x = rb.differentiate_with(f, "torch"), jnp.ones(n)
    calls = [primitive, primitive, jax.grad(lambda x: primitive(x).sum()), lambda x: jax.jvp(primitive, (x,), (x,))]
    for call in calls[: 3 if write is WRITES["memory of NumPy"] else 4]:  # torch has no memory for NumPy in forward mode
        with pytest.raises(rb.RuleSignatureError, match=r"(?s)a function that writes to one.*copy the argument before writing"):
            call(x)
        assert bool((x == 1).all())


def test_a_write_that_comes_later_is_refused_before_it_is_done():
    writes = []

    def f(t):
        return t.add_(1) if writes else t * 2

    primitive, x = rb.differentiate_with(f, "torch"), jnp.ones(100_000)
    primitive(x), primitive(x)
    writes.append(True)
    with pytest.raises(rb.RuleSignatureError, match="a function that writes to one"):
        primitive(x)
    assert bool((x == 1).all())


@pytest.mark.parametrize("outer", ["numpy", "jax", "torch", "autograd"])
@pytest.mark.parametrize("engine", ["dual", "autograd", "differences"])
def test_a_numpy_function_that_writes_to_its_argument_is_refused(engine, outer):
    if engine == outer:
        pytest.skip("its own engine calls it directly")

    def f(a):
        a[0] = 9.0
        return a

    x = {"jax": jnp.ones, "torch": lambda n: torch.ones(n, dtype=torch.float64)}.get(outer, np.ones)(3)
    with pytest.raises(rb.RuleSignatureError, match="copy the argument before writing to it"):
        rb.differentiate_with(f, engine)(x)
    assert float(x[0]) == 1.0


def test_large_arrays_are_not_copied_on_the_way_in_or_out():
    seen = []

    def f(t):
        y = -t
        seen.append((t.data_ptr(), y.data_ptr()))
        return y

    primitive, x = rb.differentiate_with(f, "torch"), jnp.ones(100_000)
    primitive(x)  # the first call of a kind shows that nothing is written
    y = primitive(x)
    assert seen[-1] == (x.unsafe_buffer_pointer(), y.unsafe_buffer_pointer())


def test_a_buffer_that_is_returned_and_used_again_is_copied():
    buffer = torch.zeros(100_000, dtype=torch.float64)
    primitive = rb.differentiate_with(lambda t: buffer.copy_(t), "torch")
    first, second = primitive(jnp.ones(100_000)), primitive(jnp.full(100_000, 2.0))
    assert (float(first[0]), float(second[0])) == (1.0, 2.0)


def test_an_argument_that_is_returned_is_copied():
    primitive, x = rb.differentiate_with(lambda t: t, "torch"), jnp.ones(100_000)
    primitive(x)
    assert primitive(x).unsafe_buffer_pointer() != x.unsafe_buffer_pointer()


@pytest.mark.parametrize("keep", [lambda y: y, lambda y: y[:3], lambda y: y.detach(), lambda y: y.untyped_storage(), lambda y: y.numpy()])
def test_a_result_that_somebody_holds_is_copied(keep):
    kept = []

    def f(t):
        y = (t * 2).detach()
        kept.append(keep(y))
        return y

    primitive, x = rb.differentiate_with(f, "torch"), jnp.ones(100_000)
    primitive(x)
    y = primitive(x)
    kept[-1][0] = 7
    assert float(y[0]) == 2.0


def test_a_result_in_the_memory_of_numpy_is_copied():
    buffer = np.zeros(100_000)

    def f(t):
        buffer[:] = t.detach().numpy()
        return torch.from_numpy(buffer)

    primitive = rb.differentiate_with(f, "torch")
    y = primitive(jnp.ones(100_000))
    buffer[:] = -1
    assert float(y[0]) == 1.0


@pytest.mark.parametrize("n", SIZES)
def test_tensors_written_to_after_a_call_do_not_change_what_jax_keeps(n):
    x = torch.full((n,), 2.0, dtype=torch.float64)
    y, pullback = rb.vjp(rb.differentiate_with(lambda a: a**3, "jax"), np.full(n, 2.0), engine="autograd")
    result = rb.differentiate_with(lambda a: a * 1.0, "jax")(x)
    result.add_(1)
    x.zero_()
    assert float(result[0]) == 3.0 and float(x[0]) == 0.0
    y += 1
    np.testing.assert_allclose(pullback(np.ones(n))[0], 12.0)


TRAPS = {
    "conjugate bit": lambda: torch.tensor([1 + 2j]).conj(),
    "negative bit": lambda: torch.tensor([1 + 2j]).conj().imag,
    "expanded": lambda: torch.ones(1, 3).expand(4, 3),
    "strided": lambda: torch.arange(10.0)[::3],
    "transposed": lambda: torch.arange(6.0).reshape(2, 3).T,
    "unaligned": lambda: torch.arange(10.0)[1:],
    "no axes": lambda: torch.tensor(3.0),
    "empty": lambda: torch.zeros(0, 2),
    "bool": lambda: torch.tensor([True, False]),
    "bfloat16": lambda: torch.ones(3, dtype=torch.bfloat16),
    "half": lambda: torch.ones(3, dtype=torch.float16),
    "small integers": lambda: torch.tensor([1, 2], dtype=torch.int8),
}


@pytest.mark.parametrize("make", TRAPS.values(), ids=TRAPS)
def test_tensors_of_every_kind_go_through_jax(make):
    x = make()
    y = rb.differentiate_with(lambda a: a, "jax")(x)
    assert y.dtype == x.dtype
    assert torch.equal(y, x)


@pytest.mark.parametrize(
    "make", [lambda: np.arange(100_000.0)[::-1], lambda: np.arange(8.0)[::2], lambda: np.float64(2.0), lambda: np.ones(3, ">f8")]
)
def test_numpy_arrays_of_every_kind_go_through_torch(make):
    x = make()
    primitive = rb.differentiate_with(lambda t: t * 1, "torch")
    for _ in range(2):
        np.testing.assert_array_equal(primitive(x), x)


@pytest.mark.parametrize("f", [torch.conj, torch.t, lambda t: t.flip(0), lambda t: t.real])
def test_results_of_every_kind_come_out_of_torch(f):
    x = jnp.asarray([[1 + 2j, 3.0], [0.5, 1j]])
    np.testing.assert_array_equal(rb.differentiate_with(f, "torch")(x), f(torch.tensor(np.asarray(x))).resolve_conj().numpy())


def test_bfloat16_stays_between_jax_and_torch():
    primitive = rb.differentiate_with(torch.sin, "torch")
    x = jnp.ones(3, jnp.bfloat16)
    for f in (primitive, jax.grad(lambda x: primitive(x).sum()), jax.jit(jax.grad(lambda x: primitive(x).sum()))):
        assert f(x).dtype == jnp.bfloat16
    t = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    rb.differentiate_with(jnp.sin, "jax")(t).sum().backward()
    assert t.grad.dtype == torch.bfloat16


# -- 64 bits -----------------------------------------------------------------------------------------


@pytest.fixture
def narrow_jax():
    with jax.enable_x64(False) if hasattr(jax, "enable_x64") else jax.experimental.disable_x64():
        yield


def test_jax_functions_of_64_bits_run_with_64_bits(narrow_jax):
    primitive = rb.differentiate_with(lambda a, n: jnp.sin(a) * n, "jax")
    x = torch.tensor([1.0 + 1e-12], dtype=torch.float64, requires_grad=True)
    y = primitive(x, torch.tensor([2**40]))
    y.sum().backward()
    assert y.dtype == x.grad.dtype == torch.float64
    np.testing.assert_allclose(y.detach() / 2**40, np.sin(1.0 + 1e-12), rtol=1e-15)
    np.testing.assert_allclose(x.grad / 2**40, np.cos(1.0 + 1e-12), rtol=1e-15)


def test_float32_stays_float32_beside_numbers(narrow_jax):
    y = rb.differentiate_with(lambda a, c: a * c, "jax")(torch.ones(2), 2.0)
    assert y.dtype == torch.float32


def test_a_result_of_64_bits_in_jax_without_them_is_refused(narrow_jax):
    primitive = rb.differentiate_with(lambda a: a * np.arange(3.0), "dual")
    for f in (primitive, jax.jit(primitive), rb.differentiate_with(lambda t: t.double(), "torch")):
        with pytest.raises(rb.ResultSpecError, match=r"(?s)float32 or narrower, as jax_enable_x64 is off.*float64.*jax_enable_x64"):
            f(jnp.ones(3))


def test_integers_of_64_bits_in_jax_without_them_have_to_fit(narrow_jax):
    assert int(rb.differentiate_with(np.argmax, "dual")(jnp.ones(3))) == 0
    with pytest.raises(rb.ResultSpecError, match=r"(?s)int32 or narrower.*int64"):
        rb.differentiate_with(lambda a: np.int64(2**40), "dual")(jnp.ones(3))


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() == "cpu" or not torch.cuda.is_available(), reason="no accelerator of both")
def test_arrays_stay_on_their_device():
    x = jax.device_put(jnp.arange(4.0), jax.devices("gpu")[0])
    seen = []

    def f(t):
        seen.append(t.device.type)
        return t**2

    primitive = rb.differentiate_with(f, "torch")
    y, g = primitive(x), jax.grad(lambda x: primitive(x).sum())(x)
    assert seen == ["cuda", "cuda"] and y.devices() == g.devices() == x.devices()
    np.testing.assert_allclose(g, 2 * np.arange(4.0))
    t = torch.arange(4.0, device="cuda", requires_grad=True)
    z = rb.differentiate_with(lambda a: jnp.sin(a), "jax")(t)
    z.sum().backward()
    assert z.is_cuda and t.grad.is_cuda
    np.testing.assert_allclose(t.grad.cpu(), np.cos(np.arange(4.0)), rtol=1e-5)
