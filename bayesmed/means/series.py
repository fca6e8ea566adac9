r"""The outcome's mean given the mediator's score, as Chebyshev series in its linear predictor.

An outcome with few values is the scores :math:`q_j(\eta)` at which it steps; any other the mean
:math:`C(e, \eta)`, in its logarithm less :math:`\eta` where it has a log link. Draws that differ in
no more than two numbers beside :math:`\eta` share the work: it is done at nodes of these numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from bayesmed.families.family import Family, Parameters
from bayesmed.means.conditional import bounded, conditional_mean, outcome_rule, steps
from bayesmed.means.conditional_table import table_at
from bayesmed.means.nodes import Nodes
from bayesmed.numerics.chebyshev import nodes, transform
from bayesmed.numerics.quadrature import REACH
from bayesmed.numerics.score_pair import given_sd

#: With more steps the sum of their normal probabilities is itself tabulated.
_FEW = 6
_DEPTH = 60.0
_FARTHEST = 40.0


@dataclass(frozen=True)
class Series:
    """Series for some draws.

    Attributes
    ----------
    low, half : numpy.ndarray
        Range of asinh(eta / 4), low to low + 2 half, shape (S,).
    coefficients : numpy.ndarray
        Shape (step, size, S), or (1 or node, size in the score, size, S).
    log : bool
    reach : float
        Of the score.
    rises, lowest : numpy.ndarray or None
        Of steps: shapes (step, S) and (S,).
    slope : numpy.ndarray or None
        rho / k, shape (S,); the coefficients of steps are those of q / k.
    """

    low: np.ndarray
    half: np.ndarray
    coefficients: np.ndarray
    log: bool = False
    reach: float = 1.0
    rises: np.ndarray | None = None
    lowest: np.ndarray | None = None
    slope: np.ndarray | None = None

    def means(self, found: Nodes, shift: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Mean over the mediator, shape (point, base, S), less a factor exp(base) where log.

        Parameters
        ----------
        found : Nodes
        shift : numpy.ndarray
            Of the linear predictor at the mediator's values, shape (value, 1 or point, S).
        base : numpy.ndarray
            Shape (base, 1 or point, S).
        """
        from bayesmed.numerics import mean_kernels

        draws = len(self.low)
        points = max(a.shape[1] for a in (found.e, found.w, shift, base))
        e, w = (
            np.ascontiguousarray(np.broadcast_to(a, (len(found.w) if len(a) == 1 else len(a), points, draws)))
            for a in (found.e, found.w)
        )  # fmt: skip
        shift, base = (
            np.ascontiguousarray(np.broadcast_to(a, (*a.shape[:2], draws))) for a in (shift, base)
        )
        out = np.empty((points, len(base), draws))
        common = (found.first, shift, base, self.low, self.half, self.coefficients)
        if self.slope is not None:
            assert self.rises is not None and self.lowest is not None
            mean_kernels.step_means(e, w, *common, self.rises, self.lowest, self.slope, out)
        else:
            mean_kernels.series_means(e / self.reach, w, *common, self.log, out)
        return out


def outcome_series(
    family: Family,
    parameters: Parameters,
    rho: np.ndarray,
    span: tuple[np.ndarray, np.ndarray],
    scores: np.ndarray | float,
    sizes: tuple[int, int, int],
) -> Series:
    """Make the series of an outcome.

    Parameters
    ----------
    family : Family
        Of the outcome.
    parameters : mapping
        Each of shape (S,), (1, S) or (1, 1), or (category, S).
    rho : numpy.ndarray
        Shape (S,).
    span : tuple of numpy.ndarray
        Smallest and largest linear predictor of each draw, shape (S,).
    scores : numpy.ndarray or float
        The mediator's scores, where all draws have the same; otherwise the largest.
    sizes : tuple of int
        Of the series in the linear predictor and in the score, and of nodes along a parameter.
    """
    from bayesmed.numerics.mean_kernels import STRETCH

    few = family.kind in ("binary", "ordered") and bool(np.any(rho))
    few = few and (family.kind == "binary" or len(parameters["cutpoints"]) <= _FEW)
    low, high = (bounded(family, end) for end in span)
    if family.link == "log":  # what is smaller by e^-60 does not count
        low = np.maximum(low, high - _DEPTH)
    own, shared, blend = _shared(parameters, rho, sizes[2], not few)
    if blend is not None:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    low, high = (np.arcsinh(end / STRETCH) for end in (low, high))
    half = np.maximum(0.5 * (high - low), 1e-9)
    size = 1 if family.multiplicative else sizes[0]
    at = slice(0, len(shared)) if blend is not None else slice(None)
    eta = STRETCH * np.sinh(low[at] + half[at] * (1.0 + nodes(size)[:, None]))

    def for_draws(values: np.ndarray) -> np.ndarray:
        """Values at the nodes (..., size, shared) as series of the draws."""
        found = np.einsum("xr,...rs->...xs", transform(size), values)
        return np.ascontiguousarray(found if blend is None else found @ blend)

    if few:
        return _of_steps(family, own, rho, eta, (low, half), for_draws)
    log, reach = family.link == "log", 1.0
    function = _given(family, own, shared, eta, log)
    if not np.any(rho):
        values = function(0.0)[None, None]
    elif np.ndim(scores) > 0:
        values = np.stack([function(float(e)) for e in np.ravel(scores)])[:, None]
    else:
        reach = float(scores)
        values = np.stack([function(reach * x) for x in nodes(sizes[1])])
        values = np.tensordot(transform(sizes[1]), values, axes=1)[None]
    return Series(low, half, for_draws(values), log, reach)


