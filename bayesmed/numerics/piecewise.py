"""Functions of one variable, interpolated on panels: formulas are slow to evaluate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from bayesmed.numerics.chebyshev import nodes, transform

_SIZE = 16
_SMALL = 1e-12
_ROUNDS, _MOST = 24, 4_000
_TESTS = np.array([-0.97, -0.41, 0.13, 0.77])

#: Values of some functions at points: from shape (n,) to (n, function).
Functions = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Piecewise:
    """Chebyshev series of some functions on panels.

    Attributes
    ----------
    function : callable
        The functions themselves, for points outside the panels.
    edges : numpy.ndarray
        Shape (panel + 1,).
    coefficients : numpy.ndarray
        Shape (panel, size, function).
    """

    function: Functions
    edges: np.ndarray
    coefficients: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values at points, from shape (n,) to (n, function)."""
        from bayesmed.numerics import kernels

        x = np.ascontiguousarray(x)
        out = np.empty((len(x), self.coefficients.shape[2]))
        kernels.along_panels(x, self.edges, self.coefficients, out)
        outside = np.flatnonzero(~((x >= self.edges[0]) & (x <= self.edges[-1])))
        if len(outside):
            out[outside] = self.function(x[outside])
        return out


def piecewise(function: Functions, edges: np.ndarray) -> Functions:
    """Interpolate functions between edges to twelve digits, splitting panels where needed.

    Parameters
    ----------
    function : callable
    edges : numpy.ndarray
        First panels, sorted; a kink or a step should be an edge, or costs many panels.

    Returns
    -------
    callable
        The function itself where too many panels were needed.
    """
    low, high = edges[:-1], edges[1:]
    starts, series = [], []
    for round in range(_ROUNDS):
        coefficients, gap = fit_panels(function, low, high)
        good = (gap < _SMALL) | (round == _ROUNDS - 1)
        starts.append(low[good])
        series.append(coefficients[good])
        if good.all():
            break
        low, high = low[~good], high[~good]
        middle = 0.5 * (low + high)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        if len(low) > _MOST:
            return function
    left = np.concatenate(starts)
    order = np.argsort(left)
    found = np.ascontiguousarray(np.concatenate(series)[order])
    return Piecewise(function, np.append(left[order], edges[-1]), found)


def fit_panels(
    function: Functions, low: np.ndarray, high: np.ndarray, least: float = 1e-300
) -> tuple[np.ndarray, np.ndarray]:
    """Series on panels, and their largest error at some points.

    Errors are in units of the function's largest value on a panel, and of ``least`` at least.
    """
    points = np.concatenate([nodes(_SIZE), _TESTS])
    x = low[:, None] + 0.5 * (high - low)[:, None] * (1.0 + points)
    values = function(x.ravel()).reshape(*x.shape, -1)
    coefficients = np.einsum("ks,psj->pkj", transform(_SIZE), values[:, :_SIZE])
    found = np.einsum("tk,pkj->ptj", chebyshev.chebvander(_TESTS, _SIZE - 1), coefficients)
    scale = np.maximum(np.abs(values).max(axis=1), least)
    return coefficients, (np.abs(found - values[:, _SIZE:]).max(axis=1) / scale).max(axis=1)
