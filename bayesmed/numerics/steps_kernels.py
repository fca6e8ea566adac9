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

    thresholds, rises (a, b, S, step), rising along the last axis; the score has mean centre
    (a, b, S) and standard deviation k (S,); out (a, b, S).
    """
    rows, columns, draws, steps = thresholds.shape
    for a in range(rows):
        for b in range(columns):
            for s in range(draws):
                total = 0.0
                for j in range(steps):
                    z = (centre[a, b, s] - thresholds[a, b, s, j]) / k[s]
                    rise = rises[a, b, s, j]
                    if z > _CERTAIN:
                        total += rise
                    elif rise > 0.0:
                        term = rise * 0.5 * math.erfc(-z / _SQRT2)
                        total += term
                        if term < 1e-17 * total:
                            break
                out[a, b, s] = total