def _of_steps(
    family: Family, own: Parameters, rho: np.ndarray, eta: np.ndarray,
    reach: tuple[np.ndarray, np.ndarray], for_draws: Callable[[np.ndarray], np.ndarray],
) -> Series:  # fmt: skip
    lowest, found = steps(family, eta, own)
    rises, taken = zip(*found, strict=True)
    k, far = given_sd(rho), _FARTHEST
    q = np.stack([np.broadcast_to(np.clip(one, -far, far), eta.shape) for one in taken])
    each = np.stack([np.broadcast_to(np.asarray(one, float), rho.shape) for one in rises])
    start = np.broadcast_to(np.asarray(lowest, float), rho.shape).copy()
    return Series(*reach, for_draws(q) / k, rises=each, lowest=start, slope=rho / k)


def _shared(
    parameters: Parameters, rho: np.ndarray, size: int, with_rho: bool
) -> tuple[dict[str, Any], np.ndarray, np.ndarray | None]:
    """Parameters and rho at nodes of those that differ between draws, and the way back (node, S).

    Parameters and rho as they are where too much differs.
    """
    draws = len(rho)
    moving = {name: np.ravel(v) for name, v in parameters.items() if _moves(name, v, draws)}
    vectors = any(np.ndim(parameters[n]) == 2 and len(parameters[n]) > 1 for n in moving)
    if with_rho and _moves("rho", rho, draws):
        moving["rho"] = rho
    if vectors or len(moving) > 2 or 2 * size ** len(moving) > draws:
        return dict(parameters), rho, None
    own = {n: v[..., :1] if _by_draw(n, v, draws) else v for n, v in parameters.items()}
    found: dict[str, np.ndarray] = {}
    blend = np.ones((1, draws))
    for name, values in moving.items():
        log = name != "rho" and values.min() > 0.0
        x = np.log(values) if log else values
        low, half = x.min(), 0.5 * (x.max() - x.min())
        basis = chebyshev.chebvander((x - low) / half - 1.0, size - 1) @ transform(size)
        blend = (blend[:, None] * basis.T).reshape(-1, draws)
        new = low + half * (1.0 + nodes(size))
        found = {n: np.repeat(v, size) for n, v in found.items()}
        before = len(blend) // size
        found[name] = np.tile(np.exp(new) if log else new, before)
    at_rho = found.pop("rho", np.full(len(blend), rho[0]))
    return {**own, **found}, at_rho, blend


def _by_draw(name: str, values: Any, draws: int) -> bool:
    return name != "scores" and np.shape(values)[-1:] == (draws,)  # scores are by category


def _moves(name: str, values: Any, draws: int) -> bool:
    return _by_draw(name, values, draws) and bool(np.any(values != values[..., :1]))


def _given(
    family: Family, own: Parameters, rho: np.ndarray, eta: np.ndarray, log: bool
) -> Callable[[float], np.ndarray]:
    """C at the nodes, or its logarithm less the linear predictor, given a score."""
    closed = family.conditional is not None or family.kind in ("binary", "ordered")
    if not closed and np.any(rho) and family.multiplicative:
        zero = np.zeros((1, len(rho)))
        rule = outcome_rule(family, zero, rho, own, REACH)
        values = np.stack([family.value(x, zero, own) for x in rule.nodes])
        return lambda e: np.log(rule.given(e, values)) + np.zeros_like(eta)
    if not closed and np.any(rho):
        table = table_at(family, eta, rho, own, REACH)
        return lambda e: table(e, log) - (eta if log else 0.0)

    def function(e: float) -> np.ndarray:  # the mean itself at rho = 0
        value = np.broadcast_to(conditional_mean(family, eta, e, rho, own), eta.shape)
        return np.asarray(np.log(value) - eta if log else value)

    return function
