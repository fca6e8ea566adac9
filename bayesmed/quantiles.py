"""Quantiles of counterfactual outcomes: roots in q of P(Y(t, M(t')) <= q) = level, per draw."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import elementwise

from bayesmed.curve import Regression, is_latent_curve, latent_cells
from bayesmed.design import Counterfactuals
from bayesmed.draws import Draws
from bayesmed.family import Family
from bayesmed.functionals import Target
from bayesmed.layout import ARMS
from bayesmed.potential import cell_means, fixed_means

_TOLERANCE = {"xatol": 0.0, "xrtol": 1e-9, "fatol": 0.0, "frtol": 0.0}
_WIDEST = 60
#: ``exceeds(q, index)``: P(Y > q) for some of the draws, each with its own q.
Exceeds = Callable[[np.ndarray, np.ndarray], np.ndarray]


def quantile_cells(
    draws: Draws,
    mediator: Family,
    rows: Counterfactuals,
    target: Target,
    bootstrap: int | None = None,
) -> np.ndarray:
    """The quantile of Y(t, M(t')) over the rows, per draw.

    Parameters
    ----------
    draws : Draws
    mediator : Family
    rows : Counterfactuals
    target : Target
        Of :func:`bayesmed.functionals.quantile`.
    bootstrap : int, optional
        As in :func:`bayesmed.potential.cell_means`.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S).
    """
    if bootstrap is not None:
        raise ValueError("Quantiles are of the sample: use average='sample'.")
    families, own = (mediator, target.family), target.rows(rows)
    out = np.empty((2, 2, len(draws)))
    for t in ARMS:
        for s in ARMS:

            def exceeds(q: np.ndarray, index: np.ndarray, t: int = t, s: int = s) -> np.ndarray:
                at = _at(draws, q, index)
                return cell_means(at, families, own)[t, s]

            out[t, s] = _roots(exceeds, len(draws), target)
    return out


def quantile_fixed(
    draws: Draws,
    mediator: Family,
    rows: Counterfactuals,
    target: Target,
    m: float,
    bootstrap: int | None = None,
) -> np.ndarray:
    """The quantile of Y(t, m), shape (2, S)."""
    families, own = (mediator, target.family), target.rows(rows)

    def of_arm(t: int) -> np.ndarray:
        def exceeds(q: np.ndarray, index: np.ndarray) -> np.ndarray:
            return fixed_means(_at(draws, q, index), families, own, m, bootstrap)[t]

        return _roots(exceeds, len(draws), target)

    return np.stack([of_arm(t) for t in ARMS])


def quantile_curve(
    regression: Regression,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    target: Target,
    rho: np.ndarray,
) -> np.ndarray | None:
    """Quantiles along rho of a closed pair, shape (rho, 2, 2, S); None where it has no shortcut."""
    if not is_latent_curve(regression, (families[0], target.family), rows):
        return None
    cuts = np.zeros((1, len(regression.draws)))
    own = replace(regression, parameters0={**regression.parameters0, "cutpoints": cuts})
    cells = latent_cells(own, target.family, target.rows(rows), slice(None))
    out = np.empty((len(rho), 2, 2, len(regression.draws)))
    for t in ARMS:
        for s in ARMS:
            cell = cells[t, s]
            for i, value in enumerate(rho / np.sqrt((1.0 - rho) * (1.0 + rho))):
                if t == s and i > 0:  # does not depend on rho
                    out[i, t, s] = out[0, t, s]
                    continue
                eta, spread = cell.u + value * cell.v, cell.parameters["sigma"]

                def exceeds(
                    q: np.ndarray, index: np.ndarray, eta: np.ndarray = eta, sd: np.ndarray = spread
                ) -> np.ndarray:
                    at = {"sigma": sd[:, index], "cutpoints": q[None]}
                    return rows.mean(target.family.mean(eta[:, index], at))

                out[i, t, s] = _roots(exceeds, eta.shape[1], target)
    return out


def _at(draws: Draws, q: np.ndarray, index: np.ndarray) -> Draws:
    own = draws.block(index)
    return replace(own, outcome_parameters={**own.outcome_parameters, "cutpoints": q[None]})


def _roots(exceeds: Exceeds, count: int, target: Target) -> np.ndarray:
    """Solve P(Y > q) = 1 - level for every draw, on the scale of the linear predictor."""
    level, log = float(target.functional.value), target.base.multiplicative
    back = np.exp if log else (lambda x: x)
    inside = target.base.name == "beta"
    if inside:
        back = lambda x: 1.0 / (1.0 + np.exp(-x))

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
