"""Bivariate normal rectangles and normal intervals: values, gradients, arrays and tensors."""

import itertools
from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import special as sp
from scipy import stats

from bayesmed.numerics.rectangle import log_ndtr_difference, log_rectangle
from bayesmed.numerics.special import ndtri_exp
from tests.support.oracles import bvn_cdf
from tests.support.tensors import evaluate

INF = np.inf
CORRELATIONS = [0.0, *(s * r for r in (0.1, 0.5, 0.9, 0.95, 0.96, 0.999) for s in (1, -1))]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)

# mpmath at 60 digits: a1, b1, a2, b2, rho, log P.
RECTANGLES = np.array([
    (-0.3, 0.4, -0.2, 0.9, 0.5, -2.1092537138454217),
    (-0.3, 0.4, -0.2, 0.9, -0.95, -1.7166371967939695),
    (0.5, 1.25, 0.25, 1.0, 0.999, -1.897905061347748),
    (0.1, 0.1001, -0.2, -0.1999, 0.7, -19.998353183684117),
    (1.5, 1.5001, 1.5, 1.5001, 0.999, -18.27664193519581),
    (-1.0, -0.9999, 0.5, 0.5001, -0.9, -20.34899486257992),
    (-INF, -0.5, -INF, 0.75, 0.5, -1.2498275734176758),
    (-INF, -1.5, -INF, -2.0, -0.5, -10.579715563099024),
    (-INF, 0.25, 1.0, INF, 0.94, -7.389299982598693),
    (-INF, 1.0, -INF, 1.0, -0.999, -0.38171514630212605),
    (2.0, INF, 2.125, INF, 0.97, -4.2298459813307066),
    (-INF, 0.5, 0.25, 0.75, 0.9, -2.339154063806735),
    (-1.0, 6.0, -INF, -0.5, 0.99, -1.8978906289022401),
    (-4.0, 4.0, -3.0, 5.0, 0.95, -0.001382577277724767),
    (-4.0, 4.0, -3.0, 5.0, -0.999, -0.0013825245202196512),
    (-2.0, 30.0, -0.5, 0.5, 0.3, -0.9784740850943922),
])  # fmt: skip
UNLIKELY = np.array([
    (0.5, INF, -INF, 0.25, 0.999, -24.169327236858393),
    (4.0, 5.0, -3.0, -2.0, 0.5, -24.020551397154165),
    (-INF, -2.5, -INF, -2.0, -0.9, -57.92155775024871),
    (-INF, -6.0, -INF, -6.0, -0.6, -97.04852108630435),
    (5.0, 6.0, 5.0, 5.5, -0.8, -132.7770737547102),
    (-INF, -20.0, -INF, -18.0, 0.5, -249.4267606273456),
    (-INF, -5.0, -INF, -4.0, -0.95, -414.80546124978116),
    (-30.0, -29.0, 3.0, INF, -0.3, -424.78741991080756),
    (8.0, 9.0, -9.0, -8.0, 0.9, -649.7739429974287),
    (-INF, -37.5, -INF, -2.0, -0.4, -883.73084959942),
    (10.0, INF, -INF, -10.0, 0.99, -10013.695020075666),
    (1.0, 2.0, 40.0, 41.0, 0.999, -361239.0450204733),
])  # fmt: skip
# The same with 80 digits: a, b, log(Phi(b) - Phi(a)).
INTERVALS = np.array([
    (-1.0, 2.0, -0.2001662943244626),
    (-9.0, 9.0, -2.257176811907681e-19),
    (-5e-07, 5e-07, -14.734449091168988),
    (0.0, 1e-06, -14.734449091169113),
    (-30.0, -29.999999, -464.73443409010366),
    (-50.0, -49.0, -1205.3111748916654),
    (49.0, 50.0, -1205.3111748916654),
    (-INF, -40.0, -804.6084420137538),
    (6.0, INF, -20.736768949974707),
    (-INF, 6.0, -9.865876455243758e-10),
    (-10000.0, -9999.0, -49990010.62917891),
    (3.0, 3.5, -6.796868006683432),
    (-12.0, -3.0, -6.607726221510349),
    (20.0, 20.0000001, -217.03703517247675),
    (-0.25, 40.0, -0.5129840754094305),
])  # fmt: skip
SIDES = [
    (-INF, 0.3), (-1.2, INF), (-INF, -2.7), (-0.2, 0.1), (0.4, 1.4), (-2.0, 1.0), (1.9, 2.6),
    (-5.0, 3.0), (-3.1, -3.0999), (-INF, 5.0),
]  # fmt: skip


