r"""Joint log-likelihood of two margins that share a Gaussian copula.

A row is a point on the scale of normal scores (a continuous family), a half line (a binary
family, or a censored value) or an interval (categories and counts). With
:math:`k = \sqrt{1-\rho^2}` and a row (a, b] of scores, the four kinds of pairs are

===========  ===========  =====================================================
first        second       log p(second | first)
===========  ===========  =====================================================
point        point        log f + log c(e1, e2), c the bivariate normal copula
point        interval     log[Phi((b - rho e1)/k) - Phi((a - rho e1)/k)]
interval     point        log f + log[Phi((b - rho e2)/k) - Phi((a - rho e2)/k)] - log p(first)
interval     interval     log P(first, second), a bivariate normal rectangle, - log p(first)
===========  ===========  =====================================================

A half line is an interval with one infinite end. All functions take NumPy arrays and PyTensor
tensors alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmed.families.family import FAR, Family, Parameters
from bayesmed.numerics import special
from bayesmed.numerics.rectangle import log_ndtr_difference, log_rectangle


@dataclass(frozen=True)
class Point:
    """A row of a continuous margin: its normal score and its log-density."""

    score: Any
    log_density: Any


@dataclass(frozen=True)
class HalfLine:
    """The event ``sign * e <= sign * threshold``."""

    threshold: Any
    sign: Any


@dataclass(frozen=True)
class Interval:
    """The event ``lower < e <= upper``, and its log-probability."""

    lower: Any
    upper: Any
    log_probability: Any


@dataclass(frozen=True)
class Censored:
    """Rows of a continuous margin of which some are seen and the others known to a side."""

    seen: Any
    point: Point
    side: HalfLine


Rows = Point | HalfLine | Interval | Censored


def margin(family: Family, y: Any, eta: Any, parameters: Parameters) -> Rows:
    """Place rows of a family on the scale of normal scores.

    Parameters
    ----------
    y : array or tensor
        Observed values; categories are coded 0, 1, ...
    eta : array or tensor
        Linear predictor, broadcastable with y.
    parameters : mapping
        The family's other parameters and data columns: ``event`` (1 seen, 0 right-censored),
        ``lower`` and ``upper`` (limits at which y is censored) make a censored margin.
    """
    if family.kind == "continuous":
        assert family.log_density is not None
        point = Point(family.score(y, eta, parameters), family.log_density(y, eta, parameters))
        censored = _censored(y, parameters)
        return (
            point
            if censored is None
            else Censored(censored[0], point, HalfLine(point.score, censored[1]))
        )
    if family.kind == "binary":
        return HalfLine(family.score(0.0 * y, eta, parameters), 1.0 - 2.0 * y)
    lower, upper = family.score(y - 1.0, eta, parameters), family.score(y, eta, parameters)
    if family.log_density is None:
        return Interval(lower, upper, log_ndtr_difference(lower, upper))
    return Interval(lower, upper, family.log_density(y, eta, parameters))


def _censored(y: Any, parameters: Parameters) -> tuple[Any, Any] | None:
    """Which rows are seen, and the sign of the half line of the others."""
    if "event" in parameters:
        return special.greater(parameters["event"], 0.5), -1.0
    if "lower" not in parameters and "upper" not in parameters:
        return None
    above = special.greater(y, parameters.get("lower", -np.inf))
    below = special.greater(parameters.get("upper", np.inf), y)
    return above & below, special.where(above, -1.0, 1.0)


def log_marginal(rows: Rows) -> Any:
    """Log-density or log-probability of the rows of one margin."""
    if isinstance(rows, Point):
        return rows.log_density
    if isinstance(rows, Interval):
        return rows.log_probability
    if isinstance(rows, Censored):
        return special.where(rows.seen, rows.point.log_density, log_marginal(rows.side))
    return special.log_ndtr(rows.sign * rows.threshold)


def log_conditional(first: Rows, second: Rows, rho: Any) -> Any:
    """Log-density of the second margin given the first, at residual correlation rho.

    Parameters
    ----------
    first, second : Point, HalfLine, Interval or Censored
        Usually the mediator and the outcome; the first is never Censored.
    rho : float, array, tensor or None
        Correlation of the two normal scores, in (-1, 1); None for independence.

    Returns
    -------
    array or tensor
        log p(second | first); with :func:`log_marginal` of ``first`` it sums to the joint.
    """
    if rho is None:
        return log_marginal(second)
    if isinstance(second, Censored):
        seen = log_conditional(first, second.point, rho)
        return special.where(second.seen, seen, log_conditional(first, second.side, rho))
    k = special.sqrt((1.0 - rho) * (1.0 + rho))
    if isinstance(first, Point):
        return _given_point(first, second, rho, k)
    return log_joint(first, second, rho) - log_marginal(first)


def log_joint(first: Rows, second: Rows, rho: Any) -> Any:
    """Log-density of both margins, at less cost than the sum of the marginal and the conditional.

    Parameters as in :func:`log_conditional`; rho is not None.
    """
    if isinstance(first, Point):
        return first.log_density + log_conditional(first, second, rho)
    if isinstance(second, Censored):
        seen = log_joint(first, second.point, rho)
        return special.where(second.seen, seen, log_joint(first, second.side, rho))
    if isinstance(second, Point):
        k = special.sqrt((1.0 - rho) * (1.0 + rho))
        return second.log_density + _log_mass(first, rho * second.score, k)
    # A half line on the lower side, so that the rectangle has one corner or two.
    sign_1, a1, b1 = _lower_side(first)
    sign_2, a2, b2 = _lower_side(second)
    return log_rectangle(a1, b1, a2, b2, sign_1 * sign_2 * rho)


def _given_point(first: Point, second: Any, rho: Any, k: Any) -> Any:
    if isinstance(second, Point):
        gap = (second.score - rho * first.score) / k
        log_copula = 0.5 * (second.score**2 - gap**2) - special.log(k)
        return second.log_density + log_copula
    return _log_mass(second, rho * first.score, k)


def _log_mass(rows: Any, centre: Any, k: Any) -> Any:
    """Log-probability of a half line or interval under a normal score of that centre and sd."""
    if isinstance(rows, HalfLine):
        return special.log_ndtr(rows.sign * (rows.threshold - centre) / k)
    return log_ndtr_difference((rows.lower - centre) / k, (rows.upper - centre) / k)


def _lower_side(rows: Any) -> tuple[Any, Any, Any]:
    if isinstance(rows, HalfLine):
        return rows.sign, -FAR, rows.sign * rows.threshold
    return 1.0, rows.lower, rows.upper


def scores(rows: Rows) -> tuple[Any, Any]:
    """Lower and upper ends of the interval of scores of arrays of rows; equal for points."""
    if isinstance(rows, Point):
        return rows.score, rows.score
    if isinstance(rows, Interval):
        return rows.lower, rows.upper
    if isinstance(rows, Censored):
        raise TypeError("A censored margin has no interval of its own.")
    low = np.where(rows.sign > 0, -FAR, rows.threshold)
    return low, np.where(rows.sign > 0, rows.threshold, FAR)
