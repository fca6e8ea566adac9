"""Every family: its score, density, quantile and mean against SciPy's distribution."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, special, stats

from bayesmed.families.catalogue import FAMILIES, resolve_family
from tests.support.oracles import law, own_parameters

ETA = np.array([-2.5, -0.7, 0.0, 0.4, 1.8])
SETS = {
    "usual": {
        "sigma": 0.7, "nu": 4.5, "shape": 2.3, "phi": 8.0, "alpha": 3.0, "trials": 12.0,
        "cutpoints": np.array([-0.8, 0.1, 1.2]), "scores": np.array([1.0, 2.0, 4.0, 8.0]),
    },
    "skewed": {
        "sigma": 1.6, "nu": 2.1, "shape": 0.3, "phi": 0.9, "alpha": 0.2, "trials": 1.0,
        "cutpoints": np.array([2.0]), "scores": np.array([0.0, 1.0]),
    },
}  # fmt: skip
EXAMPLES = list(itertools.product(FAMILIES, SETS))
OF_KIND = lambda *kinds: [pair for pair in EXAMPLES if FAMILIES[pair[0]].kind in kinds]
FAR_AWAY = 5e7  # where bayesmed.numerics.rectangle takes a score for infinite
each = pytest.mark.parametrize(("name", "values"), EXAMPLES)
every_family = pytest.mark.parametrize("name", FAMILIES)
continuous = pytest.mark.parametrize(("name", "values"), OF_KIND("continuous"))
counts = pytest.mark.parametrize(("name", "values"), OF_KIND("count"))
discrete = pytest.mark.parametrize(("name", "values"), OF_KIND("count", "binary", "ordered"))
densities = pytest.mark.parametrize(("name", "values"), OF_KIND("count", "continuous"))


def example(name, values):
    """A family with the parameters and data that it needs."""
    return FAMILIES[name], own_parameters(FAMILIES[name], SETS[values])


def support(family, p):
    """All values of a family with few of them."""
    last = {"binary": 1, "ordered": len(p.get("cutpoints", ()))}.get(family.kind, p.get("trials"))
    return np.arange(last + 1.0)


def finite(family):
    return family.kind in ("binary", "ordered") or "trials" in family.needs


def values_over_scores(family, eta, p, reach):
    """Responses all over the distribution, and all of them where they are few."""
    if finite(family):
        return support(family, p)[:, None] + 0.0 * eta
    y = family.value(np.linspace(-reach, reach, 4 * reach + 1)[:, None], eta, p)
    return np.unique(y, axis=0)


def normal_score(lower, upper):
    """Phi^{-1} of a probability, from the smaller tail."""
    return np.where(lower < upper, stats.norm.ppf(lower), stats.norm.isf(upper))


# The score.


@pytest.mark.each(4)
@each
def test_score_is_the_normal_quantile_of_scipys_distribution_function(name, values):
    family, p = example(name, values)
    for eta in ETA:
        y = values_over_scores(family, eta, p, 20).ravel()
        y = y[family.valid(y)]
        truth = law(name, eta, **p)
        lower, upper = truth.cdf(y), truth.sf(y)
        inside = (np.minimum(lower, upper) > 1e-290) | (np.abs(lower - upper) < 1.0)
        wanted = normal_score(lower, upper)
        score = np.array([float(family.score(one, eta, p)) for one in y])
        last = y == y.max() if finite(family) else np.zeros(y.size, dtype=bool)
        np.testing.assert_allclose(
            score[inside & ~last], wanted[inside & ~last], rtol=1e-9, atol=1e-12
        )
        assert np.all(score[last] > FAR_AWAY)
        if family.kind == "continuous" and name != "beta":
            assert wanted.min() < -8.0 and wanted.max() > 8.0


@discrete
def test_nothing_lies_below_zero(name, values):
    family, p = example(name, values)
    for eta in ETA:
        assert float(family.score(-1.0, eta, p)) < -FAR_AWAY


def log_tail(y, eta, p, name, upper):
    """Logarithm of a tail that no double holds, from SciPy's log-density."""
    truth = law(name, eta, **p)
    if FAMILIES[name].kind == "count":
        terms = y + 1.0 + np.arange(400) if upper else y - np.arange(min(400, int(y) + 1))
        return special.logsumexp(truth.logpmf(terms))
    if name == "loglogistic":
        return (truth.logsf if upper else truth.logcdf)(y)
    # Into the tail in units of the length over which the density falls by e.
    slope = (truth.logpdf(y * (1 + 1e-7)) - truth.logpdf(y * (1 - 1e-7))) / (2e-7 * y)
    relative = lambda v: np.exp(truth.logpdf(y + v / slope) - truth.logpdf(y))
    total, _ = integrate.quad(relative, -60.0, 0.0, epsabs=0.0, epsrel=1e-12, limit=400)
    return truth.logpdf(y) + np.log(total / abs(slope))


