r"""Counterfactual means: the only place that integrates over the mediator.

For arms t, t' and each posterior draw,

.. math:: \mu(t, t') = \frac1n \sum_i E[Y_i(t, M_i(t')) \mid x_i]
          = \frac1n \sum_i \int \phi(e)\, E[Y_i(t, m) \mid e_m = e]\, de,
          \quad m = M_i(t') \text{ at } e.

With an additive outcome it is linear in the outcome's expected design rows (``expected``);
elsewhere there is a closed form, a sum over the mediator's values or a quadrature
(``integrals``) for one row, and a mean over the rows (``surface``).
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bayesmed.means import engine
from bayesmed.means.accuracy import Effort, settled
from bayesmed.means.cell import at_level, closed, has_closed, over_counts, over_scores
from bayesmed.means.coordinates import ease, fewer, pair_of
from bayesmed.means.finite import require_finite
from bayesmed.means.layout import ARMS as ARMS
from bayesmed.means.layout import Layout, lay_out, with_functions
from bayesmed.means.linear import expected_rows as expected_rows
from bayesmed.numerics.surface import Coordinates, Need, Work, row_by_row, weighted_mean
from bayesmed.posterior.blocks import over_blocks, row_weights
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals, EquationRows

# Numbers held for each draw: nodes of a plane, times terms of a table where there is one.
_PLANE, _TABLE = 1_000, 30_000
# And for each row where a count's thresholds are held.
_LADDER = 50


def cell_means(
    draws: Draws,
    rows: Counterfactuals,
    bootstrap: int | None = None,
    effort: Effort | None = None,
) -> np.ndarray:
    """Means of Y(t, M(t')) over the rows, per draw.

    Parameters
    ----------
    draws : Draws
    rows : Counterfactuals
    bootstrap : int, optional
        Seed of the Bayesian bootstrap: Dirichlet(1, ..., 1) weights of the rows, new for
        each draw. Equal weights where None.
    effort : Effort, optional
        What like calls needed, for an error that cannot be seen beside the posterior. To 1e-8
        where None.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S): arm t, mediator arm t', draw; on the response's scale.

    Raises
    ------
    ArithmeticError
        If the mean is infinite in some draws, or an integral does not settle.
    """
    layout = lay_out(rows)
    require_finite(draws, layout)
    if layout.outcome.family.additive:
        expected = expected_rows(draws, rows, bootstrap)
        cells = np.einsum("abst,st->abs", expected, draws.outcome.coef)
        cells += _mean_shift(draws, layout, bootstrap)[:, None]
        return representable(cells + mean_offset(draws, rows, bootstrap))
    layout = with_functions(layout, draws)
    quick = None if effort is None or effort.exact else _quick(draws, layout, bootstrap, effort)
    if quick is not None:
        return representable(quick)
    run = partial(_block_means, layout, bootstrap, {})
    found = over_blocks(run, draws, layout.size, _held(draws, layout))
    return representable(np.concatenate(found, axis=-1))


def _quick(
    draws: Draws, layout: Layout, bootstrap: int | None, effort: Effort
) -> np.ndarray | None:
    """Means by as few nodes as do; None where they have a closed form or cannot be had so."""
    one = draws.block(slice(0, 1))
    if layout.outcome.levels is None and has_closed(pair_of(layout, one, 0, 0, 0)[0]):
        return None
    if draws.index is None:  # by which the bootstrap is seeded
        draws = replace(draws, index=np.arange(len(draws)))

    def evaluate(some: np.ndarray | None, sizes: engine.Sizes) -> np.ndarray:
        return engine.cells(draws if some is None else draws.block(some), layout, bootstrap, sizes)

    try:
        return settled(evaluate, draws.rho, effort)
    except (engine.Unsuited, ArithmeticError):
        return None


def is_quick(draws: Draws, rows: Counterfactuals) -> bool:
    """Whether a few nodes do for every row."""
    layout = lay_out(rows)
    if layout.outcome.family.additive:
        return False
    one = draws.block(np.array([len(draws) // 2]))
    try:
        engine.cells(one, with_functions(layout, one), None, engine.Sizes())
    except (engine.Unsuited, ArithmeticError):
        return False
    return True


def mean_offset(draws: Draws, rows: Counterfactuals, bootstrap: int | None = None) -> Any:
    """Weighted mean of the outcome's offset, per draw where the weights are drawn."""
    offset = rows.outcome.offset
    if offset is None or bootstrap is None or np.all(offset == offset[0]):
        return 0.0 if offset is None else rows.average(offset)

    def mean(block: Draws) -> np.ndarray:
        return (row_weights(rows, block, bootstrap) * offset[:, None]).sum(axis=0)

    return np.concatenate(over_blocks(mean, draws, rows.n))


def _mean_shift(draws: Draws, layout: Layout, bootstrap: int | None) -> np.ndarray:
    """Mean of an additive outcome at a linear predictor of zero, by arm: shape (2, S)."""
    outcome, zero = layout.outcome, np.zeros((1, 1))

    def mean(block: Draws) -> np.ndarray:
        weights, found = row_weights(layout.rows, block, bootstrap), []
        for arm in ARMS:
            value = outcome.family.mean(zero, outcome.parameters(block.outcome, arm))
            if len(value) == 1:
                found.append(np.broadcast_to(value[0], (len(block),)))
            else:
                found.append((weights * value).sum(axis=0))
        return np.stack(found)

    return np.concatenate(over_blocks(mean, draws, layout.size), axis=-1)


def fixed_means(
    draws: Draws, rows: Counterfactuals, m: float, bootstrap: int | None = None
) -> np.ndarray:
    r"""Means of Y(t, m) over the rows, the mediator set to one value, per draw.

    .. math:: \mu(t, m) = \frac1n \sum_i E[Y_i(t, m) \mid x_i]

    Parameters
    ----------
    draws : Draws
    rows : Counterfactuals
    m : float
        For an ordered mediator the position of its category.
    bootstrap : int, optional
        As in :func:`cell_means`.

    Returns
    -------
    numpy.ndarray
        Shape (2, S): arm t, draw.
    """
    layout, designs = lay_out(rows), [design_at(rows.outcome, t, m) for t in ARMS]
    outcome = layout.outcome

    def means(block: Draws) -> np.ndarray:
        weights, found = row_weights(rows, block, bootstrap), []
        for t in ARMS:
            eta = outcome.eta(block.outcome, designs[t])
            value = outcome.family.mean(eta, outcome.parameters(block.outcome, t))
            value = np.broadcast_to(value, (layout.size, len(block)))
            found.append((weights * value).sum(axis=0))
        return np.stack(found)

    parts = over_blocks(means, draws, layout.size)
    return representable(np.concatenate(parts, axis=-1)[None])[0]


def design_at(rows: EquationRows, arm: int, m: float) -> np.ndarray:
    """The outcome's design with the mediator set to a value, shape (obs, outcome_term)."""
    if rows.by_level is not None:
        return rows.by_level[arm, int(m)]
    if rows.base is not None and rows.slope is not None:
        return rows.base[arm] + (np.log(m) if rows.log_mediator else m) * rows.slope[arm]
    assert rows.rows_at is not None
    return rows.rows_at(arm, np.array([float(m)]))[:, 0]


def _held(draws: Draws, layout: Layout) -> int:
    table = np.any(draws.rho) and layout.outcome.family.kind in ("continuous", "count")
    return _TABLE if table or layout.outcome.functions is not None else _PLANE


def representable(cells: np.ndarray) -> np.ndarray:
    """Means of shape (2, 2, S) as they are.

    Raises
    ------
    ArithmeticError
        If one is too large for a floating-point number.
    """
    broken = ~np.isfinite(cells).all(axis=(0, 1))
    if np.isnan(cells).any():
        raise ArithmeticError(
            f"E[Y(t, M(t'))] is not a number in {broken.mean():.1%} of the draws: the posterior holds "
            "draws that are not finite, so its sampler failed; fit again, and look at fit.posterior."
        )
    if broken.any():
        raise ArithmeticError(
            f"E[Y(t, M(t'))] is too large for a floating-point number in {broken.mean():.1%} of the "
            "draws; give the coefficients narrower priors or measure the outcome in larger units."
        )
    return cells


def _block_means(
    layout: Layout, bootstrap: int | None, needs: dict[tuple[int, int, int], Need], draws: Draws
) -> np.ndarray:
    """The cells of a block; ``needs`` is what each integral of the first block needed."""
    weights, cells = row_weights(layout.rows, draws, bootstrap), np.empty((2, 2, len(draws)))
    levels = layout.outcome.levels
    for t in ARMS:
        for s in ARMS:
            total: Any = 0.0
            for level in range(len(levels[t]) if levels else 1):
                key = (t, s, level)
                part, need = _mean(layout, draws, weights, key, needs.get(key))
                needs.setdefault(key, need)
                total = total + part
            cells[t, s] = total
    return cells


def _mean(
    layout: Layout, draws: Draws, weights: Any, key: tuple[int, int, int], need: Need | None
) -> tuple[np.ndarray, Need]:
    """Mean over the rows of one cell; of one value of the mediator where it has few."""
    t, s, level = key
    pair, at = pair_of(layout, draws, t, s, level)
    at, factor = fewer(pair, at)
    log, few = pair.outcome.link == "log", layout.outcome.levels is not None

    def value(own: Coordinates, start: int) -> tuple[np.ndarray, int]:
        if few:
            return at_level(pair, own, level), start
        if pair.mediator.discrete:
            return over_counts(pair, own), start
        return (closed(pair, own), start) if exact else over_scores(pair, own, start)

    exact = not few and has_closed(pair)
    if exact or (few and not np.any(draws.rho)):
        return row_by_row(value, at, factor, weights, layout.size)
    width = _LADDER if pair.outcome.kind == "count" and np.any(draws.rho) else 1
    return weighted_mean(
        value, at, factor, weights, layout.size, log, need, Work(ease(pair), width)
    )


def mediator_effect(draws: Draws, rows: Counterfactuals) -> np.ndarray:
    """Mean effect of the treatment on the mediator, per draw, shape (S,)."""
    layout = lay_out(rows.changed("outcome", log_mediator=False))
    mediator = layout.mediator

    def effect(block: Draws) -> np.ndarray:
        control, treated = (
            mediator.family.mean(layout.location(block, s), mediator.parameters(block.mediator, s))
            for s in ARMS
        )
        return rows.average(np.atleast_2d(treated - control))

    return np.concatenate(over_blocks(effect, draws, layout.size))


def common_slope(rows: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Slope in m per row and draw; one row where it is the same for all."""
    rows = rows[:1] if np.all(rows == rows[:1]) else rows
    return rows @ coef.T
