"""Quantiles of counterfactual outcomes: roots in q of P(Y(t, M(t')) <= q) = level, per draw."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.special import ndtri

from bayesmed.means.along_rho import (
    Regression,
    at_target,
    interpolate,
    is_latent_curve,
)
from bayesmed.means.layout import ARMS
from bayesmed.means.means import cell_means, fixed_means
from bayesmed.means.normal import (
    LatentCell,
    cell_blocks,
    cells_of,
    fixed_cell,
    has_latent_cells,
    row_blocks,
)
from bayesmed.means.target import Target
from bayesmed.numerics.score_pair import odds
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals

_TOLERANCE = {"xatol": 0.0, "xrtol": 1e-9, "fatol": 0.0, "frtol": 0.0}
_TIGHT = {"xatol": 0.0, "xrtol": 1e-11, "fatol": 0.0, "frtol": 0.0}
_WIDEST, _SMALL = 60, 1e-8
#: ``exceeds(q, index)``: P(Y > q) for some of the draws, each with its own q.
Exceeds = Callable[[np.ndarray, np.ndarray], np.ndarray]


def quantile_cells(
    draws: Draws, rows: Counterfactuals, target: Target, bootstrap: int | None = None
) -> np.ndarray:
    """The quantile of Y(t, M(t')) over the rows, per draw.

    Parameters
    ----------
    draws : Draws
    rows : Counterfactuals
    target : Target
        Of :func:`bayesmed.means.target.quantile`.
    bootstrap : int, optional
        As in :func:`bayesmed.means.means.cell_means`.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S).
    """
    if bootstrap is not None:
        raise ValueError("Quantiles are of the sample: use average='sample'.")
    own = target.rows(rows)
    out = np.empty((2, 2, len(draws)))
    if has_latent_cells(own):
        for part in cell_blocks(len(draws), own):
            cells = cells_of(_blank(draws, part), own)
            for (t, s), cell in cells.items():
                out[t, s, part] = _latent_roots(target, own, cell, 0.0)
        return _back(target, out)
    for t in ARMS:
        for s in ARMS:

            def exceeds(q: np.ndarray, index: np.ndarray, t: int = t, s: int = s) -> np.ndarray:
                at = _at(draws, q, index)
                return cell_means(at, own)[t, s]

            out[t, s] = _roots(exceeds, len(draws), target)
    return out


def quantile_fixed(
    draws: Draws,
    rows: Counterfactuals,
    target: Target,
    m: float,
    bootstrap: int | None = None,
) -> np.ndarray:
    """The quantile of Y(t, m), shape (2, S)."""
    own = target.rows(rows)
    if bootstrap is None and has_latent_cells(own):
        out = np.empty((2, len(draws)))
        for part in row_blocks(len(draws), own):
            for t in ARMS:
                cell = fixed_cell(_blank(draws, part), own, t, m)
                still = replace(cell, v=np.zeros((1, cell.u.shape[1]))).on_nodes(own)
                out[t, part] = _latent_roots(target, own, still, 0.0)
        return _back(target, out)

    def of_arm(t: int) -> np.ndarray:
        def exceeds(q: np.ndarray, index: np.ndarray) -> np.ndarray:
            return fixed_means(_at(draws, q, index), own, m, bootstrap)[t]

        return _roots(exceeds, len(draws), target)

    return np.stack([of_arm(t) for t in ARMS])


def quantile_curve(
    regression: Regression,
    rows: Counterfactuals,
    target: Target,
    rho: np.ndarray,
) -> np.ndarray | None:
    """Quantiles along rho of a closed pair, shape (rho, 2, 2, S); None where it has no shortcut."""
    start, own = at_target(regression, target), target.rows(rows)
    if not is_latent_curve(regression, own):
        return None
    out = np.empty((len(rho), 2, 2, len(regression.draws)))
    x, degree = odds(rho), 0
    for part in cell_blocks(len(regression.draws), rows):
        cells = cells_of(start.draws.block(part), own)
        for t in ARMS:
            along = partial(_latent_roots, target, rows, cells[t, 1 - t])
            out[:, t, 1 - t, part], degree = interpolate(along, x, degree, _SMALL)
            # Does not depend on rho.
            out[:, t, t, part] = _latent_roots(target, rows, cells[t, t], 0.0)
    return _back(target, out)


def quantile_curve_fixed(
    regression: Regression,
    rows: Counterfactuals,
    target: Target,
    rho: np.ndarray,
    m: float,
) -> np.ndarray:
    """Quantiles of Y(t, m) along rho, interpolated along atanh(rho); shape (rho, 2, S)."""

    def at(z: float) -> np.ndarray:
        draws = regression.at(float(np.tanh(z)))
        return quantile_fixed(draws, rows, target, m)

    return interpolate(at, np.arctanh(rho), 0, _SMALL)[0]


def _blank(draws: Draws, part: slice) -> Draws:
    """A block of draws with a cutpoint that is still to be found."""
    own = draws.block(part)
    return _at(own, np.zeros(len(own)), np.arange(len(own)))


def _back(target: Target, x: np.ndarray) -> np.ndarray:
    return np.exp(x) if target.base.multiplicative else x


def _latent_roots(target: Target, rows: Counterfactuals, cell: LatentCell, s: float) -> np.ndarray:
    """Quantiles on the scale of the latent variable, between those of the single rows."""
    from scipy.optimize import elementwise

    eta, spread = cell.u + s * cell.v, cell.parameters["sigma"]
    level = float(target.functional.value)
    single = eta + ndtri(level) * spread
    log = target.base.multiplicative

    def gap(x: np.ndarray, index: np.ndarray) -> np.ndarray:
        some = cell.block(index.astype(int))
        at = {**some.parameters, "cutpoints": (np.exp(x) if log else x)[None]}
        return some.mean(target.family.mean(some.u + s * some.v, at), rows) - (1.0 - level)

    index = np.arange(eta.shape[1], dtype=float)
    low, high = single.min(axis=0), single.max(axis=0)
    wide = 1e-6 * (1.0 + np.abs(high - low))
    found = elementwise.find_root(gap, (low - wide, high + wide), args=(index,), tolerances=_TIGHT)
    return np.asarray(found.x)


def _at(draws: Draws, q: np.ndarray, index: np.ndarray) -> Draws:
    own = draws.block(index)
    return own.changed("outcome", parameters={**own.outcome.parameters, "cutpoints": q[None]})


def from_line(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    """A rising function from all numbers to those between two ends."""
    if np.isfinite(low) and np.isfinite(high):
        return lambda x: low + (high - low) * (1.0 / (1.0 + np.exp(-x)))
    if np.isfinite(low):
        return lambda x: low + np.exp(x)
    return (lambda x: high - np.exp(-x)) if np.isfinite(high) else (lambda x: x)


def _roots(exceeds: Exceeds, count: int, target: Target) -> np.ndarray:
    """Solve P(Y > q) = 1 - level for every draw, on the scale of the linear predictor."""
    from scipy.optimize import elementwise

    level, back = float(target.functional.value), from_line(*target.base.support)

    def gap(x: np.ndarray, index: np.ndarray) -> np.ndarray:
        return exceeds(back(x), index.astype(int)) - (1.0 - level)

    index = np.arange(count, dtype=float)
    start = np.zeros(count)
    found = elementwise.bracket_root(
        gap, start - 0.5, start + 0.5, args=(index,), maxiter=_WIDEST, factor=2.0
    )
    if not np.all(found.success):
        raise ArithmeticError(
            f"The {level:g} quantile was not found in {np.mean(~found.success):.1%} of the draws."
        )
    root = elementwise.find_root(gap, found.bracket, args=(index,), tolerances=_TOLERANCE)
    return np.asarray(back(root.x))
