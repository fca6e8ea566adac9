r"""Bivariate normal rectangles and normal intervals, as log-probabilities.

All functions take NumPy arrays and PyTensor tensors alike, and broadcast. Both are computed by
the same compiled kernels; limits may be infinite, and numbers beyond :math:`\pm 5\cdot10^7` are
taken as infinite. The gradients of tensors are exact, to any order, and zero at infinite limits.
"""

from typing import Any

import numpy as np

from bayesmed.numerics import special


def log_rectangle(a1: Any, b1: Any, a2: Any, b2: Any, rho: Any) -> Any:
    r"""Log-probability of a rectangle under the standard bivariate normal distribution.

    .. math:: \log P(a_1 < Z_1 \le b_1,\; a_2 < Z_2 \le b_2)

    Parameters
    ----------
    a1, b1 : array or tensor
        Limits of the first variable; ``-inf`` where the rectangle is empty.
    a2, b2 : array or tensor
        Limits of the second variable.
    rho : array or tensor
        Correlation in (-1, 1).

    Returns
    -------
    array or tensor
        The probability itself has about ten correct digits, however small it is (eight where
        both sides are narrower than 1e-7; the gradient by rho has none left there).

    Notes
    -----
    A quadrant is an integral over the correlation, or at steep correlations a half line less a
    corner; other rectangles are the positive integral of the conditional probability of one
    side over the other, in as many Gauss-Legendre nodes as its width needs. Where these would
    lose digits, the positive integral is taken in log space, in panels around its mode.

    References
    ----------
    Drezner, Z., & Wesolowsky, G. O. (1990). On the computation of the bivariate normal
    integral. Journal of Statistical Computation and Simulation, 35, 101-107.

    Genz, A. (2004). Numerical computation of rectangular bivariate and trivariate normal
    and t probabilities. Statistics and Computing, 14, 251-260.
    """
    if special.is_tensor(a1, b1, a2, b2, rho):
        from bayesmed.numerics import rectangle_tensors

        return rectangle_tensors.log_rectangle(a1, b1, a2, b2, rho)
    from bayesmed.numerics import rectangle_kernels

    return _rows(rectangle_kernels.log_rectangles, a1, b1, a2, b2, rho)


def log_ndtr_difference(a: Any, b: Any) -> Any:
    r"""Log-probability of an interval under the standard normal distribution.

    .. math:: \log[\Phi(b) - \Phi(a)]

    Parameters
    ----------
    a, b : array or tensor
        Limits; ``-inf`` where ``b <= a``.

    Returns
    -------
    array or tensor
        Accurate in both tails and for narrow intervals.
    """
    if special.is_tensor(a, b):
        from bayesmed.numerics import rectangle_tensors

        return rectangle_tensors.log_ndtr_difference(a, b)
    from bayesmed.numerics import rectangle_kernels

    return _rows(rectangle_kernels.log_ndtr_differences, a, b)


def _rows(kernel: Any, *arguments: Any) -> Any:
    # The kernels meet infinities on purpose; NumPy would warn of each.
    with np.errstate(all="ignore"):
        return kernel(*(np.asarray(argument, dtype=float) for argument in arguments))
