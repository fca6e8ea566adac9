"""Special functions under one name for NumPy arrays and PyTensor tensors.

Every function looks at its argument: a PyTensor variable gives a symbolic expression, any
other value a NumPy array. PyTensor is not imported here unless it already is.
"""

import sys
from typing import Any

import numpy as np
from scipy import special as sp

SQRT2 = float(np.sqrt(2.0))
LOG_SQRT_2PI = float(0.5 * np.log(2.0 * np.pi))
LOG_HALF = float(np.log(0.5))
_LOG_MOST = float(np.log(0.8))
#: Below this probability a continued fraction takes over.
_UNDERFLOW = 1e-280


def is_tensor(*values: Any) -> bool:
    """Whether any of the values is a PyTensor variable."""
    basic = sys.modules.get("pytensor.graph.basic")
    return basic is not None and any(isinstance(value, basic.Variable) for value in values)


def _pt() -> Any:
    return sys.modules["pytensor.tensor"]


def _op() -> Any:
    from bayesmed import special_op

    return special_op


def exp(x: Any) -> Any:
    """Exponential."""
    return _pt().exp(x) if is_tensor(x) else np.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm."""
    return _pt().log(x) if is_tensor(x) else np.log(x)


def sqrt(x: Any) -> Any:
    """Square root."""
    return _pt().sqrt(x) if is_tensor(x) else np.sqrt(x)


def sin(x: Any) -> Any:
    """Sine."""
    return _pt().sin(x) if is_tensor(x) else np.sin(x)


def arcsin(x: Any) -> Any:
    """Inverse sine."""
    return _pt().arcsin(x) if is_tensor(x) else np.arcsin(x)


def maximum(a: Any, b: Any) -> Any:
    """Elementwise maximum."""
    return _pt().maximum(a, b) if is_tensor(a, b) else np.maximum(a, b)


def where(condition: Any, a: Any, b: Any) -> Any:
    """Elementwise choice."""
    return (
        _pt().switch(condition, a, b) if is_tensor(condition, a, b) else np.where(condition, a, b)
    )


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


def expit(x: Any) -> Any:
    """Logistic distribution function."""
    return _pt().sigmoid(x) if is_tensor(x) else sp.expit(x)


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


def minimum(a: Any, b: Any) -> Any:
    """Elementwise minimum."""
    return _pt().minimum(a, b) if is_tensor(a, b) else np.minimum(a, b)


def log1p(x: Any) -> Any:
    """log(1 + x)."""
    return _pt().log1p(x) if is_tensor(x) else np.log1p(x)


def gammaln(x: Any) -> Any:
    """Logarithm of the gamma function."""
    return _pt().gammaln(x) if is_tensor(x) else sp.gammaln(x)


def log_gammaincs(a: Any, x: Any) -> tuple[Any, Any]:
    """Logarithms of the regularised lower and upper incomplete gamma functions.

    However small they are.
    """
    of = _op() if is_tensor(a, x) else sp

    def log_of(value: Any, fraction: Any, harmless: tuple[float, float]) -> Any:
        small, (k, z) = _where_small(value, (a, x), harmless)
        tail = k * log(z) - z - gammaln(k) - log(_apply(fraction, k, z))
        return where(small, tail, log(where(small, 1.0, value)))

    lower = log_of(of.gammainc(a, x), _lower_gamma_fraction, (1000.0, 1.0))
    return lower, log_of(of.gammaincc(a, x), _upper_gamma_fraction, (1.0, 1000.0))


def log_betaincs(a: Any, b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Logarithms of the regularised incomplete beta function and of its complement.

    Of I_x(a, b) and 1 - I_x(a, b) = I_y(b, a), with y = 1 - x; however small they are.
    """
    of = _op() if is_tensor(a, b, x, y) else sp
    # The smaller of x and y has the digits.
    flip = x > y
    a, b = where(flip, b, a), where(flip, a, b)
    x, y = where(flip, y, x), where(flip, x, y)

    def log_of(value: Any, *arguments: Any) -> Any:
        small, (p, q, u, v) = _where_small(value, arguments, (1000.0, 1.0, 0.1, 0.9))
        constant = gammaln(p + q) - gammaln(p + 1.0) - gammaln(q)
        tail = p * log(u) + q * log(v) + constant - log(_apply(_beta_fraction, p, q, u))
        return where(small, tail, log(where(small, 1.0, value)))

    lower, upper = log_of(of.betainc(a, b, x), a, b, x, y), log_of(of.betaincc(a, b, x), b, a, y, x)
    return where(flip, upper, lower), where(flip, lower, upper)


def _where_small(
    value: Any, arguments: tuple[Any, ...], harmless: tuple[float, ...]
) -> tuple[Any, list[Any]]:
    """Where a probability underflows, and the arguments there; elsewhere harmless ones.

    The branch that is not taken must have no gradient of 0 * inf.
    """
    small = value < _UNDERFLOW
    pairs = zip(arguments, harmless, strict=True)
    return small, [where(small, own, other) for own, other in pairs]


def _apply(function: Any, *arguments: Any) -> Any:
    return _op().smooth(function, *arguments) if is_tensor(*arguments) else function(*arguments)


# Continued fractions of the incomplete functions (NIST 8.9, 8.17). Four steps suffice where
# the functions are below 1e-280. Plain arithmetic serves numbers, arrays and numba.


def _lower_gamma_fraction(a: Any, x: Any) -> Any:
    fraction = a + 8.0
    for j in range(4, 0, -1):
        fraction = a + (2.0 * j - 1.0) + j * x / fraction
        fraction = a + (2.0 * j - 2.0) - (a + (j - 1.0)) * x / fraction
    return fraction


def _upper_gamma_fraction(a: Any, x: Any) -> Any:
    fraction = x - a + 9.0
    for j in range(4, 0, -1):
        fraction = x - a + (2.0 * j - 1.0) - j * (j - a) / fraction
    return fraction


def _beta_fraction(a: Any, b: Any, x: Any) -> Any:
    fraction = 1.0 + 0.0 * x
    for m in range(4, 0, -1):
        even = m * (b - m) * x / ((a + (2.0 * m - 1.0)) * (a + 2.0 * m))
        odd = (a + (m - 1.0)) * (a + b + (m - 1.0)) * x
        odd = odd / ((a + (2.0 * m - 2.0)) * (a + (2.0 * m - 1.0)))
        fraction = 1.0 - odd / (1.0 + even / fraction)
    return fraction


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
    """Normal score from the logarithms of both tail probabilities, which sum to one.

    The lower one serves unless it is close to one.
    """
    low = log_lower < _LOG_MOST
    # The branch not taken gets a harmless argument, so that no gradient is 0 * inf.
    below = ndtri_exp(where(low, log_lower, LOG_HALF))
    above = ndtri_exp(where(low, LOG_HALF, log_upper))
    return where(low, below, -above)


def cutpoint(y: Any, cutpoints: Any, far: float) -> Any:
    """Cutpoint above each category of tensors, with -far and far at the two ends."""
    pt = _pt()
    padded = pt.concatenate([[-far], cutpoints, [far]])
    return padded[pt.cast(y, "int64") + 1]


def greater(a: Any, b: Any) -> Any:
    """Elementwise a > b."""
    return _pt().gt(a, b) if is_tensor(a, b) else np.greater(a, b)
