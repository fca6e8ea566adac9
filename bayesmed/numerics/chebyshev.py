"""Chebyshev series through values at nodes."""

from functools import cache

import numpy as np
from numpy.polynomial import chebyshev


@cache
def nodes(size: int) -> np.ndarray:
    """Chebyshev nodes of the first kind in (-1, 1)."""
    return chebyshev.chebpts1(size)


@cache
def transform(size: int) -> np.ndarray:
    """Matrix from values at the nodes to the coefficients of the series."""
    matrix = 2.0 / size * chebyshev.chebvander(nodes(size), size - 1).T
    matrix[0] *= 0.5
    return matrix