FAR = [
    ("gamma", 0.0, {"shape": 2.3}, 900.0, True),
    ("gamma", 0.0, {"shape": 4000.0}, 0.4, False),
    ("gamma", 1.0, {"shape": 4000.0}, 6.0, True),
    ("student_t", 0.0, {"sigma": 1.0, "nu": 300.0}, 300.0, True),
    ("student_t", 0.0, {"sigma": 1.0, "nu": 300.0}, -300.0, False),
    ("beta", 0.0, {"phi": 9000.0}, 0.2, False),
    ("beta", 0.0, {"phi": 9000.0}, 0.8, True),
    ("poisson", 3.0, {}, 900.0, True),
    ("poisson", 7.0, {}, 60.0, False),
    ("negative_binomial", 0.0, {"alpha": 50.0}, 900.0, True),
    ("negative_binomial", 8.0, {"alpha": 800.0}, 60.0, False),
    ("binomial", -2.0, {"trials": 5000.0}, 3000.0, True),
    ("binomial", 2.0, {"trials": 5000.0}, 2000.0, False),
    ("loglogistic", 0.0, {"sigma": 1e-3}, 7.0, True),
    ("loglogistic", 0.0, {"sigma": 1e-3}, 0.2, False),
]


@pytest.mark.parametrize(("name", "eta", "p", "y", "upper"), FAR)
def test_score_where_the_tail_underflows(name, eta, p, y, upper):
    truth = log_tail(y, eta, p, name, upper)
    assert truth < np.log(1e-310)
    score = float(FAMILIES[name].score(np.array(y), eta, p))
    assert (score > 0.0) == upper
    assert stats.norm.logsf(abs(score)) == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("w", [-3e4, -900.0, 5.0, 400.0])
def test_weibull_score_where_the_tail_underflows(w):
    """P(Y <= y) = 1 - exp(-h), h = exp(w)."""
    family = FAMILIES["weibull"]
    score = float(family.score(np.exp(w * 1e-2), 0.0, {"sigma": 1e-2}))
    if w < 0.0:
        assert stats.norm.logcdf(score) == pytest.approx(w, rel=1e-9)
    else:
        assert stats.norm.logsf(score) == pytest.approx(-np.exp(w), rel=1e-9)


def test_student_t_score_is_smooth_through_zero():
    """Its series meets the tail at abs(t) = 0.01."""
    family = FAMILIES["student_t"]
    for nu in (2.0, 7.0, 1e4):
        t = np.array([1e-12, 1e-6, 0.003, 0.00999, 0.01001, 0.1, 0.99, 1.01])
        middle, _ = np.vectorize(
            lambda t, nu=nu: integrate.quad(stats.t(nu).pdf, 0.0, t, epsabs=0.0, epsrel=1e-13)
        )(t)
        # Phi(z) = 1/2 + middle, by erfinv, which keeps the digits of a small argument.
        wanted = np.sqrt(2.0) * special.erfinv(2.0 * middle)
        score = family.score(t, 0.0, {"sigma": 1.0, "nu": nu})
        np.testing.assert_allclose(score, wanted, rtol=1e-11)
        np.testing.assert_array_equal(family.score(-t, 0.0, {"sigma": 1.0, "nu": nu}), -score)
    assert family.score(0.0, 0.0, {"sigma": 1.0, "nu": 5.0}) == 0.0


# The density.


@densities
def test_log_density_is_scipys(name, values):
    family, p = example(name, values)
    for eta in ETA:
        y = values_over_scores(family, eta, p, 8).ravel()
        y = y[family.valid(y)]
        truth = law(name, eta, **p)
        wanted = truth.logpdf(y) if family.kind == "continuous" else truth.logpmf(y)
        np.testing.assert_allclose(family.log_density(y, eta, p), wanted, rtol=1e-9, atol=1e-10)


