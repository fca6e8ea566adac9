"""Nodes over the mediator: its scores with their weights, and its values there."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmed.families.family import Family, Parameters
from bayesmed.families.whole_numbers import whole_numbers
from bayesmed.means.cell import Coordinates, Pair, level_chance
from bayesmed.means.conditional import count_scores, has_few_steps
from bayesmed.numerics.quadrature import REACH, broken_rule, legendre_rule, score_rule, sum_rule

#: Of the score where the outcome is bounded: what lies beyond has a probability of 4e-8.
_BOUNDED = 5.5
#: Beyond it a score has no weight, even where the outcome is an exponential of several of its sds.
_FARTHEST = 10.0
#: Standard scores over which the terms of a sum over a count's values are as good as a polynomial.
_SMOOTH = 3.0
_SQRT_2PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Nodes:
    """Nodes of a mean over the mediator.

    Attributes
    ----------
    e, w : numpy.ndarray
        Scores and their weights, shape (node, point or 1, S or 1).
    first : numpy.ndarray
        First node of each value of the mediator, shape (value + 1,).
    m : numpy.ndarray
        The values, shape (value, point or 1, S or 1).
    ends : bool
        Whether e are ends of an interval, at which integrals of the outcome's mean up to a score
        are taken; the first value then stands for the integral over all scores.
    """

    e: np.ndarray
    w: np.ndarray
    first: np.ndarray
    m: np.ndarray
    ends: bool = False

    @property
    def fixed(self) -> bool:
        """Whether every point and draw has the same scores."""
        return self.e.shape[1:] == (1, 1)


def mediator_nodes(pair: Pair, at: Coordinates, level: int | None, size: int) -> Nodes:
    """Nodes for a cell, or for one value of a mediator that has few.

    Parameters
    ----------
    pair : Pair
    at : dict of str to numpy.ndarray
        Coordinates, shape (point or 1, S or 1).
    level : int or None
    size : int
        Nodes over the whole range of the score.
    """
    own, location = pair.parameters(at)[0], at["location"]
    if level is not None:
        return _of_level(pair, at, level, size)
    if pair.mediator.discrete:
        return _of_count(pair, location, own, size)
    if pair.knots:
        knots = [pair.mediator.score(m, location, own) for m in np.array(pair.knots)]
        e, w = broken_rule(np.stack(knots))(size, REACH)
    else:
        e, w = score_rule(size)
        e, w = (x[np.abs(e) < _FARTHEST][:, None, None] for x in (e, w))
    m = np.stack([np.atleast_2d(pair.mediator.value(one, location, own)) for one in e])
    return Nodes(e, w, np.arange(len(e) + 1), m)


def _of_level(pair: Pair, at: Coordinates, level: int, size: int) -> Nodes:
    own, eta = pair.parameters(at)[0], at["location"]
    m = np.full((1, 1, 1), float(level))
    if not np.any(pair.rho):
        chance = np.atleast_2d(level_chance(pair.mediator, eta, own, level))[None]
        return Nodes(np.zeros((1, 1, 1)), chance, np.arange(2), m)
    both = [float(level) - 1.0, float(level)]
    low, high = _ends(pair.mediator, both, eta, own, _reach(pair))
    if not has_few_steps(pair.outcome, pair.parameters(at)[1]):
        reach = _reach(pair)
        top, lowest = bool(np.all(high >= reach)), bool(np.all(low <= -reach))
        found = [(low, 1.0)] * top + [(low, -1.0)] * (not lowest) + [(high, 1.0)] * (not top)
        e, w = np.stack([end for end, _ in found]), np.array([share for _, share in found])
        first = np.array([0, int(top), len(found)])
        return Nodes(e, w[:, None, None], first, np.repeat(m, 2, axis=0), ends=True)
    e, w = _intervals(low[None], high[None], np.array([size]), [1.0])
    return Nodes(e, w, np.array([0, size]), m)


def _of_count(pair: Pair, eta: np.ndarray, own: Parameters, size: int) -> Nodes:
    family = pair.mediator
    reach = _reach(pair)
    every = whole_numbers(family, eta, own, 1.0, reach)[2]
    terms = [(np.atleast_2d(m), share) for m, share in every]
    shape = np.broadcast_shapes(*(m.shape for m, _ in terms))
    m = np.stack([np.broadcast_to(one, shape) for one, _ in terms])
    shares: Any = [share for _, share in terms]
    if not np.any(pair.rho):
        assert family.log_density is not None
        chance = [
            x * np.exp(family.log_density(one, eta, own)) for one, x in zip(m, shares, strict=True)
        ]
        return Nodes(np.zeros((1, 1, 1)), np.stack(chance), np.arange(len(m) + 1), m)
    if shape == (1, 1):  # consecutive values share an end
        ends = _scores_of(family, m[:, 0, 0], eta, own, reach)
        low, high = ends[:-1], ends[1:]
        if pair.functions is None:
            some, shares = _few_values((high - low).max(axis=(1, 2)), 2 * size // 3)
            low, high, m = low[some], high[some], m[some]
    else:
        both = [_ends(family, [one - 1.0, one], eta, own, reach) for one in m]
        low, high = (np.stack([one[i] for one in both]) for i in (0, 1))
    counts = np.ceil(1.0 + size * (high - low).max(axis=(1, 2)) / reach).astype(int)
    return Nodes(*_intervals(low, high, counts, shares), np.cumsum([0, *counts]), m)


def _few_values(widths: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Of consecutive values those whose weighted sum is that of all, and their weights.

    ``most`` of any that lie within some standard scores of each other; widths in scores, (value,).
    """
    reached = np.cumsum(widths) / _SMOOTH
    some, shares, start = [], [], 0
    while start < len(widths):
        stop = max(
            int(np.searchsorted(reached, reached[start] - widths[start] / _SMOOTH + 1.0)), start + 1
        )
        where, share = sum_rule(stop - start, most)
        some.append(start + where)
        shares.append(share)
        start = stop
    return np.concatenate(some), np.concatenate(shares)


