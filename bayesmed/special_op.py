"""Special functions as PyTensor operations, with slopes that are fast and finite.

PyTensor's own slopes of the incomplete gamma and beta functions in their shapes are loops that
take long to compile, and are NaN where they do not converge (a negative binomial with
alpha = 0.05, a beta with phi = 1e6). Here they are central differences of SciPy's functions,
right to about nine digits.
"""

import inspect
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numba
import numpy as np
from pytensor import scalar as ps
from pytensor import tensor as pt
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.scalar import math as ps_math
from pytensor.tensor.elemwise import Elemwise
from scipy import special

_STEP = 3e-5


def _slope(function: Callable[[Any], Any], at: Any) -> Any:
    """Central difference; the functions change over about the root of a large shape."""
    step = _STEP * at / ps.sqrt(1.0 + at)
    return (function(at + step) - function(at - step)) / (2.0 * step)


class _NdtriExp(ps_math.NdtriExp):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        # Phi(z) / phi(z), without the difference of two large logarithms.
        ratio = np.sqrt(0.5 * np.pi) * ps.erfcx(outputs[0] * -np.sqrt(0.5))
        return [cotangents[0] * ratio]


class _GammaInc(ps_math.GammaInc):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (a, x), (out,) = inputs, cotangents
        return [out * _slope(lambda shape: self(shape, x), a), out * _gamma_density(a, x)]


class _GammaIncC(ps_math.GammaIncC):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (a, x), (out,) = inputs, cotangents
        return [out * _slope(lambda shape: self(shape, x), a), -out * _gamma_density(a, x)]


class _BetaInc(ps_math.BetaInc):
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (a, b, x), (out,) = inputs, cotangents
        by_a = out * _slope(lambda shape: self(shape, b, x), a)
        by_b = out * _slope(lambda shape: self(a, shape, x), b)
        return [by_a, by_b, out * _beta_density(a, b, x)]


class _BetaIncC(_BetaInc):
    nfunc_spec = ("scipy.special.betaincc", 3, 1)

    def impl(self, a: Any, b: Any, x: Any) -> Any:
        return special.betaincc(a, b, x)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        by_a, by_b, by_x = super().pullback(inputs, outputs, cotangents)
        return [by_a, by_b, -by_x]

    def c_code(self, *_: Any) -> str:
        raise NotImplementedError


def _gamma_density(a: Any, x: Any) -> Any:
    return ps.exp((a - 1.0) * ps.log(x) - x - ps_math.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    constant = ps_math.gammaln(a + b) - ps_math.gammaln(a) - ps_math.gammaln(b)
    return ps.exp((a - 1.0) * ps.log(x) + (b - 1.0) * ps.log1p(-x) + constant)


class _Smooth(ps.ScalarOp):
    """A smooth function of positive numbers, written in arithmetic that numba compiles."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.nin = len(inspect.signature(function).parameters)
        super().__init__(lambda *types: (ps.float64,), name=function.__name__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Smooth) and other.function is self.function

    def __hash__(self) -> int:
        return hash((type(self), self.function))

    def impl(self, *values: Any) -> Any:
        return self.function(*values)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        def along(i: int) -> Any:
            return _slope(lambda x: self(*inputs[:i], x, *inputs[i + 1 :]), inputs[i])

        return [cotangents[0] * along(i) for i in range(self.nin)]


@register_funcify_and_cache_key(_Smooth)
def _funcify(op: _Smooth, **_: Any) -> tuple[Callable[..., Any], str]:
    # PyTensor's cache of compiled code does not see a change of the function by itself.
    key = sha256(inspect.getsource(op.function).encode()).hexdigest()
    return numba.njit(op.function, error_model="numpy"), key


def _elemwise(op: type[ps.ScalarOp], name: str) -> Elemwise:
    return Elemwise(op(ps.upgrade_to_float_no_complex, name=name))


_ndtri_exp = _elemwise(_NdtriExp, "ndtri_exp")
_betainc, _betaincc = _elemwise(_BetaInc, "betainc"), _elemwise(_BetaIncC, "betaincc")
_gammainc, _gammaincc = _elemwise(_GammaInc, "gammainc"), _elemwise(_GammaIncC, "gammaincc")
_SMOOTH: dict[Callable[..., Any], Elemwise] = {}


def ndtri_exp(x: Any) -> Any:
    """Normal quantile of a probability given as its logarithm."""
    return _ndtri_exp(x)


def gammainc(a: Any, x: Any) -> Any:
    """Regularised lower incomplete gamma function."""
    return _gammainc(pt.as_tensor(a), pt.as_tensor(x))


def gammaincc(a: Any, x: Any) -> Any:
    """Regularised upper incomplete gamma function."""
    return _gammaincc(pt.as_tensor(a), pt.as_tensor(x))


def betainc(a: Any, b: Any, x: Any) -> Any:
    """Regularised incomplete beta function."""
    return _betainc(pt.as_tensor(a), pt.as_tensor(b), pt.as_tensor(x))


def betaincc(a: Any, b: Any, x: Any) -> Any:
    """Complement of the regularised incomplete beta function."""
    return _betaincc(pt.as_tensor(a), pt.as_tensor(b), pt.as_tensor(x))


def smooth(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function of positive numbers applied to tensors as one operation."""
    if function not in _SMOOTH:
        _SMOOTH[function] = Elemwise(_Smooth(function))
    return _SMOOTH[function](*(pt.cast(pt.as_tensor(a), "float64") for a in arguments))
