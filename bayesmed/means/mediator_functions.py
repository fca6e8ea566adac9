"""Functions of the mediator in the outcome's design, such as a square or a spline.

A design column is, as a rule, a function of the mediator times one of the covariates; then the
function is evaluated for one row only, and rows with the same covariate parts share it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bayesmed.numerics.piecewise import piecewise

_ROWS = 20_000
_SAME = 1e-9
_LONGEST = 5_000


@dataclass(frozen=True)
class MediatorFunctions:
    """The outcome's design under one arm, as functions of the mediator.

    Attributes
    ----------
    rows_at : callable
        ``rows_at(m, part)``, the design at the values m for a slice of the rows, shape
        (rows, grid, outcome_term).
    base : numpy.ndarray
        Design at one value of the mediator, shape (obs, outcome_term).
    moving : numpy.ndarray
        Positions of the columns that change with the mediator.
    factors : numpy.ndarray or None
        What each row multiplies a column's function with, shape (obs, moving). None where
        the columns are no such products, as in ``I(m * x)``: every row is then evaluated by
        itself, slowly.
    led : callable
        The functions that the factors multiply: the moving columns of one row for each, its
        leader, less those at the base; from values of shape (n,) to (n, moving).
    scale : numpy.ndarray
        Largest value of each of these that was seen, shape (moving,).
    alike : numpy.ndarray
        For each row the first row with the same function of the mediator, shape (obs, 1), or
        (1, 1) where all are.
    """

    rows_at: Callable[[np.ndarray, slice], np.ndarray]
    base: np.ndarray
    moving: np.ndarray
    factors: np.ndarray | None
    led: Callable[[np.ndarray], np.ndarray]
    scale: np.ndarray
    alike: np.ndarray

    def at(self, m: np.ndarray) -> np.ndarray:
        """The moving columns of the leaders at m, less those at the base: (..., moving)."""
        return self.led(m.ravel()).reshape(*m.shape, len(self.moving))

    def quick(self, edges: np.ndarray, whole: np.ndarray | None) -> "MediatorFunctions":
        """The same with functions that are tabulated: formulas are slow to evaluate.

        Parameters
        ----------
        edges : numpy.ndarray
            Values over the mediator's reach, with the knots.
        whole : numpy.ndarray or None
            The whole numbers that a count takes.
        """
        if self.factors is None or not len(self.moving):
            return self
        if whole is None:
            return replace(self, led=piecewise(self.led, edges))
        if len(whole) > _LONGEST:
            return self
        return replace(self, led=partial(_looked_up, self.led(whole), self.led))

    def columns(self, m: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The moving columns at m less those at the base.

        Parameters
        ----------
        m : numpy.ndarray
            Shape (..., point or 1, S or 1).
        rows : numpy.ndarray
            Row of each point, shape (point,); or one row, for all points, shape (1,).

        Returns
        -------
        numpy.ndarray
            Shape (..., point, S, moving).
        """
        if self.factors is not None:
            return self.at(m) * self.factors[rows][:, None, :]
        count = max(len(rows), m.shape[-2])
        points = np.broadcast_to(rows, count)
        m = np.broadcast_to(m, (*m.shape[:-2], count, m.shape[-1]))
        out = np.empty((*m.shape, len(self.moving)))
        for i, row in enumerate(points):
            own = m[..., i, :]
            design = self.rows_at(own.ravel(), slice(row, row + 1))[0] - self.base[row]
            out[..., i, :, :] = design[:, self.moving].reshape(*own.shape, -1)
        return out

    def shift(self, m: np.ndarray, rows: np.ndarray, coef: np.ndarray) -> np.ndarray:
        """Linear predictor at m less that at the base, shape (..., point, S)."""
        return np.einsum("...sj,sj->...s", self.columns(m, rows), coef[:, self.moving])


def mediator_functions(
    rows_at: Callable[[np.ndarray, slice], np.ndarray], count: int, probes: np.ndarray
) -> MediatorFunctions:
    """Find which columns move with the mediator, and their products.

    Parameters
    ----------
    rows_at : callable
        ``rows_at(m, part)``.
    count : int
        Number of rows.
    probes : numpy.ndarray
        Values that the mediator can take; the design at the first is the base.
    """
    parts = [slice(start, min(start + _ROWS, count)) for start in range(0, count, _ROWS)]
    designs = [rows_at(probes, part) for part in parts]
    base = np.concatenate([design[:, 0] for design in designs])
    steps = np.concatenate([design[:, 1:] - design[:, :1] for design in designs])
    size = np.abs(steps).max(axis=(0, 1))
    moving = np.flatnonzero(size > 1e-12 * np.maximum(np.abs(base).max(axis=0), 1e-300))
    if not len(moving):
        none, alike = np.zeros((count, 0)), np.zeros((1, 1), int)
        return MediatorFunctions(rows_at, base, moving, none, _nothing, size[moving], alike)
    steps, size = steps[..., moving], size[moving]
    most = np.abs(steps).max(axis=1)
    # One leader for all columns, where some row has them all.
    shared = (most / size).min(axis=1)
    leaders = np.full(len(moving), shared.argmax())
    if shared.max() < 0.1:
        leaders = most.argmax(axis=0)
    led = np.stack([steps[i, :, j] for j, i in enumerate(leaders)], axis=1)
    factors = np.einsum("igj,gj->ij", steps, led) / (led**2).sum(axis=0)
    gap = np.abs(steps - factors[:, None, :] * led).max(axis=(0, 1))
    found = factors if np.all(gap <= _SAME * size) else None
    function = partial(_leaders_at, rows_at, base, moving, leaders)
    return MediatorFunctions(
        rows_at, base, moving, found, function, np.abs(led).max(axis=0), _alike(found, count)
    )


def _nothing(m: np.ndarray) -> np.ndarray:
    return np.empty((len(m), 0))


def _looked_up(
    table: np.ndarray, function: Callable[[np.ndarray], np.ndarray], m: np.ndarray
) -> np.ndarray:
    """Rows of a table for whole numbers that it has, and the function elsewhere."""
    inside = (m < len(table)) & (m == np.floor(m))
    out = table[np.where(inside, m, 0.0).astype(int)]
    if not inside.all():
        out[~inside] = function(m[~inside])
    return out


def _leaders_at(
    rows_at: Callable[[np.ndarray, slice], np.ndarray],
    base: np.ndarray,
    moving: np.ndarray,
    leaders: np.ndarray,
    m: np.ndarray,
) -> np.ndarray:
    out = np.empty((len(m), len(moving)))
    for row in np.unique(leaders):
        mine = leaders == row
        design = rows_at(m, slice(row, row + 1))[0] - base[row]
        out[:, mine] = design[:, moving[mine]]
    return out


def _alike(factors: np.ndarray | None, count: int) -> np.ndarray:
    if factors is None:
        return np.arange(count)[:, None]
    if np.allclose(factors, factors[:1], rtol=_SAME, atol=_SAME):
        return np.zeros((1, 1), int)
    _, first, inverse = np.unique(
        np.round(factors, 9), axis=0, return_index=True, return_inverse=True
    )
    return first[inverse.ravel()][:, None]
