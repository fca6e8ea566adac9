"""Compiled scalar kernels of :mod:`bayesmed.numerics.rectangle`; nothing is compiled at import."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_SQRT2 = math.sqrt(2.0)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
# Limits beyond stand for infinity: callers write 1e8.
_FAR = 5e7
# Below this a probability may have met underflow on its way.
_TINY = 1e-200
_SIZES = (4, 8, 12, 16, 24)
_NODES, _WEIGHTS = np.zeros((2, 25, 24))
for _size in _SIZES:
    _NODES[_size, :_size], _WEIGHTS[_size, :_size] = np.polynomial.legendre.leggauss(_size)


def _kernel[F: Callable[..., float]](function: F) -> F:
    # Division by zero gives inf, as in NumPy, not an exception.
    compiled: Any = numba.njit(cache=True, error_model="numpy")(function)
    return compiled


def _of_arrays(function: Callable[..., float]) -> Any:
    return numba.vectorize(cache=True)(function)  # type: ignore[no-untyped-call]


@_kernel
def _ndtr(x: float) -> float:
    return 0.5 * math.erfc(-x / _SQRT2)


@_kernel
def _mills(t: float) -> float:
    """Return Q(t) / phi(t) for t >= 0, beyond 9 by its continued fraction."""
    if t < 9.0:
        return _SQRT_2PI * math.exp(0.5 * t * t) * _ndtr(-t)
    tail = t
    for n in range(14, 0, -1):
        tail = t + n / tail
    return 1.0 / tail


@_kernel
def log_ndtr(x: float) -> float:
    if x > 0.0:
        return math.log1p(-0.5 * math.erfc(x / _SQRT2))
    if x > -35.0:
        return math.log(_ndtr(x))
    return math.log(_mills(-x)) - 0.5 * x * x - _LOG_SQRT_2PI


@_kernel
def _series(a: float, b: float) -> float:
    """Return (Phi(b) - Phi(a)) / phi(middle) of a narrow interval, by Hermite polynomials."""
    half = 0.5 * (b - a)
    slope, square = -0.5 * (a + b) * half, half * half
    before, term, total = 1.0, slope, 1.0
    for n in range(1, 12, 2):
        before = (slope * term - square * before) / (n + 1)
        total += before / (n + 2)
        term = (slope * before - square * term) / (n + 2)
    return 2.0 * half * total


@_kernel
def _difference(a: float, b: float) -> float:
    """Return Phi(b) - Phi(a) for a < b, with its digits as long as nothing underflows."""
    if a > -b:
        a, b = -b, -a
    if a == -math.inf:
        return _ndtr(b)
    if b > 0.0:
        return 0.5 * (math.erf(b / _SQRT2) - math.erf(a / _SQRT2))
    if (b - a) * (1.0 - b) < 0.5:
        middle = 0.5 * (a + b)
        return _series(a, b) * math.exp(-0.5 * middle * middle) / _SQRT_2PI
    return 0.5 * (math.erfc(-b / _SQRT2) - math.erfc(-a / _SQRT2))


@_kernel
def _scaled_difference(a: float, b: float) -> float:
    """Return (Phi(b) - Phi(a)) / phi(b) for a < b <= 0, however far out."""
    if (b - a) * (1.0 - b) < 0.5:
        return _series(a, b) * math.exp(0.125 * (b - a) * (a + 3.0 * b))
    return _mills(-b) - _mills(-a) * math.exp(0.5 * (b - a) * (b + a))


@_kernel
def _log_difference(a: float, b: float) -> float:
    if a > -b:
        a, b = -b, -a
    if a == -math.inf:
        return log_ndtr(b)
    if b > 0.0:
        outside = _ndtr(-b) + _ndtr(a)
        return math.log1p(-outside) if outside < 0.5 else math.log(_difference(a, b))
    if b > -35.0 and (b - a) * (1.0 - b) >= 0.5:
        return math.log(_difference(a, b))
    return math.log(_scaled_difference(a, b)) - 0.5 * b * b - _LOG_SQRT_2PI


@_kernel
def _log_difference_shift(a: float, b: float) -> float:
    """Derivative of the log difference by a shift of both limits."""
    sign = 1.0
    if a > -b:
        a, b, sign = -b, -a, -1.0
    if b < -1.0:
        return -sign * math.expm1(0.5 * (b - a) * (b + a)) / _scaled_difference(a, b)
    gain = math.exp(-0.5 * b * b) - math.exp(-0.5 * a * a)
    return sign * gain / (_SQRT_2PI * _difference(a, b))


@_kernel
def _standard(x: float) -> float:
    return math.copysign(math.inf, x) if abs(x) >= _FAR else x


@_kernel
def _log_slice(x: float, low: float, high: float, rho: float, k: float) -> float:
    """Return log of phi(x) P(low < Z2 <= high given Z1 = x)."""
    inside = _log_difference((low - rho * x) / k, (high - rho * x) / k)
    return -0.5 * x * x - _LOG_SQRT_2PI + inside


@_kernel
def _slope(x: float, low: float, high: float, rho: float, k: float) -> float:
    """Derivative of the log slice; it falls with x."""
    return -x - rho / k * _log_difference_shift((low - rho * x) / k, (high - rho * x) / k)


@_kernel
def _mode(a: float, b: float, low: float, high: float, rho: float, k: float) -> float:
    """Where in [a, b] the slice is largest, within half of its shortest scale."""
    # E[Z1 given low < Z2 <= high] is not further out than the nearer limit of Z2.
    bound = max(low, -high, 0.0) + 10.0
    left, right = min(max(a, -bound), b), max(min(b, bound), a)
    if _slope(left, low, high, rho, k) <= 0.0:
        return left
    if _slope(right, low, high, rho, k) >= 0.0:
        return right
    for _ in range(60):
        if right - left < 0.5 * k:
            break
        middle = 0.5 * (left + right)
        if _slope(middle, low, high, rho, k) > 0.0:
            left = middle
        else:
            right = middle
    return 0.5 * (left + right)


@_kernel
def _panel_width(x: float, sign: float, low: float, high: float, rho: float, k: float) -> float:
    """How far from x outwards the slice is a polynomial to 16 nodes."""
    width = 5.0 * k
    lower, upper = (low - rho * x) / k, (high - rho * x) / k
    if lower < -9.0 and upper > 9.0:  # as good as phi(x) up to where a limit of Z2 is felt
        room = upper - 9.0 if sign * rho > 0.0 else -9.0 - lower
        width = max(width, min(room * k / abs(rho), 3.0))
    steep = abs(_slope(x, low, high, rho, k))
    return max(min(width, 8.0 / steep), 1e-14 * abs(x))


@_kernel
def _side(
    start: float, end: float, low: float, high: float, rho: float, k: float, top: float
) -> float:
    """Integral of exp(log slice - top) from its mode to one end, until it adds nothing."""
    x, total = start, 0.0
    sign = math.copysign(1.0, end - start)
    for _ in range(500):
        if x == end:
            break
        half = 0.5 * min(_panel_width(x, sign, low, high, rho, k), abs(end - x))
        middle, part = x + sign * half, 0.0
        for i in range(16):
            node = middle + half * _NODES[16, i]
            # A rounding error of a huge logarithm must not overflow.
            drop = min(_log_slice(node, low, high, rho, k) - top, 1.0)
            part += _WEIGHTS[16, i] * math.exp(drop)
        total += half * part
        if half * part < 1e-17 * total:
            break
        x = end if abs(end - x) <= 2.0 * half else x + sign * 2.0 * half
    return total


@_kernel
def _log_panels(a: float, b: float, low: float, high: float, rho: float, k: float) -> float:
    """The conditional integral in log space, in panels outwards from the mode: slow, safe."""
    mode = _mode(a, b, low, high, rho, k)
    top = _log_slice(mode, low, high, rho, k)
    total = _side(mode, a, low, high, rho, k, top) + _side(mode, b, low, high, rho, k, top)
    return top + math.log(max(total, _TINY))


@_kernel
def _conditional(
    a: float, b: float, low: float, high: float, rho: float, k: float, size: int
) -> float:
    """The integral of phi(x) P(low < Z2 <= high given x) over [a, b] in one panel."""
    middle, half, total = 0.5 * (a + b), 0.5 * (b - a), 0.0
    for i in range(size):
        x = middle + half * _NODES[size, i]
        inside = _difference((low - rho * x) / k, (high - rho * x) / k)
        total += _WEIGHTS[size, i] * math.exp(-0.5 * x * x) * inside
    return half * total / _SQRT_2PI


@_kernel
def _arcsine(h: float, l: float, rho: float, k: float, size: int) -> float:
    """The integral of the density over the correlation, by the tangent of half its angle."""
    product, squares = 2.0 * h * l, 0.5 * (h * h + l * l)
    half, total = 0.5 * rho / (1.0 + k), 0.0
    for i in range(size):
        tangent = half * (1.0 + _NODES[size, i])
        above, below = 1.0 + tangent * tangent, 1.0 - tangent * tangent
        power = above * (product * tangent - squares * above) / (below * below)
        total += _WEIGHTS[size, i] * math.exp(power) / above
    return half * total / math.pi


@_kernel
def _corner(x: float, y: float, rho: float, k: float) -> float:
    """P(Z1 <= x, Z2 > y) for x <= y and rho > 0, however close to 1."""
    if x + y < 0.0:
        x, y = -y, -x
    z, steep = (x - rho * y) / k, rho / k
    # Where the integrand, which falls from y on, has lost 17 digits.
    kink = max(z, 0.0) / steep
    slope = y + steep * max(-z, 0.0)
    width = kink + 80.0 / (slope + math.sqrt(slope * slope + 80.0 / (k * k)))
    half, total = 0.5 * min(width, 80.0 / (y + math.sqrt(y * y + 80.0))), 0.0
    for i in range(24):
        node = y + half * (1.0 + _NODES[24, i])
        inside = math.erfc((rho * node - x) / (k * _SQRT2))
        total += _WEIGHTS[24, i] * math.exp(-0.5 * node * node) * inside
    return 0.5 * half * total / _SQRT_2PI


@_kernel
def _quadrant(h: float, l: float, rho: float, k: float) -> float:
    """P(Z1 <= h, Z2 <= l), or zero where its digits would be lost."""
    steepness = abs(rho)
    if steepness <= 0.95:
        size = 8 if steepness <= 0.4 else 16 if steepness <= 0.8 else 24
        scale = _ndtr(h) * _ndtr(l)
        value = scale + _arcsine(h, l, rho, k, size)
        # Further out the nodes miss the peak of the integrand.
        return value if value > max(1e-5 * scale, 1e-9) else 0.0
    if rho > 0.0:
        scale = _ndtr(min(h, l))
        value = scale - _corner(min(h, l), max(h, l), rho, k)
        return value if value > 1e-5 * scale else 0.0
    if h <= -l:
        return _corner(h, -l, -rho, k)
    return _difference(-l, h) + _corner(-l, h, -rho, k)


@_kernel
def _log_quadrant(h: float, l: float, rho: float, k: float) -> float:
    value = _quadrant(h, l, rho, k)
    if value > _TINY:
        return math.log(value)
    return _log_panels(-math.inf, h, -math.inf, l, rho, k)


@_kernel
def _enough_nodes(a: float, b: float, low: float, high: float, rho: float, k: float) -> int:
    """How many nodes give ten digits of the integral over [a, b]; zero if more than 24."""
    half, steep = 0.5 * (b - a), abs(rho) / k
    out_a = max((low - rho * a) / k, (rho * a - high) / k, 0.0)
    out_b = max((low - rho * b) / k, (rho * b - high) / k, 0.0)
    # The width in units of the shortest scale, and the fall of the logarithm.
    width, fall = half / k, half * max(abs(a) + steep * out_a, abs(b) + steep * out_b)
    if width <= 0.2 and fall <= 0.25:
        return 4
    if width <= 1.2 and fall <= 3.0:
        return 8
    if width <= 2.5 and fall <= 8.0:
        return 12
    if width <= 3.5 and fall <= 12.0:
        return 16
    return 24 if width <= 5.5 and fall <= 20.0 else 0


@_kernel
def _log_strip(a: float, b: float, low: float, high: float, rho: float, k: float) -> float:
    """Log-probability of a rectangle whose first side is finite."""
    size = _enough_nodes(a, b, low, high, rho, k)
    if size > 0:
        value = _conditional(a, b, low, high, rho, k, size)
        if value > _TINY:
            return math.log(value)
    return _log_panels(a, b, low, high, rho, k)


@_kernel
def log_rectangle(a1: float, b1: float, a2: float, b2: float, rho: float) -> float:
    """Log of P(a1 < Z1 <= b1, a2 < Z2 <= b2) at correlation rho."""
    a1, b1, a2, b2 = _standard(a1), _standard(b1), _standard(a2), _standard(b2)
    if not (a1 < b1 and a2 < b2 and abs(rho) < 1.0):
        return -math.inf if (a1 >= b1 or a2 >= b2) and abs(rho) < 1.0 else math.nan
    half1, half2 = math.isinf(a1) or math.isinf(b1), math.isinf(a2) or math.isinf(b2)
    if rho == 0.0 or a1 == -b1 == -math.inf or a2 == -b2 == -math.inf:
        return _log_difference(a1, b1) + _log_difference(a2, b2)
    k = math.sqrt((1.0 - rho) * (1.0 + rho))
    if half1 and half2:
        # A half line above some limit is mirrored to one below.
        h, l = (b1 if math.isinf(a1) else -a1), (b2 if math.isinf(a2) else -a2)
        return _log_quadrant(h, l, rho if math.isinf(a1) == math.isinf(a2) else -rho, k)
    if half1 or b2 - a2 < b1 - a1:
        return _log_strip(a2, b2, a1, b1, rho, k)
    return _log_strip(a1, b1, a2, b2, rho, k)


@_kernel
def log_ndtr_difference(a: float, b: float) -> float:
    """Log of Phi(b) - Phi(a); an empty interval has none."""
    a, b = _standard(a), _standard(b)
    if not a < b:
        return -math.inf if a >= b else math.nan
    return _log_difference(a, b)


@_kernel
def log_edge(x: float, low: float, high: float, rho: float) -> float:
    """Log of the bivariate density integrated over the second score: a rectangle's slope."""
    x, low, high = _standard(x), _standard(low), _standard(high)
    if math.isinf(x) or low >= high:
        return -math.inf
    return _log_slice(x, low, high, rho, math.sqrt((1.0 - rho) * (1.0 + rho)))


@_kernel
def log_density(x: float, y: float, rho: float) -> float:
    """Log of the bivariate density: a rectangle's slope by the correlation."""
    if abs(x) >= _FAR or abs(y) >= _FAR:
        return -math.inf
    k = math.sqrt((1.0 - rho) * (1.0 + rho))
    gap = (y - rho * x) / k
    return -0.5 * (x * x + gap * gap) - 2.0 * _LOG_SQRT_2PI - math.log(k)


@_of_arrays
def log_rectangles(a1: float, b1: float, a2: float, b2: float, rho: float) -> float:
    """:func:`log_rectangle` of arrays."""
    return log_rectangle(a1, b1, a2, b2, rho)


@_of_arrays
def log_ndtr_differences(a: float, b: float) -> float:
    """:func:`log_ndtr_difference` of arrays."""
    return log_ndtr_difference(a, b)
