"""Tails of the incomplete gamma and beta functions as PyTensor operations, with their slopes.

PyTensor's own slopes of these functions in their shapes are loops that take long to compile,
and NaN where they do not converge (a negative binomial with alpha = 0.05, a beta with phi =
1e6). Here they are central differences, right to about nine digits.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from pytensor import scalar as ps
from pytensor import tensor as pt
from pytensor.scalar import math as ps_math
from pytensor.tensor.elemwise import Elemwise

from bayesmed.numerics.tails import beta_tail, gamma_tail, is_tensor

_OF = SimpleNamespace(
    log=ps.log, where=ps.switch, gammaln=ps_math.gammaln,
    gammainc=ps_math.gammainc, gammaincc=ps_math.gammaincc, betainc=ps_math.betainc,
)  # fmt: skip
_STEP = 3e-5
_LARGEST = 300.0


class _NdtriExp(ps_math.NdtriExp):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        # Phi(z) / phi(z), without the difference of two large logarithms.
        ratio = np.sqrt(0.5 * np.pi) * ps.erfcx(outputs[0] * -np.sqrt(0.5))
        return [cotangents[0] * ratio]


class _GammaTail(ps.Composite):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (lower, a, x), (value,), (out,) = inputs, outputs, cotangents
        density = (a - 1.0) * ps.log(x) - x - ps_math.gammaln(a)
        by_a = _slope(lambda shape: self(lower, shape, x), a)
        return [lower.zeros_like(), out * by_a, out * _signed_ratio(lower, density - value)]


class _BetaTail(ps.Composite):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (lower, a, b, x, y), (value,), (out,) = inputs, outputs, cotangents
        constant = ps_math.gammaln(a + b) - ps_math.gammaln(a) - ps_math.gammaln(b)
        density = (a - 1.0) * ps.log(x) + (b - 1.0) * ps.log(y) + constant
        by_a = _slope(lambda shape: self(lower, shape, b, x, y), a)
        by_b = _slope(lambda shape: self(lower, a, shape, x, y), b)
        by_x = _signed_ratio(lower, density - value)
        # y is 1 - x, whose slope is in that of x.
        return [lower.zeros_like(), out * by_a, out * by_b, out * by_x, y.zeros_like()]


def _slope(function: Callable[[Any], Any], shape: Any) -> Any:
    """Central difference; tails change over about the root of a large shape."""
    step = _STEP * shape / ps.sqrt(1.0 + shape)
    return (function(shape + step) - function(shape - step)) / (2.0 * step)


def _signed_ratio(lower: Any, log_ratio: Any) -> Any:
    # At logarithms of 1e15 their difference is round-off, which must not become infinite.
    ratio = ps.exp(ps.minimum(log_ratio, _LARGEST))
    return ps.switch(lower, ratio, -ratio)


def _elemwise(op: type[ps.Composite], formula: Callable[..., Any], count: int) -> Elemwise:
    inputs = [ps.float64() for _ in range(count)]
    return Elemwise(op(inputs, [formula(_OF, *inputs)], name=formula.__name__))


_gamma_tail = _elemwise(_GammaTail, gamma_tail, 3)
_beta_tail = _elemwise(_BetaTail, beta_tail, 5)
_ndtri_exp = Elemwise(_NdtriExp(ps.upgrade_to_float_no_complex, name="ndtri_exp"))


def ndtri_exp(x: Any) -> Any:
    """Tensor of :func:`bayesmed.numerics.special.ndtri_exp`."""
    return _ndtri_exp(x)


def log_gamma_tail(*arguments: Any) -> Any:
    """Tensor of :func:`bayesmed.numerics.special.log_gamma_tail`."""
    return _gamma_tail(*_doubles(arguments))


def log_beta_tail(*arguments: Any) -> Any:
    """Tensor of :func:`bayesmed.numerics.special.log_beta_tail`."""
    return _beta_tail(*_doubles(arguments))


def _doubles(arguments: tuple[Any, ...]) -> list[Any]:
    tensors = (one if is_tensor(one) else np.asarray(one) for one in arguments)
    return [pt.cast(pt.as_tensor(one), "float64") for one in tensors]
