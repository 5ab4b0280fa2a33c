"""Trees of arrays as the oracle sees them: their real numbers, in order, and back."""

from __future__ import annotations

import numpy as np

from rulebook.tangents import NotImplementedTangent, Thunk


def leaves(tree, path=()):
    """(path, leaf) pairs; None has no leaf."""
    if isinstance(tree, dict):
        return [x for k in sorted(tree) for x in leaves(tree[k], (*path, k))]
    if isinstance(tree, (tuple, list)):
        return [x for i, t in enumerate(tree) for x in leaves(t, (*path, i))]
    return [] if tree is None else [(path, tree)]


def rebuild(tree, values):
    """The same tree with the leaves of an iterator."""
    if isinstance(tree, dict):
        made = {k: rebuild(tree[k], values) for k in sorted(tree)}
        return {k: made[k] for k in tree}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[rebuild(t, values) for t in tree])
    if isinstance(tree, (tuple, list)):
        return type(tree)([rebuild(t, values) for t in tree])
    return None if tree is None else next(values)


def active(leaf):
    return not isinstance(leaf, (str, bytes)) and np.asarray(leaf).dtype.kind in "fc"


def copied(tree):
    return rebuild(tree, iter([np.array(x) if isinstance(x, np.ndarray) else x for _, x in leaves(tree)]))


def real(x):
    """A complex array as its real and imaginary parts."""
    x = np.asarray(x)
    return np.concatenate([x.real.ravel(), x.imag.ravel()]) if x.dtype.kind == "c" else x.ravel()


def unreal(vector, like):
    like = np.asarray(like)
    half = like.size
    made = (vector[:half] + 1j * vector[half:]) if like.dtype.kind == "c" else vector
    return np.asarray(made.reshape(like.shape)).astype(like.dtype)[()] if like.ndim == 0 else made.reshape(like.shape).astype(like.dtype)


def sizes(tree):
    return [0 if not active(x) else np.asarray(x).size * (2 if np.asarray(x).dtype.kind == "c" else 1) for _, x in leaves(tree)]


def flat(tree, like):
    """All real numbers of the active leaves; zeros where the tree says zero."""
    out = [np.zeros(0)]
    for t, x in zip(aligned(tree, like), [x for _, x in leaves(like)], strict=True):
        if not active(x):
            continue
        n = sizes([x])[0]
        if t is None or type(t).__name__ in ("NoTangent", "ZeroTangent"):
            out.append(np.zeros(n))
            continue
        if isinstance(t, NotImplementedTangent):
            out.append(np.full(n, np.nan))
            continue
        t = np.asarray(t)
        if t.shape != np.shape(x):
            raise Broken(f"shape {t.shape} for {np.shape(x)}")
        if np.asarray(x).dtype.kind != "c" and t.dtype.kind == "c":
            t = t.real
        out.append(real(t.astype(complex) if np.asarray(x).dtype.kind == "c" else t))
    return np.concatenate(out)


def aligned(tree, like):
    """The values of `tree` at the leaves of `like`; a zero for a whole branch is repeated."""
    if isinstance(tree, Thunk):
        tree = tree.fn()
    if isinstance(like, (tuple, list, dict)):
        if tree is None or type(tree).__name__ in ("NoTangent", "ZeroTangent"):
            return [None] * len(leaves(like))
        if isinstance(like, dict):
            if not isinstance(tree, dict) or set(tree) != set(like):
                raise Broken("structure")
            return [x for k in sorted(like) for x in aligned(tree[k], like[k])]
        if not isinstance(tree, (tuple, list)) or isinstance(tree, list) != isinstance(like, list) or len(tree) != len(like):
            raise Broken("structure")
        return [x for t, e in zip(tree, like, strict=True) for x in aligned(t, e)]
    return [] if like is None else [tree]


def unflat(vector, like):
    """Leaves from real numbers; None for leaves without tangent."""
    out, at = [], 0
    for (_, x), n in zip(leaves(like), sizes(like), strict=True):
        out.append(unreal(vector[at : at + n], x) if active(x) else None)
        at += n
    return rebuild(like, iter(out))


class Broken(Exception):
    """The rule breaks the protocol."""


def same(a, b):
    return all(
        np.array_equal(np.asarray(x), np.asarray(y), equal_nan=np.asarray(x).dtype.kind in "fc")
        for (_, x), (_, y) in zip(leaves(a), leaves(b), strict=True)
    )


def structure(y, like):
    if type(y) is not type(like) and isinstance(like, (tuple, list, dict)):
        return False
    if isinstance(like, dict):
        return set(y) == set(like) and all(structure(y[k], like[k]) for k in like)
    if isinstance(like, (tuple, list)):
        return len(y) == len(like) and all(structure(a, b) for a, b in zip(y, like, strict=True))
    return like is None or (np.shape(y) == np.shape(like) and np.asarray(y).dtype == np.asarray(like).dtype)


def projected_on(tangents, space):
    if space is None:
        return tangents
    return tuple(space(i, t) if isinstance(t, np.ndarray) and t.ndim else t for i, t in enumerate(tangents))


def is_single(args, y):
    return any(np.asarray(x).dtype in (np.float32, np.complex64) for _, x in [*leaves(args), *leaves(y)])


def relative(a, b, scale=None):
    a, b = np.asarray(a, float), np.asarray(b, float)
    scale = np.abs(b) if scale is None else scale
    with np.errstate(all="ignore"):
        err = np.abs(a - b) / scale
    err = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, err)
    err = np.where(np.isnan(err), np.inf, err)
    return float(err.max(initial=0.0))


def widened(tree, wide):
    def up(x):
        x = np.asarray(x)
        if x.dtype.kind not in "fc":
            return x
        return x.astype(
            {("f", True): np.longdouble, ("c", True): np.clongdouble, ("f", False): float, ("c", False): complex}[x.dtype.kind, wide]
        )[()]

    return rebuild(tree, iter([up(x) if active(x) else x for _, x in leaves(tree)]))