# The quantile.


@continuous
def test_value_is_scipys_quantile(name, values):
    family, p = example(name, values)
    e = np.linspace(-8.0, 8.0, 33)[:, None]
    y = family.value(e, ETA, p)
    assert y.shape == (33, 5) and family.valid(y).all()
    # A beta comes closer to one than doubles do.
    inside = (y > 1e-280) & (y < 1.0 - 1e-6) if name == "beta" else np.full(y.shape, True)
    assert np.all(np.diff(y, axis=0)[inside[1:] & inside[:-1]] > 0.0)
    truth = law(name, ETA, **p)
    quantile = np.where(e < 0.0, truth.ppf(stats.norm.cdf(e)), truth.isf(stats.norm.sf(e)))
    np.testing.assert_allclose(y[inside], quantile[inside], rtol=1e-9, atol=1e-12)


@discrete
def test_value_lies_in_its_interval_of_scores(name, values):
    family, p = example(name, values)
    e = np.concatenate([np.linspace(-6.0, 6.0, 50), [-25.0, -9.0, 9.0, 25.0]])
    for eta in ETA:
        y = family.value(e, eta, p)
        assert y.shape == e.shape and family.valid(y).all()
        for one, at in zip(y, e, strict=True):
            assert float(family.score(one - 1.0, eta, p)) < at <= float(family.score(one, eta, p))


@pytest.mark.parametrize("e", [-37.0, -20.0, 20.0, 37.0])
@every_family
def test_extreme_values_are_still_responses(name, e):
    family, p = example(name, "usual")
    assert family.valid(family.value(np.full(5, e), ETA, p)).all()


# The mean.


@each
def test_mean_is_that_of_the_distribution(name, values):
    family, p = example(name, values)
    if name == "loglogistic" and p["sigma"] > 1.0:
        return  # see test_tail_is_that_of_the_quantile_and_says_where_the_integral_converges
    truth = law(name, ETA, **p) if family.kind != "ordered" else None
    if truth is None:
        chances = np.array([law(name, eta, **p).pmf(support(family, p)) for eta in ETA])
        wanted = chances @ p["scores"]
    else:
        wanted = truth.mean()
    np.testing.assert_allclose(family.mean(ETA, p), wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.each(2)
@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.conditional is not None])
def test_conditional_mean_is_an_integral_over_the_other_score(name):
    family, p = example(name, "usual")
    for rho, e, eta in itertools.product((-0.95, -0.3, 0.0, 0.6), (-2.0, 0.0, 1.5), (-0.7, 0.4)):
        k = np.sqrt(1.0 - rho**2)
        wanted, _ = integrate.quad(
            lambda z, at=rho * e, k=k, eta=eta: stats.norm.pdf(z) * family.value(at + k * z, eta, p),
            -12.0, 12.0, epsabs=1e-12,
        )  # fmt: skip
        assert family.conditional(e, eta, rho, p) == pytest.approx(wanted, abs=1e-10)


# What a family says of itself.


@every_family
def test_additive_multiplicative_and_latent_are_as_defined(name):
    family, p = example(name, "usual")
    e, eta = np.linspace(-2.0, 2.0, 9)[:, None], np.array([-1.0, 0.3, 2.0])
    y = family.value(e, eta, p)
    same = lambda table: bool(np.ptp(table, axis=1).max() < 1e-9)
    assert family.additive == (same(y - eta) and np.allclose(family.mean(eta, p), eta))
    assert family.multiplicative == same(y / np.exp(eta))
    if family.discrete:
        cut = np.array([[float(family.score(0.0, one, p)) + one for one in eta]])
        wanted = "unit" if family.kind != "count" and same(cut) else None
    else:
        steps = family.score(y, eta, p) * p.get("sigma", 1.0) - (
            np.zeros_like(y) if family.working is None else family.working(y) - eta
        )
        wanted = "free" if family.working is not None and np.abs(steps).max() < 1e-9 else None
    assert family.latent == wanted


SLOPES = {
    "gamma": lambda eta, p: p["shape"] / np.exp(eta),
    "negative_binomial": lambda eta, p: np.log1p(p["alpha"] / np.exp(eta)),
}
MEDIATORS = [n for n, f in FAMILIES.items() if not f.outcome_only]


