r"""The curve of a closed pair: counterfactual means at every rho from the draws at rho = 0.

With an additive outcome the mean is linear in the coefficients, so one set of expected rows
serves every rho. Otherwise the latent variable of :math:`Y_i(t, M_i(t'))` is normal. Writing
:math:`s_0` for the outcome's residual scale at rho = 0 (1 for probit), the map of ``closed``
leaves its standard deviation :math:`r_i = \sqrt{s_0^2 + g_0^2 \sigma_m^2}` as it is and moves its
mean along a line:

.. math::
    \eta_0(t, \mu_m(t')) + \frac{\rho}{\sqrt{1-\rho^2}}\, w_i, \qquad
    w_i = -\frac{s_0}{\sigma_m} (\mu_m(t') - \mu_m(t)).

The mean over rows of any functional of such a variable is a smooth function of
:math:`\rho / \sqrt{1-\rho^2}`, which is interpolated at Chebyshev nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.polynomial import chebyshev

from bayesmed.means.layout import ARMS
from bayesmed.means.linear import expected_rows
from bayesmed.means.means import cell_means, design_at, fixed_means
from bayesmed.means.normal import (
    LatentCell,
    cell_blocks,
    cells_of,
    fixed_cell,
    has_latent_cells,
    latent_mean_at,
    row_blocks,
)
from bayesmed.means.target import MEAN, Target, target_of
from bayesmed.numerics.chebyshev import nodes, transform
from bayesmed.numerics.score_pair import given_sd, odds
from bayesmed.numerics.threads import threads
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.state import Posterior
from bayesmed.system.closed import ClosedMap
from bayesmed.system.rows import Counterfactuals

_SMALL, _SMALL_FIXED = 1e-9, 1e-8
_SPAN = 1e-6
_DEGREES = (10, 14, 18, 21, 24, 32, 64)


@dataclass(frozen=True)
class Regression:
    """Draws at rho = 0 of a closed pair, and what maps them.

    Attributes
    ----------
    draws : Draws
        At rho = 0.
    map : ClosedMap
    """

    draws: Draws
    map: ClosedMap

    def block(self, part: np.ndarray) -> "Regression":
        """Some of the draws."""
        return replace(self, draws=self.draws.block(part))

    def at(self, rho: float | np.ndarray) -> Draws:
        """Structural draws at rho, a number or one for each draw."""
        mediator, outcome = self.draws.mediator, self.draws.outcome
        there = np.asarray(rho, dtype=float)
        coef, parameters = self.map.structural(
            outcome.coef, outcome.parameters, mediator.coef, mediator.parameters["sigma"], there
        )
        moved = self.draws.changed("outcome", coef=coef, parameters=parameters)
        return replace(moved, rho=np.broadcast_to(there, (len(moved),)).copy())


def curve_cells(
    regression: Regression,
    rows: Counterfactuals,
    rho: np.ndarray,
    target: Target | None = None,
) -> np.ndarray:
    """Counterfactual means along rho.

    Parameters
    ----------
    regression : Regression
    rows : Counterfactuals
    rho : numpy.ndarray
    target : Target, optional
        What of the outcome is averaged; its mean where None.

    Returns
    -------
    numpy.ndarray
        Shape (rho, 2, 2, S).
    """
    target = target or target_of(MEAN, rows.outcome.family)
    rows = target.rows(rows)
    if target.family.additive:
        zero = cell_means(regression.at(0.0), rows)
        expected = expected_rows(regression.draws, rows)
        coefs = np.stack([regression.at(value).outcome.coef for value in rho])
        coefs = coefs - regression.draws.outcome.coef
        return zero + np.einsum("abst,rst->rabs", expected, coefs)
    if not is_latent_curve(regression, rows):
        return np.stack([
            cell_means(target.draws(regression.at(value)), rows) for value in rho
        ])  # fmt: skip
    return _latent_curve(at_target(regression, target), rows, rho)


def curve_fixed(
    regression: Regression,
    rows: Counterfactuals,
    rho: np.ndarray,
    m: float,
    target: Target | None = None,
) -> np.ndarray:
    """Means of Y(t, m) along rho, the mediator set to one value.

    Returns
    -------
    numpy.ndarray
        Shape (rho, 2, S). Interpolated along atanh(rho) where the mean is not linear in the
        coefficients.
    """
    target = target or target_of(MEAN, rows.outcome.family)
    rows = target.rows(rows)

    def at(value: float) -> np.ndarray:
        return fixed_means(target.draws(regression.at(value)), rows, m)

    if target.family.additive:
        design = np.stack([rows.average(design_at(rows.outcome, t, m)) for t in ARMS])
        coefs = np.stack([regression.at(value).outcome.coef for value in rho])
        coefs = coefs - regression.draws.outcome.coef
        return at(0.0) + np.einsum("at,rst->ras", design, coefs)
    if is_latent_curve(regression, rows):
        return _latent_fixed(at_target(regression, target), rows, rho, m)
    found, _ = interpolate(lambda z: at(float(np.tanh(z))), np.arctanh(rho), 0)
    return found


def _latent_fixed(
    regression: Regression, rows: Counterfactuals, rho: np.ndarray, m: float
) -> np.ndarray:
    r"""Means of Y(t, m), whose latent mean is k (eta_0 - s_0 (m - mu_m(t)) rho / (k sigma_m)).

    In units of the residual where the family has no scale; else without the factor k, and the
    residual scale is s_0 / k. Probabilities are entire functions of arcsin(rho), where they
    read :math:`\Phi(\cos\phi\, u + \sin\phi\, v)`; other means of atanh(rho).
    """
    out, family = np.empty((len(rho), 2, len(regression.draws))), rows.outcome.family
    bounded = family.latent == "unit" or family.link == "probability"
    along, back = (np.arcsin(rho), np.sin) if bounded else (np.arctanh(rho), np.tanh)

    def curve(part: slice, t: int, degree: int) -> tuple[np.ndarray, int]:
        cell = fixed_cell(regression.draws.block(part), rows, t, m)
        return interpolate(lambda x: _fixed_at(rows, cell, back(x)), along, degree, _SMALL_FIXED)

    start = max(curve(few_draws(regression), t, 0)[1] for t in ARMS)

    def fill(part: slice) -> None:
        degree = start
        for t in ARMS:
            out[:, t, part], degree = curve(part, t, degree)

    with threads() as pool:
        list(pool.map(fill, row_blocks(len(regression.draws), rows)))
    return out


def _fixed_at(rows: Counterfactuals, cell: LatentCell, rho: float) -> np.ndarray:
    k, own, family = given_sd(rho), dict(cell.parameters), rows.outcome.family
    if family.latent == "free":
        eta = cell.u + rho / k * cell.v
        own["sigma"] = own["sigma"] / k
    else:
        eta = k * cell.u + rho * cell.v
        if "cutpoints" in own:
            own["cutpoints"] = k * own["cutpoints"]
    return rows.average(np.asarray(family.mean(eta, own)))


def at_target(regression: Regression, target: Target) -> Regression:
    """A regression with the values at which a functional steps among its parameters."""
    return replace(regression, draws=target.draws(regression.draws))


def is_latent_curve(regression: Regression, rows: Counterfactuals) -> bool:
    """Whether the outcome has a normal latent variable that is affine in a Gaussian mediator.

    The rows must keep the relations on which the map rests: covariates that were set may not.
    """
    latent = has_latent_cells(rows) and not rows.outcome.family.additive
    return latent and _keeps_span(
        regression.map, rows, float(np.mean(regression.draws.mediator.parameters["sigma"]))
    )


def _keeps_span(closed: ClosedMap, rows: Counterfactuals, unit: float) -> bool:
    """Whether rows keep the relations of the map; ``unit`` is one of the mediator's scale."""
    design, outcome = rows.mediator.design, rows.outcome
    assert outcome.base is not None and outcome.slope is not None
    offset = 0.0 if rows.mediator.offset is None else rows.mediator.offset
    held = [np.abs(outcome.slope @ closed.direction - 1.0).max() < _SPAN]
    size = np.abs(design).max(axis=(0, 1))
    size[size == 0.0] = 1.0
    for t in ARMS:
        mediator = outcome.base[t] @ closed.loading + closed.constant_loading
        held.append(np.all(np.abs(mediator - design[t]).max(axis=0) < _SPAN * size))
        m = outcome.base[t] @ closed.direction + closed.constant + offset
        held.append(np.abs(m).max() < _SPAN * max(unit, np.abs(offset).max()))
    return bool(np.all(held))


