from typing import Any
import numpy as np
from bayesmed import special
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_TAIL = 1e-9
_TINY = 1e-300
_STEEP = 0.925
def bvn_cdf(h: Any, l: Any, rho: Any) -> Any:
    r"""Standard bivariate normal distribution function.

    .. math:: \Phi_2(h, l; \rho) = P(Z_1 \le h, Z_2 \le l)

    Parameters
    ----------
    h, l : array or tensor
        Upper limits.
    rho : array or tensor
        Correlation in (-1, 1), broadcastable with the limits.

    Returns
    -------
    array or tensor
        The probability, with an absolute error below 1e-14. Where it is below 1e-9 and
        the correlation negative, a sum of positive terms keeps its leading digits, down to
        about 1e-30.

    References
    ----------
    Drezner, Z., & Wesolowsky, G. O. (1990). On the computation of the bivariate normal
    integral. Journal of Statistical Computation and Simulation, 35, 101-107.

    Genz, A. (2004). Numerical computation of rectangular bivariate and trivariate normal
    and t probabilities. Statistics and Computing, 14, 251-260.
    """
    negative = special.where(rho < 0.0, -1.0, 1.0)
    return _bvn_cdf(h, l, negative, special.where(rho < 0.0, -rho, rho))


def _bvn_cdf(h: Any, l: Any, sign: Any, size: Any) -> Any:
    """The same at correlation ``sign * size``; one size for all rows saves most of the work."""
    if special.is_tensor(h, l, sign, size):
        return _bvn_cdf_tensors(h, l, sign, size)
    value = _arcsine_integral(h, l, sign, size) + special.ndtr(h) * special.ndtr(l)
    h, l, sign, size, value = np.broadcast_arrays(h, l, sign, size, value)
    value = value.copy()
    steep = size >= _STEEP
    if steep.any():
        value[steep] = _near_degenerate(h[steep], l[steep], sign[steep], size[steep])
    low = (value < _TAIL) & (sign < 0.0)
    if low.any():
        value[low] = _rising_integral(h[low], l[low], size[low])
    return value


