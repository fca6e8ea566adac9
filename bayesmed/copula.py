r"""Joint log-likelihood of two margins that share a Gaussian copula.

A row of a continuous family is a point on the scale of normal scores, a row of a binary
family a half line. With :math:`k = \sqrt{1-\rho^2}`, the four kinds of pairs are

===========  ===========  =====================================================
first        second       log p(second | first)
===========  ===========  =====================================================
point        point        log f + log c(e1, e2), c the bivariate normal copula
point        half line    log Phi(s (q - rho e1) / k)
half line    point        log f + log Phi(s (q - rho e2) / k) - log Phi(s q)
half line    half line    log Phi2(s1 q1, s2 q2; s1 s2 rho) - log Phi(s1 q1)
===========  ===========  =====================================================

All functions take NumPy arrays and PyTensor tensors alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmed import special
from bayesmed.families import Family, Parameters

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
# Below this the subtraction of the arcsine formula may lose half of its digits.
_TAIL = 1e-9
_TINY = 1e-300


@dataclass(frozen=True)
class Point:
    """A row of a continuous margin: its normal score and its log-density."""

    score: Any
    log_density: Any


@dataclass(frozen=True)
class HalfLine:
    """A row of a binary margin: the event ``sign * e <= sign * threshold``."""

    threshold: Any
    sign: Any


def margin(family: Family, y: Any, eta: Any, parameters: Parameters) -> Point | HalfLine:
    """Place rows of a family on the scale of normal scores.

    Parameters
    ----------
    family : Family
    y : array or tensor
        Observed values.
    eta : array or tensor
        Linear predictor, broadcastable with y.
    parameters : mapping
        The family's other parameters.
    """
    if family.log_density is not None:
        return Point(family.score(y, eta, parameters), family.log_density(y, eta, parameters))
    return HalfLine(family.score(0.0 * y, eta, parameters), 1.0 - 2.0 * y)


def log_marginal(rows: Point | HalfLine) -> Any:
    """Log-density or log-probability of the rows of one margin."""
    if isinstance(rows, Point):
        return rows.log_density
    return special.log_ndtr(rows.sign * rows.threshold)


def log_conditional(first: Point | HalfLine, second: Point | HalfLine, rho: Any) -> Any:
    """Log-density of the second margin given the first, at residual correlation rho.

    Parameters
    ----------
    first, second : Point or HalfLine
        Usually the mediator and the outcome.
    rho : float, array or tensor
        Correlation of the two normal scores, in (-1, 1).

    Returns
    -------
    array or tensor
        log p(second | first); with :func:`log_marginal` of ``first`` it sums to the joint.
    """
    k = special.sqrt((1.0 - rho) * (1.0 + rho))
    if isinstance(first, Point):
        if isinstance(second, Point):
            gap = (second.score - rho * first.score) / k
            log_copula = 0.5 * (second.score**2 - gap**2) - special.log(k)
            return second.log_density + log_copula
        return special.log_ndtr(second.sign * (second.threshold - rho * first.score) / k)
    base = log_marginal(first)
    if isinstance(second, Point):
        tilt = first.sign * (first.threshold - rho * second.score) / k
        return second.log_density + special.log_ndtr(tilt) - base
    both = bvn_cdf(
        first.sign * first.threshold, second.sign * second.threshold, first.sign * second.sign * rho
    )
    return special.log(special.maximum(both, _TINY)) - base


def bvn_cdf(h: Any, l: Any, rho: Any) -> Any:  # noqa: E741 - the literature's letter
    r"""Standard bivariate normal distribution function.

    .. math:: \Phi_2(h, l; \rho) = P(Z_1 \le h, Z_2 \le l)

    Parameters
    ----------
    h, l : array or tensor
        Upper limits.
    rho : array or tensor
        Correlation in (-1, 1), broadcastable with the limits.

    Returns
    -------
    array or tensor
        The probability, with an absolute error below 1e-14. Where it is below 1e-9 and
        the correlation negative, a sum of positive terms keeps its leading digits.

    References
    ----------
    Drezner, Z., & Wesolowsky, G. O. (1990). On the computation of the bivariate normal
    integral. Journal of Statistical Computation and Simulation, 35, 101-107.

    Genz, A. (2004). Numerical computation of rectangular bivariate and trivariate normal
    and t probabilities. Statistics and Computing, 14, 251-260.
    """
    moderate = _arcsine_integral(h, l, rho, start=0.0) + special.ndtr(h) * special.ndtr(l)
    if not special.is_tensor(h, l, rho):
        return _bvn_cdf_arrays(h, l, rho, moderate)
    value = special.where(abs(rho) < 0.925, moderate, _near_degenerate(h, l, rho))
    # From rho = -1 upwards all terms are positive, so a small probability does not cancel.
    rising = _wedge(h, l) + _arcsine_integral(h, l, rho, start=-0.5 * np.pi)
    return special.where((value < _TAIL) & (rho < 0.0), rising, value)


def _bvn_cdf_arrays(h: Any, l: Any, rho: Any, moderate: Any) -> np.ndarray:  # noqa: E741
    """The same choice of formula, each evaluated only where it is used."""
    h, l, rho, value = np.broadcast_arrays(h, l, rho, moderate)  # noqa: E741
    value = value.copy()
    steep = np.abs(rho) >= 0.925
    if steep.any():
        value[steep] = _near_degenerate(h[steep], l[steep], rho[steep])
    low = (value < _TAIL) & (rho < 0.0)
    if low.any():
        value[low] = _wedge(h[low], l[low]) + _arcsine_integral(
            h[low], l[low], rho[low], start=-0.5 * np.pi
        )
    return value


def _arcsine_integral(h: Any, l: Any, rho: Any, start: float) -> Any:  # noqa: E741
    """Integral of the BVN density over the correlation, from sin(start) to rho."""
    half = 0.5 * (special.arcsin(rho) - start)
    squares, product = 0.5 * (h * h + l * l), h * l
    total: Any = 0.0
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        sine = special.sin(start + half * (1.0 + node))
        total = total + weight * special.exp((sine * product - squares) / (1.0 - sine * sine))
    return total * half / (2.0 * np.pi)


def _near_degenerate(h: Any, l: Any, rho: Any) -> Any:  # noqa: E741
    """Genz's expansion about |rho| = 1, for |rho| >= 0.925."""
    negative = rho < 0.0
    l_signed = special.where(negative, -l, l)
    product = h * l_signed
    variance = (1.0 - rho) * (1.0 + rho)
    a = special.sqrt(variance)
    gap = abs(h - l_signed)
    square = gap * gap
    c, d = (4.0 - product) / 8.0, (12.0 - product) / 80.0
    total = a * special.exp(-0.5 * (square / variance + product)) * (
        1.0 - c * (square - variance) * (1.0 - d * square) / 3.0 + c * d * variance**2
    ) - special.exp(-0.5 * product) * np.sqrt(2.0 * np.pi) * special.ndtr(-gap / a) * gap * (
        1.0 - c * square * (1.0 - d * square) / 3.0
    )
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        x2 = (0.5 * a * (1.0 + node)) ** 2
        root = special.sqrt(1.0 - x2)
        smooth = special.exp(-0.5 * product * x2 / (1.0 + root) ** 2) / root
        series = 1.0 + c * x2 * (1.0 + 5.0 * d * x2)
        kernel = special.exp(-0.5 * (square / x2 + product))
        total = total + 0.5 * a * weight * kernel * (smooth - series)
    excess = -total / (2.0 * np.pi)
    smaller = special.where(h < l_signed, h, l_signed)
    return special.where(negative, _wedge(h, l) - excess, special.ndtr(smaller) + excess)


def _wedge(h: Any, l: Any) -> Any:  # noqa: E741
    """Phi2 at rho = -1: P(-l < Z < h) or zero, from the tail that keeps the digits."""
    lower = special.ndtr(h) - special.ndtr(-l)
    upper = special.ndtr(l) - special.ndtr(-h)
    return special.maximum(special.where(l < 0.0, upper, lower), 0.0)
