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

from bayesmed.blocks import over_blocks
from bayesmed.design import Counterfactuals
from bayesmed.draws import Draws as Draws
from bayesmed.expected import expected_rows as expected_rows
from bayesmed.family import Family
from bayesmed.finite import require_finite
from bayesmed.integrals import Pair, at_level, closed, has_closed, over_counts, over_scores
from bayesmed.layout import ARMS as ARMS
from bayesmed.layout import EQUATIONS, Layout, lay_out, times, with_functions
from bayesmed.surface import Coordinates, Need, Work, row_by_row, weighted_mean

# Numbers held for each draw: nodes of a plane, times terms of a table where there is one.
_PLANE, _TABLE = 1_000, 30_000
# And for each row where a count's thresholds are held.
_LADDER = 50


def cell_means(
    draws: Draws,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    bootstrap: int | None = None,
) -> np.ndarray:
    """Means of Y(t, M(t')) over the rows, per draw.

    Parameters
    ----------
    draws : Draws
    families : tuple of Family
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
    if families[1].additive:
        expected = expected_rows(draws, families, rows, bootstrap)
        cells = np.einsum("abst,st->abs", expected, draws.outcome_coef)
        return cells + _mean_offset(draws, layout, bootstrap)
    layout = with_functions(layout, draws)
    run = partial(_block_means, layout)
    found = over_blocks(run, draws, layout.size, _held(draws, layout), bootstrap)
    cells = np.concatenate([block.cells for block in found], axis=-1)
    return _finite(cells)


def _mean_offset(draws: Draws, layout: Layout, bootstrap: int | None) -> Any:
    """Weighted mean of the outcome's offset, per draw where there are weights."""
    offset = layout.offsets.get("outcome")
    if offset is None or bootstrap is None or len(offset) == 1:
        return 0.0 if offset is None else offset.mean()

    def mean(block: Draws, weights: Any, first: Any) -> np.ndarray:
        return (weights * offset).sum(axis=0)

    return np.concatenate(over_blocks(mean, draws, layout.size, 1, bootstrap))


def _held(draws: Draws, layout: Layout) -> int:
    table = np.any(draws.rho) and layout.families[1].kind in ("continuous", "count")
    return _TABLE if table or layout.functions is not None else _PLANE


def _finite(cells: np.ndarray) -> np.ndarray:
    broken = ~np.isfinite(cells).all(axis=(0, 1))
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
        at["slope"] = times(layout.slope[t], draws.outcome_coef)
    fixed: list[dict[str, np.ndarray]] = []
    for equation, arm, family in zip(EQUATIONS, (s, t), layout.families, strict=True):
        own = layout.parameters(draws, equation, arm)
        by_row = {name for name in own if own[name].ndim > 1 and name not in family.vectors}
        at |= {f"{equation} {name}": own[name] for name in by_row}
        fixed.append({name: own[name] for name in own if name not in by_row})
    knots = layout.rows.knots if functions else ()
    pair = Pair(
        *layout.families, fixed[0], fixed[1], draws.rho, functions, draws.outcome_coef, knots
    )
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


def mediator_effect(
    draws: Draws, families: tuple[Family, Family], rows: Counterfactuals
) -> np.ndarray:
    """Mean effect of the treatment on the mediator, per draw, shape (S,)."""
    layout = lay_out(families, replace(rows, log_mediator=False))

    def effect(block: Draws, weights: Any, first: Any) -> np.ndarray:
        control, treated = (
            families[0].mean(layout.location(block, s), layout.parameters(block, "mediator", s))
            for s in ARMS
        )
        return (treated - control).mean(axis=0)

    return np.concatenate(over_blocks(effect, draws, layout.size, 1, None))


def common_slope(rows: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Slope in m per row and draw; one row where it is the same for all."""
    rows = rows[:1] if np.all(rows == rows[:1]) else rows
    return rows @ coef.T
