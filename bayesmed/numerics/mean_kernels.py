"""Compiled loops of counterfactual means: sums over the mediator's nodes, and means over rows.

Whoever uses them imports this module late, since its compiler takes time to import. Draws lie
side by side on the last axis and go through in tiles, so that their arithmetic is one vector
instruction.
"""

import math
from functools import partial

import numpy as np
from scipy.special import ndtr

from bayesmed.numerics.kernels import TILE, exact_kernel, kernel

#: Up to it a linear predictor enters the series nearly as it is, beyond by its logarithm.
STRETCH = 4.0
#: What a series is of: the mean, or with a log link its logarithm less the linear predictor, or the
#: mean over the exponential of that.
PLAIN, LOG, RATIO = range(3)
# Normal probabilities at 64 points a unit, between which Taylor's series is exact to 1e-11.
_PER_UNIT, _CERTAIN = 64, 8.0
_AT = np.arange(2 * _CERTAIN * _PER_UNIT + 1) / _PER_UNIT - _CERTAIN
_BELOW, _DENSITY = ndtr(_AT), np.exp(-0.5 * _AT * _AT) / math.sqrt(2.0 * math.pi)


@kernel
def _normals(x: np.ndarray, count: int, out: np.ndarray) -> None:
    """Probabilities that a normal score is below x; without branches, for many at once."""
    for i in range(count):
        inside = x[i] if x[i] > -_CERTAIN else -_CERTAIN
        inside = inside if inside < _CERTAIN else _CERTAIN
        k = np.int32((inside + _CERTAIN) * _PER_UNIT + 0.5)
        c = k * (1.0 / _PER_UNIT) - _CERTAIN
        d = inside - c
        third = (c * c - 1.0) * (1.0 / 6.0) - d * c * (c * c - 3.0) * (1.0 / 24.0)
        found = _BELOW[k] + _DENSITY[k] * d * (1.0 - d * (0.5 * c - d * third))
        out[i] = found if x[i] == x[i] else x[i]  # what is no number stays none


@kernel
def _series(
    x: np.ndarray, coefficients: np.ndarray, start: int, count: int,
    out: np.ndarray, one: np.ndarray, two: np.ndarray,
) -> None:  # fmt: skip
    """Chebyshev series of a tile of draws: x (tile,), coefficients (size, S)."""
    for i in range(count):
        one[i] = 0.0
        two[i] = 0.0
    for r in range(coefficients.shape[0] - 1, 0, -1):
        for i in range(count):
            next_one = 2.0 * x[i] * one[i] - two[i] + coefficients[r, start + i]
            two[i] = one[i]
            one[i] = next_one
    for i in range(count):
        out[i] = x[i] * one[i] - two[i] + coefficients[0, start + i]


@kernel
def _scaled(
    base: np.ndarray, shift: np.ndarray, low: np.ndarray, half: np.ndarray,
    start: int, count: int, out: np.ndarray,
) -> None:  # fmt: skip
    """Linear predictors of a tile of draws on [-1, 1], by asinh(eta / STRETCH)."""
    for i in range(count):
        s = start + i
        u = math.asinh((base[s] + shift[s]) / STRETCH)
        out[i] = min(max((u - low[s]) / half[s] - 1.0, -1.0), 1.0)


