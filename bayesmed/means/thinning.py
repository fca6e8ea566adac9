"""How many draws a counterfactual mean can take in some minutes.

Most pairs take 20 to 200 nanoseconds a row and draw and need no thinning. Integrals within
integrals (a count or a beta outcome at rho other than zero, sums of rectangles over two counts),
and rows that differ in more than two numbers so that nothing is interpolated, can take
milliseconds. The estimate counts evaluations, so that the same fit is always thinned alike.
"""

import os

import numpy as np

from bayesmed.means.cell import Pair, has_closed
from bayesmed.means.coordinates import coordinates, ease
from bayesmed.means.layout import lay_out, with_functions
from bayesmed.numerics.surface import Coordinates, grouped, is_column
from bayesmed.posterior.draws import Draws
from bayesmed.system.rows import Counterfactuals

_MINUTES = 4.0
# Processors that an estimate counts on, whatever the machine has more.
_PROCESSORS = 4
# Seconds of one evaluation: of a row by interpolation, an outcome's mean, a score, a quantile,
# a rectangle, a normal probability.
_ROW, _MEAN, _SCORE, _QUANTILE, _RECTANGLE, _NORMAL = 1e-7, 6e-8, 2.5e-7, 4e-6, 1.5e-6, 4e-8
# Typical sizes: nodes along an axis of a surface, of a quadrature with its check, along a table.
_AXIS, _RULE, _TABLE, _INNER = 24, 100, 96, 150
_TERMS = 500.0


def thinning(rows: Counterfactuals, draws: Draws, points: int = 1) -> int:
    """Every how many draws to use so that counterfactual means take some minutes at most.

    Parameters
    ----------
    rows : Counterfactuals
    draws : Draws
    points : int
        How many times the means will be taken, along a curve.

    Returns
    -------
    int
        One where all can be used. The estimate is good to a factor of about three, and is the
        same on every machine with as many processors, up to four.
    """
    seconds = points * len(draws) * seconds_per_draw(rows, draws)
    processors = min(os.cpu_count() or 1, _PROCESSORS)
    return max(1, int(np.ceil(seconds / (60.0 * _MINUTES * processors))))


def seconds_per_draw(rows: Counterfactuals, draws: Draws) -> float:
    """Estimate of the processor time of the four cells of one draw."""
    one = draws.block(np.array([len(draws) // 2]))
    layout = lay_out(rows)
    if rows.outcome.family.additive:
        return 1e-8 * layout.size
    layout = with_functions(layout, one)
    pair, at = coordinates(layout, one, 1, 1, 0)
    levels = layout.outcome.levels
    if levels is None and has_closed(pair):
        return 4.0 * layout.size * _MEAN * _steps(pair, one)
    points, first = _points(at, layout.size, ease(pair))
    return (
        4.0
        * (1 if levels is None else len(levels[0]))
        * (_ROW * layout.size + _nodes(pair, at, one, points, first))
    )


def _points(at: Coordinates, count: int, ease: float) -> tuple[float, float]:
    """At how many points the integral is taken, and how many of them differ in the mediator."""
    groups = grouped(at)
    same = groups[0][1] if groups else ()
    varying = [name for name, v in at.items() if len(v) > 1 and name not in same]
    nodes = max(1, len(groups)) * _AXIS ** len(varying)
    if len(varying) > 2 or any(map(is_column, varying)) or nodes > ease * count:
        return float(count), float(count)
    own = [name for name in varying if name == "location" or name.startswith("mediator")]
    return float(nodes), float(max(1, len(groups)) * _AXIS ** len(own))


def _steps(pair: Pair, draws: Draws) -> int:
    """Thresholds of an outcome with few values."""
    return len(draws.outcome.parameters.get("cutpoints", (0,)))


def _nodes(pair: Pair, at: Coordinates, draws: Draws, points: float, first: float) -> float:
    """Seconds of the integral at its points."""
    outcome, dependent = pair.outcome, bool(np.any(draws.rho))
    few = outcome.kind in ("binary", "ordered")
    if pair.mediator.kind in ("binary", "ordered", "count"):
        terms = _terms(pair, at) if pair.mediator.kind == "count" else 1.0
        if not dependent:
            return terms * (points * _MEAN + first * _SCORE)
        if few:
            return terms * points * _steps(pair, draws) * _RECTANGLE
        if outcome.kind == "count":
            return terms * points * 30.0 * _RECTANGLE
        inner = terms * _INNER
        if outcome.multiplicative:
            return inner * first * 4.0 * _NORMAL
        return inner * (points / max(first, 1.0) * _QUANTILE + points * 2.0 * _NORMAL)
    each = _SCORE * _steps(pair, draws) if few and dependent else _MEAN
    value = _RULE * (first * _MEAN + points * each)
    if not dependent or few or outcome.conditional is not None:
        return value
    if outcome.multiplicative:
        return value + _INNER * (_QUANTILE + _RULE * 1e-8)
    if outcome.kind == "count":
        return 3.0 * value + _TABLE * _TERMS * (2.0 * _SCORE + 0.3 * _RULE * 1e-8)
    return 3.0 * value + _TABLE * _INNER * _QUANTILE


def _terms(pair: Pair, at: Coordinates) -> float:
    """Values that a count mediator takes."""
    own = pair.parameters(at)[0]
    low, high = (pair.mediator.value(e, at["location"], own) for e in (-7.9, 7.9))
    return float(min(high.max() - low.min() + 1.0, _TERMS))
