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

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from bayesmed.closed import ClosedMap
from bayesmed.design import Counterfactuals
from bayesmed.family import Family
from bayesmed.functionals import MEAN, Target, target_of
from bayesmed.potential import (
    ARMS,
    Draws,
    cell_means,
    common_slope,
    design_at,
    expected_rows,
    fixed_means,
)

_BLOCK = 200_000
_SMALL = 1e-10
_SPAN = 1e-6
_DEGREES = (10, 14, 18, 24, 32, 64)


@dataclass(frozen=True)
class Regression:
    """Draws at rho = 0 of a closed pair, and what maps them.

    Attributes
    ----------
    draws : Draws
        The mediator's draws; its outcome coefficients are not used.
    coef0 : numpy.ndarray
        Outcome coefficients at rho = 0, shape (S, outcome_term).
    parameters0 : dict of str to numpy.ndarray
        The outcome's parameters at rho = 0: sigma of shape (S,), or cutpoints of shape
        (category - 1, S).
    map : ClosedMap
    """

    draws: Draws
    coef0: np.ndarray
    parameters0: dict[str, np.ndarray]
    map: ClosedMap

    def block(self, part: np.ndarray) -> "Regression":
        """Some of the draws."""
        own = {name: value[..., part] for name, value in self.parameters0.items()}
        return replace(self, draws=self.draws.block(part), coef0=self.coef0[part], parameters0=own)

    def at(self, rho: float | np.ndarray) -> Draws:
        """Structural draws at rho, a number or one for each draw."""
        sigma = self.draws.mediator_parameters["sigma"]
        coef, parameters = self.map.structural(
            self.coef0,
            self.parameters0,
            self.draws.mediator_coef,
            sigma,
            np.asarray(rho, dtype=float),
        )
        return replace(
            self.draws, outcome_coef=coef, outcome_parameters=parameters,
            rho=np.broadcast_to(np.asarray(rho, dtype=float), (len(self.draws),)).copy(),
        )  # fmt: skip


@dataclass(frozen=True)
class LatentCell:
    """One cell of a closed pair: its latent mean is ``u + s v``, the parameters do not move.

    Attributes
    ----------
    u, v : numpy.ndarray
        Shape (obs or 1, S); in units of the latent sd where the family has no scale.
    parameters : dict of str to numpy.ndarray
        Of the family, at that sd.
    """

    u: np.ndarray
    v: np.ndarray
    parameters: dict[str, Any]

    def block(self, index: np.ndarray) -> "LatentCell":
        """Some of the draws."""
        own = {
            name: value[..., index]
            if name != "scores" and np.shape(value)[-1] == self.u.shape[-1]
            else value
            for name, value in self.parameters.items()
        }
        return LatentCell(self.u[:, index], self.v[:, index], own)


Cells = dict[tuple[int, int], LatentCell]


def curve_cells(
    regression: Regression,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    rho: np.ndarray,
    target: Target | None = None,
) -> np.ndarray:
    """Counterfactual means along rho.

    Parameters
    ----------
    regression : Regression
    families : tuple of Family
        Of the mediator and of the outcome.
    rows : Counterfactuals
    rho : numpy.ndarray
    target : Target, optional
        What of the outcome is averaged; its mean where None.

    Returns
    -------
    numpy.ndarray
        Shape (rho, 2, 2, S).
    """
    target = target or target_of(MEAN, families[1])
    families, rows = (families[0], target.family), target.rows(rows)
    if target.family.additive:
        zero = cell_means(regression.at(0.0), families, rows)
        expected = expected_rows(regression.draws, families, rows)
        coefs = np.stack([regression.at(value).outcome_coef for value in rho]) - regression.coef0
        return zero + np.einsum("abst,rst->rabs", expected, coefs)
    if not is_latent_curve(regression, families, rows):
        return np.stack([
            cell_means(target.draws(regression.at(value)), families, rows) for value in rho
        ])  # fmt: skip
    return _latent_curve(with_cutpoints(regression, target), families, rows, rho)


