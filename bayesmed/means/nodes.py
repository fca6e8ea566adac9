"""Nodes over the mediator: its scores with their weights, and its values there."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bayesmed.families.family import Family, Parameters
from bayesmed.families.whole_numbers import whole_numbers
from bayesmed.means.cell import Coordinates, Pair, level_chance
from bayesmed.means.conditional import count_scores
from bayesmed.numerics.quadrature import REACH, broken_rule, composite, score_rule

#: Of the score where the outcome is bounded: what lies beyond has a probability of 1e-10.
_BOUNDED = 6.5
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
    """

    e: np.ndarray
    w: np.ndarray
    first: np.ndarray
    m: np.ndarray

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
        return _of_level(pair, location, own, level, size)
    if pair.mediator.discrete:
        return _of_count(pair, location, own, size)
    if pair.knots:
        knots = [pair.mediator.score(m, location, own) for m in np.array(pair.knots)]
        e, w = broken_rule(np.stack(knots))(size, REACH)
    else:
        e, w = (x[:, None, None] for x in score_rule(size))
    m = np.stack([np.atleast_2d(pair.mediator.value(one, location, own)) for one in e])
    return Nodes(e, w, np.arange(len(e) + 1), m)


def _of_level(pair: Pair, eta: np.ndarray, own: Parameters, level: int, size: int) -> Nodes:
    m = np.full((1, 1, 1), float(level))
    if not np.any(pair.rho):
        chance = np.atleast_2d(level_chance(pair.mediator, eta, own, level))[None]
        return Nodes(np.zeros((1, 1, 1)), chance, np.arange(2), m)
    both = [float(level) - 1.0, float(level)]
    low, high = _ends(pair.mediator, both, eta, own, _reach(pair))
    return Nodes(*_interval(low, high, size), np.array([0, size]), m)


def _of_count(pair: Pair, eta: np.ndarray, own: Parameters, size: int) -> Nodes:
    family = pair.mediator
    reach = _reach(pair)
    every = whole_numbers(family, eta, own, 1.0, reach)[2]
    terms = [(np.atleast_2d(m), w) for m, w in every]
    shape = np.broadcast_shapes(*(m.shape for m, _ in terms))
    m = np.stack([np.broadcast_to(one, shape) for one, _ in terms])
    if not np.any(pair.rho):
        assert family.log_density is not None
        chance = [share * np.exp(family.log_density(one, eta, own)) for one, share in terms]
        return Nodes(np.zeros((1, 1, 1)), np.stack(chance), np.arange(len(m) + 1), m)
    if shape == (1, 1):  # consecutive values share an end
        ends = list(pairwise(_scores_of(family, m[:, 0, 0], eta, own, reach)))
    else:
        both = [_ends(family, [one - 1.0, one], eta, own, reach) for one, _ in terms]
        ends = [(low, high) for low, high in both]
    found = []
    for (low, high), (_, share) in zip(ends, terms, strict=True):
        count = int(np.ceil(1.0 + size * (high - low).max() / reach))
        e, w = _interval(low, high, count)
        found.append((e, share * w))
    e, w = (np.concatenate([one[i] for one in found]) for i in (0, 1))
    return Nodes(e, w, np.cumsum([0, *(len(one) for one, _ in found)]), m)


def _reach(pair: Pair) -> float:
    outcome = pair.outcome
    return _BOUNDED if outcome.kind in ("binary", "ordered") or outcome.bounded else REACH


def _scores_of(
    family: Family, values: np.ndarray, eta: np.ndarray, own: Parameters, reach: float
) -> list[np.ndarray]:
    """Scores of consecutive values and of the one before them, as far as they matter."""
    if family.log_density is None or values[0] != 0.0:
        return _ends(family, [values[0] - 1.0, *values], eta, own, reach)
    found = count_scores(family, 0.0, len(values), eta, own)
    return [np.full(found.shape[1:], -reach), *np.clip(found, -reach, reach)]


def _ends(
    family: Family, values: list[Any], eta: np.ndarray, own: Parameters, reach: float
) -> list[np.ndarray]:
    """Scores of values, as far as they matter."""
    found = [np.atleast_2d(family.score(value, eta, own)) for value in values]
    shape = np.broadcast_shapes(*(one.shape for one in found), eta.shape)
    return [np.clip(np.broadcast_to(one, shape), -reach, reach) for one in found]


def _interval(low: np.ndarray, high: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes of the normal density over intervals (point, S)."""
    e, w = composite(np.stack([low, high]), count)
    return e, w * np.exp(-0.5 * e * e) / _SQRT_2PI
