r"""The outcome's mean given the mediator's score, as Chebyshev series in its linear predictor.

An outcome with few values is the scores :math:`q_j(\eta)` at which it steps; any other the mean
:math:`C(e, \eta)`, in its logarithm less :math:`\eta` where it has a log link. Draws that differ in
no more than two numbers beside :math:`\eta` share the work: it is done at nodes of these numbers.
For a mediator of few values C is integrated over the scores up to an end of a value.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from bayesmed.families.family import Family, Parameters
from bayesmed.means.conditional import (
    bounded,
    conditional_mean,
    has_few_steps,
    outcome_rule,
    steps,
)
from bayesmed.means.conditional_table import table_at
from bayesmed.means.nodes import Nodes
from bayesmed.numerics.chebyshev import nodes, transform
from bayesmed.numerics.quadrature import REACH, composite
from bayesmed.numerics.score_pair import given_sd

_DEPTH = 60.0
_FARTHEST = 40.0
#: Of a range of eta or the score, by which a table reaches beyond the draws it is made for: many,
#: or few, which know less of how far others reach.
_MARGIN, _WIDE, _FEWER = 0.15, 0.35, 64
#: In eta / 4 at most, above.
_FARTHER = 0.75
#: Of a count: with a mean of billions its ratio to the mean no longer changes.
_MOST_COUNT = 22.0
#: Nodes between two ends of an integral over scores.
_GAP = 6


@dataclass(frozen=True)
class Series:
    """Series for some draws.

    Attributes
    ----------
    low, half : numpy.ndarray
        Range of asinh(eta / 4), low to low + 2 half, shape (S,).
    coefficients : numpy.ndarray
        Shape (step, size, S), or (1 or node, size in the score, size, S).
    link : int
        PLAIN, or with a log link of the mean less eta: its logarithm, or itself.
    reach : tuple of float
        Least and largest score.
    rises, lowest : numpy.ndarray or None
        Of steps: shapes (step, S) and (S,).
    slope : numpy.ndarray or None
        rho / k, shape (S,); the coefficients of steps are those of q / k.
    """

    low: np.ndarray
    half: np.ndarray
    coefficients: np.ndarray
    link: int = 0
    reach: tuple[float, float] = (-1.0, 1.0)
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
            low, high = self.reach
            z = (2.0 * e - (low + high)) / max(high - low, 1e-9)
            mean_kernels.series_means(z, w, *common, self.link, out)
        return out


@dataclass(frozen=True, eq=False)
class Table:
    """Series at nodes of the numbers in which draws differ, which serve all draws between them.

    Attributes
    ----------
    low, high : float
        Range of asinh(eta / 4).
    reach : numpy.ndarray or tuple of float
        Scores, or the least and the largest.
    parameters : dict
        Of the first draw.
    ranges : dict
        Of each number that differs between draws, rho among them: its low end and half of its
        range, in its logarithm where that is said.
    coefficients : numpy.ndarray
        Shape (..., node).
    """

    low: float
    high: float
    reach: Any
    parameters: dict[str, Any]
    ranges: dict[str, tuple[float, float, bool]]
    coefficients: np.ndarray

    def serves(self, moving: dict[str, np.ndarray], fixed: Parameters, reach: Any) -> bool:
        """Whether draws lie within it: what moves, eta by its ends among it, and the rest."""
        return (
            _reaches(self.reach, reach)
            and self.low <= moving["eta"].min() and moving["eta"].max() <= self.high
            and all(
                bool(np.all(np.abs(_place(v, *self.ranges[name])) <= 1.0 + 1e-9))
                if name in self.ranges else np.array_equal(self.parameters[name], v)
                for name, v in {**fixed, **moving}.items() if name != "eta"
            )
        )  # fmt: skip

    def shares(self, values: dict[str, Any], size: int, draws: int) -> np.ndarray:
        """Of the nodes in each draw, shape (node, S), by the numbers that draws differ in."""
        blend = np.ones((1, draws))
        for name, own in self.ranges.items():
            place = np.ravel(_place(values[name], *own))
            basis = chebyshev.chebvander(place, size - 1) @ transform(size)
            blend = (blend[:, None] * basis.T).reshape(-1, draws)
        return blend


@dataclass
class Tables:
    """What blocks of draws share.

    Attributes
    ----------
    whole : mapping
        Parameters and rho of all draws.
    made : list of Table
    open : bool
        Whether more are taken: from the first block only, so that threads change nothing.
    """

    whole: Parameters
    made: list[Table] = field(default_factory=list)
    open: bool = True

    def serving(self, moving: dict[str, np.ndarray], fixed: Parameters, reach: Any) -> Table | None:
        return next((one for one in self.made if one.serves(moving, fixed, reach)), None)

    def take(self, table: Table) -> None:
        if self.open:
            self.made.append(table)


def _reaches(own: Any, asked: Any) -> bool:
    """Whether scores are the same, or lie between."""
    if isinstance(own, tuple) and isinstance(asked, tuple):
        return bool(own[0] <= asked[0] and asked[1] <= own[1])
    return type(own) is type(asked) and np.array_equal(own, asked)


def _place(values: Any, low: float, half: float, log: bool) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(((np.log(values) if log else values) - low) / half - 1.0)


def outcome_series(
    family: Family, parameters: Parameters, rho: np.ndarray, span: tuple[np.ndarray, np.ndarray],
    over: tuple[np.ndarray | tuple[float, float], bool], sizes: tuple[int, int, int], tables: Tables,
) -> Series:  # fmt: skip
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
    over : tuple
        The mediator's scores, where all draws have the same; otherwise the least and the largest.
        Whether integrals up to the score are meant.
    sizes : tuple of int
        Of the series in the linear predictor and in the score, and of nodes along a parameter.
    tables : Tables
        Changed in place while they are open.
    """
    from bayesmed.numerics.mean_kernels import LOG, PLAIN, RATIO, STRETCH

    scores, ends = over
    any_rho = bool(np.any(rho))
    few, whole = has_few_steps(family, parameters) and any_rho, ends and any_rho
    low, high = _ends(family, span)
    size = 1 if family.multiplicative else sizes[0]

    def made(own: Parameters, rho: np.ndarray, span: tuple[Any, Any], reach: Any) -> np.ndarray:
        half = np.maximum(0.5 * (span[1] - span[0]), 1e-9)
        eta = STRETCH * np.sinh(span[0] + half * (1.0 + nodes(size)[:, None]))
        if family.kind == "count" and family.link == "log":
            eta = np.minimum(eta, _MOST_COUNT)
        eta = np.broadcast_to(eta, (size, len(rho)))
        given = (family, own, rho, eta, reach, sizes[1])
        values = _steps(*given[:2], eta) if few else (_integrals if whole else _means)(*given)
        return np.einsum("xr,...rs->...xs", transform(size), values)

    moving, fixed = _moving(parameters, rho, few)
    if _too_many(moving, sizes[2], len(rho), len(tables.whole["rho"])):
        found = np.ascontiguousarray(made(parameters, rho, (low, high), scores))
    else:
        asked = {**moving, "eta": np.stack([low, high])}
        table = tables.serving(asked, fixed, scores)
        if table is None:
            around = float(low.min()), float(high.max())
            table = _tabulated(moving, fixed, tables.whole, rho, around, scores, sizes[2], made)
            tables.take(table)
        scores = table.reach
        low, high = np.full_like(low, table.low), np.full_like(high, table.high)
        blend = table.shares({**fixed, **moving}, sizes[2], len(rho))
        found = np.ascontiguousarray(table.coefficients @ blend)
    half = np.maximum(0.5 * (high - low), 1e-9)
    if few:
        return _with_steps(Series(low, half, found / given_sd(rho)), family, parameters, rho)
    link = (RATIO if whole else LOG) if family.link == "log" else PLAIN
    reach = scores if isinstance(scores, tuple) and any_rho else (-1.0, 1.0)
    return Series(low, half, found, link, reach)