def curve_fixed(
    regression: Regression,
    families: tuple[Family, Family],
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
    target = target or target_of(MEAN, families[1])
    families, rows = (families[0], target.family), target.rows(rows)

    def at(value: float) -> np.ndarray:
        return fixed_means(target.draws(regression.at(value)), families, rows, m)

    if target.family.additive:
        design = np.stack([rows.mean(design_at(rows, t, m)) for t in ARMS])
        coefs = np.stack([regression.at(value).outcome_coef for value in rho]) - regression.coef0
        return at(0.0) + np.einsum("at,rst->ras", design, coefs)
    if is_latent_curve(regression, families, rows):
        return _latent_fixed(with_cutpoints(regression, target), families[1], rows, rho, m)
    found, _ = interpolate(lambda z: at(float(np.tanh(z))), np.arctanh(rho), 0)
    return found


def _latent_fixed(
    regression: Regression, family: Family, rows: Counterfactuals, rho: np.ndarray, m: float
) -> np.ndarray:
    r"""Means of Y(t, m), whose latent mean is k (eta_0 - s_0 (m - mu_m(t)) rho / (k sigma_m)).

    In units of the residual where the family has no scale; else without the factor k, and the
    residual scale is s_0 / k.
    """
    out = np.empty((len(rho), 2, len(regression.draws)))
    z = np.arctanh(rho)

    def fill(part: slice) -> None:
        degree = 0
        for t in ARMS:
            mean = partial(_fixed_at, family, rows, _fixed_cell(regression, rows, part, t, m))
            out[:, t, part], degree = interpolate(mean, z, degree)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, draw_blocks(regression, rows)))
    return out


def _fixed_cell(
    regression: Regression, rows: Counterfactuals, part: slice, arm: int, m: float
) -> LatentCell:
    draws = regression.draws
    beta, coef = draws.mediator_coef[part], regression.coef0[part]
    own = _parameters(regression, rows, part)
    offset = 0.0 if rows.mediator_offset is None else rows.mediator_offset[:, None]
    added = 0.0 if rows.outcome_offset is None else rows.outcome_offset[:, None]
    u = design_at(rows, arm, m) @ coef.T + added
    gap = (np.log(m) if rows.log_mediator else m) - (rows.mediator[arm] @ beta.T + offset)
    scale = own.get("sigma", np.ones(1)) / draws.mediator_parameters["sigma"][part]
    return LatentCell(u, -scale * gap, own)


def _fixed_at(family: Family, rows: Counterfactuals, cell: LatentCell, z: float) -> np.ndarray:
    k, eta, own = 1.0 / np.cosh(z), cell.u + np.sinh(z) * cell.v, dict(cell.parameters)
    if family.latent == "free":
        own["sigma"] = own["sigma"] / k
    else:
        eta = k * eta
        if "cutpoints" in own:
            own["cutpoints"] = k * own["cutpoints"]
    return rows.mean(np.asarray(family.mean(eta, own)))


def with_cutpoints(regression: Regression, target: Target) -> Regression:
    """A regression with the values at which a functional steps among its parameters."""
    if target.cutpoints is None:
        return regression
    cuts = target.cutpoints[:, None] * np.ones(len(regression.draws))
    return replace(regression, parameters0={**regression.parameters0, "cutpoints": cuts})


def is_latent_curve(
    regression: Regression, families: tuple[Family, Family], rows: Counterfactuals
) -> bool:
    """Whether the outcome has a normal latent variable that is affine in a Gaussian mediator.

    The rows must keep the relations on which the map rests: covariates that were set may not.
    """
    affine = rows.base is not None and rows.slope is not None
    latent = families[1].latent is not None and not families[1].additive
    return affine and latent and _keeps_span(regression.map, rows)


def _keeps_span(closed: ClosedMap, rows: Counterfactuals) -> bool:
    assert rows.base is not None and rows.slope is not None
    offset = 0.0 if rows.mediator_offset is None else rows.mediator_offset
    held = [np.abs(rows.slope @ closed.direction - 1.0).max() < _SPAN]
    for t in ARMS:
        mediator = rows.base[t] @ closed.loading + closed.constant_loading
        size = np.maximum(np.abs(rows.mediator[t]).max(axis=0), 1.0)
        held.append(np.all(np.abs(mediator - rows.mediator[t]).max(axis=0) < _SPAN * size))
        m = rows.base[t] @ closed.direction + closed.constant + offset
        held.append(np.abs(m).max() < _SPAN * max(1.0, np.abs(offset).max()))
    return bool(np.all(held))


