"""The bivariate normal cdf, and the joint likelihood of every pair of families."""

import itertools

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode
from scipy import integrate, stats

from bayesmed.families.catalogue import FAMILIES
from bayesmed.system.copula import log_conditional, log_marginal, margin
from tests.support.oracles import bvn_cdf, law, own_parameters
from tests.support.tensors import evaluate

CORRELATIONS = [s * r for r in (0.1, 0.5, 0.9, 0.92, 0.93, 0.95, 0.99, 0.999) for s in (-1, 1)]
LIMITS = np.array([-8.0, -5.0, -2.6, -1.0, 0.0, 0.31, 2.5, 5.0, 8.0])
PAIRS = list(itertools.product(("gaussian", "probit", "logit"), repeat=2))
NAMED = [
    ("gaussian", "student_t"), ("student_t", "gaussian"), ("lognormal", "gamma"), ("gamma", "probit"),
    ("beta", "beta"), ("gaussian", "ordered_logit"), ("ordered_probit", "gaussian"),
    ("ordered_logit", "probit"), ("poisson", "gaussian"), ("negative_binomial", "weibull"),
    ("gaussian", "poisson"), ("probit", "negative_binomial"), ("poisson", "binomial"),
    ("gaussian", "tobit"), ("logit", "loglogistic"),
]  # fmt: skip
SIGMA = (1.3, 0.8)

pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
named = pytest.mark.parametrize("pair", NAMED, ids="-".join)


def normal_rectangle(h, l, rho):
    """P(Z1 <= h, Z2 <= l) by adaptive quadrature, cut where the integrand is steep."""
    k = np.sqrt((1.0 - rho) * (1.0 + rho))
    steps = np.array([0.0, 1.0, 3.0, 6.0, 12.0, 20.0])
    cuts = [*(h - steps), *(l / rho + k / abs(rho) * np.concatenate([-steps, steps])), -1.0, -40.0]
    edges = sorted(cut for cut in set(cuts) if -40.0 <= cut <= h)
    log_density = lambda z: stats.norm._logpdf(z) + stats.norm._logcdf((l - rho * z) / k)
    return sum(
        integrate.quad_vec(lambda z: np.exp(log_density(z)), a, b, epsabs=1e-300, epsrel=1e-11)[0]
        for a, b in itertools.pairwise(edges)
    )


def grid():
    return np.meshgrid(LIMITS, LIMITS, indexing="ij")


@pytest.mark.each(2)
@pytest.mark.parametrize("rho", CORRELATIONS)
def test_bvn_cdf_equals_adaptive_quadrature(rho):
    h, l = grid()
    truth = np.vectorize(normal_rectangle)(h, l, rho)
    found = bvn_cdf(h, l, rho)
    assert np.all(np.abs(found - truth) < 1e-14)
    likely = truth > 1e-8
    np.testing.assert_allclose(found[likely], truth[likely], rtol=1e-8)
    # A small probability keeps its leading digits, and a tiny one its logarithm.
    unlikely = ~likely & (truth > 1e-30)
    np.testing.assert_allclose(found[unlikely], truth[unlikely], rtol=1e-6)
    tiny = ~likely & (truth > 1e-280)
    np.testing.assert_allclose(np.log(found[tiny]), np.log(truth[tiny]), rtol=0.01)


def test_bvn_cdf_identities():
    h, l = grid()
    np.testing.assert_allclose(
        bvn_cdf(h, l, 0.0), stats.norm.cdf(h) * stats.norm.cdf(l), rtol=1e-12
    )
    for rho in CORRELATIONS:
        np.testing.assert_allclose(bvn_cdf(0.0, 0.0, rho), 0.25 + np.arcsin(rho) / (2.0 * np.pi))
        np.testing.assert_allclose(bvn_cdf(h, l, rho), bvn_cdf(l, h, rho), rtol=1e-9, atol=1e-16)
        np.testing.assert_allclose(
            bvn_cdf(h, l, rho) + bvn_cdf(h, -l, -rho), stats.norm.cdf(h), rtol=1e-8, atol=1e-14
        )


