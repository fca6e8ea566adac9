"""Expected rows of the outcome's design: all that an additive outcome's mean needs."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from bayesmed.families.family import Parameters
from bayesmed.families.whole_numbers import count_mean
from bayesmed.means.cell import level_chance
from bayesmed.means.layout import ARMS, Layout, lay_out, with_functions
from bayesmed.means.mediator_functions import MediatorFunctions
from bayesmed.numerics.chebyshev import nodes, transform
from bayesmed.numerics.quadrature import broken_rule, score_mean, score_rule
from bayesmed.posterior.blocks import over_blocks, row_weights
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals

_HELD = 4_000_000
_TABLE = 10_000
_SIZES = (12, 24, 48, 96)
_SMALL = 1e-9


def expected_rows(draws: Draws, rows: Counterfactuals, bootstrap: int | None = None) -> np.ndarray:
    """Mean over rows and over M(t') of the outcome's design row, per draw.

    With an additive error E[Y(t, M(t'))] is this row times the outcome's coefficients, plus
    the mean of the outcome's offset, whatever rho is; it does not depend on them, so it
    serves a whole curve.

    Parameters
    ----------
    draws : Draws
    rows : Counterfactuals
    bootstrap : int, optional
        Seed of the Bayesian bootstrap of the rows.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S, outcome_term).
    """
    layout = with_functions(lay_out(rows), draws)
    if layout.outcome.base is not None and layout.mediator.family.additive and bootstrap is None:
        return _by_moments(draws, layout)
    held = _TABLE if layout.outcome.functions is not None else 1
    block = partial(_block, layout, bootstrap)
    return np.concatenate(over_blocks(block, draws, layout.size, held), axis=2)


def _by_moments(draws: Draws, layout: Layout) -> np.ndarray:
    """Affine design, mean of M linear in its coefficients: cross moments suffice."""
    mediator, outcome = layout.mediator, layout.outcome
    assert outcome.base is not None and outcome.slope is not None
    beta, offset = draws.mediator.coef, mediator.offset
    offset = np.zeros((1, 1)) if offset is None else offset
    mean, weights = layout.rows.average, layout.rows.weights
    return np.stack([
        np.stack([
            mean(base) + beta @ _cross(design, slope, weights) + _cross(offset, slope, weights)
            for design in mediator.design
        ])
        for base, slope in zip(outcome.base, outcome.slope, strict=True)
    ])  # fmt: skip


def _cross(left: np.ndarray, right: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Weighted mean over rows of the products of columns; one row stands for all."""
    if len(left) == len(right):
        if weights is None or len(left) == 1:
            return left.T @ right / len(left)
        return left.T @ (weights[:, None] * right)
    one, other = (
        values.mean(axis=0) if weights is None or len(values) == 1 else weights @ values
        for values in (left, right)
    )
    return np.outer(one, other)


def _block(layout: Layout, bootstrap: int | None, draws: Draws) -> np.ndarray:
    weights = row_weights(layout.rows, draws, bootstrap)
    if isinstance(weights, float):
        weights = np.full((layout.size, 1), weights)
    outcome, family = layout.outcome, layout.mediator.family
    count = 0 if outcome.levels is None else len(outcome.levels[0]) - 1
    cells: list[list[Any]] = [[None, None], [None, None]]
    for s in ARMS:
        location = layout.location(draws, s)
        own = layout.mediator.parameters(draws.mediator, s)
        # Weights times the probability of every value but the last, of a mediator with few.
        chances = [weights * level_chance(family, location, own, j) for j in range(count)]
        for t in ARMS:
            if outcome.levels is not None:
                cells[t][s] = _over_levels(outcome.levels[t], chances, weights, len(draws))
            elif outcome.functions is not None:
                functions = outcome.functions[t]
                plain = _weighted(weights, functions.base, len(draws))
                plain[:, functions.moving] += _moving(layout, functions, location, own, weights)
                cells[t][s] = plain
            else:
                assert outcome.base is not None and outcome.slope is not None
                mean = weights * family.mean(location, own)
                plain = _weighted(weights, outcome.base[t], len(draws))
                cells[t][s] = plain + _weighted(mean, outcome.slope[t], len(draws))
    return np.stack([np.stack(row) for row in cells])


def _weighted(weights: np.ndarray, design: np.ndarray, draws: int) -> np.ndarray:
    """Weighted sum of design rows, shape (S, outcome_term); one row stands for all."""
    alike = len(design) == 1
    found = weights.sum(axis=0)[:, None] * design if alike else weights.T @ design
    return np.array(np.broadcast_to(found, (draws, design.shape[1])))


def _over_levels(
    levels: tuple[np.ndarray, ...], chances: list[np.ndarray], weights: np.ndarray, draws: int
) -> np.ndarray:
    """The last value's rows, and the others' differences from them."""
    total = _weighted(weights, levels[-1], draws)
    for level, chance in zip(levels, chances, strict=False):
        total += _weighted(chance, level - levels[-1], draws)
    return total


# --- functions of the mediator --------------------------------------------------------------


def _moving(
    layout: Layout,
    functions: MediatorFunctions,
    location: np.ndarray,
    own: Parameters,
    weights: np.ndarray,
) -> np.ndarray:
    """Weighted mean of the columns that move with the mediator, less their base: (S, moving)."""
    draws, shared = location.shape[1], (*layout.mediator.family.vectors, "scores")
    alike = all(np.ndim(v) < 2 or len(v) == 1 or name in shared for name, v in own.items())
    if functions.factors is not None and alike:
        mean = partial(_mean, layout, functions, own=own, rows=None)
        if len(location) == 1:
            return mean(location)[0] * _weighted(weights, functions.factors, draws)
        found = _interpolated(mean, location, weights, functions.factors)
        if found is not None:
            return found
    total = np.zeros((draws, len(functions.moving)))
    size = max(1, _HELD // (draws * len(functions.moving)))
    for start in range(0, layout.size, size):
        rows = np.arange(start, min(start + size, layout.size))
        eta, share = (v if len(v) == 1 else v[rows] for v in (location, weights))
        part = {
            name: v[rows] if np.ndim(v) > 1 and len(v) > 1 and name not in shared else v
            for name, v in own.items()
        }
        eta = np.broadcast_to(eta, (len(rows), draws))
        columns = _mean(layout, functions, eta, own=part, rows=rows)
        total += (share[..., None] * columns).sum(axis=0)
    return total


def _interpolated(
    mean: Any, location: np.ndarray, weights: np.ndarray, factors: np.ndarray
) -> np.ndarray | None:
    """The same where the mean of the columns is a smooth function of the location alone."""
    low, high = location.min(axis=0), location.max(axis=0)
    half = np.maximum(0.5 * (high - low), 1e-9 * (1.0 + np.abs(low)))
    for size in (size for size in _SIZES if 2 * size <= len(location)):
        values = mean(low + half * (1.0 + nodes(size)[:, None]))
        coefficients = np.tensordot(transform(size), values, axes=1)
        scale = np.maximum(np.abs(values).max(axis=0), 1e-300)
        if np.abs(coefficients[-2:] / scale).max() < _SMALL:
            break
    else:
        return None
    x = (location - low) / half - 1.0
    before, basis = x, np.ones_like(x)
    total: Any = 0.0
    for own in coefficients:
        total = total + own * _weighted(weights * basis, factors, len(low))
        before, basis = basis, 2.0 * x * basis - before
    return total


def _mean(
    layout: Layout,
    functions: MediatorFunctions,
    location: np.ndarray,
    own: Parameters,
    rows: np.ndarray | None,
) -> np.ndarray:
    """Mean over the mediator of the moving columns, shape (point, S, moving).

    Of the leaders' functions, or of rows, one for each point.
    """
    family = layout.mediator.family
    what = f"functions of a {family.name} mediator"
    shape = (*location.shape, len(functions.moving))

    def columns(m: np.ndarray) -> np.ndarray:
        """Of about the same size and with draws on the last axis: (..., moving, point, S)."""
        found = functions.at(m) if rows is None else functions.columns(m, rows)
        return np.moveaxis(found / functions.scale, -1, -3)

    def term(m: Any) -> np.ndarray:
        assert family.log_density is not None
        chance = np.exp(family.log_density(m, location, own))
        return chance * columns(np.broadcast_to(m, (1, 1)) if np.ndim(m) == 0 else m)

    def integrand(scores: np.ndarray) -> Iterator[np.ndarray]:
        held = max(1, _HELD // int(np.prod(shape)))
        for start in range(0, len(scores), held):
            m = np.stack([family.value(e, location, own) for e in scores[start : start + held]])
            yield from columns(np.broadcast_to(m, (len(m), *location.shape)))

    if family.discrete:
        found = count_mean(family, location, own, term, what)
    else:
        knots = np.array(layout.rows.outcome.knots)
        breaks = [family.score(m, location, own) for m in knots]
        rule = broken_rule(np.stack(breaks)) if len(knots) else score_rule
        found = score_mean(lambda reach: integrand, what, rule)[0]
    return np.moveaxis(found, 0, -1) * functions.scale
