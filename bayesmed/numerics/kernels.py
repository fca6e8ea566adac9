"""Compiled loops: sums of Chebyshev series, points onto a grid, steps of a count; nothing is compiled at import.

Whoever uses them imports this module late, since its compiler takes time to import.
"""

import math
from collections.abc import Callable
from typing import Any

import numba  # type: ignore[import-untyped]
import numpy as np

#: Rows that go through together, so that their arithmetic is one vector instruction.
TILE = 64
#: 1 / prod_{l != k} (k - l), the denominators of Lagrange's polynomials of degree 7.
_SCALE = np.array([-1.0, 7.0, -21.0, 35.0, -35.0, 21.0, -7.0, 1.0]) / 5040.0
#: Grid points that share one point, as many as the polynomials have nodes.
POINTS = len(_SCALE)
_SQRT2 = math.sqrt(2.0)
# Beyond it a normal probability is one in doubles.
_CERTAIN = 8.3


def exact_kernel[F: Callable[..., Any]](function: F, **options: Any) -> F:
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy", **options)
    return compiled(function)


def kernel[F: Callable[..., Any]](function: F) -> F:
    """Products and sums may be one instruction."""
    return exact_kernel(function, fastmath={"contract"})


@kernel
def _basis(x: np.ndarray, low: float, half: float, size: int, out: np.ndarray) -> None:
    """Chebyshev polynomials at a tile of points, shape (degree, tile)."""
    count = len(x)
    for i in range(count):
        out[0, i] = 1.0
        out[1, i] = min(max((x[i] - low) / half - 1.0, -1.0), 1.0)
    for k in range(2, size):
        for i in range(count):
            out[k, i] = 2.0 * out[1, i] * out[k - 1, i] - out[k - 2, i]


@kernel
def along_line(
    x: np.ndarray, low: np.ndarray, half: np.ndarray, coefficients: np.ndarray, out: np.ndarray
) -> None:
    """Chebyshev series of one coordinate: x, out (S, n), coefficients (S, size)."""
    size = coefficients.shape[1]
    basis = np.empty((max(size, 2), TILE))
    for s in range(x.shape[0]):
        for start in range(0, x.shape[1], TILE):
            own = x[s, start : start + TILE]
            _basis(own, low[s], half[s], size, basis)
            total = out[s, start : start + TILE]
            total[:] = 0.0
            for k in range(size):
                weight = coefficients[s, k]
                for i in range(len(own)):
                    total[i] += weight * basis[k, i]


@kernel
def along_plane(
    x: np.ndarray,
    y: np.ndarray,
    low: np.ndarray,
    half: np.ndarray,
    coefficients: np.ndarray,
    lengths: np.ndarray,
    out: np.ndarray,
) -> None:
    """Chebyshev series of two coordinates.

    x, y, out (S, n); low, half (2, S); coefficients (S, size, size); the first ``lengths`` of
    each row of coefficients are used, shape (S, size).
    """
    rows, columns = coefficients.shape[1:]
    first, second = np.empty((max(rows, 2), TILE)), np.empty((max(columns, 2), TILE))
    inner = np.empty(TILE)
    for s in range(x.shape[0]):
        for start in range(0, x.shape[1], TILE):
            part = slice(start, start + TILE)
            _basis(x[s, part], low[0, s], half[0, s], rows, first)
            _basis(y[s, part], low[1, s], half[1, s], columns, second)
            total = out[s, part]
            count = len(total)
            total[:] = 0.0
            for k in range(rows):
                inner[:] = 0.0
                for l in range(lengths[s, k]):
                    weight = coefficients[s, k, l]
                    for i in range(count):
                        inner[i] += weight * second[l, i]
                for i in range(count):
                    total[i] += inner[i] * first[k, i]


@kernel
def along_panels(
    x: np.ndarray, edges: np.ndarray, coefficients: np.ndarray, out: np.ndarray
) -> None:
    """Series of several functions on panels.

    x (n,) within the sorted edges (panel + 1,); coefficients (panel, size, function); out
    (n, function).
    """
    panels, size, functions = coefficients.shape
    for i in range(len(x)):
        p = min(max(np.searchsorted(edges, x[i]) - 1, 0), panels - 1)
        scaled = (2.0 * x[i] - edges[p] - edges[p + 1]) / (edges[p + 1] - edges[p])
        before, basis = scaled, 1.0
        for j in range(functions):
            out[i, j] = 0.0
        for k in range(size):
            for j in range(functions):
                out[i, j] += coefficients[p, k, j] * basis
            before, basis = basis, 2.0 * scaled * basis - before


@kernel
def spread(
    x: np.ndarray, weights: np.ndarray, start: np.ndarray, step: np.ndarray, out: np.ndarray
) -> None:
    """Add Lagrange weights of the points x (obs, S) to a grid (node, S) that starts at start."""
    rows, draws = x.shape
    share = np.empty(POINTS)
    for i in range(rows):
        for s in range(draws):
            at = (x[i, s] - start[s]) / step[s]
            place = int(at)
            first = place - POINTS // 2 + 1
            gap = at - first
            left = weights[i]
            for k in range(POINTS):
                share[k] = left
                left *= gap - k
            right = 1.0
            for k in range(POINTS - 1, -1, -1):
                out[first + k, s] += share[k] * right * _SCALE[k]
                right *= gap - k


@exact_kernel
def step_sums(
    thresholds: np.ndarray, rises: np.ndarray, centre: np.ndarray, k: np.ndarray, out: np.ndarray
) -> None:
    """Sum of rises times the probability that a normal score passes their thresholds.

    thresholds, rises (a, b, S, step), rising along the last axis; the score has mean centre
    (a, b, S) and standard deviation k (S,); out (a, b, S).
    """
    rows, columns, draws, steps = thresholds.shape
    for a in range(rows):
        for b in range(columns):
            for s in range(draws):
                total = 0.0
                for j in range(steps):
                    z = (centre[a, b, s] - thresholds[a, b, s, j]) / k[s]
                    rise = rises[a, b, s, j]
                    if z > _CERTAIN:
                        total += rise
                    elif rise > 0.0:
                        term = rise * 0.5 * math.erfc(-z / _SQRT2)
                        total += term
                        if term < 1e-17 * total:
                            break
                out[a, b, s] = total
