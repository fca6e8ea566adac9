"""Where functions of one variable have steps and kinks: quadrature must not run across them."""

import numpy as np

from bayesmed.numerics.piecewise import Functions, fit_panels

#: Panels are halved to this share of the whole; not smooth there, functions have a break.
_NARROW = 2.0**-13
#: Neighbouring panels overlap by this share, so that a break is not hidden between them.
_OVERLAP = 0.05
_SMOOTH = 1e-11
_PANELS = 1000
_POINTS, _SEARCHES = 33, 16
#: More breaks than this are not followed.
MOST = 30


class TooMany(Exception):
    """The functions have more than ``MOST`` breaks."""


def breaks(function: Functions, edges: np.ndarray) -> np.ndarray:
    """Points at which functions, or their derivatives, jump.

    Parameters
    ----------
    function : callable
        Values at points, from shape (n,) to (n, function); of about the size of one.
    edges : numpy.ndarray
        First panels, sorted. Two breaks within a twentieth of a panel can be missed.

    Returns
    -------
    numpy.ndarray
        Sorted. Steps and kinks to about 13 digits, weaker ones to what they matter.

    Raises
    ------
    TooMany
    """
    low, high = edges[0], edges[-1]
    narrow = _NARROW * (high - low)
    left, right = edges[:-1], edges[1:]
    starts, ends = [np.empty(0)], [np.empty(0)]
    while len(left):
        wider = _OVERLAP * (right - left)
        start, end = np.maximum(left - wider, low), np.minimum(right + wider, high)
        rough = fit_panels(function, start, end, least=1.0)[1] > _SMOOTH
        last = rough & (right - left <= narrow)
        starts.append(start[last])
        ends.append(end[last])
        left, right = left[rough & ~last], right[rough & ~last]
        if len(left) + sum(map(len, starts)) > _PANELS:
            raise TooMany
        middle = 0.5 * (left + right)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    left, right = np.sort(np.concatenate(starts)), np.sort(np.concatenate(ends))
    if not len(left):
        return left
    apart = np.flatnonzero(left[1:] > right[:-1])  # panels that overlap are one bracket
    left, right = left[np.append(0, apart + 1)], right[np.append(apart, len(right) - 1)]
    if len(left) > MOST:
        raise TooMany
    return _pinpoint(function, left, right)


def _pinpoint(function: Functions, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The largest second difference within each bracket, followed while it stands out."""
    share = np.linspace(0.0, 1.0, _POINTS)
    open_ = np.arange(len(left))
    for _ in range(_SEARCHES):
        x = left[open_, None] + (right - left)[open_, None] * share
        values = function(x.ravel()).reshape(*x.shape, -1)
        values = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-300)
        bend = np.abs(np.diff(values, 2, axis=1)).max(axis=2)
        clear = bend.max(axis=1) > np.maximum(8.0 * np.median(bend, axis=1), 1e-13)
        open_, x, at = open_[clear], x[clear], bend[clear].argmax(axis=1)
        if not len(open_):
            break
        rows = np.arange(len(open_))
        left[open_], right[open_] = x[rows, at], x[rows, at + 2]
    return np.unique(0.5 * (left + right))
