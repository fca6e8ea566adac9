"""Compiled sum over the thresholds of a count; nothing is compiled at import."""

import math
from collections.abc import Callable
from typing import Any

import numba  # type: ignore[import-untyped]
import numpy as np

_SQRT2 = math.sqrt(2.0)
# Beyond it a normal probability is one in doubles.
_CERTAIN = 8.3


def _kernel[F: Callable[..., Any]](function: F) -> F:
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
    return compiled(function)


@_kernel
def step_sums(
    thresholds: np.ndarray, rises: np.ndarray, centre: np.ndarray, k: np.ndarray, out: np.ndarray
) -> None:
    """Sum of rises times the probability that a normal score passes their thresholds.

    thresholds, rises (point, S, step), rising along the last axis; the score has mean centre
    (S,) and standard deviation k (S,); out (point, S).
    """
    points, draws, steps = thresholds.shape
    for i in range(points):
        for s in range(draws):
            total = 0.0
            for j in range(steps):
                z = (centre[s] - thresholds[i, s, j]) / k[s]
                if z > _CERTAIN:
                    total += rises[i, s, j]
                elif rises[i, s, j] > 0.0:
                    term = rises[i, s, j] * 0.5 * math.erfc(-z / _SQRT2)
                    total += term
                    if term < 1e-17 * total:
                        break
            out[i, s] = total