@pytest.mark.parametrize("name", MEDIATORS)
def test_exponential_moment_is_where_the_integral_converges(name):
    """The logarithm of phi(e) exp(slope value(e)) must fall at both ends."""
    family, p = example(name, "usual")
    for eta in (-0.7, 0.4):
        edge = SLOPES.get(name, lambda eta, p: 0.6)(eta, p)
        for slope in (-0.9 * edge, 0.0, 0.9 * edge, 1.1 * edge):
            with np.errstate(over="ignore"):
                ends = {
                    e: slope * float(family.value(e, eta, p)) - 0.5 * e * e
                    for e in (-19.0, -12.0, 12.0, 19.0)
                }
            converges = ends[-19.0] < ends[-12.0] and ends[19.0] < ends[12.0]
            told = (
                True
                if family.exponential_moment is None
                else family.exponential_moment(slope, eta, p)
            )
            assert bool(told) == converges, (slope, ends)


@pytest.mark.parametrize(
    ("sigma", "converges"), [(0.2, True), (0.97, True), (1.03, False), (3.0, False)]
)
def test_tail_is_that_of_the_quantile_and_says_where_the_integral_converges(sigma, converges):
    family, p = FAMILIES["loglogistic"], {"sigma": sigma}
    log_integrand = lambda e: np.log(family.value(e, 0.0, p)) - 0.5 * e * e
    assert (log_integrand(20.0) < log_integrand(15.0)) == converges
    assert bool(family.tail(p) < 1.0) == converges
    growth = np.log(family.value(21.0, 0.0, p)) / (0.5 * 21.0**2)  # further out it overflows
    assert family.tail(p) == pytest.approx(growth, rel=0.02)
    assert [n for n, f in FAMILIES.items() if f.tail is not None] == ["loglogistic"]


OUTSIDE = {
    "finite numbers": [np.nan, np.inf, -np.inf],
    "finite numbers, censored at known limits": [np.nan, np.inf, -np.inf],
    "positive numbers": [np.nan, np.inf, -1.0, 0.0],
    "numbers strictly between 0 and 1": [np.nan, -0.1, 0.0, 1.0, 1.1, np.inf],
    "0 and 1": [np.nan, np.inf, -1.0, 0.5, 2.0],
    "ordered categories": [np.nan, np.inf, -1.0, 0.5],
    "whole numbers from 0": [np.nan, np.inf, -1.0, 0.5],
    "whole numbers from 0 to the trials": [np.nan, np.inf, -1.0, 0.5],
}


@every_family
def test_valid_is_the_domain(name):
    family, p = example(name, "usual")
    assert not family.valid(np.array(OUTSIDE[family.domain])).any()
    drawn = family.value(np.random.default_rng(1).normal(size=(50, 1)), ETA, p)
    assert family.valid(drawn).all()


@every_family
def test_draws_on_the_last_axis(name):
    """Parameters of shape (S,), cutpoints (category - 1, S), against rows: as draw by draw."""
    family, p = example(name, "usual")
    s = np.array([0.8, 1.0, 1.3])
    draws = {k: v if k in ("trials", "scores") else np.multiply.outer(v, s) for k, v in p.items()}
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0]) if family.discrete else np.full(5, 0.4)
    e, eta = np.linspace(-1.5, 1.5, 5)[:, None], ETA[:, None] + np.array([0.0, 0.1, 0.2])
    found = {
        "score": family.score(y[:, None], eta, draws),
        "value": family.value(e, eta, draws),
        "mean": family.mean(eta, draws),
    }
    if family.log_density is not None:
        found["log_density"] = family.log_density(y[:, None], eta, draws)
    for i in range(3):
        own = {k: v if k in ("trials", "scores") else v[..., i] for k, v in draws.items()}
        one = {
            "score": [float(family.score(a, b, own)) for a, b in zip(y, eta[:, i], strict=True)],
            "value": family.value(e[:, 0], eta[:, i], own),
            "mean": family.mean(eta[:, i], own),
        }
        if family.log_density is not None:
            one["log_density"] = family.log_density(y, eta[:, i], own)
        for piece, wanted in one.items():
            np.testing.assert_allclose(found[piece][:, i], wanted, rtol=1e-12, err_msg=piece)