def log_difference(a, b):
    """Log of Phi(b) - Phi(a) from the tail in which both are small."""
    a, b = np.where(a > -b, -b, a), np.where(a > -b, -a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return sp.log_ndtr(b) + np.log1p(-np.exp(sp.log_ndtr(a) - sp.log_ndtr(b)))


def by_quadrature(a1, b1, a2, b2, rho):
    """Log-probability of a rectangle by brute force, over the wider side."""
    if b1 - a1 < b2 - a2:
        a1, b1, a2, b2 = a2, b2, a1, b1
    k = np.sqrt((1.0 - rho) * (1.0 + rho))

    def log_slice(x):
        return stats.norm.logpdf(x) + log_difference((a2 - rho * x) / k, (b2 - rho * x) / k)

    low, high = max(a1, -30.0), min(b1, 30.0)
    for _ in range(4):  # closing in on the integrand, which is log-concave
        x = np.linspace(low, high, 2001)
        values = log_slice(x)
        inside = np.flatnonzero(values > values.max() - 50.0)
        low, high = x[max(inside[0] - 1, 0)], x[min(inside[-1] + 1, x.size - 1)]
    edges = np.linspace(low, high, 201)
    half = 0.5 * np.diff(edges)[:, None]
    values = log_slice(edges[:-1, None] + half * (1.0 + NODES))
    return values.max() + np.log(np.sum(half * WEIGHTS * np.exp(values - values.max())))


def rectangles(n=400, seed=1):
    """Random rectangles of every kind, as columns a1, b1, a2, b2, rho."""
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(2, n)) * rng.choice([0.5, 1.5], (1, n))
    high = low + 10.0 ** rng.uniform(-1.5, 0.8, (2, n))
    kind = rng.random((2, n))
    low, high = np.where(kind < 0.25, -INF, low), np.where(kind > 0.75, INF, high)
    return low[0], high[0], low[1], high[1], rng.choice(CORRELATIONS, n)


def test_rectangles_equal_mpmath():
    *limits, truth = RECTANGLES.T
    np.testing.assert_allclose(log_rectangle(*limits), truth, rtol=0, atol=1e-10)
    *limits, truth = UNLIKELY.T
    np.testing.assert_allclose(log_rectangle(*limits), truth, rtol=1e-14, atol=1e-9)


@pytest.mark.each(2)
@pytest.mark.parametrize("rho", CORRELATIONS)
def test_rectangles_equal_quadrature(rho):
    for (a1, b1), (a2, b2) in itertools.product(SIDES, SIDES):
        truth = by_quadrature(a1, b1, a2, b2, rho)
        assert log_rectangle(a1, b1, a2, b2, rho) == pytest.approx(truth, rel=1e-14, abs=1e-9)


def test_rectangles_add_up_and_mirror():
    a1, b1, a2, b2, rho = rectangles()
    whole = np.exp(log_rectangle(a1, b1, a2, b2, rho))
    cut = np.clip(0.3, a1, b1)
    parts = np.exp([log_rectangle(a1, cut, a2, b2, rho), log_rectangle(cut, b1, a2, b2, rho)])
    np.testing.assert_allclose(parts.sum(axis=0), whole, rtol=1e-9)
    for same in (
        log_rectangle(a2, b2, a1, b1, rho),
        log_rectangle(-b1, -a1, -b2, -a2, rho),
        log_rectangle(-b1, -a1, a2, b2, -rho),
    ):
        np.testing.assert_allclose(np.exp(same), whole, rtol=1e-9)
    np.testing.assert_allclose(
        log_rectangle(a1, b1, -INF, INF, rho), log_ndtr_difference(a1, b1), rtol=1e-14
    )


def test_large_numbers_stand_for_infinity():
    a1, b1, a2, b2, rho = rectangles()
    finite = (np.nan_to_num(x, posinf=1e8, neginf=-1e8) for x in (a1, b1, a2, b2))
    np.testing.assert_array_equal(log_rectangle(*finite, rho), log_rectangle(a1, b1, a2, b2, rho))
    assert log_ndtr_difference(-1e8, 1.0) == log_ndtr_difference(-INF, 1.0)
    assert log_rectangle(-INF, INF, -1e8, 1e8, 0.5) == 0.0