def _reach(pair: Pair) -> float:
    outcome = pair.outcome
    return _BOUNDED if outcome.kind in ("binary", "ordered") or outcome.bounded else REACH


def _scores_of(
    family: Family, values: np.ndarray, eta: np.ndarray, own: Parameters, reach: float
) -> np.ndarray:
    """Scores of consecutive values and of the one before them, as far as they matter."""
    if family.log_density is None or values[0] != 0.0:
        return np.stack(_ends(family, [values[0] - 1.0, *values], eta, own, reach))
    found = count_scores(family, 0.0, len(values), eta, own)
    return np.concatenate([np.full((1, *found.shape[1:]), -reach), np.clip(found, -reach, reach)])


def _ends(
    family: Family, values: list[Any], eta: np.ndarray, own: Parameters, reach: float
) -> list[np.ndarray]:
    """Scores of values, as far as they matter."""
    found = [np.atleast_2d(family.score(value, eta, own)) for value in values]
    shape = np.broadcast_shapes(*(one.shape for one in found), eta.shape)
    return [np.clip(np.broadcast_to(one, shape), -reach, reach) for one in found]


def _intervals(
    low: np.ndarray, high: np.ndarray, counts: np.ndarray, shares: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes of the normal density over intervals, (value, point, S) to (node, point, S).

    So many nodes as ``counts`` says of each, whose weights its share multiplies.
    """
    e, w = (np.empty((counts.sum(), *low.shape[1:])) for _ in range(2))
    half = 0.5 * (high - low)
    middle, weight = low + half, half / _SQRT_2PI
    for v, (start, count) in enumerate(zip(np.cumsum(counts) - counts, counts, strict=True)):
        for a, (node, own) in enumerate(zip(*legendre_rule(int(count)), strict=True)):
            np.multiply(half[v], node, out=e[start + a])
            e[start + a] += middle[v]
            np.multiply(weight[v], own * shares[v], out=w[start + a])
    w *= np.exp(-0.5 * e * e)
    return e, w
