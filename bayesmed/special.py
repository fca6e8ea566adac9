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


def is_tensor(*values: Any) -> bool:
    """Whether any of the values is a PyTensor variable."""
    basic = sys.modules.get("pytensor.graph.basic")
    return basic is not None and any(isinstance(value, basic.Variable) for value in values)


def _pt() -> Any:
    return sys.modules["pytensor.tensor"]


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
    up = where(positive, x, 0.0)
    down = where(positive, 0.0, x)
    erfcinv = _pt().erfcinv if is_tensor(x) else sp.erfcinv
    return SQRT2 * where(positive, erfcinv(2.0 * expit(-up)), -erfcinv(2.0 * expit(down)))