def test_empty_rectangles_and_impossible_correlations():
    assert log_rectangle(1.0, 1.0, -1.0, 1.0, 0.5) == -INF
    assert log_rectangle(-1.0, 1.0, 2.0, 1.0, 0.5) == -INF
    assert log_ndtr_difference(1.0, 1.0) == log_ndtr_difference(2.0, -INF) == -INF
    for rho in (1.0, -1.0, np.nan):
        assert np.isnan(log_rectangle(-1.0, 1.0, -1.0, 1.0, rho))
    assert np.isnan(log_rectangle(np.nan, 1.0, -1.0, 1.0, 0.5))
    assert np.isnan(log_ndtr_difference(0.0, np.nan))


def test_intervals_equal_mpmath():
    a, b, truth = INTERVALS.T
    np.testing.assert_allclose(log_ndtr_difference(a, b), truth, rtol=1e-14)
    np.testing.assert_allclose(log_ndtr_difference(-b, -a), truth, rtol=1e-14)


def test_bvn_cdf():
    h, l = (x.ravel() for x in np.meshgrid([-3.0, -0.5, 0.0, 1.2], [-1.5, 0.0, 2.5]))
    for rho in CORRELATIONS:
        assert bvn_cdf(0.0, 0.0, rho) == pytest.approx(0.25 + np.arcsin(rho) / (2.0 * np.pi))
        np.testing.assert_allclose(
            bvn_cdf(h, l, rho) + bvn_cdf(h, -l, -rho), stats.norm.cdf(h), rtol=1e-12
        )
    np.testing.assert_allclose(evaluate(bvn_cdf, h, l, 0.4), bvn_cdf(h, l, 0.4), rtol=1e-14)


def test_ndtri_exp_inverts_log_ndtr():
    x = -np.geomspace(1e-6, 1e5, 60)
    for score in (ndtri_exp(x), evaluate(ndtri_exp, x)):
        np.testing.assert_allclose(stats.norm.logcdf(score), x, rtol=1e-9)
    slope = evaluate(lambda x: pytensor.grad(ndtri_exp(x).sum(), x), x)
    truth = np.sqrt(0.5 * np.pi) * sp.erfcx(-ndtri_exp(x) / np.sqrt(2.0))  # Phi / phi
    np.testing.assert_allclose(slope, truth, rtol=1e-9)


@cache
def compiled():
    """Value and gradient of the logarithm of rectangles, by PyTensor's default back end."""
    limits = [pt.vector() for _ in range(4)]
    rho = pt.vector()
    value = log_rectangle(*limits, rho)
    gradient = pytensor.grad(value.sum(), [*limits, rho])
    return pytensor.function([*limits, rho], [value, *gradient], mode="NUMBA")


def difference_quotient(function, arguments, i):
    """Two central differences, extrapolated."""
    slopes = []
    for step in (1e-3, 5e-4):
        up, down = list(arguments), list(arguments)
        up[i], down[i] = arguments[i] + step, arguments[i] - step
        slopes.append((function(*up) - function(*down)) / (2.0 * step))
    return (4.0 * slopes[1] - slopes[0]) / 3.0


def test_tensors_equal_arrays_and_gradients_equal_differences():
    arguments = list(rectangles())
    arguments[4] = np.clip(arguments[4], -0.96, 0.96)
    value, *gradient = compiled()(*arguments)
    np.testing.assert_allclose(value, log_rectangle(*arguments), rtol=1e-14, atol=1e-15)
    smooth = value > -8.0
    for i, slope in enumerate(gradient):
        finite = np.isfinite(arguments[i])
        assert np.all(slope[~finite] == 0.0)
        truth = difference_quotient(log_rectangle, arguments, i)
        use = finite & smooth
        np.testing.assert_allclose(slope[use], truth[use], rtol=1e-5, atol=1e-5)