def test_families_by_name():
    for name, family in FAMILIES.items():
        assert family.name == name
        assert resolve_family(name, "outcome") is family is resolve_family(family, "outcome")
        if family.outcome_only:
            with pytest.raises(ValueError, match=f"{name} family is for outcomes.*'gaussian'"):
                resolve_family(name, "mediator")
    with pytest.raises(ValueError, match=r"mediator_family='poison'.*gaussian"):
        resolve_family("poison", "mediator")


# Tensors: all families in one compiled function.

_ROWS = ("y", "eta")


class Compiled:
    """Scores, log-densities and their slopes of every family, compiled once."""

    def __init__(self):
        self.names, self.outputs, inputs, outputs = {}, {}, [], []
        for name, family in FAMILIES.items():
            own, found = self._graph(name, family)
            self.names[name] = list(own)
            self.outputs[name] = (len(outputs), list(found))
            inputs += own.values()
            outputs += found.values()
        self.function = pytensor.function(inputs, outputs, mode="NUMBA", on_unused_input="ignore")

    def _graph(self, name, family):
        p = example(name, "usual")[1]
        p.pop("scores", None)
        own = {key: pt.dvector(key) for key in (*_ROWS, *p)}
        parameters = {key: own[key] for key in p}
        found = {"score": family.score(own["y"], own["eta"], parameters)}
        if family.log_density is not None:
            found["log_density"] = family.log_density(own["y"], own["eta"], parameters)
        along = ["eta", *family.parameters] + (["y"] if family.kind == "continuous" else [])
        for piece, value in list(found.items()):
            slopes = pytensor.grad(
                value.sum(), [own[key] for key in along], disconnected_inputs="ignore"
            )
            found |= {f"{piece} by {key}": one for key, one in zip(along, slopes, strict=True)}
        return own, found

    def __call__(self, cases):
        """Evaluate at ``{name: {input: vector}}``; returns ``{name: {output: vector}}``."""
        # One layout of the arrays, as numba compiles for each.
        flat = self.function(*(
            np.ascontiguousarray(cases[name][key], dtype=float)
            for name in FAMILIES
            for key in self.names[name]
        ))  # fmt: skip
        return {
            name: dict(zip(labels, flat[start : start + len(labels)], strict=True))
            for name, (start, labels) in self.outputs.items()
        }


@pytest.fixture(scope="module")
def compiled():
    return Compiled()


def rows(name, values, size=60):
    """Random rows with their own parameters, scores to about +-6."""
    family, p = example(name, values)
    p.pop("scores", None)
    rng = np.random.default_rng(2)
    eta = rng.normal(0.0, 1.2, size)
    own = {k: v if k == "cutpoints" else np.full(size, v) for k, v in p.items()}
    for key in set(own) - {"trials", "cutpoints"}:
        own[key] = own[key] * rng.uniform(0.98, 1.4, size)
    e = np.clip(rng.normal(0.0, 2.5, size), -6.0, 6.0)
    y = np.asarray(family.value(e, eta, own))
    if family.kind == "ordered":  # not the last category, whose score is infinite
        y = np.minimum(y, len(own["cutpoints"]) - 1.0)
    if name == "beta":  # nor so close to one that doubles are sparse
        y = np.minimum(y, 0.999)
    return {"y": y, "eta": eta, **own}


def pieces(name, case):
    family = FAMILIES[name]
    parameters = {key: value for key, value in case.items() if key not in _ROWS}
    found = {"score": family.score(case["y"], case["eta"], parameters)}
    if family.log_density is not None:
        found["log_density"] = family.log_density(case["y"], case["eta"], parameters)
    return found


def unit(name, key, case):
    """What a change of an input is measured in: itself, but for a linear predictor."""
    at = np.asarray(case[key], dtype=float)
    if key == "eta" or (key == "y" and name in ("gaussian", "tobit", "student_t")):
        return np.ones_like(at)
    return at * (1.0 - at) if key == "y" and name == "beta" else np.abs(at)


def difference(name, piece, key, case):
    """Slope of the array version per unit, by a central difference of fourth order."""
    at, step = np.asarray(case[key], dtype=float), 1e-3 * unit(name, key, case)
    moves = [step] if key != "cutpoints" else list(np.diag(step))
    slopes = []
    for move in moves:
        a, b, c, d = (pieces(name, {**case, key: at + s * move})[piece] for s in (-2, -1, 1, 2))
        slopes.append((8.0 * (c - b) - (d - a)) / 12e-3)
    # Cutpoints belong to all rows, so their slopes are sums.
    return slopes[0] if key != "cutpoints" else np.array([slope.sum() for slope in slopes])