def _latent_curve(
    regression: Regression,
    rows: Counterfactuals,
    rho: np.ndarray,
) -> np.ndarray:
    s, out = odds(rho), np.empty((len(rho), 2, 2, len(regression.draws)))

    pilot = cells_of(regression.draws.block(few_draws(regression)), rows)
    start = 0
    for t in ARMS:
        own = partial(latent_mean_at, rows, pilot[t, 1 - t])
        _, start = interpolate(own, s, start)

    def fill(part: slice) -> None:
        cells, degree = cells_of(regression.draws.block(part), rows), start
        for t in ARMS:
            out[:, t, t, part] = latent_mean_at(rows, cells[t, t], 0.0)
            mean = partial(latent_mean_at, rows, cells[t, 1 - t])
            out[:, t, 1 - t, part], degree = interpolate(mean, s, degree)

    # The normal distribution function releases the interpreter, so threads pay.
    with threads() as pool:
        list(pool.map(fill, cell_blocks(len(regression.draws), rows)))
    return out


def few_draws(regression: Regression) -> slice:
    """A few draws, which tell the degree at which the others may start."""
    return slice(0, None, max(1, len(regression.draws) // 50))


def interpolate(
    function: Callable[[float], np.ndarray], s: np.ndarray, degree: int, small: float = _SMALL
) -> tuple[np.ndarray, int]:
    """Values of a smooth function at the points s, shape (s, ...), and the degree it took."""
    low, high = float(s.min()), float(s.max())
    for size in (d for d in _DEGREES if d >= degree):
        if size + 1 >= len(s):
            break
        x = 0.5 * (high - low) * nodes(size + 1) + 0.5 * (high + low)
        values = np.stack([function(one) for one in x])
        coefficients = np.tensordot(transform(size + 1), values, axes=1)
        if np.abs(coefficients[-3:]).max() < small * np.abs(values).max():
            scaled = (2.0 * s - low - high) / (high - low)
            return np.tensordot(chebyshev.chebvander(scaled, size), coefficients, axes=1), size
        degree = size
    return np.stack([function(float(value)) for value in s]), _DEGREES[-1] + 1


def regression_draws(fit: Posterior) -> Regression | None:
    """Draws at rho = 0 of a closed pair; None for other pairs."""
    closed, draws = fit.closed_map, fit.draws
    if closed is None:
        return None
    mediator, outcome = draws.mediator, draws.outcome
    coef, parameters = closed.regression(
        outcome.coef, outcome.parameters, mediator.coef, mediator.parameters["sigma"], draws.rho
    )
    if "outcome_coef_rho0" in fit.posterior:  # the very draws, without rounding by the map
        values = fit.posterior["outcome_coef_rho0"].transpose("chain", "draw", ...).to_numpy()
        coef = values.reshape(len(draws), -1)
    zero = draws.changed("outcome", coef=coef, parameters=parameters)
    return Regression(replace(zero, rho=np.zeros(len(draws))), closed)
