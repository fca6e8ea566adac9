"""Rules for a mean over a standard normal score, and when to trust them."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, hermite_e, legendre

#: A normal score beyond it has probability 1e-17.
REACH = 8.5
#: Ranges of the score for integrands that grow; beyond 37 its probability is zero in doubles.
REACHES = (REACH, 13.0, 20.0, 37.0)
AGREE = 1e-8
LARGEST = 4096
_HERMITE = 64
_PANEL = 16
_UNSETTLED = 1e-7
# Largest share of the integrand at the ends of its range.
_TAIL, _HEAVY = 1e-11, 1e-7

#: ``integrand(nodes)``: values at each node in turn, draws on the last axis.
Integrand = Callable[[np.ndarray], Iterable[np.ndarray]]
#: ``rule(size, reach)``: nodes and weights.
Rule = Callable[[int, float], tuple[np.ndarray, np.ndarray]]


def composite(edges: np.ndarray, count: int = _PANEL) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre rule of ``count`` nodes on each panel between sorted edges.

    Parameters
    ----------
    edges : numpy.ndarray
        Ends of the panels along axis 0; other axes are kept.
    count : int

    Returns
    -------
    nodes, weights : numpy.ndarray
        ``count`` times the number of panels along axis 0.
    """
    nodes, weights = (x.reshape(-1, *(1,) * (edges.ndim - 1)) for x in legendre_rule(count))
    middle, half = 0.5 * (edges[1:] + edges[:-1])[:, None], 0.5 * np.diff(edges, axis=0)[:, None]
    shape = (-1, *edges.shape[1:])
    return (middle + half * nodes).reshape(shape), (half * weights).reshape(shape)


#: Nodes and weights on [-1, 1].
legendre_rule = cache(legendre.leggauss)


@cache
def sum_rule(count: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of so many consecutive terms make a weighted sum that is that of all, and the weights.

    Exact for polynomials of degree below ``most``; all terms where that would save little.
    """
    if count < 1.5 * most:
        return np.arange(count), np.ones(count)
    every = (2.0 * np.arange(count) + 1.0) / count - 1.0
    some = np.rint(0.5 * count * (legendre_rule(most)[0] + 1.0) - 0.5).astype(int)
    some = np.maximum.accumulate(some - np.arange(most)) + np.arange(most)  # no term twice
    some = np.minimum(some, count - 1 - np.arange(most)[::-1])
    basis = chebyshev.chebvander(every, most - 1).T
    return some, np.linalg.solve(basis[:, some], basis.sum(axis=1))


@cache
def score_rule(size: int, reach: float = REACH) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for a mean over a standard normal score.

    Gauss-Hermite up to 64 nodes; beyond, where the integrand is steep or reaches far,
    Gauss-Legendre on equal panels.
    """
    if size <= _HERMITE and reach == REACH:
        nodes, weights = hermite_e.hermegauss(size)
        return nodes, weights / weights.sum()
    nodes, weights = composite(np.linspace(-reach, reach, max(2, size // _PANEL + 1)))
    weights = weights * np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum()


def broken_rule(breaks: np.ndarray) -> Rule:
    """Rule whose panels end where the integrand is not smooth.

    Parameters
    ----------
    breaks : numpy.ndarray
        Scores along axis 0; other axes are kept by the nodes.
    """

    def rule(size: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
        count = 4 * size // _PANEL + 1
        even = np.linspace(-reach, reach, count).reshape(-1, *(1,) * (breaks.ndim - 1))
        even = np.broadcast_to(even, (count, *breaks.shape[1:]))
        inside = np.clip(np.nan_to_num(breaks, nan=-reach), -reach, reach)
        nodes, weights = composite(np.sort(np.concatenate([even, inside]), axis=0))
        return nodes, weights * np.exp(-0.5 * nodes**2) / np.sqrt(2.0 * np.pi)

    return rule


def score_mean(
    integrand_within: Callable[[float], Integrand],
    what: str,
    rule: Rule = score_rule,
    start: int = 16,
) -> tuple[np.ndarray, int]:
    """Mean over a standard normal score.

    Sizes of the rule double until two agree to 1e-8 of the integrand's size; the range of
    scores grows until the integrand vanishes at its ends.

    Parameters
    ----------
    integrand_within : callable
        Gives the integrand for scores up to a reach.
    what : str
        For messages, what the integral is of.
    rule : callable
    start : int
        The first size.

    Returns
    -------
    value : numpy.ndarray
    size : int
        Size at which a like integral may start.

    Raises
    ------
    ArithmeticError
        If the largest size still differs, or the tails are too heavy.
    """
    for reach in REACHES:
        integrand = integrand_within(reach)
        value, absolute, size, gap = _doubled(integrand, rule, reach, start)
        density = np.exp(-0.5 * reach**2)
        edges = [density * edge for edge in integrand(np.array([-reach, reach]))]
        bound = _TAIL if reach < REACHES[-1] else _HEAVY
        if not all(relative_gap(edge, 0.0 * edge, absolute) < bound for edge in edges):
            continue
        if gap < _UNSETTLED:
            return value, size
        if reach > REACH:
            break
        raise ArithmeticError(
            f"The integral over the mediator did not settle (two sizes differ by {gap:.1e}); the "
            "outcome is too steep in the mediator (near-separation, |rho| near 1) or not smooth in "
            "it: write a kink or a step as a spline with a knot there."
        )
    raise infinite(what, "the integrand over the mediator does not vanish in the tails")


def _doubled(
    integrand: Integrand, rule: Rule, reach: float, start: int
) -> tuple[np.ndarray, np.ndarray, int, float]:
    """The integral, that of the absolute value, the size before the last, and its difference."""

    def integral(size: int) -> tuple[np.ndarray, np.ndarray]:
        nodes, weights = rule(size, reach)
        total: Any = 0.0
        absolute: Any = 0.0
        for weight, value in zip(weights, integrand(nodes), strict=True):
            term = weight * value
            total, absolute = total + term, absolute + np.abs(term)
        return total, absolute

    size, gap, before = start, np.inf, integral(start)[0]
    while True:
        value, absolute = integral(2 * size)
        gap = relative_gap(value, before, absolute)
        if gap < AGREE or 2 * size >= LARGEST or not np.all(np.isfinite(absolute)):
            return value, absolute, size, gap
        size, before = 2 * size, value


def relative_gap(value: np.ndarray, other: np.ndarray, absolute: np.ndarray) -> float:
    """Largest difference, in units of a draw's mean absolute integral."""
    scale = absolute.reshape(-1, absolute.shape[-1]).mean(axis=0)
    gap = np.abs(value - other) / np.maximum(scale, 1e-300)
    return float(np.nan_to_num(gap, nan=np.inf).max())


def infinite(what: str, why: str) -> ArithmeticError:
    """The error of a mean that is infinite, or as good as infinite."""
    return ArithmeticError(
        f"E[Y(t, M(t'))] is infinite, or too heavy in its tails to be integrated, for {what}: {why}. "
        "Model the logarithm of the outcome as Gaussian, or an outcome that is bounded; or let a "
        "positive mediator enter the outcome through its logarithm."
    )
