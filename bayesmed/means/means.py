r"""Counterfactual means: the only place that integrates over the mediator.

For arms t, t' and each posterior draw,

.. math:: \mu(t, t') = \frac1n \sum_i E[Y_i(t, M_i(t')) \mid x_i]
          = \frac1n \sum_i \int \phi(e)\, E[Y_i(t, m) \mid e_m = e]\, de,
          \quad m = M_i(t') \text{ at } e.

With an additive outcome it is linear in the outcome's expected design rows (``expected``);
elsewhere there is a closed form, a sum over the mediator's values or a quadrature
(``integrals``) for one row, and a mean over the rows (``surface``).
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bayesmed.families.family import Families
from bayesmed.means.cell import Pair, at_level, closed, has_closed, over_counts, over_scores
from bayesmed.means.finite import require_finite
from bayesmed.means.layout import ARMS as ARMS
from bayesmed.means.layout import Layout, lay_out, times, with_functions
from bayesmed.means.linear import expected_rows as expected_rows
from bayesmed.numerics.surface import Coordinates, Need, Work, row_by_row, weighted_mean
from bayesmed.posterior.blocks import over_blocks
from bayesmed.posterior.draws import Draws as Draws
from bayesmed.system.rows import Counterfactuals

# Numbers held for each draw: nodes of a plane, times terms of a table where there is one.
_PLANE, _TABLE = 1_000, 30_000
# And for each row where a count's thresholds are held.
_LADDER = 50


def cell_means(
    draws: Draws,
    families: Families,
    rows: Counterfactuals,
    bootstrap: int | None = None,
) -> np.ndarray:
    """Means of Y(t, M(t')) over the rows, per draw.

    Parameters
    ----------
    draws : Draws
    families : mapping of str to Family
        Of the mediator and of the outcome.
    rows : Counterfactuals
    bootstrap : int, optional
        Seed of the Bayesian bootstrap: Dirichlet(1, ..., 1) weights of the rows, new for
        each draw. Equal weights where None.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S): arm t, mediator arm t', draw; on the response's scale.

    Raises
    ------
    ArithmeticError
        If the mean is infinite in some draws, or an integral does not settle.
    """
    layout = lay_out(families, rows)
    require_finite(draws, layout)
    if families["outcome"].additive:
        expected = expected_rows(draws, families, rows, bootstrap)
        cells = np.einsum("abst,st->abs", expected, draws.outcome.coef)
        cells += _mean_shift(draws, layout, bootstrap)[:, None]
        return representable(cells + mean_offset(draws, rows, bootstrap))
    layout = with_functions(layout, draws)
    run = partial(_block_means, layout)
    found = over_blocks(run, draws, layout.size, _held(draws, layout), bootstrap, rows.weights)
    cells = np.concatenate([block.cells for block in found], axis=-1)
    return representable(cells)


def mean_offset(draws: Draws, rows: Counterfactuals, bootstrap: int | None = None) -> Any:
    """Weighted mean of the outcome's offset, per draw where the weights are drawn."""
    offset = rows.outcome_offset
    if offset is None or bootstrap is None or np.all(offset == offset[0]):
        return 0.0 if offset is None else rows.mean(offset)

    def mean(block: Draws, weights: Any, first: Any) -> np.ndarray:
        return (weights * offset[:, None]).sum(axis=0)

    return np.concatenate(over_blocks(mean, draws, len(offset), 1, bootstrap, rows.weights))


def _mean_shift(draws: Draws, layout: Layout, bootstrap: int | None) -> np.ndarray:
    """Mean of an additive outcome at a linear predictor of zero, by arm: shape (2, S)."""
    family, zero = layout.families["outcome"], np.zeros((1, 1))

    def mean(block: Draws, weights: Any, first: Any) -> np.ndarray:
        found = []
        for arm in ARMS:
            value = family.mean(zero, layout.parameters(block, "outcome", arm))
            if len(value) == 1:
                found.append(np.broadcast_to(value[0], (len(block),)))
            else:
                found.append((weights * value).sum(axis=0))
        return np.stack(found)

    rows = layout.rows
    parts = over_blocks(mean, draws, layout.size, 1, bootstrap, rows.weights)
    return np.concatenate(parts, axis=-1)


def fixed_means(
    draws: Draws,
    families: Families,
    rows: Counterfactuals,
    m: float,
    bootstrap: int | None = None,
) -> np.ndarray:
    r"""Means of Y(t, m) over the rows, the mediator set to one value, per draw.

    .. math:: \mu(t, m) = \frac1n \sum_i E[Y_i(t, m) \mid x_i]

    Parameters
    ----------
    draws : Draws
    families : mapping of str to Family
        Of the mediator and of the outcome.
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
    layout, designs = lay_out(families, rows), [design_at(rows, t, m) for t in ARMS]

    def means(block: Draws, weights: Any, first: Any) -> np.ndarray:
        found = []
        for t in ARMS:
            eta = layout.outcome(block, designs[t])
            value = families["outcome"].mean(eta, layout.parameters(block, "outcome", t))
            value = np.broadcast_to(value, (layout.size, len(block)))
            found.append((weights * value).sum(axis=0))
        return np.stack(found)

    parts = over_blocks(means, draws, layout.size, 1, bootstrap, rows.weights)
    return representable(np.concatenate(parts, axis=-1)[None])[0]


def design_at(rows: Counterfactuals, arm: int, m: float) -> np.ndarray:
    """The outcome's design with the mediator set to a value, shape (obs, outcome_term)."""
    if rows.by_level is not None:
        return rows.by_level[arm, int(m)]
    if rows.base is not None and rows.slope is not None:
        return rows.base[arm] + (np.log(m) if rows.log_mediator else m) * rows.slope[arm]
    assert rows.rows_at is not None
    return rows.rows_at(arm, np.array([float(m)]))[:, 0]


def _held(draws: Draws, layout: Layout) -> int:
    table = np.any(draws.rho) and layout.families["outcome"].kind in ("continuous", "count")
    return _TABLE if table or layout.functions is not None else _PLANE


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


@dataclass(frozen=True)
class _Block:
    cells: np.ndarray
    #: What each integral needed, by (arm, mediator arm, level).
    needs: dict[tuple[int, int, int], Need]


def _block_means(layout: Layout, draws: Draws, weights: Any, first: _Block | None) -> _Block:
    cells = np.empty((2, 2, len(draws)))
    needs: dict[tuple[int, int, int], Need] = {}
    for t in ARMS:
        for s in ARMS:
            total: Any = 0.0
            for level in range(len(layout.levels[t]) if layout.levels else 1):
                key = (t, s, level)
                known = first.needs.get(key) if first else None
                part, needs[key] = _mean(layout, draws, weights, key, known)
                total = total + part
            cells[t, s] = total
    return _Block(cells, needs)


def _mean(
    layout: Layout, draws: Draws, weights: Any, key: tuple[int, int, int], need: Need | None
) -> tuple[np.ndarray, Need]:
    """Mean over the rows of one cell; of one value of the mediator where it has few."""
    t, s, level = key
    pair, at = _pair(layout, draws, t, s, level)
    at, factor = _fewer(pair, at)
    log = pair.outcome.link == "log"

    def value(own: Coordinates, start: int) -> tuple[np.ndarray, int]:
        if layout.levels is not None:
            return at_level(pair, own, level), start
        if pair.mediator.discrete:
            return over_counts(pair, own), start
        return (closed(pair, own), start) if exact else over_scores(pair, own, start)

    exact = layout.levels is None and has_closed(pair)
    cheap = layout.levels is not None and not np.any(draws.rho)
    if exact or cheap:
        return row_by_row(value, at, factor, weights, layout.size)
    width = _LADDER if pair.outcome.kind == "count" and np.any(draws.rho) else 1
    return weighted_mean(
        value, at, factor, weights, layout.size, log, need, Work(ease(pair), width)
    )


def ease(pair: Pair) -> float:
    """How many nodes may be taken for each row.

    With a discrete mediator its probabilities and the outcome's quantiles are each taken along
    one axis of a plane only, unless there are rectangles.
    """
    rectangles = np.any(pair.rho) and pair.outcome.kind in ("binary", "ordered")
    return 8.0 if pair.mediator.discrete and not rectangles else 0.5


def coordinates(
    layout: Layout, draws: Draws, t: int, s: int, level: int
) -> tuple[Pair, Coordinates]:
    """What is the same in all rows of a cell, and the few numbers in which they differ."""
    pair, at = _pair(layout, draws, t, s, level)
    return pair, _fewer(pair, at)[0]


def _pair(layout: Layout, draws: Draws, t: int, s: int, level: int) -> tuple[Pair, Coordinates]:
    """What is the same in all rows, and what differs."""
    at = {"location": layout.location(draws, s)}
    functions = None
    if layout.levels is not None:
        at["base"] = layout.outcome(draws, layout.levels[t][level])
    elif layout.functions is not None:
        functions = layout.functions[t]
        at |= {"base": layout.outcome(draws, functions.base), "row": functions.alike}
    else:
        assert layout.base is not None and layout.slope is not None
        at["base"] = layout.outcome(draws, layout.base[t])
        at["slope"] = times(layout.slope[t], draws.outcome.coef)
    fixed: list[dict[str, np.ndarray]] = []
    for (equation, family), arm in zip(layout.families.items(), (s, t), strict=True):
        own = layout.parameters(draws, equation, arm)
        by_row = {name for name in own if own[name].ndim > 1 and name not in family.vectors}
        at |= {f"{equation} {name}": own[name] for name in by_row}
        fixed.append({name: own[name] for name in own if name not in by_row})
    knots = layout.rows.knots if functions else ()
    pair = Pair(
        layout.families["mediator"], layout.families["outcome"], fixed[0], fixed[1], draws.rho,
        functions, draws.outcome.coef, knots,
    )  # fmt: skip
    return pair, at


def _fewer(pair: Pair, at: Coordinates) -> tuple[Coordinates, np.ndarray | float]:
    """Fewer coordinates that differ between rows, and the logarithm of a factor of the mean."""
    at, zero, mediator = dict(at), np.zeros((1, len(pair.rho))), pair.mediator
    if "slope" in at and mediator.additive:  # only m - location is random
        at["base"] = at["base"] + at["slope"] * at["location"]
        at["location"] = zero
        if mediator.latent == "free":  # which is sigma times a normal score
            at["slope"] = at["slope"] * pair.parameters(at)[0]["sigma"]
            at["mediator sigma"] = zero + 1.0
    elif "slope" in at and mediator.multiplicative and len(at["slope"]) > 1:
        at["slope"] = at["slope"] * np.exp(at["location"])
        at["location"] = zero
    if pair.outcome.multiplicative:
        return {**at, "base": zero}, at["base"]
    return at, 0.0


def mediator_effect(draws: Draws, families: Families, rows: Counterfactuals) -> np.ndarray:
    """Mean effect of the treatment on the mediator, per draw, shape (S,)."""
    layout = lay_out(families, replace(rows, log_mediator=False))

    def effect(block: Draws, weights: Any, first: Any) -> np.ndarray:
        control, treated = (
            families["mediator"].mean(
                layout.location(block, s), layout.parameters(block, "mediator", s)
            )
            for s in ARMS
        )
        return rows.mean(np.atleast_2d(treated - control))

    return np.concatenate(over_blocks(effect, draws, layout.size, 1, None))


def common_slope(rows: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Slope in m per row and draw; one row where it is the same for all."""
    rows = rows[:1] if np.all(rows == rows[:1]) else rows
    return rows @ coef.T
