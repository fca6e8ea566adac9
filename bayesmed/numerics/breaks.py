"""Where functions of one variable have steps and kinks: quadrature must not run across them."""

from dataclasses import dataclass

import numpy as np

from bayesmed.numerics.piecewise import Functions, fit_panels

#: Panels are halved to this share of the whole; not smooth there, functions have a break.
_NARROW = 2.0**-13
#: Neighbouring panels overlap by this share, so that a break is not hidden between them.
_OVERLAP = 0.05
#: Breaks closer than this share of the whole are one.
_SAME = 1e-10
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
    reach = edges[-1] - edges[0]
    panels = _Panels(
        edges[:-1], edges[1:], np.full(len(edges) - 1, edges[0]), np.full(len(edges) - 1, edges[-1])
    )
    narrow, found = _NARROW * reach, np.empty(0)
    while len(panels.left):
        left, right = _brackets(function, panels, narrow)
        if len(found) + len(left) > MOST:
            raise TooMany
        if not len(left):
            break
        start, end = _pinpoint(function, left.copy(), right.copy())
        middle = 0.5 * (start + end)
        found = np.append(found, middle)
        # A bracket may hold more than the one: what is left of it on either side is searched.
        start = np.minimum(start, middle - _SAME * reach)
        end = np.maximum(end, middle + _SAME * reach)
        left, right = np.append(left, end), np.append(start, right)
        wide = right - left > _SAME * reach
        panels = _Panels(left[wide], right[wide], left[wide], right[wide])
        narrow = max(_NARROW * narrow, _SAME * reach)
    return np.unique(found)


@dataclass(frozen=True)
class _Panels:
    """Panels, and the limits to which each may be widened."""

    left: np.ndarray
    right: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def where(self, chosen: np.ndarray) -> "_Panels":
        return _Panels(self.left[chosen], self.right[chosen], self.low[chosen], self.high[chosen])

    def widened(self) -> tuple[np.ndarray, np.ndarray]:
        by = _OVERLAP * (self.right - self.left)
        return np.maximum(self.left - by, self.low), np.minimum(self.right + by, self.high)

    def halved(self) -> "_Panels":
        middle = 0.5 * (self.left + self.right)
        left, right = np.append(self.left, middle), np.append(middle, self.right)
        return _Panels(left, right, np.tile(self.low, 2), np.tile(self.high, 2))


def _brackets(function: Functions, panels: _Panels, narrow: float) -> tuple[np.ndarray, np.ndarray]:
    """Narrow panels on which the functions are not smooth; those that overlap are one."""
    starts, ends = [np.empty(0)], [np.empty(0)]
    while len(panels.left):
        start, end = panels.widened()
        rough = fit_panels(function, start, end, least=1.0)[1] > _SMOOTH
        last = rough & (panels.right - panels.left <= narrow)
        starts.append(start[last])
        ends.append(end[last])
        panels = panels.where(rough & ~last)
        if len(panels.left) + sum(map(len, starts)) > _PANELS:
            raise TooMany
        panels = panels.halved()
    left, right = np.sort(np.concatenate(starts)), np.sort(np.concatenate(ends))
    if not len(left):
        return left, right
    apart = np.flatnonzero(left[1:] > right[:-1])
    return left[np.append(0, apart + 1)], right[np.append(apart, len(right) - 1)]


def _pinpoint(
    function: Functions, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The largest second difference within each bracket, followed while it stands out."""
    share = np.linspace(0.0, 1.0, _POINTS)
    open_ = np.arange(len(left))
    for _ in range(_SEARCHES):
        x = left[open_, None] + (right - left)[open_, None] * share
        values = function(x.ravel()).reshape(*x.shape, -1)
        values = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-300)
        bend = np.abs(np.diff(values, 2, axis=1))
        # Each function by itself: the breaks of many may leave no point of a bracket quiet.
        largest = bend.max(axis=1)
        largest[largest <= np.maximum(8.0 * np.median(bend, axis=1), 1e-13)] = 0.0
        rows, leader = np.arange(len(open_)), largest.argmax(axis=1)
        clear = largest[rows, leader] > 0.0
        at = bend[rows, :, leader].argmax(axis=1)[clear]
        open_, x = open_[clear], x[clear]
        if not len(open_):
            break
        rows = np.arange(len(open_))
        left[open_], right[open_] = x[rows, at], x[rows, at + 2]
    return left, right
