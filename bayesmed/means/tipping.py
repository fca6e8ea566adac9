"""The tipping point: the rho at which an ACME is zero, one value per draw."""

from typing import Any

import numpy as np

from bayesmed.means.along_rho import (
    Regression,
    at_target,
    curve_cells,
    is_latent_curve,
)
from bayesmed.means.layout import ARMS
from bayesmed.means.linear import expected_rows
from bayesmed.means.normal import Cells, cell_blocks, cells_of, latent_mean_at, row_blocks
from bayesmed.means.target import MEAN, Target, target_of
from bayesmed.numerics.score_pair import from_odds, odds
from bayesmed.system.rows import Counterfactuals, equal_rows

#: Brackets for roots that have no closed form, dense near |rho| = 1.
_BRACKETS = np.tanh(np.linspace(-3.8, 3.8, 61))
_TOLERANCES = {"xatol": 1e-12, "xrtol": 1e-12, "fatol": 0.0, "frtol": 0.0}


def tipping_points(
    regression: Regression,
    rows: Counterfactuals,
    target: Target | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Roots of the ACME in rho for a closed pair.

    With :math:`x = \rho^* / \sqrt{1 - \rho^{*2}}`: a slope in m that is the same for all
    rows gives :math:`x = g_0 \sigma_m / s` (s = 1 for probit); a Gaussian outcome in general
    :math:`x = \sigma_m ACME_0 / (s\, mean_i a_i)`, a_i the effect on the mediator's mean. Other
    cases, and further roots where the a_i differ in sign, are bracketed and bisected.
    The outcome must be affine in the mediator, or its logarithm where that is Gaussian. Where
    all slopes and signs agree, the root is the same for every functional of the outcome.

    Returns
    -------
    rho_zero : numpy.ndarray
        Shape (3, S) for control, treated, average; NaN where the curve has no root in
        (-1, 1); the root nearest to zero where it has several.
    roots : numpy.ndarray
        How many roots were found, shape (3, S).
    """
    target = target or target_of(MEAN, rows.outcome.family)
    own, family = target.rows(rows), target.family
    slopes, mixed = _common_slopes(regression, rows), _mixed_signs(regression, rows)
    sigma = regression.draws.mediator.parameters["sigma"]
    scale = regression.draws.outcome.parameters.get("sigma", np.ones(len(sigma)))
    if family.additive and slopes is None:
        expected = expected_rows(regression.draws, rows)
        acme = np.einsum(
            "ast,st->as", expected[:, 1] - expected[:, 0], regression.draws.outcome.coef
        )
        design = rows.mediator.design
        shift = regression.draws.mediator.coef @ rows.average(design[1] - design[0])
        return _roots(np.stack([*acme, acme.mean(axis=0)]) * sigma / (scale * shift))
    if slopes is None or not (family.additive or is_latent_curve(regression, own)):
        return _bracketed(regression, rows, target)
    ends = np.stack(slopes) * sigma / scale
    same = np.allclose(ends[0], ends[1], rtol=1e-12, atol=1e-12)
    if not target.monotone:  # such as a middle category, whose curve can turn
        mixed = np.ones_like(mixed)
    if family.additive or same:
        average = ends.mean(axis=0)
    elif mixed.all():
        average = np.full_like(ends[0], np.nan)
    else:
        average = _between(regression, rows, target, ends)
    rho_zero, roots = _roots(np.stack([*ends, average]))
    if mixed.any() and not family.additive:
        # Where rows differ in the sign of the effect on M there can be further roots.
        part = np.flatnonzero(mixed)
        found, count = _bracketed(regression.block(part), rows, target)
        arms = slice(0, 3 if same else 2)
        nearer = np.abs(found[arms]) < np.abs(rho_zero[arms, part])
        found[arms] = np.where(nearer, found[arms], rho_zero[arms, part])
        rho_zero[:, part], roots[:, part] = found, np.maximum(count, np.isfinite(found))
    return rho_zero, roots


def _bracketed(
    regression: Regression,
    rows: Counterfactuals,
    target: Target,
) -> tuple[np.ndarray, np.ndarray]:
    """Roots by brackets over (-1, 1), then made exact where the curve is quick to evaluate."""
    acme = _acme(curve_cells(regression, rows, _BRACKETS, target))
    rho_zero, roots = roots_on_grid(_BRACKETS, acme)
    own = target.rows(rows)
    if is_latent_curve(regression, own):
        rho_zero = _refined(at_target(regression, target), own, acme, rho_zero)
    return rho_zero, roots


def _between(
    regression: Regression,
    rows: Counterfactuals,
    target: Target,
    ends: np.ndarray,
) -> np.ndarray:
    """Root of the averaged ACME, in rho / sqrt(1 - rho^2), from those of the arms: (2, S) to (S,).

    Where all rows agree in the sign of the effect on M, both arms' ACMEs have one sign beyond
    both roots, so their mean vanishes between them.
    """
    from scipy.optimize import elementwise

    regression, rows = at_target(regression, target), target.rows(rows)
    low, high = ends.min(axis=0), ends.max(axis=0)
    out = np.empty(len(low))
    for part in cell_blocks(len(regression.draws), rows):
        cells = cells_of(regression.draws.block(part), rows)

        def average(s: np.ndarray, index: np.ndarray, cells: Cells = cells) -> np.ndarray:
            some = {key: cell.block(index.astype(int)) for key, cell in cells.items()}
            at = [[latent_mean_at(rows, some[t, j], s) for j in ARMS] for t in ARMS]
            return sum(treated - control for control, treated in at)

        index = np.arange(len(out[part]), dtype=float)
        found = elementwise.find_root(
            average, (low[part], high[part]), args=(index,), tolerances=_TOLERANCES
        )
        out[part] = found.x
    return out


def _mixed_signs(regression: Regression, rows: Counterfactuals) -> np.ndarray:
    """Draws in which rows differ in the sign of the effect on the mediator, boolean (S,)."""
    shift = rows.mediator.design[1] - rows.mediator.design[0]
    beta = regression.draws.mediator.coef
    if np.all(shift == shift[:1]):
        return np.zeros(len(beta), dtype=bool)
    parts = [shift @ beta[part].T for part in row_blocks(len(regression.draws), rows)]
    return np.concatenate([(part.min(axis=0) < 0) & (part.max(axis=0) > 0) for part in parts])


def _roots(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rho = from_odds(x)
    return rho, np.isfinite(rho).astype(int)


def _common_slopes(
    regression: Regression, rows: Counterfactuals
) -> tuple[np.ndarray, np.ndarray] | None:
    """Slope in m of each arm at rho = 0, where it is the same for every row."""
    slope = rows.outcome.slope
    if slope is None or not all(equal_rows(slope[t]) for t in ARMS):
        return None
    control, treated = (regression.draws.outcome.coef @ slope[t][0] for t in ARMS)
    return control, treated


def _acme(cells: np.ndarray) -> np.ndarray:
    """ACME of control, treated and average from cells (rho, 2, 2, S): (3, rho, S)."""
    by_arm = [cells[:, t, 1] - cells[:, t, 0] for t in ARMS]
    return np.stack([*by_arm, 0.5 * (by_arm[0] + by_arm[1])])


def roots_on_grid(rho: np.ndarray, acme: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roots between grid values; acme has shape (3, rho, S).

    Interpolated linearly in rho / sqrt(1 - rho^2), in which a linear model's curve is a line.
    """
    if len(rho) == 1:  # nothing lies between
        here = acme[:, 0] == 0
        return np.where(here, rho[0], np.nan), here.astype(int)
    x = odds(rho)
    low, high = acme[:, :-1], acme[:, 1:]
    crosses = (low * high < 0) | (low == 0)
    crosses[:, -1] |= high[:, -1] == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(low == 0, 0.0, low / (low - high))
    # Elsewhere the share means nothing and may be infinite.
    share = np.where(crosses, share, np.nan)
    where = x[:-1][:, None] + share * np.diff(x)[:, None]
    return _nearest(from_odds(where)), crosses.sum(axis=1)


def _nearest(where: np.ndarray) -> np.ndarray:
    """Along axis 1 the value nearest to zero, NaN where there is none."""
    distance = np.where(np.isnan(where), np.inf, np.abs(where))
    best = distance.argmin(axis=1)
    return np.take_along_axis(where, best[:, None], axis=1)[:, 0]


def _refined(
    regression: Regression,
    rows: Counterfactuals,
    acme: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """Roots between brackets, made exact."""
    from scipy.optimize import elementwise

    position = np.clip(np.searchsorted(_BRACKETS, start) - 1, 0, len(_BRACKETS) - 2)
    ends = _BRACKETS[position], _BRACKETS[position + 1]
    at_ends = [np.take_along_axis(acme, (position + i)[:, None], axis=1)[:, 0] for i in (0, 1)]
    # At a bracket that is itself a root there is nothing to refine.
    crosses, start = np.isfinite(start) & (at_ends[0] * at_ends[1] < 0.0), start.copy()
    for part in cell_blocks(len(regression.draws), rows):
        cells = cells_of(regression.draws.block(part), rows)
        for arm in range(3):
            chosen = np.flatnonzero(crosses[arm, part])
            if not chosen.size:
                continue

            def gap(
                rho: np.ndarray, index: np.ndarray, cells: Cells = cells, arm: int = arm
            ) -> Any:
                some = {key: cell.block(index.astype(int)) for key, cell in cells.items()}
                return _acme_at(rows, some, arm, rho)

            bracket = [end[arm, part][chosen] for end in ends]
            found = elementwise.find_root(
                gap, tuple(bracket), args=(chosen.astype(float),), tolerances=_TOLERANCES
            )
            start[arm, part][chosen] = np.where(found.success, found.x, start[arm, part][chosen])
    return start


def _acme_at(rows: Counterfactuals, cells: Cells, arm: int, rho: np.ndarray) -> np.ndarray:
    """ACME of an arm (2: average) at one rho per draw."""
    s = odds(rho)
    arms = ARMS if arm == 2 else (arm,)
    at = [[latent_mean_at(rows, cells[t, j], s) for j in ARMS] for t in arms]
    return np.mean([treated - control for control, treated in at], axis=0)