def test_bvn_cdf_of_mixed_correlations_is_that_of_each():
    rho = np.array(CORRELATIONS)[:, None]
    together = bvn_cdf(LIMITS, -0.4, rho)
    apart = np.stack([bvn_cdf(LIMITS, -0.4, r) for r in CORRELATIONS])
    np.testing.assert_allclose(together, apart, rtol=1e-13)


def test_bvn_cdf_of_tensors_equals_arrays():
    some = [-0.999, -0.93, -0.5, 0.1, 0.92, 0.99]
    h, l, rho = (part.ravel() for part in np.meshgrid(LIMITS[::2], LIMITS[::2], some))
    np.testing.assert_allclose(
        evaluate(bvn_cdf, h, l, rho), bvn_cdf(h, l, rho), rtol=1e-9, atol=1e-16
    )
    for one in (-0.95, 0.0, 0.97):
        np.testing.assert_allclose(
            evaluate(bvn_cdf, h, l, one), bvn_cdf(h, l, one), rtol=1e-9, atol=1e-16
        )


@pytest.mark.parametrize("rho", [-0.99, -0.5, 0.0, 0.95])
def test_bvn_cdf_gradient_is_the_analytic_one(rho):
    h, l = (part.ravel() for part in grid())
    k = np.sqrt(1.0 - rho**2)
    by_h = stats.norm.pdf(h) * stats.norm.cdf((l - rho * h) / k)
    by_l = stats.norm.pdf(l) * stats.norm.cdf((h - rho * l) / k)
    density = np.exp(stats.norm.logpdf(h) + stats.norm.logpdf((l - rho * h) / k)) / k

    def gradient(h, l, rho):
        return pytensor.grad(bvn_cdf(h, l, rho).sum(), [h, l, rho])

    each = evaluate(gradient, h, l, np.full(h.size, rho))
    for found, truth in zip(each, (by_h, by_l, density), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-16)
    shared = evaluate(gradient, h, l, rho)
    np.testing.assert_allclose(shared[2], density.sum(), rtol=1e-9)
    by_row = evaluate(
        lambda h, rho: pytensor.grad(bvn_cdf(h, 0.4, rho).sum(), rho), LIMITS, np.full((2, 1), rho)
    )
    at = np.exp(stats.norm.logpdf(LIMITS) + stats.norm.logpdf((0.4 - rho * LIMITS) / k)) / k
    np.testing.assert_allclose(by_row, np.full((2, 1), at.sum()), rtol=1e-9)


def joint(pair, m, y, eta_m, eta_y, rho, sigma=SIGMA):
    """log p(m, y) with an outcome equation that may depend on m."""
    families = [FAMILIES[name] for name in pair]
    own = [dict.fromkeys(family.parameters, s) for family, s in zip(families, sigma, strict=True)]
    first = margin(families[0], m, eta_m, own[0])
    second = margin(families[1], y, eta_y, own[1])
    return log_marginal(first) + log_conditional(first, second, rho)


def support(name, sigma):
    """Points and weights; on smooth densities the trapezoid rule is exact."""
    if name != "gaussian":
        return np.array([0.0, 1.0]), 1.0
    points = np.linspace(-25.0, 25.0, 1001) * sigma
    return points, points[1] - points[0]


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.6])
@pairs
def test_joint_density_sums_to_one(pair, rho):
    (m, dm), (y, dy) = (support(name, s) for name, s in zip(pair, SIGMA, strict=True))
    for eta_m, constant in ((0.4, -0.3), (-2.5, 3.0)):
        density = np.exp(joint(pair, m[:, None], y, eta_m, constant + 0.7 * m[:, None], rho))
        assert density.sum() * dm * dy == pytest.approx(1.0, abs=1e-11)
        # Summing out the outcome leaves the mediator's own margin.
        own = {"gaussian": stats.norm(eta_m, SIGMA[0]).pdf(m)}
        for name, latent in (("probit", stats.norm), ("logit", stats.logistic)):
            own[name] = latent.cdf([-eta_m, eta_m])
        np.testing.assert_allclose(density.sum(axis=1) * dy, own[pair[0]], rtol=1e-9, atol=1e-14)


