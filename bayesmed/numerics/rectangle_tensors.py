"""The kernels of :mod:`bayesmed.numerics.rectangle` as PyTensor operations with exact gradients."""

import inspect
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from pytensor import scalar as ps
from pytensor import tensor as pt
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.tensor.elemwise import Elemwise

from bayesmed.numerics import rectangle_kernels, special

_SOURCE = sha256(inspect.getsource(rectangle_kernels).encode()).hexdigest()
_BOUND = 1e8


def _double(*types: Any) -> tuple[Any]:
    return (ps.float64,)


class _Kernel(ps.ScalarOp):
    """A compiled scalar function of doubles."""

    kernel: Callable[..., float]

    def __init__(self) -> None:
        super().__init__(_double, name=self.kernel.__name__)
        self.nin = len(inspect.signature(self.kernel).parameters)

    def impl(self, *values: Any) -> float:
        return self.kernel(*map(float, values))


def _funcify(op: _Kernel, **_: Any) -> tuple[Callable[..., float], str]:
    # PyTensor's cache of compiled code does not see a change of the kernels by itself.
    return op.kernel, sha256(f"{type(op)}{_SOURCE}".encode()).hexdigest()


register_funcify_and_cache_key(_Kernel)(_funcify)


def _ratio(log_density: Any, log_probability: Any) -> Any:
    """A density over a probability; zero where nothing is probable."""
    size = ps.switch(ps.eq(log_probability, -np.inf), 1e4, log_probability)
    # At logarithms of 1e15, rounding errors must not make it inf - inf in a sum.
    return ps.exp(ps.minimum(log_density - size, 300.0))


def _bounded(*limits: Any) -> list[Any]:
    """Limits of which a product with zero is zero."""
    return [ps.clip(limit, -_BOUND, _BOUND) for limit in limits]


class _LogDensity(_Kernel):
    kernel = staticmethod(rectangle_kernels.log_density)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (x, y), rho, (out,) = _bounded(*inputs[:2]), inputs[2], cotangents
        square = (1.0 - rho) * (1.0 + rho)
        by_x, by_y = (rho * y - x) / square, (rho * x - y) / square
        return [out * by_x, out * by_y, out * (rho / square + by_x * by_y)]


class _LogEdge(_Kernel):
    kernel = staticmethod(rectangle_kernels.log_edge)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (x, low, high), rho, (out,) = _bounded(*inputs[:3]), inputs[3], cotangents
        at_low = out * _ratio(_density(inputs[0], inputs[1], rho), outputs[0])
        at_high = out * _ratio(_density(inputs[0], inputs[2], rho), outputs[0])
        by_rho = (rho * high - x) * at_high - (rho * low - x) * at_low
        by_x = -x * out - rho * (at_high - at_low)
        return [by_x, -at_low, at_high, by_rho / ((1.0 - rho) * (1.0 + rho))]


class _LogRectangle(_Kernel):
    kernel = staticmethod(rectangle_kernels.log_rectangle)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (a1, b1, a2, b2, rho), (size,), (out,) = inputs, outputs, cotangents

        def edge(x: Any, low: Any, high: Any) -> Any:
            return out * _ratio(_edge(x, low, high, rho), size)

        def corner(x: Any, y: Any) -> Any:
            return _ratio(_density(x, y, rho), size)

        corners = corner(b1, b2) - corner(a1, b2) - corner(b1, a2) + corner(a1, a2)
        first = [-edge(a1, a2, b2), edge(b1, a2, b2)]
        return [*first, -edge(a2, a1, b1), edge(b2, a1, b1), out * corners]


class _LogNdtrDifference(_Kernel):
    kernel = staticmethod(rectangle_kernels.log_ndtr_difference)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        (a, b), (out,) = _bounded(*inputs), cotangents

        def density(x: Any) -> Any:
            return out * _ratio(-0.5 * x * x - special.LOG_SQRT_2PI, outputs[0])

        return [-density(a), density(b)]


_density, _edge = _LogDensity(), _LogEdge()
_log_rectangle, _log_ndtr_difference = Elemwise(_LogRectangle()), Elemwise(_LogNdtrDifference())


def log_rectangle(*arguments: Any) -> Any:
    """Tensor of :func:`bayesmed.numerics.rectangle.log_rectangle`."""
    return _log_rectangle(*_doubles(arguments))


def log_ndtr_difference(*arguments: Any) -> Any:
    """Tensor of :func:`bayesmed.numerics.rectangle.log_ndtr_difference`."""
    return _log_ndtr_difference(*_doubles(arguments))


def _doubles(arguments: tuple[Any, ...]) -> list[Any]:
    return [pt.cast(pt.as_tensor(argument), "float64") for argument in arguments]