@kernel
def step_means(
    e: np.ndarray, w: np.ndarray, first: np.ndarray, shift: np.ndarray, base: np.ndarray,
    low: np.ndarray, half: np.ndarray, thresholds: np.ndarray, rises: np.ndarray,
    lowest: np.ndarray, slope: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Sum over the mediator's nodes of the mean of an outcome with steps.

    e, w (node, point, S): the mediator's scores and their weights; first (value + 1,): the first
    node of each of its values; shift (value, 1 or point, S) and base (base, 1 or point, S) of the
    outcome's linear predictor, whose range, stretched, is low (S,) to low + 2 half; thresholds (step, size, S):
    Chebyshev series of q / k, q the score that takes a step; rises (step, S); slope (S,): rho / k;
    out (point, base, S).
    """
    points, draws = e.shape[1], e.shape[2]
    steps = thresholds.shape[0]
    groups = max(shift.shape[1], base.shape[1])
    x, one, two = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    q, chance = np.empty((steps, TILE)), np.empty(TILE)
    out[:] = 0.0
    for start in range(0, draws, TILE):
        count = min(TILE, draws - start)
        for v in range(shift.shape[0]):
            for g in range(groups):
                own = shift[v, g if shift.shape[1] > 1 else 0]
                for b in range(base.shape[0]):
                    at = base[b, g if base.shape[1] > 1 else 0]
                    _scaled(at, own, low, half, start, count, x)
                    for j in range(steps):
                        _series(x, thresholds[j], start, count, q[j], one, two)
                    for u in range(points) if groups == 1 else range(g, g + 1):
                        total = out[u, b, start:]
                        for a in range(first[v], first[v + 1]):
                            score, weight = e[a, u, start:], w[a, u, start:]
                            for i in range(count):
                                one[i] = lowest[start + i]
                            for j in range(steps):
                                taken, rise = q[j], rises[j, start:]
                                for i in range(count):
                                    x[i] = slope[start + i] * score[i] - taken[i]
                                _normals(x, count, chance)
                                for i in range(count):
                                    one[i] += rise[i] * chance[i]
                            for i in range(count):
                                total[i] += weight[i] * one[i]


@kernel
def series_means(
    z: np.ndarray, w: np.ndarray, first: np.ndarray, shift: np.ndarray, base: np.ndarray,
    low: np.ndarray, half: np.ndarray, coefficients: np.ndarray, link: int, out: np.ndarray,
) -> None:  # fmt: skip
    """The same of a series of the outcome's mean in the score and the linear predictor.

    z (node, point, S): the mediator's scores on [-1, 1]; coefficients (1 or value, size of z,
    size, S), of what link says; unless PLAIN, out lacks the factor exp(base).
    """
    points, draws = z.shape[1], z.shape[2]
    along = coefficients.shape[1]
    groups = max(shift.shape[1], base.shape[1])
    x, y, value = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    one, two, inner = np.empty(TILE), np.empty(TILE), np.empty((along, TILE))
    out[:] = 0.0
    for start in range(0, draws, TILE):
        count = min(TILE, draws - start)
        for v in range(shift.shape[0]):
            if first[v] == first[v + 1]:
                continue
            series = coefficients[v if coefficients.shape[0] > 1 else 0]
            for g in range(groups):
                own = shift[v, g if shift.shape[1] > 1 else 0]
                for b in range(base.shape[0]):
                    at = base[b, g if base.shape[1] > 1 else 0]
                    _scaled(at, own, low, half, start, count, x)
                    for f in range(along):
                        _series(x, series[f], start, count, inner[f], one, two)
                    for u in range(points) if groups == 1 else range(g, g + 1):
                        for a in range(first[v], first[v + 1]):
                            if along > 1:
                                for i in range(count):
                                    y[i] = min(max(z[a, u, start + i], -1.0), 1.0)
                                _series(y, inner, 0, count, value, one, two)
                            for i in range(count):
                                mean = value[i] if along > 1 else inner[0, i]
                                if link == LOG:
                                    mean = math.exp(mean + own[start + i])
                                elif link == RATIO:
                                    mean *= math.exp(own[start + i])
                                out[u, b, start + i] += w[a, u, start + i] * mean


@partial(exact_kernel, fastmath={"contract", "reassoc"})  # sums over a tile side by side
def moments(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, factor: np.ndarray, out: np.ndarray
) -> None:  # fmt: skip
    """Weighted sums over rows of Chebyshev polynomials of one or two coordinates, times exp(factor).

    x (S, n) and y (S or 1, n) on [-1, 1]; weights and factor (S or 1, n); out (S, size of x,
    size of y). A series then costs a row its polynomials alone.
    """
    rows, columns = out.shape[1], out.shape[2]
    first, second = np.empty((max(rows, 2), TILE)), np.empty((max(columns, 2), TILE))
    for s in range(x.shape[0]):
        v = y[s if y.shape[0] > 1 else 0]
        w = weights[s if weights.shape[0] > 1 else 0]
        f = factor[s if factor.shape[0] > 1 else 0]
        out[s] = 0.0
        for start in range(0, x.shape[1], TILE):
            count = min(TILE, x.shape[1] - start)
            for i in range(count):
                at = start + i
                weight = w[at] if f[at] == 0.0 else w[at] * math.exp(f[at])
                first[0, i] = weight
                first[1, i] = weight * x[s, at]
                second[0, i] = 1.0
                second[1, i] = v[at]
            for p in range(2, rows):
                for i in range(count):
                    first[p, i] = 2.0 * x[s, start + i] * first[p - 1, i] - first[p - 2, i]
            for q in range(2, columns):
                for i in range(count):
                    second[q, i] = 2.0 * second[1, i] * second[q - 1, i] - second[q - 2, i]
            for p in range(rows):
                for q in range(columns):
                    total = 0.0
                    for i in range(count):
                        total += first[p, i] * second[q, i]
                    out[s, p, q] += total