@pytest.mark.slow
@pytest.mark.parametrize("values", SETS)
def test_tensors_equal_arrays_and_their_slopes_are_right(compiled, values):
    cases = {name: rows(name, values) for name in FAMILIES}
    for name, found in compiled(cases).items():
        truth = pieces(name, cases[name])
        for label, tensor in found.items():
            piece, _, key = label.partition(" by ")
            where = f"{name}: {label}"
            if not key:
                np.testing.assert_allclose(
                    tensor, truth[piece], rtol=1e-9, atol=1e-9, err_msg=where
                )
                continue
            wanted = difference(name, piece, key, cases[name])
            slope = tensor * unit(name, key, cases[name])
            np.testing.assert_allclose(slope, wanted, rtol=1e-7, atol=1e-8, err_msg=where)


# Corners: what a sampler may try on its way.
EXTREME = {
    "sigma": [1e-3, 0.7, 1e3], "nu": [2.0, 5.0, 1e3], "shape": [1e-2, 2.3, 1e4],
    "phi": [1e-2, 8.0, 1e4], "alpha": [1e-2, 3.0, 1e5], "trials": [1.0, 12.0, 1e5],
}  # fmt: skip
ETAS = [-30.0, -4.0, 0.0, 1e-9, 3.0, 30.0]
RESPONSES = {
    "finite numbers": [-1e6, -1.0, 0.0, 1e-9, 3.0, 1e6],
    "finite numbers, censored at known limits": [-1e6, -1.0, 0.0, 3.0, 1e6],
    "positive numbers": [1e-12, 1e-3, 1.0, 50.0, 1e9],
    "numbers strictly between 0 and 1": [1e-300, 1e-12, 0.01, 0.5, 0.99, 1.0 - 1e-12],
    "0 and 1": [0.0, 1.0],
    "ordered categories": [0.0, 1.0, 2.0, 3.0],
    "whole numbers from 0": [0.0, 1.0, 12.0, 1e3, 1e6],
    "whole numbers from 0 to the trials": [0.0, 1.0, 12.0, 1e3, 1e5],
}


def corners(name):
    family, p = example(name, "usual")
    keys = [key for key in p if key not in ("scores", "cutpoints")]
    table = itertools.product(RESPONSES[family.domain], ETAS, *(EXTREME[key] for key in keys))
    case = dict(zip(["y", "eta", *keys], np.array(list(table)).T, strict=True))
    if "trials" in case:
        possible = case["y"] <= case["trials"]
        case = {key: value[possible] for key, value in case.items()}
    return {**case, **({"cutpoints": p["cutpoints"]} if "cutpoints" in p else {})}


@pytest.mark.slow
def test_nothing_is_nan_or_infinite_in_the_corners(compiled):
    cases = {name: corners(name) for name in FAMILIES}
    for name, found in compiled(cases).items():
        for label, values in found.items():
            bad = np.flatnonzero(~np.isfinite(values))
            shown = [
                {key: v[i] for key, v in cases[name].items() if key != "cutpoints"} for i in bad[:3]
            ]
            assert not len(bad), f"{name}: {label} is {values[bad[:3]]} at {shown}"


def test_slopes_of_the_incomplete_beta_function_always_converge(compiled):
    """PyTensor's own are NaN at these rows."""
    cases = {name: rows(name, "usual", 3) for name in FAMILIES}
    cases["negative_binomial"] = {
        "y": np.array([117.0, 998.0, 5125.0]), "eta": np.array([3.9, 6.4, 6.7]),
        "alpha": np.full(3, 0.05),
    }  # fmt: skip
    cases["beta"] = {
        "y": np.array([0.3657, 0.1895, 0.6826]), "eta": special.logit([0.365, 0.19, 0.683]),
        "phi": np.full(3, 1e6),
    }  # fmt: skip
    found = compiled(cases)
    for name, key in (("negative_binomial", "alpha"), ("beta", "phi")):
        for along in ("eta", key):
            case, slope = cases[name], found[name][f"score by {along}"]
            step = 1e-5 * unit(name, along, case)
            low, high = (
                pieces(name, {**case, along: case[along] + s * step})["score"] for s in (-1, 1)
            )
            np.testing.assert_allclose(slope, (high - low) / (2.0 * step), rtol=1e-5)
