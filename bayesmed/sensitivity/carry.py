r"""Draws carried along rho at a few values of it, and all that lies between by interpolation.

Where a draw goes, its weight and its counterfactual means are smooth in :math:`\arcsin\rho`. They
are taken at Chebyshev points, a few and then more until the last coefficients cannot be seen;
the weights, which are dear, need the fewest. Each value of the grid then has weights, and
resamples, of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from bayesmed.effects.view import Asked
from bayesmed.means.accuracy import spread
from bayesmed.posterior.laplace import Laplace
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.transport import Transport, prepare
from bayesmed.posterior.weights import LARGEST_PARETO_K
from bayesmed.sensitivity.grid import TRANSPORT
from bayesmed.sensitivity.points import RhoPoint, Run

#: Each holds the points of the one before.
_SIZES = (7, 13, 25)
#: Last coefficients of the means, in posterior standard deviations, and of a log weight: what
#: follows them is a quarter of it.
_MEAN, _WEIGHT = 2e-2, 3e-3
#: Share of draws whose weight may be none.
_BROKEN = 0.01
_SAYING = "Carrying the draws along rho"
#: ``weigh(points, rho)``: log weights.
Weigh = Callable[[np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Node:
    """All draws at one rho: log weights (S,), means (view, 2, 2 or 3, S), effects (view, S)."""

    log_ratio: np.ndarray
    cells: np.ndarray
    shift: np.ndarray


def carry(
    base: Posterior, asked: Asked, todo: list[float], run: Run, progress: bool
) -> dict[float, float]:
    """Points by transport, into ``run``.

    Returns
    -------
    dict
        k-hat, or NaN, of the values that need a refit.
    """
    transport = prepare(base, np.array(todo), asked.kept(base.shape))
    held: dict[float, Node] = {}
    wanted, poor = {*todo, *run.points}, None
    weigh: Weigh = transport.log_ratio
    for size in () if asked.exact else _SIZES:
        if size >= len(todo):
            break
        at = _places(min(todo), max(todo), size, transport.rho)
        new = [rho for rho in at if rho not in held]
        found = _evaluate(transport, asked, weigh, new, held, run, progress)
        if found is None:
            return {}
        if not found:
            break
        nodes = [held[rho] for rho in at]
        weights = np.stack([node.log_ratio for node in nodes])
        if _even(weights) < _WEIGHT:
            weigh = partial(_weight, at, weights)
            if _smooth(nodes):
                poor = _between(transport, todo, at, nodes, run)
                break
    if poor is None:
        poor = _one_by_one(transport, asked, todo, run, progress)
    run.points = {rho: point for rho, point in run.points.items() if rho in wanted}
    return poor


def _places(low: float, high: float, size: int, own: float) -> list[float]:
    """Chebyshev points of arcsin rho, ends among them; the fit's own rho exactly."""
    ends = np.arcsin([low, high])
    at = np.sin(ends.mean() + 0.5 * np.ptp(ends) * chebyshev.chebpts2(size))
    at[[0, -1]] = low, high
    return [own if abs(rho - own) < 1e-9 else float(rho) for rho in at]


def _evaluate(
    transport: Transport, asked: Asked, weigh: Weigh, new: list[float], held: dict[float, Node],
    run: Run, progress: bool,
) -> bool | None:  # fmt: skip
    """Nodes at some rho, into ``held``; False where one cannot be had, None if interrupted."""
    modes = transport.modes(np.array(new))
    failed: list[float] = []

    def step(rho: float) -> RhoPoint | None:
        node = None if failed else node_at(transport, asked, weigh, rho, modes.get(rho))
        if node is None:
            failed.append(rho)
            return None
        held[rho] = node
        if rho in run.points:
            return None
        return _point(node.cells, node.shift, *transport.resample(node.log_ratio))

    order = sorted(new, key=lambda rho: abs(rho - transport.rho))
    whole = run.each([(rho, partial(step, rho)) for rho in order], _SAYING, progress)
    return not failed if whole else None


def node_at(
    transport: Transport, asked: Asked, weigh: Weigh, rho: float, target: Laplace | None
) -> Node | None:
    """All draws at one rho; None where they cannot be carried, or their means are not finite."""
    if rho == transport.rho:
        points, log_ratio = transport.points, np.zeros(len(transport.points))
    elif target is None:
        return None
    else:
        points = transport.to(target)
        log_ratio = weigh(points, rho)
    broken = ~np.isfinite(log_ratio)
    if broken.mean() > _BROKEN:
        return None
    log_ratio[broken] = np.nan  # and so at every rho between
    draws = transport.draws(points, rho)
    try:
        cells = asked.cells(draws)
    except ArithmeticError:
        return None
    return Node(log_ratio, cells, asked.shift(draws, cells))


