"""Two standard normal scores of correlation rho."""

from typing import Any

import numpy as np


def given_sd(rho: Any) -> Any:
    """Standard deviation of one score given the other."""
    return np.sqrt((1.0 - rho) * (1.0 + rho))


def odds(rho: Any) -> Any:
    """rho / sqrt(1 - rho^2)."""
    return rho / given_sd(rho)


def from_odds(x: Any) -> Any:
    """The inverse of :func:`odds`."""
    return x / np.sqrt(1.0 + x * x)
