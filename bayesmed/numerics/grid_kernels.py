"""Compiled spreading of points onto a regular grid; nothing is compiled at import."""

from collections.abc import Callable
from typing import Any

import numba  # type: ignore[import-untyped]
import numpy as np

from bayesmed.numerics.lagrange import POINTS

#: 1 / prod_{l != k} (k - l), the denominators of Lagrange's polynomials.
_SCALE = np.array([-1.0, 7.0, -21.0, 35.0, -35.0, 21.0, -7.0, 1.0]) / 5040.0


def _kernel[F: Callable[..., Any]](function: F) -> F:
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
    return compiled(function)


@_kernel
def spread(
    x: np.ndarray, weights: np.ndarray, start: np.ndarray, step: np.ndarray, out: np.ndarray
) -> None:
    """Add Lagrange weights of the points x (obs, S) to a grid (node, S) that starts at start."""
    rows, draws = x.shape
    share = np.empty(POINTS)
    for i in range(rows):
        for s in range(draws):
            at = (x[i, s] - start[s]) / step[s]
            place = int(at)
            first = place - POINTS // 2 + 1
            gap = at - first
            left = weights[i]
            for k in range(POINTS):
                share[k] = left
                left *= gap - k
            right = 1.0
            for k in range(POINTS - 1, -1, -1):
                out[first + k, s] += share[k] * right * _SCALE[k]
                right *= gap - k
