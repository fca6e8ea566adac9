"""Special functions under one name for NumPy arrays and PyTensor tensors.

Every function looks at its argument: a PyTensor variable gives a symbolic expression, any
other value a NumPy array. PyTensor is not imported here unless it already is.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from bayesmed.numerics.tails import ARRAYS, beta_tail, gamma_tail
from bayesmed.numerics.tails import is_tensor as is_tensor

SQRT2 = float(np.sqrt(2.0))
LOG_SQRT_2PI = float(0.5 * np.log(2.0 * np.pi))
LOG_HALF = float(np.log(0.5))


def _pt() -> Any:
    return sys.modules["pytensor.tensor"]


def _op() -> Any:
    from bayesmed.numerics import special_tensors  # late: it imports PyTensor

    return special_tensors


def _either(name: str, of_arrays: Callable[..., Any], said: str, of_tensors: str = "") -> Any:
    """A function of NumPy or SciPy, or PyTensor's where an argument is a tensor."""

    def function(*values: Any) -> Any:
        of = getattr(_pt(), of_tensors or name) if is_tensor(*values) else of_arrays
        return of(*values)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = said
    return function


exp = _either("exp", np.exp, "Exponential.")
log = _either("log", np.log, "Natural logarithm.")
log1p = _either("log1p", np.log1p, "log(1 + x).")
sqrt = _either("sqrt", np.sqrt, "Square root.")
expit = _either("expit", sp.expit, "Logistic distribution function.", "sigmoid")
gammaln = _either("gammaln", sp.gammaln, "Logarithm of the gamma function.")
maximum = _either("maximum", np.maximum, "Elementwise maximum.")
minimum = _either("minimum", np.minimum, "Elementwise minimum.")
greater = _either("greater", np.greater, "Elementwise a > b.", "gt")
where = _either("where", np.where, "Elementwise choice.", "switch")


def ndtr(x: Any) -> Any:
    """Standard normal distribution function, accurate in the lower tail."""
    return 0.5 * _pt().erfc(-x / SQRT2) if is_tensor(x) else sp.ndtr(x)


def log_ndtr(x: Any) -> Any:
    """Logarithm of the standard normal distribution function, stable in both tails."""
    if not is_tensor(x):
        return sp.log_ndtr(x)
    pt = _pt()
    # Each branch sees arguments at which it is finite, so that no gradient is 0 * inf.
    low = pt.switch(x < -1.0, x, -1.0)
    high = pt.switch(x < -1.0, -1.0, x)
    return pt.switch(
        x < -1.0,
        pt.log(0.5 * pt.erfcx(-low / SQRT2)) - 0.5 * low * low,
        pt.log1p(-0.5 * pt.erfc(high / SQRT2)),
    )


def log_expit(x: Any) -> Any:
    """Logarithm of the logistic distribution function, stable in both tails."""
    return -_pt().softplus(-x) if is_tensor(x) else sp.log_expit(x)


def ndtri_expit(x: Any) -> Any:
    """Normal score of a logistic probability: the quantile Phi^{-1}(expit(x)).

    The tail below one half is inverted on either side, so no digits are lost near one.
    """
    positive = x > 0.0
    score = ndtri_exp(log_expit(where(positive, -x, x)))
    return where(positive, -score, score)


def gamma_score(a: Any, x: Any) -> Any:
    """Normal score of the regularised lower incomplete gamma function P(a, x)."""
    lower = x < a
    score = ndtri_exp(log_gamma_tail(lower, a, x))
    return where(lower, score, -score)


def beta_score(a: Any, b: Any, x: Any, y: Any) -> Any:
    """Normal score of the regularised incomplete beta function I_x(a, b); y is 1 - x."""
    lower = b * x < a * y
    score = ndtri_exp(log_beta_tail(lower, a, b, x, y))
    return where(lower, score, -score)


def log_gamma_tail(lower: Any, a: Any, x: Any) -> Any:
    """Logarithm of P(a, x), or of 1 - P(a, x) where not lower; however small it is."""
    if is_tensor(lower, a, x):
        return _op().log_gamma_tail(lower, a, x)
    with np.errstate(all="ignore"):
        return gamma_tail(ARRAYS, lower, a, x)


def log_beta_tail(lower: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """Logarithm of I_x(a, b), or of 1 - I_x(a, b) where not lower; however small it is."""
    if is_tensor(lower, a, b, x, y):
        return _op().log_beta_tail(lower, a, b, x, y)
    with np.errstate(all="ignore"):
        return beta_tail(ARRAYS, lower, a, b, x, y)


def log1mexp(x: Any) -> Any:
    """log(1 - exp(x)) for x < 0, accurate near zero and far from it."""
    if is_tensor(x):
        return _pt().log1mexp(x)
    near = x > LOG_HALF
    return np.where(
        near,
        np.log(-np.expm1(np.where(near, x, -1.0))),
        np.log1p(-np.exp(np.where(near, -1.0, x))),
    )


def ndtri_exp(x: Any) -> Any:
    """Normal quantile of a probability given as its logarithm."""
    return _op().ndtri_exp(x) if is_tensor(x) else sp.ndtri_exp(x)


def score_of_logs(log_lower: Any, log_upper: Any) -> Any:
    """Normal score from the logarithms of both tail probabilities; the smaller one serves."""
    low = log_lower < log_upper
    # The branch not taken gets a harmless argument, so that no gradient is 0 * inf.
    below = ndtri_exp(where(low, log_lower, LOG_HALF))
    above = ndtri_exp(where(low, LOG_HALF, log_upper))
    return where(low, below, -above)


def cutpoint(y: Any, cutpoints: Any, far: float) -> Any:
    """Cutpoint above each category of tensors, with -far and far at the two ends."""
    pt = _pt()
    padded = pt.concatenate([[-far], cutpoints, [far]])
    return padded[pt.cast(y, "int64") + 1]
