"""Monte Carlo with common random numbers, seeded generators, and rules that draw on their own."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# an estimate with a seed as a static


def option_price(spot, vol, *, seed=0):
    z = np.random.default_rng(seed).standard_normal(64)
    return np.mean(np.logaddexp(0.0, spot * np.exp(vol * z) - 1.0))


def price_partials(spot, vol, seed):
    z = np.random.default_rng(seed).standard_normal(64)
    s = spot * np.exp(vol * z)
    w = 1 / (1 + np.exp(1.0 - s))
    return np.mean(w * np.exp(vol * z)), np.mean(w * s * z)


def price_cases(rng):
    return rb.case(rng.uniform(0.5, 2), rng.uniform(0.1, 0.5), seed=int(rng.integers(5)))


def both(partials):
    def pushforward(y, p, t, *, seed):
        a, b = partials(*p, seed)
        return a * t[0] + b * t[1]

    def pullback(y, p, c, *, seed):
        a, b = partials(*p, seed)
        return a * c, b * c

    return {"pushforward": pushforward, "pullback": pullback}


prices = Family("monte_carlo", "common random numbers from a seed", f=option_price, cases=price_cases, **both(price_partials))
prices.right("reverse_only", pushforward=None)
prices.wrong("default_seed", "static", **both(lambda s, v, seed: price_partials(s, v, 0)))
prices.wrong("next_seed", "static", pullback=both(lambda s, v, seed: price_partials(s, v, seed + 1))["pullback"])
prices.wrong("own_draw", "random", "unseeded", pullback=both(lambda s, v, seed: price_partials(s, v, None))["pullback"])
prices.wrong("own_draw_forward", "random", "unseeded", pushforward=both(lambda s, v, seed: price_partials(s, v, None))["pushforward"])
prices.wrong("vol_part", "dropped term", pullback=both(lambda s, v, seed: (price_partials(s, v, seed)[0], 0.0))["pullback"])


def shared_generator(shared=False):
    generator = np.random.default_rng(0)

    def partials(spot, vol, seed):
        if not shared:
            return price_partials(spot, vol, seed)
        z = generator.standard_normal(64)
        s = spot * np.exp(vol * z)
        w = 1 / (1 + np.exp(1.0 - s))
        return np.mean(w * np.exp(vol * z)), np.mean(w * s * z)

    return both(partials)


draws = Family("monte_carlo_made", "the same, made afresh", build=shared_generator, f=option_price, cases=price_cases)
draws.wrong("shared", "generator", "one generator for all calls", shared=True)

# dropout with a generator as an argument


def dropout(x, generator, *, keep=0.5):
    state = generator.bit_generator.state
    mask = generator.random(x.shape) < keep
    generator.bit_generator.state = state
    return x * mask / keep


def mask_of(x, generator, keep):
    copy = np.random.Generator(type(generator.bit_generator)())
    copy.bit_generator.state = generator.bit_generator.state
    return (copy.random(x.shape) < keep) / keep


def dropout_cases(rng):
    return rb.case(rng.standard_normal(6), np.random.default_rng(int(rng.integers(100))), keep=float(rng.choice([0.3, 0.5, 1.0])))


drops = Family(
    "dropout",
    "a generator as an argument, left as it was",
    f=dropout,
    cases=dropout_cases,
    pushforward=lambda y, p, t, *, keep: mask_of(*p, keep) * t[0],
    pullback=lambda y, p, c, *, keep: (mask_of(*p, keep) * c, None),
)
drops.wrong(
    "advances",
    "generator",
    "the rule draws on, so that the next call differs",
    pullback=lambda y, p, c, *, keep: ((p[1].random(c.shape) < keep) / keep * c, None),
)
drops.wrong("advances_forward", "generator", pushforward=lambda y, p, t, *, keep: (p[1].random(y.shape) < keep) / keep * t[0])
drops.wrong("unscaled", "factor", pullback=lambda y, p, c, *, keep: (mask_of(*p, keep) * keep * c, None))
drops.wrong("default_keep", "static", pullback=lambda y, p, c, *, keep: (mask_of(*p, 0.5) * c, None))
drops.wrong(
    "by_output", "wrong branch", "entries of negative sign count as dropped", pushforward=lambda y, p, t, *, keep: (y > 0) / keep * t[0]
)

# sampling by a seed, reparameterised


def sample(mean, log_scale, seed):
    z = np.random.default_rng(seed).standard_normal(mean.shape)
    return mean + np.exp(log_scale) * z


def noise(p):
    return np.random.default_rng(p[2]).standard_normal(p[0].shape)


samples = Family(
    "reparameterised",
    "an integer seed among the primals",
    f=sample,
    cases=lambda rng: (rng.standard_normal(4), rng.standard_normal(4), int(rng.integers(1000))),
    frule=lambda p, t: (sample(*p), t[0] + np.exp(p[1]) * noise(p) * t[1]),
    rrule=lambda mean, log_scale, seed: (
        sample(mean, log_scale, seed),
        lambda c: (c, np.exp(log_scale) * noise((mean, log_scale, seed)) * c, None),
    ),
)
samples.wrong("no_exp", "dropped term", rrule=lambda m, s, seed: (sample(m, s, seed), lambda c: (c, noise((m, s, seed)) * c, None)))
samples.wrong(
    "seed_cotangent",
    "integer cotangent",
    rrule=lambda m, s, seed: (sample(m, s, seed), lambda c: (c, np.exp(s) * noise((m, s, seed)) * c, np.sum(c))),
)
samples.wrong(
    "fresh_noise",
    "random",
    "new noise in the frule",
    frule=lambda p, t: (sample(*p), t[0] + np.exp(p[1]) * np.random.default_rng().standard_normal(p[0].shape) * t[1]),
)
samples.wrong(
    "primal_noise",
    "random",
    "new noise in the rule's primal",
    rrule=lambda m, s, seed: (
        m + np.exp(s) * np.random.default_rng().standard_normal(m.shape),
        lambda c: (c, np.exp(s) * noise((m, s, seed)) * c, None),
    ),
)
samples.wrong(
    "tiny_noise",
    "random",
    "results that change by 1e-7 from call to call",
    rrule=lambda m, s, seed: (
        sample(m, s, seed),
        lambda c: (c * (1 + 1e-7 * np.random.default_rng().standard_normal()), np.exp(s) * noise((m, s, seed)) * c, None),
    ),
)