def _latent_curve(
    regression: Regression,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    rho: np.ndarray,
) -> np.ndarray:
    s = rho / np.sqrt((1.0 - rho) * (1.0 + rho))
    out = np.empty((len(rho), 2, 2, len(regression.draws)))

    # A few draws tell the degree at which the others may start.
    few = slice(0, None, max(1, len(regression.draws) // 50))
    pilot = latent_cells(regression, families[1], rows, few)
    start = 0
    for t in ARMS:
        own = partial(latent_mean_at, families[1], rows, pilot[t, 1 - t])
        _, start = interpolate(own, s, start)

    def fill(part: slice) -> None:
        cells, degree = latent_cells(regression, families[1], rows, part), start
        for t in ARMS:
            out[:, t, t, part] = latent_mean_at(families[1], rows, cells[t, t], 0.0)
            mean = partial(latent_mean_at, families[1], rows, cells[t, 1 - t])
            out[:, t, 1 - t, part], degree = interpolate(mean, s, degree)

    # The normal distribution function releases the interpreter, so threads pay.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, draw_blocks(regression, rows)))
    return out


def draw_blocks(regression: Regression, rows: Counterfactuals) -> list[slice]:
    """Blocks of draws small enough for the processor's cache."""
    size = max(1, _BLOCK // rows.mediator.shape[1])
    return [slice(start, start + size) for start in range(0, len(regression.draws), size)]


def _parameters(regression: Regression, rows: Counterfactuals, part: slice) -> dict[str, Any]:
    """Parameters of the outcome at rho = 0 for a block of draws, and its data columns."""
    own: dict[str, Any] = {n: value[..., part] for n, value in regression.parameters0.items()}
    own |= {
        name: value if name == "scores" else value[:, None]
        for name, value in rows.outcome_columns.items()
    }
    if "cutpoints" in own:
        own.setdefault("scores", np.arange(len(own["cutpoints"]) + 1.0))
    return own


def latent_cells(
    regression: Regression, family: Family, rows: Counterfactuals, part: slice
) -> Cells:
    """The four cells for a block of draws."""
    assert rows.base is not None and rows.slope is not None
    draws = regression.draws
    beta, coef = draws.mediator_coef[part], regression.coef0[part]
    sigma = draws.mediator_parameters["sigma"][part]
    own = _parameters(regression, rows, part)
    scale = own.get("sigma", np.ones(1))
    offset = 0.0 if rows.mediator_offset is None else rows.mediator_offset[:, None]
    added = 0.0 if rows.outcome_offset is None else rows.outcome_offset[:, None]
    means = [rows.mediator[s] @ beta.T + offset for s in ARMS]
    cells = {}
    for t in ARMS:
        slope = common_slope(rows.slope[t], coef)
        spread = np.sqrt(scale * scale + (slope * sigma) ** 2)
        base = rows.base[t] @ coef.T + added
        at = {**own, "sigma": spread} if family.latent == "free" else dict(own)
        if family.latent == "unit" and "cutpoints" in own:
            at["cutpoints"] = own["cutpoints"][:, None] / spread
        unit = spread if family.latent == "unit" else 1.0
        for s in ARMS:
            u = (base + slope * means[s]) / unit
            v = scale * (means[t] - means[s]) / (sigma * unit)
            cells[t, s] = LatentCell(u, v, at)
    return cells


def latent_mean_at(
    family: Family, rows: Counterfactuals, cell: LatentCell, s: float | np.ndarray
) -> np.ndarray:
    """Mean over rows at rho / sqrt(1 - rho^2) = s, a number or one per draw; shape (S,)."""
    value = np.asarray(family.mean(cell.u + s * cell.v, cell.parameters))
    return rows.mean(value)


def interpolate(
    function: Callable[[float], np.ndarray], s: np.ndarray, degree: int, small: float = _SMALL
) -> tuple[np.ndarray, int]:
    """Values of a smooth function at the points s, shape (s, ...), and the degree it took."""
    low, high = float(s.min()), float(s.max())
    for size in (d for d in _DEGREES if d >= degree):
        if size + 1 >= len(s):
            break
        nodes = chebyshev.chebpts1(size + 1)
        values = np.stack([function(0.5 * (high - low) * x + 0.5 * (high + low)) for x in nodes])
        basis = chebyshev.chebvander(nodes, size)
        weights = 2.0 / (size + 1) * basis.T
        weights[0] *= 0.5
        coefficients = np.tensordot(weights, values, axes=1)
        if np.abs(coefficients[-3:]).max() < small * np.abs(values).max():
            scaled = (2.0 * s - low - high) / (high - low)
            return np.tensordot(chebyshev.chebvander(scaled, size), coefficients, axes=1), size
        degree = size
    return np.stack([function(float(value)) for value in s]), _DEGREES[-1] + 1