def test_gradient_is_exact_where_differences_are_not():
    *limits, rho = (np.concatenate([RECTANGLES, UNLIKELY])[:, i] for i in range(5))
    value, *gradient = compiled()(*limits, rho)
    a1, b1, a2, b2 = limits
    k = np.sqrt((1.0 - rho) * (1.0 + rho))
    sides = ((a1, a2, b2, -1), (b1, a2, b2, 1), (a2, a1, b1, -1), (b2, a1, b1, 1))
    for (x, low, high, sign), slope in zip(sides, gradient[:4], strict=True):
        at = np.where(np.isinf(x), 0.0, x)
        edge = stats.norm.logpdf(at) + log_difference((low - rho * at) / k, (high - rho * at) / k)
        truth = sign * np.exp(np.where(np.isinf(x), -INF, edge - value))
        np.testing.assert_allclose(slope, truth, rtol=1e-7)


def test_second_derivatives():
    arguments = [part[:40] for part in rectangles(seed=2)]
    arguments[4] = np.clip(arguments[4], -0.9, 0.9)

    def gradient(*x):
        return pytensor.grad(log_rectangle(*x).sum(), list(x))

    def hessian(*x):
        return [entry for row in gradient(*x) for entry in pytensor.grad(row.sum(), list(x))]

    found = evaluate(hessian, *arguments)
    assert all(np.isfinite(entry).all() for entry in found)
    near = log_rectangle(*arguments) > -5.0
    slopes = lambda *x: np.array(compiled()(*x))[1:]
    for j in range(5):
        truth = difference_quotient(slopes, arguments, j)
        for i in range(5):
            use = near & np.isfinite(arguments[i]) & np.isfinite(arguments[j])
            entry = found[5 * i + j][use]
            np.testing.assert_allclose(entry, truth[i][use], rtol=1e-4, atol=1e-4)


def test_interval_gradients():
    a, b, _ = INTERVALS.T

    def derivatives(a, b):
        value = log_ndtr_difference(a, b)
        first = pytensor.grad(value.sum(), [a, b])
        return [value, *first, *pytensor.grad(first[1].sum(), [a, b])]

    value, by_a, by_b, cross, twice = evaluate(derivatives, a, b)
    np.testing.assert_allclose(value, log_ndtr_difference(a, b), rtol=1e-14)
    ratio_a, ratio_b = (np.exp(stats.norm.logpdf(x) - value) for x in (a, b))
    np.testing.assert_allclose(by_a, -ratio_a, rtol=1e-7)
    np.testing.assert_allclose(by_b, ratio_b, rtol=1e-7)
    np.testing.assert_allclose(cross, ratio_a * ratio_b, rtol=1e-7)
    inner = np.where(np.isinf(b), 0.0, b)
    np.testing.assert_allclose(twice, -ratio_b * (inner + ratio_b), rtol=1e-7)


def test_gradients_of_shared_arguments_are_summed():
    _, _, a, b, _ = (part[:20] for part in rectangles(seed=3))

    def gradient(h, rho):
        return pytensor.grad(log_rectangle(-INF, h, a, b, rho).sum(), [h, rho])

    each = evaluate(gradient, np.full(20, 0.4), np.full(20, 0.3))
    shared = evaluate(gradient, 0.4, 0.3)
    for one, many in zip(shared, each, strict=True):
        assert one == pytest.approx(many.sum(), rel=1e-12)


def test_nothing_is_nan():
    limits = [-INF, -1e8, -1e4, -40.0, -8.0, -1e-9, 0.0, 0.5, 9.0, 1e4, 1e8, INF]
    near_one = [1.0 - 1e-16, 1.0 - 1e-9, 0.9999, 0.95, 1e-9]
    rho = [0.0, *near_one, *(-r for r in near_one)]
    grid = [x.ravel() for x in np.meshgrid(limits, limits, limits, limits, rho)]
    value, *gradient = compiled()(*grid)
    empty = (grid[0] >= grid[1]) | (grid[2] >= grid[3])
    assert np.all(value <= 0.0) and np.all(value[empty] == -INF)
    assert all(np.isfinite(slope).all() for slope in gradient)
    for slope, limit in zip(gradient, grid[:4], strict=False):
        assert np.all(slope[(np.abs(limit) >= 1e8) | empty] == 0.0)
    a, b = (x.ravel() for x in np.meshgrid(limits, limits))
    slopes = evaluate(lambda a, b: pytensor.grad(log_ndtr_difference(a, b).sum(), [a, b]), a, b)
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert not np.isnan(log_ndtr_difference(a, b)).any()