@pairs
def test_joint_density_is_that_of_the_scores(pair):
    """Against the bivariate normal law of the scores, from the other side of the factorisation."""
    rho, k = -0.65, np.sqrt(1.0 - 0.65**2)
    eta_m, eta_y = 0.4, -0.3
    cut = {
        "probit": lambda eta: -eta,
        "logit": lambda eta: stats.norm.ppf(stats.logistic.cdf(-eta)),
    }
    value = [-0.7 if name == "gaussian" else 1.0 for name in pair]

    def interval(name, eta, sigma, y):
        return (y - eta) / sigma if name == "gaussian" else (cut[name](eta), np.inf)

    e_m = interval(pair[0], eta_m, SIGMA[0], value[0])
    e_y = interval(pair[1], eta_y, SIGMA[1], value[1])

    def outer(e):
        if isinstance(e_m, tuple):
            return stats.norm.pdf(e) * stats.norm.sf((e_m[0] - rho * e) / k)
        return stats.norm.pdf(e) * stats.norm.pdf((e_m - rho * e) / k) / (k * SIGMA[0])

    truth = integrate.quad(outer, *e_y)[0] if isinstance(e_y, tuple) else outer(e_y) / SIGMA[1]
    assert np.exp(joint(pair, *value, eta_m, eta_y, rho)) == pytest.approx(truth, rel=1e-8)


@pairs
def test_at_rho_zero_the_margins_separate(pair):
    m, y = (np.array([0.0, 1.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0]))
    logs = []
    for name, v, eta, sigma in zip(pair, (m, y), (0.4, -1.2), SIGMA, strict=True):
        law = {
            "gaussian": stats.norm(eta, sigma).logpdf(v),
            "probit": stats.norm.logcdf((2.0 * v - 1.0) * eta),
            "logit": stats.logistic.logcdf((2.0 * v - 1.0) * eta),
        }
        logs.append(law[name])
    np.testing.assert_allclose(joint(pair, m, y, 0.4, -1.2, 0.0), sum(logs), rtol=1e-11)


@pytest.mark.each(3)
@pairs
def test_arrays_equal_tensors(pair):
    rng = np.random.default_rng(1)
    draw = lambda name: rng.normal(size=30) if name == "gaussian" else rng.integers(0, 2, 30)
    values = [draw(name) for name in pair] + [rng.normal(size=30), rng.normal(size=30)]
    tensor = lambda m, y, a, b, r: joint(pair, m, y, a, b, r)
    for rho in (-0.97, 0.0, 0.6):
        np.testing.assert_allclose(
            evaluate(tensor, *values, rho), joint(pair, *values, rho), rtol=1e-10
        )


