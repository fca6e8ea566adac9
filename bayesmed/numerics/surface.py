r"""Mean over rows of a smooth function of few coordinates.

Within a draw the rows differ in one or two numbers only, such as their linear predictors. With
many rows the function is taken at Chebyshev nodes over the range of these and interpolated; a
function whose logarithm is nearly linear, in its logarithm.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayesmed.numerics.chebyshev import nodes, transform

Coordinates = dict[str, np.ndarray]
#: ``function(at, start)``: values at coordinates, shape (..., S), and where a like call may start.
Function = Callable[[Coordinates, int], tuple[np.ndarray, int]]

_SMALL = 1e-9
_FIRST, _LARGEST = 12, 192
_FEW = 16
_START = 16
_NEGLIGIBLE = 1e-14
_DIRECT = 500_000
#: What a function was found to need: sizes along either axis, and its own start.
Need = tuple[tuple[int, ...], int]


class Work(NamedTuple):
    """What a function costs.

    Attributes
    ----------
    ease : float
        How many nodes may be taken for each row; more where the work at a plane of nodes is
        mostly that along its two axes.
    width : int
        Numbers that the function holds for each point.
    """

    ease: float = 0.5
    width: int = 1


PLAIN = Work()


def _of_rows(values: Any, rows: np.ndarray) -> Any:
    return values if np.ndim(values) == 0 or len(values) == 1 else values[rows]


def weighted_mean(
    function: Function,
    at: Coordinates,
    factor: np.ndarray | float,
    weights: np.ndarray | float,
    count: int,
    log: bool,
    need: Need | None = None,
    work: Work = PLAIN,
) -> tuple[np.ndarray, Need]:
    r"""Sum over rows of :math:`w_i \exp(b_i) f(x_i)`.

    Parameters
    ----------
    function : callable
        f.
    at : dict of str to numpy.ndarray
        Coordinates x of the rows, shape (obs or 1, S), or (obs or 1, 1) for data columns, which
        are never interpolated.
    factor : numpy.ndarray or float
        b, shape (obs or 1, S).
    weights : numpy.ndarray or float
        w, shape (obs, S), or one number.
    count : int
        Number of rows.
    log : bool
        Try the logarithm of f first.
    need : Need, optional
        What a like call returned.
    work : Work

    Returns
    -------
    total : numpy.ndarray
        Shape (S,).
    need : Need
    """
    groups = grouped(at)
    if groups:
        total: Any = 0.0
        for rows, same in groups:
            own = {
                name: v if len(v) == 1 else v[rows[:1]] if name in same else v[rows]
                for name, v in at.items()
            }
            parts = (_of_rows(factor, rows), _of_rows(weights, rows))
            part, need = weighted_mean(function, own, *parts, len(rows), log, need, work)
            total = total + part
        assert need is not None
        return total, need
    varying = [name for name, values in at.items() if len(values) > 1]
    if 1 <= len(varying) <= 2 and not any(map(is_column, varying)):
        for scale in (True, False) if log else (False,):
            found = _interpolated(function, at, varying, scale, need, work)
            if found is not None:
                values, need = found
                share = np.exp(factor + values) if scale else np.exp(factor) * values
                return _total(share, weights, count), need
    return row_by_row(function, at, factor, weights, count, need, work)


def is_column(name: str) -> bool:
    """Whether a coordinate is a column of the data, which is not interpolated."""
    return name == "row" or (" " in name and not name.endswith(" sigma"))


def _total(share: np.ndarray, weights: np.ndarray | float, count: int) -> np.ndarray:
    """Weighted sum over the rows; a share of one row is that of all."""
    if np.ndim(weights) > 0:
        return (share * weights).sum(axis=0)
    return share.sum(axis=0) * weights * (count / len(share))


def row_by_row(
    function: Function,
    at: Coordinates,
    factor: Any,
    weights: Any,
    count: int,
    need: Need | None = None,
    work: Work = PLAIN,
) -> tuple[np.ndarray, Need]:
    """The same without interpolation; see :func:`weighted_mean`."""
    draws = max(values.shape[-1] for values in at.values())
    size, start = max(1, _DIRECT // (draws * work.width)), need[1] if need else _START
    rows = max([len(values) for values in at.values()])
    total: Any = 0.0
    for i in range(0, rows, size):
        part = slice(i, i + size)
        own = {name: v if len(v) == 1 else v[part] for name, v in at.items()}
        f, w = (
            v if np.ndim(v) == 0 or len(v) == 1 or rows == 1 else v[part] for v in (factor, weights)
        )
        values, needed = function(own, start)
        total = total + _total(np.exp(f) * values, w, count if rows == 1 else min(size, rows - i))
    return total, ((_FIRST,), needed)


def grouped(at: Coordinates) -> list[tuple[np.ndarray, tuple[str, ...]]]:
    """Groups of rows that agree in the data columns, or in a coordinate where there are many.

    Each with the names of the coordinates that are then the same; none where there is nothing
    to gain.
    """
    varying = [name for name, values in at.items() if len(values) > 1]
    columns = tuple(name for name in varying if is_column(name))
    if columns:
        keys = np.concatenate([at[name] for name in columns], axis=1)
        found = _distinct(keys)
        return [(rows, columns) for rows in found] if len(found) <= _FEW else []
    if len(varying) > 2:
        for name in varying:
            found = _distinct(at[name][:, :1])
            if len(found) <= _FEW and all(np.ptp(at[name][r], axis=0).max() == 0.0 for r in found):
                return [(rows, (name,)) for rows in found]
    return []


def _distinct(keys: np.ndarray) -> list[np.ndarray]:
    """Positions of the rows of each distinct key."""
    _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    if len(counts) > _FEW:
        return [np.arange(0)] * len(counts)
    order = np.argsort(inverse.ravel(), kind="stable")
    return np.split(order, np.cumsum(counts)[:-1])


def _interpolated(
    function: Function,
    at: Coordinates,
    names: list[str],
    log: bool,
    need: Need | None,
    work: Work,
) -> tuple[np.ndarray, Need] | None:
    """Values at the rows, or their logarithms, shape (obs, S); None where rows are too few."""
    rows = [np.ascontiguousarray(at[name].T) for name in names]
    low = np.stack([values.min(axis=1) for values in rows])
    high = np.stack([values.max(axis=1) for values in rows])
    half = np.maximum(0.5 * (high - low), 1e-9 * (1.0 + np.abs(low)))
    sizes, start = need if need and len(need[0]) == len(names) else ((_FIRST,) * len(names), _START)
    while np.prod(sizes) <= work.ease * rows[0].shape[1] and max(sizes) <= _LARGEST:
        values, started = _at_nodes(function, at, names, low, half, sizes, start)
        if log and not values.min() > 0.0:
            return None
        coefficients = _coefficients(np.log(values) if log else values)
        short = _short(
            coefficients,
            np.ones(values.shape[-1]) if log else np.abs(values).max(axis=tuple(range(len(sizes)))),
        )
        if not any(short):
            out = np.empty(rows[0].shape)
            _evaluate(rows, low, half, coefficients, out)
            return out.T, (sizes, started)
        sizes = tuple(2 * size if more else size for size, more in zip(sizes, short, strict=True))
    return None


def _at_nodes(
    function: Function,
    at: Coordinates,
    names: list[str],
    low: np.ndarray,
    half: np.ndarray,
    sizes: tuple[int, ...],
    start: int,
) -> tuple[np.ndarray, int]:
    """Values on the tensor product of nodes, shape (*sizes, S); each coordinate has an axis."""
    own = dict(at)
    for axis, (name, size) in enumerate(zip(names, sizes, strict=True)):
        points = low[axis] + half[axis] * (1.0 + nodes(size)[:, None])
        own[name] = points.reshape(*(size if i == axis else 1 for i in range(len(sizes))), -1)
    values, needed = function(own, start)
    return np.broadcast_to(values, (*sizes, low.shape[1])), needed


def _coefficients(values: np.ndarray) -> np.ndarray:
    """Chebyshev coefficients of values at nodes along all axes but the last."""
    for axis in range(values.ndim - 1):
        matrix = transform(values.shape[axis])
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


def _short(coefficients: np.ndarray, scale: np.ndarray) -> list[bool]:
    """Along which axes the last coefficients are not yet negligible."""
    share = np.abs(coefficients) / np.maximum(scale, 1e-300)
    return [
        not np.take(share, [-2, -1], axis=axis).max() < _SMALL
        for axis in range(coefficients.ndim - 1)
    ]


def _evaluate(
    rows: list[np.ndarray],
    low: np.ndarray,
    half: np.ndarray,
    coefficients: np.ndarray,
    out: np.ndarray,
) -> None:
    from bayesmed.numerics import kernels

    held = np.ascontiguousarray(np.moveaxis(coefficients, -1, 0))
    needed = np.abs(held) > _NEGLIGIBLE * np.abs(held).max()
    if len(rows) == 1:
        last = int(np.flatnonzero(needed.any(axis=0))[-1]) + 1 if needed.any() else 1
        held = np.ascontiguousarray(held[:, :last])
        kernels.along_line(rows[0], low[0], half[0], held, out)
        return
    places = np.arange(1, held.shape[2] + 1)
    lengths = np.where(needed, places, 0).max(axis=2)
    kernels.along_plane(rows[0], rows[1], low, half, held, lengths, out)