def _bvn_cdf_tensors(h: Any, l: Any, sign: Any, size: Any) -> Any:
    """The formulas as one graph, with the exact gradient in place of theirs.

    d/dh = phi(h) Phi((l - rho h) / k), and d/drho is the bivariate density.
    """
    import pytensor.tensor as pt
    from pytensor.compile.builders import OpFromGraph

    def pullback(inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        x, y, s, r = inputs
        k2 = (1.0 - r) * (1.0 + r)
        k = pt.sqrt(k2)

        def slope(one: Any, other: Any) -> Any:
            normal = pt.exp(-0.5 * one * one) / np.sqrt(2.0 * np.pi)
            return normal * special.ndtr((other - s * r * one) / k)

        density = pt.exp(-0.5 * (x * x - 2.0 * s * r * x * y + y * y) / k2) / (2.0 * np.pi * k)
        (out,) = cotangents
        by_size = out * s * density
        return [out * slope(x, y), out * slope(y, x), pt.zeros_like(s), _sum_to(by_size, r)]

    h, l, sign = pt.broadcast_arrays(
        *(pt.as_tensor(part, dtype="float64") for part in (h, l, sign))
    )
    arguments = [h, l, sign, pt.as_tensor(size, dtype="float64")]
    x, y, s, r = (argument.type() for argument in arguments)
    moderate = _arcsine_integral(x, y, s, r) + special.ndtr(x) * special.ndtr(y)
    value = special.where(r < _STEEP, moderate, _near_degenerate(x, y, s, r))
    value = special.where((value < _TAIL) & (s < 0.0), _rising_integral(x, y, r), value)
    return OpFromGraph([x, y, s, r], [value], inline=True, pullback=pullback)(*arguments)


def _sum_to(value: Any, like: Any) -> Any:
    """Sum a gradient over the axes along which its input was broadcast."""
    lead = tuple(range(value.ndim - like.ndim))
    value = value.sum(axis=lead) if lead else value
    ones = tuple(i for i, one in enumerate(like.type.broadcastable) if one)
    return value.sum(axis=ones, keepdims=True) if ones else value


def _arcsine_integral(h: Any, l: Any, sign: Any, size: Any) -> Any:
    """Integral of the bivariate density over the correlation from 0 to sign * size."""
    half = 0.5 * special.arcsin(size)
    squares, product = 0.5 * (h * h + l * l), sign * h * l

    def density(node: Any) -> Any:
        sine = special.sin(half * (1.0 + node))
        return special.exp((sine * product - squares) / (1.0 - sine * sine))

    return sign * _gauss_legendre(density, (half, squares)) * half / (2.0 * np.pi)


def _rising_integral(h: Any, l: Any, size: Any) -> Any:
    """The probability at correlation -size, from -1 upwards.

    All terms are positive, so a small probability keeps its leading digits.
    """
    half = 0.5 * (0.5 * np.pi - special.arcsin(size))
    squares, product = 0.5 * (h * h + l * l), h * l

    def density(node: Any) -> Any:
        sine = special.sin(half * (1.0 + node) - 0.5 * np.pi)
        return special.exp((sine * product - squares) / (1.0 - sine * sine))

    return _wedge(h, l) + _gauss_legendre(density, (half, squares)) * half / (2.0 * np.pi)


def _gauss_legendre(function: Any, parts: tuple[Any, ...]) -> Any:
    """Sum of weights times function(node); a tensor gets its nodes on one leading axis."""
    if special.is_tensor(*parts):
        ndim = max(getattr(part, "ndim", 0) for part in parts)
        shape = (-1, *(1,) * ndim)
        values = function(_NODES.reshape(shape))
        return (values * _WEIGHTS.reshape(shape)).sum(axis=0)
    total: Any = 0.0
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total = total + weight * function(node)
    return total


def _near_degenerate(h: Any, l: Any, sign: Any, size: Any) -> Any:
    """Genz's expansion about |rho| = 1."""
    l_signed = sign * l
    product = h * l_signed
    variance = (1.0 - size) * (1.0 + size)
    a = special.sqrt(variance)
    gap = abs(h - l_signed)
    square = gap * gap
    c, d = (4.0 - product) / 8.0, (12.0 - product) / 80.0
    total = a * special.exp(-0.5 * (square / variance + product)) * (
        1.0 - c * (square - variance) * (1.0 - d * square) / 3.0 + c * d * variance**2
    ) - special.exp(-0.5 * product) * np.sqrt(2.0 * np.pi) * special.ndtr(-gap / a) * gap * (
        1.0 - c * square * (1.0 - d * square) / 3.0
    )

    def difference(node: Any) -> Any:
        x2 = (0.5 * a * (1.0 + node)) ** 2
        root = special.sqrt(1.0 - x2)
        smooth = special.exp(-0.5 * product * x2 / (1.0 + root) ** 2) / root
        series = 1.0 + c * x2 * (1.0 + 5.0 * d * x2)
        return special.exp(-0.5 * (square / x2 + product)) * (smooth - series)

    total = total + 0.5 * a * _gauss_legendre(difference, (a, square))
    excess = -total / (2.0 * np.pi)
    smaller = special.where(h < l_signed, h, l_signed)
    return special.where(sign < 0.0, _wedge(h, l) - excess, special.ndtr(smaller) + excess)


def _wedge(h: Any, l: Any) -> Any:
    """Phi2 at rho = -1: P(-l < Z < h) or zero, from the tail that keeps the digits."""
    lower = special.ndtr(h) - special.ndtr(-l)
    upper = special.ndtr(l) - special.ndtr(-h)
    return special.maximum(special.where(l < 0.0, upper, lower), 0.0)