def test_gaussian_pair_is_the_bivariate_normal():
    rng, rho = np.random.default_rng(2), 0.6
    cross = rho * SIGMA[0] * SIGMA[1]
    truth = stats.multivariate_normal([0.4, -0.3], [[SIGMA[0] ** 2, cross], [cross, SIGMA[1] ** 2]])
    m, y = 2.0 * rng.normal(size=(2, 50))
    np.testing.assert_allclose(
        joint(("gaussian", "gaussian"), m, y, 0.4, -0.3, rho),
        truth.logpdf(np.column_stack([m, y])), rtol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("outcome", ["probit", "logit"])
def test_binary_outcome_given_a_gaussian_mediator(outcome):
    m, rho = np.linspace(-4.0, 5.0, 19), -0.8
    e, eta = (m - 0.4) / SIGMA[0], 0.5 - 0.9 * m
    index = eta if outcome == "probit" else -stats.norm.ppf(stats.logistic.cdf(-eta))
    p = stats.norm.cdf((index + rho * e) / np.sqrt(1.0 - rho**2))
    for y, truth in ((1.0, p), (0.0, 1.0 - p)):
        found = joint(("gaussian", outcome), m, y, 0.4, eta, rho) - stats.norm.logpdf(
            m, 0.4, SIGMA[0]
        )
        np.testing.assert_allclose(np.exp(found), truth, rtol=1e-9, atol=1e-14)


@pytest.mark.each(2)
@pytest.mark.parametrize("rho", [-0.95, 0.0, 0.5])
@pytest.mark.parametrize("link", ["probit", "logit"])
def test_extreme_scores_of_a_continuous_with_a_binary_equation(link, rho):
    e, cut, one = (
        part.ravel()
        for part in np.meshgrid(
            [-30.0, -18.0, -10.0, 10.0, 30.0], [-30.0, -9.0, 9.0, 30.0], [0.0, 1.0]
        )
    )
    as_score = lambda eta: np.sign(eta) * stats.norm.isf(stats.logistic.sf(np.abs(eta)))
    index = cut if link == "probit" else as_score(cut)
    sign = 2.0 * one - 1.0
    truth = stats.norm.logpdf(e) + stats.norm.logcdf(
        sign * (index + rho * e) / np.sqrt(1.0 - rho**2)
    )
    pair = ("gaussian", link)

    def as_outcome(e, cut, one, rho):
        return joint(pair, e, one, 0.0, cut, rho, (1.0, 1.0))

    def as_mediator(e, cut, one, rho):
        return joint(pair[::-1], one, e, cut, 0.0, rho, (1.0, 1.0))

    for order in (as_outcome, as_mediator):
        for found in (order(e, cut, one, rho), evaluate(order, e, cut, one, rho)):
            np.testing.assert_allclose(found, truth, rtol=1e-9)
        slopes = evaluate(
            lambda e, cut, one, rho, order=order: pytensor.grad(
                order(e, cut, one, rho).sum(), [e, cut, rho]
            ),
            e, cut, one, rho,
        )  # fmt: skip
        assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize("rho", [-0.99, 0.5])
def test_two_binary_equations_stay_finite_far_out(rho):
    a, b, m, y = (
        part.ravel() for part in np.meshgrid([-30.0, 8.0], [-30.0, 0.0, 8.0], [0, 1], [0, 1])
    )
    for pair in (("probit", "logit"), ("logit", "probit")):
        order = lambda m, y, a, b, rho, pair=pair: joint(pair, m, y, a, b, rho)
        found = order(1.0 * m, 1.0 * y, a, b, rho)
        assert np.isfinite(found).all() and (found < 1e-12).all()
        slopes = evaluate(
            lambda *v, order=order: pytensor.grad(order(*v).sum(), list(v[2:])), m, y, a, b, rho
        )
        assert all(np.isfinite(slope).all() for slope in slopes)


# --- fifteen pairs of all kinds -------------------------------------------------------------

#: Outcomes that are censored: beyond a time, or below a limit.
CENSORED = {"weibull": ("event", 1.3), "loglogistic": ("event", 1.3), "tobit": ("lower", -0.2)}


def row(pair, m, y, eta_m, eta_y, rho, seen=None):
    """log p(m, y) of a pair at the parameters of the oracles; ``seen`` of a censored time."""
    families = [FAMILIES[name] for name in pair]
    own = [own_parameters(family) for family in families]
    if pair[1] == "tobit":
        own[1]["lower"] = CENSORED["tobit"][1]
    elif seen is not None:
        own[1]["event"] = seen
    first = margin(families[0], m, eta_m, own[0])
    second = margin(families[1], y, eta_y, own[1])
    return log_marginal(first) + log_conditional(first, second, rho)


def nodes(name, eta, low=-9.0, high=9.0):
    """Values of a margin and the weights that integrate a density over them."""
    own = law(name, eta)
    if FAMILIES[name].discrete:
        return np.arange(0.0, {"probit": 2, "logit": 2, "ordered_probit": 4, "ordered_logit": 4,
                               "binomial": 8}.get(name, 80)), 1.0  # fmt: skip
    # Gauss-Legendre over the normal score: dy = phi(e) / f(y) de.
    edges, (x, w) = np.linspace(low, high, 25), np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(edges)[:, None]
    e = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
    y = np.where(e < 0, own.ppf(stats.norm.cdf(e)), own.isf(stats.norm.sf(e)))
    return y, (half * w).ravel() * stats.norm.pdf(e) / own.pdf(y)


@pytest.mark.parametrize("rho", [-0.8, 0.3])
@named
def test_named_pair_sums_to_one(pair, rho):
    eta_m, eta_y = 0.3, 0.2
    m, dm = nodes(pair[0], eta_m)
    if pair[1] not in CENSORED:
        y, dy = nodes(pair[1], eta_y)
        density = np.exp(row(pair, m[:, None], y, eta_m, eta_y, rho))
        assert (density * dy).sum(axis=1) @ (dm * np.ones(m.size)) == pytest.approx(1.0, abs=1e-9)
        return
    kind, limit = CENSORED[pair[1]]
    at_limit = stats.norm.ppf(law(pair[1], eta_y).cdf(limit))
    ends = (at_limit, 9.0) if kind == "lower" else (-9.0, at_limit)
    y, dy = nodes(pair[1], eta_y, *ends)
    seen = np.exp(row(pair, m[:, None], y, eta_m, eta_y, rho, seen=1.0))
    hidden = np.exp(row(pair, m, limit, eta_m, eta_y, rho, seen=0.0))
    total = (seen @ dy + hidden) @ (dm * np.ones(m.size))
    assert total == pytest.approx(1.0, abs=1e-9)


@named
def test_named_pair_separates_at_rho_zero(pair):
    values = [{"probit": 1.0, "logit": 0.0, "beta": 0.4}.get(name, 2.0) for name in pair]
    etas = (0.3, -0.2)
    truth = 0.0
    for name, value, eta in zip(pair, values, etas, strict=True):
        own = law(name, eta)
        truth += own.logpmf(value) if FAMILIES[name].discrete else own.logpdf(value)
    for rho in (None, 0.0):
        assert row(pair, *values, *etas, rho, seen=1.0) == pytest.approx(truth, rel=1e-9)
    if pair[1] in CENSORED:
        kind, limit = CENSORED[pair[1]]
        own = law(pair[1], etas[1])
        hidden = own.logcdf(limit) if kind == "lower" else own.logsf(limit)
        first = law(pair[0], etas[0])
        first = first.logpmf(values[0]) if FAMILIES[pair[0]].discrete else first.logpdf(values[0])
        found = row(pair, values[0], limit, *etas, 0.0, seen=0.0)
        assert found == pytest.approx(first + hidden, rel=1e-9)


@pytest.mark.parametrize("some", [NAMED[::5], pytest.param(NAMED, marks=pytest.mark.slow)], ids=len)
def test_gradients_of_named_pairs_are_their_finite_differences(some):
    """One function for all the pairs: by both linear predictors and rho."""
    point = np.array([0.35, -0.15, 0.45])
    values = {
        pair: [{"probit": 1.0, "logit": 0.0, "beta": 0.4}.get(name, 2.0) for name in pair]
        for pair in some
    }
    variables = pytensor.tensor.dvectors(3)
    outputs = []
    for pair in some:
        m, y = (np.full(2, value) for value in values[pair])
        y = np.array([y[0], CENSORED[pair[1]][1]]) if pair[1] in CENSORED else y
        seen = np.array([1.0, 0.0])
        log_p = row(pair, m, y, *variables, seen=seen if pair[1] in CENSORED else None)
        outputs += pytensor.grad(log_p.sum(), list(variables))
    plain = Mode(linker="py", optimizer=None)
    gradient = pytensor.function(list(variables), outputs, mode=plain)
    found = np.array(gradient(*(np.full(2, v) for v in point))).reshape(len(some), 3, 2)
    h = 1e-6
    for pair, slopes in zip(some, found, strict=True):
        m, y = (np.full(2, value) for value in values[pair])
        y = np.array([y[0], CENSORED[pair[1]][1]]) if pair[1] in CENSORED else y
        own = {"seen": np.array([1.0, 0.0])} if pair[1] in CENSORED else {}
        for i in range(3):
            up, down = point.copy(), point.copy()
            up[i], down[i] = point[i] + h, point[i] - h
            truth = (row(pair, m, y, *up, **own) - row(pair, m, y, *down, **own)) / (2 * h)
            np.testing.assert_allclose(slopes[i], truth, rtol=2e-6, atol=1e-8, err_msg=str(pair))
