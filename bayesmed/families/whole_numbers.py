r"""Sums over the whole numbers that a count takes.

Up to some hundred terms are summed one by one. A longer sum of a smooth f is the first terms,
from :math:`a` to :math:`b - 1`, and an integral by the Euler-Maclaurin formula,

.. math:: \sum_{j \ge b} f(j) \approx \int_{b - 1/2}^\infty f(x)\, dx + \frac1{24} f'(b - 1/2),

whose next term is :math:`-\frac7{5760} f'''`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bayesmed.families.family import Family, Parameters
from bayesmed.numerics.quadrature import composite, infinite, relative_gap

_EXACT = 400
_FIRST = 192
_LONGEST = 100_000
_LONGEST_REST = 20_000
_TAIL = 1e-11
_NODES = 10
_RATIO = 1.5
# SciPy inverts upper tails of counts from 1 - q.
_EXTREME = 7.9


def whole_numbers(
    family: Family,
    eta: np.ndarray,
    parameters: Parameters,
    k: float = 1.0,
    reach: float = _EXTREME,
) -> tuple[Any, Any, Iterator[tuple[Any, Any]]]:
    """Nodes and weights of sums over the values that a count family takes.

    Parameters
    ----------
    family : Family
    eta : numpy.ndarray
        Linear predictor, shape (..., S).
    parameters : mapping
    k : float
        Shortest scale of the summand in units of the family's normal score.
    reach : float
        Largest normal score that matters.

    Returns
    -------
    first, last : float or numpy.ndarray
        Smaller and larger values have probability below 1e-14, or what the reach leaves.
    terms : iterator of (node, weight)
        Numbers, or arrays of the shape of eta.

    Raises
    ------
    ArithmeticError
        If the counts are infinite, or too many for a family without a smooth extension
        between the whole numbers.
    """
    most = min(reach, _EXTREME)
    ends = _ends(eta, parameters)
    low, high = (family.value(e, ends, parameters) for e in (-most, most))
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
        raise ArithmeticError(f"A {family.name} variable takes infinitely large values.")
    start, stop = float(low.min()), float(high.max())
    if stop - start <= _EXACT or not _is_smooth(family, eta, parameters):
        if stop - start > _LONGEST:
            raise ArithmeticError(
                f"Sums over the values of a {family.name} variable would have {stop - start:.0f} "
                "terms; measure it in larger units, or use a continuous family."
            )
        start = 0.0 if stop <= _EXACT else start
        return start, stop, ((j, 1.0) for j in np.arange(start, stop + 1.0))
    low, high = (family.value(e, eta, parameters) for e in (-most, most))
    return low, high, _long_sum(family, eta, parameters, low, high, k)


def _ends(eta: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Smallest and largest linear predictor of each draw, between which counts only rise."""
    if any(np.ndim(own) > 1 and len(own) > 1 for own in parameters.values()):  # by row
        return eta
    each = eta.reshape(-1, eta.shape[-1])
    return np.stack([each.min(axis=0), each.max(axis=0)])


def count_mean(
    family: Family,
    eta: np.ndarray,
    parameters: Parameters,
    term: Callable[[Any], np.ndarray],
    what: str,
    k: float = 1.0,
) -> np.ndarray:
    """Sum over the values m of a count of terms that hold their probability.

    Parameters
    ----------
    family : Family
    eta : numpy.ndarray
        The count's linear predictor.
    parameters : mapping
    term : callable
        ``term(m)``, draws on the last axis.
    what : str
        For messages, what the sum is of.
    k : float
        Shortest scale of the terms in units of the count's normal score.

    Raises
    ------
    ArithmeticError
        If the sum does not end.
    """
    first, last, terms = whole_numbers(family, eta, parameters, k)
    total = sum(weight * term(m) for m, weight in terms)
    total = total + _rest(term, last, 1.0, total, what)
    return total + _rest(term, first, -1.0, total, what)


def _rest(term: Callable[[Any], np.ndarray], m: Any, step: float, total: Any, what: str) -> Any:
    """Terms beyond the likely values, which a growing outcome can make matter."""
    rest: Any = 0.0
    for _ in range(_LONGEST_REST):
        m = m + step
        if np.max(m) < 0.0:
            return rest
        one = np.where(np.less(m, 0.0), 0.0, term(np.maximum(m, 0.0)))
        if relative_gap(one, 0.0 * one, np.abs(total + rest)) < _TAIL:
            return rest
        rest = rest + one
    raise infinite(what, "the sum over the mediator does not end")


def _is_smooth(family: Family, eta: np.ndarray, parameters: Parameters) -> bool:
    """Whether the score rises between whole numbers too."""
    middle = np.floor(family.value(0.0, eta, parameters)) + 1.0
    below, half, above = (family.score(middle + step, eta, parameters) for step in (-0.0, 0.5, 1.0))
    return bool(np.all((below < half) & (half < above)))


def _long_sum(
    family: Family, eta: Any, parameters: Parameters, low: Any, high: Any, k: float
) -> Iterator[tuple[Any, Any]]:
    rest = low + _FIRST
    more = (rest <= high).astype(float)
    for i in range(_FIRST - 1):
        yield low + i, (low + i <= high).astype(float)
    # The derivative at rest - 1/2 by the difference of its two neighbours.
    yield rest - 1.0, (rest - 1.0 <= high) - more / 24.0
    yield rest, more / 24.0
    start, end = rest - 0.5, np.maximum(high + 0.5, rest - 0.5)
    scores = np.arange(-_EXTREME, _EXTREME, 2.0 * k)
    edges = [np.clip(family.value(e, eta, parameters) + 0.5, start, end) for e in scores]
    width, offset = end - start, 0.5 * _FIRST
    while offset < width.max():
        edges.append(np.minimum(start + offset, end))
        offset *= _RATIO
    nodes, weights = composite(np.sort(np.stack([start, *edges, end]), axis=0), _NODES)
    yield from zip(nodes, weights, strict=True)
