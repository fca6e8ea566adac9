"""Formulas of the tails of the incomplete gamma and beta functions, for arrays and for tensors.

Each takes the functions it is made of from a namespace, NumPy's or PyTensor's.
"""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special as sp

#: Below the first probability a continued fraction takes over; above the second it is one.
_UNDERFLOW, _MOST = 1e-280, 1.0 - 1e-15
ARRAYS = SimpleNamespace(
    log=np.log, where=np.where, gammaln=sp.gammaln,
    gammainc=sp.gammainc, gammaincc=sp.gammaincc, betainc=sp.betainc,
)  # fmt: skip


def is_tensor(*values: Any) -> bool:
    """Whether any of the values is a PyTensor variable."""
    basic = sys.modules.get("pytensor.graph.basic")
    return basic is not None and any(isinstance(value, basic.Variable) for value in values)


def gamma_tail(of: Any, lower: Any, a: Any, x: Any) -> Any:
    """The formula of :func:`bayesmed.numerics.special.log_gamma_tail`, in the functions of a namespace."""
    value = of.where(lower, of.gammainc(a, x), of.gammaincc(a, x))
    if _none_underflows(of, value):
        return _log_of(of, value, 0.0)
    # Continued fractions (NIST 8.9); four steps suffice where the function underflows.
    below, above = a + 8.0, x - a + 9.0
    for j in range(4, 0, -1):
        below = a + (2.0 * j - 1.0) + j * x / below
        below = a + (2.0 * j - 2.0) - (a + (j - 1.0)) * x / below
        above = x - a + (2.0 * j - 1.0) - j * (j - a) / above
    log_fraction = of.log(of.where(lower, below, above))
    return _log_of(of, value, a * of.log(x) - x - of.gammaln(a) - log_fraction)


def beta_tail(of: Any, lower: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """The formula of :func:`bayesmed.numerics.special.log_beta_tail`, in the functions of a namespace."""
    a, b = of.where(lower, a, b), of.where(lower, b, a)
    x, y = of.where(lower, x, y), of.where(lower, y, x)
    value, fraction = of.betainc(a, b, x), 1.0
    if _none_underflows(of, value):
        return _log_of(of, value, 0.0)
    for m in range(4, 0, -1):  # NIST 8.17
        even = m * (b - m) * x / ((a + (2.0 * m - 1.0)) * (a + 2.0 * m))
        odd = (a + (m - 1.0)) * (a + b + (m - 1.0)) * x
        odd = odd / ((a + (2.0 * m - 2.0)) * (a + (2.0 * m - 1.0)))
        fraction = 1.0 - odd / (1.0 + even / fraction)
    constant = of.gammaln(a + b) - of.gammaln(a + 1.0) - of.gammaln(b)
    return _log_of(of, value, a * of.log(x) + b * of.log(y) + constant - of.log(fraction))


def _none_underflows(of: Any, value: Any) -> bool:
    """Whether the other formula is not needed; tensors do not know."""
    return of is ARRAYS and not np.any(value < _UNDERFLOW)


def _log_of(of: Any, value: Any, tail: Any) -> Any:
    """Logarithm of a probability, which where it underflows is given by another formula."""
    return of.where(value < _UNDERFLOW, tail, of.log(of.where(value < _MOST, value, _MOST)))