def _point(
    cells: np.ndarray, shift: np.ndarray, index: np.ndarray, pareto_k: float
) -> RhoPoint | None:
    if not pareto_k <= LARGEST_PARETO_K:
        return None
    return RhoPoint(cells[..., index], shift[..., index], TRANSPORT, pareto_k)


@cache
def _series(size: int) -> np.ndarray:
    """From values at the Chebyshev points with both ends to coefficients."""
    return np.asarray(np.linalg.inv(chebyshev.chebvander(chebyshev.chebpts2(size), size - 1)))


def _blend(at: list[float], rho: Any) -> np.ndarray:
    """Shares of the nodes in the values at rho, shape (rho, node)."""
    low, high = np.arcsin([at[0], at[-1]])
    x = 2.0 * (np.arcsin(rho) - low) / (high - low) - 1.0
    basis = chebyshev.chebvander(np.clip(np.atleast_1d(x), -1.0, 1.0), len(at) - 1)
    return np.asarray(basis @ _series(len(at)))


def _weight(at: list[float], weights: np.ndarray, points: np.ndarray, rho: float) -> np.ndarray:
    """Log weights at rho from those at the nodes; none where a node has none."""
    return np.asarray((_blend(at, rho) @ weights)[0])


def _left(values: np.ndarray) -> np.ndarray:
    """Size of the last coefficients over the draws: values (node, ..., S), of shape (...)."""
    found = np.abs(np.tensordot(_series(len(values))[-2:], values, axes=1)).sum(axis=0)
    return np.asarray(np.sqrt(np.mean(found**2, axis=-1)))


def _even(weights: np.ndarray) -> float:
    """The same of log weights, whose common level does not matter."""
    whole = weights[:, np.isfinite(weights).all(axis=0)]
    return float(_left(whole - whole.mean(axis=1, keepdims=True)))


def _smooth(nodes: list[Node]) -> bool:
    """Whether the last coefficients of the means cannot be seen beside the posterior."""
    cells, shift = (np.stack([getattr(n, name) for n in nodes]) for name in ("cells", "shift"))
    units = np.min([[spread(view[:, :2]) for view in own] for own in cells], axis=0)
    of_cells = _left(cells).max(axis=(1, 2)) / units
    of_shift = _left(shift) / np.maximum(shift.std(axis=-1).min(axis=0), 1e-300)
    return bool(max(of_cells.max(), of_shift.max()) < _MEAN)


def _between(
    transport: Transport, todo: list[float], at: list[float], nodes: list[Node], run: Run
) -> dict[float, float]:
    """Every value of the grid from the nodes; k-hat of those whose weights are poor."""
    weights, cells, shift = (
        np.stack([getattr(node, name) for node in nodes])
        for name in ("log_ratio", "cells", "shift")
    )
    poor: dict[float, float] = {}
    for rho, share in zip(todo, _blend(at, todo), strict=True):
        means, effect = (np.tensordot(share, values, axes=1) for values in (cells, shift))
        index, pareto_k = transport.resample(share @ weights)
        point = _point(means, effect, index, pareto_k)
        if point is None:
            poor[rho] = pareto_k
        else:
            run.points[rho] = point
    return poor


def _one_by_one(
    transport: Transport, asked: Asked, todo: list[float], run: Run, progress: bool
) -> dict[float, float]:
    """Every value of the grid by itself, means of the draws that are kept alone."""
    modes = transport.modes(np.array(todo))
    order = sorted(modes, key=lambda rho: abs(rho - transport.rho))
    poor = {rho: float("nan") for rho in todo if rho not in modes}
    steps = [
        (rho, partial(carried_point, transport, asked, rho, modes[rho], poor)) for rho in order
    ]
    whole = run.each(steps, _SAYING, progress)
    return {rho: poor[rho] for rho in sorted(poor)} if whole else {}


def carried_point(
    transport: Transport, asked: Asked, rho: float, target: Laplace, poor: dict[float, float]
) -> RhoPoint | None:
    """Counterfactual means of draws carried to rho; None, and k-hat noted, where it is large."""
    points = transport.to(target)
    index, pareto_k = transport.resample(transport.log_ratio(points, rho))
    if not pareto_k <= LARGEST_PARETO_K:
        poor[rho] = pareto_k
        return None
    used = transport.draws(points, rho).block(index)
    cells = asked.cells(used)
    return RhoPoint(cells, asked.shift(used, cells), TRANSPORT, pareto_k)
