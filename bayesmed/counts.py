r"""Sums over the whole numbers that a count takes.

Up to some hundred terms are summed one by one. A longer sum of a smooth f is the first terms,
from :math:`a` to :math:`b - 1`, and an integral by the Euler-Maclaurin formula,

.. math:: \sum_{j \ge b} f(j) \approx \int_{b - 1/2}^\infty f(x)\, dx + \frac1{24} f'(b - 1/2),

whose next term is :math:`-\frac7{5760} f'''`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesmed.family import Family, Parameters
from bayesmed.quadrature import composite

_EXACT = 400
_FIRST = 192
_LONGEST = 100_000
_NODES = 10
_RATIO = 1.5
# SciPy inverts upper tails of counts from 1 - q.
_EXTREME = 7.9


def whole_numbers(
    family: Family, eta: np.ndarray, parameters: Parameters, k: float = 1.0
) -> tuple[Any, Iterator[tuple[Any, Any]]]:
    """Nodes and weights of sums over the values that a count family takes.

    Parameters
    ----------
    family : Family
    eta : numpy.ndarray
        Linear predictor, shape (..., S).
    parameters : mapping
    k : float
        Shortest scale of the summand in units of the family's normal score.

    Returns
    -------
    first : float or numpy.ndarray
        The first node; smaller values have probability below 1e-16.
    terms : iterator of (node, weight)
        Numbers, or arrays of the shape of eta.

    Raises
    ------
    ArithmeticError
        If the counts are infinite, or too many for a family without a smooth extension
        between the whole numbers.
    """
    low, high = (family.value(e, eta, parameters) for e in (-_EXTREME, _EXTREME))
    if not np.all(np.isfinite(high)):
        raise ArithmeticError(f"A {family.name} variable takes infinitely large values.")
    start, stop = float(low.min()), float(high.max())
    if stop - start <= _EXACT or not _is_smooth(family, eta, parameters):
        if stop - start > _LONGEST:
            raise ArithmeticError(
                f"Sums over the values of a {family.name} variable would have {stop - start:.0f} "
                "terms; measure it in larger units, or use a continuous family."
            )
        start = 0.0 if stop <= _EXACT else start
        return start, ((j, 1.0) for j in np.arange(start, stop + 1.0))
    return low, _long_sum(family, eta, parameters, low, high, k)


def _is_smooth(family: Family, eta: np.ndarray, parameters: Parameters) -> bool:
    """Whether the score rises between whole numbers too."""
    middle = np.floor(family.value(0.0, eta, parameters)) + 1.0
    below, half, above = (
        family.score(middle + step, eta, parameters) for step in (-0.0, 0.5, 1.0)
    )
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
