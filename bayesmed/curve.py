r"""The curve of a closed pair: counterfactual means at every rho from the draws at rho = 0.

With an additive outcome the mean is linear in the coefficients, so one set of expected rows
serves every rho. With a Gaussian mediator and a probit outcome, writing
:math:`u = \eta_0(t, \mu_m(t')) / r`, :math:`r = \sqrt{1 + g_0^2 \sigma_m^2}` and
:math:`v = -(\mu_m(t') - \mu_m(t)) / (\sigma_m r)`, the map of ``closed`` reduces to

.. math:: \mu(t, t'; \rho) = \frac1n \sum_i \Phi(u_i + s v_i), \qquad s = \rho / \sqrt{1-\rho^2},

an entire function of one variable, which is interpolated at Chebyshev nodes.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import ndtr

from bayesmed.closed import ClosedMap
from bayesmed.design import Counterfactuals
from bayesmed.family import Family
from bayesmed.potential import (
    ARMS,
    Draws,
    cell_means,
    common_slope,
    expected_rows,
)

#: (u, v) of the cell (t, t'), each of shape (obs, S).
Cells = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]

_BLOCK = 200_000
_SMALL = 1e-10
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

    def at(self, rho: float) -> Draws:
        """Structural draws at rho."""
        sigma = self.draws.mediator_parameters["sigma"]
        coef, parameters = self.map.structural(
            self.coef0, self.parameters0, self.draws.mediator_coef, sigma, np.float64(rho)
        )
        return replace(
            self.draws, outcome_coef=coef, outcome_parameters=parameters,
            rho=np.full(len(self.draws), float(rho)),
        )  # fmt: skip


def curve_cells(
    regression: Regression,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    rho: np.ndarray,
) -> np.ndarray:
    """Counterfactual means along rho.

    Returns
    -------
    numpy.ndarray
        Shape (rho, 2, 2, S).
    """
    if families[1].additive:
        expected = expected_rows(regression.draws, families, rows)
        coefs = np.stack([regression.at(value).outcome_coef for value in rho])
        offset = 0.0 if rows.outcome_offset is None else rows.outcome_offset.mean()
        return np.einsum("abst,rst->rabs", expected, coefs) + offset
    if not is_probit_curve(families, rows):
        return np.stack([cell_means(regression.at(value), families, rows) for value in rho])
    return _probit_curve(regression, rows, rho)


def is_probit_curve(families: tuple[Family, Family], rows: Counterfactuals) -> bool:
    """Whether the curve is that of a 0/1 outcome affine in a Gaussian mediator."""
    unit = families[1].kind == "binary" and families[1].latent == "unit"
    return unit and rows.base is not None


def _probit_curve(regression: Regression, rows: Counterfactuals, rho: np.ndarray) -> np.ndarray:
    s = rho / np.sqrt((1.0 - rho) * (1.0 + rho))
    out = np.empty((len(rho), 2, 2, len(regression.draws)))

    # A few draws tell the degree at which the others may start.
    pilot = probit_cells(regression, rows, slice(0, None, max(1, len(regression.draws) // 50)))
    start = 0
    for t in ARMS:
        _, start = _interpolate(partial(mean_ndtr, *pilot[t, 1 - t]), s, start)

    def fill(part: slice) -> None:
        cells, degree = probit_cells(regression, rows, part), start
        for t in ARMS:
            out[:, t, t, part] = ndtr(cells[t, t][0]).mean(axis=0)
            mean = partial(mean_ndtr, *cells[t, 1 - t])
            out[:, t, 1 - t, part], degree = _interpolate(mean, s, degree)

    # The normal distribution function releases the interpreter, so threads pay.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, draw_blocks(regression, rows)))
    return out


def draw_blocks(regression: Regression, rows: Counterfactuals) -> list[slice]:
    """Blocks of draws small enough for the processor's cache."""
    size = max(1, _BLOCK // rows.mediator.shape[1])
    return [slice(start, start + size) for start in range(0, len(regression.draws), size)]


def probit_cells(regression: Regression, rows: Counterfactuals, part: slice) -> Cells:
    """(u, v) of every cell for a block of draws."""
    assert rows.base is not None and rows.slope is not None
    draws = regression.draws
    beta, coef = draws.mediator_coef[part], regression.coef0[part]
    sigma = draws.mediator_parameters["sigma"][part]
    offset = 0.0 if rows.mediator_offset is None else rows.mediator_offset[:, None]
    means = [rows.mediator[s] @ beta.T + offset for s in ARMS]
    cells = {}
    for t in ARMS:
        slope = common_slope(rows.slope[t], coef)
        spread = np.sqrt(1.0 + (slope * sigma) ** 2)
        base = rows.base[t] @ coef.T
        for s in ARMS:
            u = (base + slope * means[s]) / spread
            cells[t, s] = (u, (means[t] - means[s]) / (sigma * spread))
    return cells


def mean_ndtr(u: np.ndarray, v: np.ndarray, s: float | np.ndarray) -> np.ndarray:
    """Mean over rows of Phi(u + s v), per draw; s is a number or one per draw."""
    return ndtr(u + s * v).mean(axis=0)


def _interpolate(
    function: Callable[[float], np.ndarray], s: np.ndarray, degree: int
) -> tuple[np.ndarray, int]:
    """Values of an entire function at the points s, shape (s, S), and the degree it took."""
    low, high = float(s.min()), float(s.max())
    for size in (d for d in _DEGREES if d >= degree):
        if size + 1 >= len(s):
            break
        nodes = chebyshev.chebpts1(size + 1)
        values = np.stack([function(0.5 * (high - low) * x + 0.5 * (high + low)) for x in nodes])
        basis = chebyshev.chebvander(nodes, size)
        weights = 2.0 / (size + 1) * basis.T
        weights[0] *= 0.5
        coefficients = weights @ values
        if np.abs(coefficients[-3:]).max() < _SMALL:
            scaled = (2.0 * s - low - high) / (high - low)
            return chebyshev.chebvander(scaled, size) @ coefficients, size
        degree = size
    return np.stack([function(value) for value in s]), _DEGREES[-1] + 1