def _ends(family: Family, span: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Smallest and largest asinh(eta / 4) that matter."""
    from bayesmed.numerics.mean_kernels import STRETCH

    low, high = (bounded(family, end) for end in span)
    if family.link == "log":  # what is smaller by e^-60 does not count
        low = np.maximum(low, high - _DEPTH)
    return np.arcsinh(low / STRETCH), np.arcsinh(high / STRETCH)


def _with_steps(series: Series, family: Family, parameters: Parameters, rho: np.ndarray) -> Series:
    """The same with what an outcome with steps needs beside their scores."""
    lowest, taken = steps(family, np.zeros((1, 1)), parameters)
    rises = [np.broadcast_to(np.asarray(rise, float), rho.shape) for rise, _ in taken]
    start = np.broadcast_to(np.asarray(lowest, float), rho.shape).copy()
    return replace(series, rises=np.stack(rises), lowest=start, slope=rho / given_sd(rho))


def _steps(family: Family, own: Parameters, eta: np.ndarray) -> np.ndarray:
    """Scores at which an outcome steps, shape (step, size, node)."""
    found = [np.clip(taken, -_FARTHEST, _FARTHEST) for _, taken in steps(family, eta, own)[1]]
    return np.stack([np.broadcast_to(one, eta.shape) for one in found])


def _means(
    family: Family, own: Parameters, rho: np.ndarray, eta: np.ndarray, scores: Any, along: int
) -> np.ndarray:
    """C, or its logarithm less eta: shape (1 or value, 1 or size in the score, size, node)."""
    function = _given(family, own, rho, eta, family.link == "log")
    if not np.any(rho):
        return function(0.0)[None, None]
    if not isinstance(scores, tuple):
        return np.stack([function(float(e)) for e in np.ravel(scores)])[:, None]
    values = np.stack([function(float(e)) for e in _between(scores, along)])
    return np.asarray(np.tensordot(transform(along), values, axes=1)[None])


def _integrals(
    family: Family, own: Parameters, rho: np.ndarray, eta: np.ndarray, reach: Any, along: int
) -> np.ndarray:
    """C over all scores, and over those below one; over exp(eta) with a log link.

    Shape (2, size in the score, size, node).
    """
    log, tail = family.link == "log", 16 + 2 * along
    function, ends = _given(family, own, rho, eta, log), _between(reach, along)
    first, others = composite(np.array([-REACH, ends[0]]), tail), composite(ends, _GAP)
    e, w = (np.concatenate(both) for both in zip(first, others, strict=True))
    w *= np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi)
    values = np.stack([function(float(one)) for one in e])
    parts = (np.exp(values) if log else values) * w.reshape(-1, *(1,) * (values.ndim - 1))
    below = np.cumsum(parts, axis=0)[tail - 1 :: _GAP]
    found = np.zeros((2, along, *below.shape[1:]))
    found[1] = np.tensordot(transform(along), below, axes=1)
    whole = np.broadcast_to(family.mean(eta, own), below.shape[1:])
    found[0, 0] = whole * np.exp(-eta) if log else whole
    return found


def _between(reach: tuple[float, float], along: int) -> np.ndarray:
    """Chebyshev nodes of the scores, rising."""
    return np.asarray(reach[0] + 0.5 * (reach[1] - reach[0]) * (1.0 + nodes(along)))


def _moving(
    parameters: Parameters, rho: np.ndarray, few: bool
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What differs between draws, shape (S,), and the first draw's value of all else.

    The scores at which an outcome steps do not depend on rho.
    """
    every = parameters if few else {**parameters, "rho": rho}
    draws = len(rho)
    moving = {name: np.ravel(v) for name, v in every.items() if _moves(name, v, draws)}
    fixed = {n: v[..., :1] if _by_draw(n, v, draws) else v for n, v in every.items()}
    return moving, {n: v for n, v in fixed.items() if n not in moving}


def _too_many(moving: dict[str, np.ndarray], size: int, draws: int, whole: int) -> bool:
    """Whether draws differ in more than nodes can take the place of."""
    vectors = any(np.size(v) > draws for v in moving.values())
    return vectors or len(moving) > 2 or 2 * size ** len(moving) > whole


def _tabulated(
    moving: dict[str, np.ndarray], fixed: dict[str, Any], whole: Parameters, rho: np.ndarray,
    ends: tuple[float, float], reach: Any, size: int,
    made: Callable[[Parameters, np.ndarray, tuple[float, float], Any], np.ndarray],
) -> Table:  # fmt: skip
    """A table that reaches somewhat beyond the draws, for others."""
    share = _MARGIN if len(rho) > _FEWER else _WIDE
    margin = share * (ends[1] - ends[0])
    most = np.arcsinh(np.sinh(ends[1]) + _FARTHER)  # a large count costs much
    ends = ends[0] - margin, float(min(ends[1] + margin, most))
    if isinstance(reach, tuple):
        more = 0.5 * share * (reach[1] - reach[0])
        reach = max(reach[0] - more, -REACH), min(reach[1] + more, REACH)
    found, ranges, count = dict[str, np.ndarray](), dict[str, tuple[float, float, bool]](), 1
    for name, some in moving.items():
        values = whole.get(name, some)
        log = name != "rho" and values.min() > 0.0
        x = np.log(values) if log else values
        low, half = x.min(), 0.5 * np.ptp(x)
        new = low + half * (1.0 + nodes(size))
        found = {n: np.repeat(v, size) for n, v in found.items()}
        found[name], count = np.tile(np.exp(new) if log else new, count), count * size
        ranges[name] = low, half, log
    own = {**fixed, **found}
    at_rho = np.broadcast_to(own.pop("rho", rho[:1]), (count,))
    return Table(*ends, reach, dict(fixed), ranges, made(own, at_rho, ends, reach))


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
