r"""E[Y(t, M(t'))] of one row, as a function of the few numbers that differ between rows.

The numbers are called coordinates: the mediator's linear predictor (``location``), the outcome's
without the mediator (``base``) and its ``slope`` in it, and where they differ between rows the
families' parameters, such as ``"mediator sigma"``. A value of shape (..., S) is one per point
and draw.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bayesmed.families.family import Family, Parameters
from bayesmed.families.whole_numbers import count_mean
from bayesmed.means.conditional import given_interval
from bayesmed.means.conditional_table import given_score
from bayesmed.means.mediator_functions import MediatorFunctions
from bayesmed.numerics.quadrature import Integrand, Rule, broken_rule, score_mean, score_rule
from bayesmed.numerics.score_pair import given_sd

Coordinates = dict[str, np.ndarray]

_HELD = 4_000_000
_EXTREME = 7.9


@dataclass(frozen=True)
class Pair:
    """Both families at a block of draws, under an arm of either equation.

    Attributes
    ----------
    mediator, outcome : Family
    own : mapping
        By equation, the parameters that are the same for all rows.
    rho : numpy.ndarray
        Shape (S,).
    functions : MediatorFunctions or None
        Of the outcome's design, where it is not affine in the mediator; the coordinate
        ``row`` then says whose functions they are, and there is no slope.
    coef : numpy.ndarray
        Outcome coefficients, shape (S, outcome_term).
    knots : tuple of float
        Values of the mediator at which the outcome's design is not smooth.
    """

    mediator: Family
    outcome: Family
    own: Mapping[str, Parameters]
    rho: np.ndarray
    functions: MediatorFunctions | None = None
    coef: np.ndarray | None = None
    knots: tuple[float, ...] = ()

    def parameters(self, at: Coordinates) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters of either family at some points."""
        found = {key: dict(own) for key, own in self.own.items()}
        for label, value in at.items():
            key, _, name = label.partition(" ")
            if name:
                found[key][name] = value
        return found["mediator"], found["outcome"]

    def predictor(self, at: Coordinates, m: Any) -> np.ndarray:
        """Linear predictor of the outcome at values of the mediator.

        Values of shape (..., S), which may be more than the points along leading axes.
        """
        if self.functions is None:
            return at["base"] + at["slope"] * m
        assert self.coef is not None
        if np.ndim(m) == 0:
            m = np.full((1, 1), float(m))
        return at["base"] + self.functions.shift(m, at["row"][:, 0], self.coef)

    def span(self, at: Coordinates, m: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest linear predictor of each draw at values of the mediator."""
        etas = [self.predictor(at, value) for value in m]
        draws = len(self.rho)
        flat = [np.broadcast_to(eta, (*eta.shape[:-1], draws)).reshape(-1, draws) for eta in etas]
        low = np.min([eta.min(axis=0) for eta in flat], axis=0)
        high = np.max([eta.max(axis=0) for eta in flat], axis=0)
        if len(flat) < 3:
            return low, high
        # A function can turn between two of the values, by less than a second difference.
        bend = [
            np.abs(a - 2.0 * b + c).max(axis=0)
            for a, b, c in zip(flat, flat[1:], flat[2:], strict=False)
        ]
        return low - np.max(bend, axis=0), high + np.max(bend, axis=0)


# --- a continuous mediator ------------------------------------------------------------------


def over_scores(pair: Pair, at: Coordinates, start: int = 16) -> tuple[np.ndarray, int]:
    """Integrate over the normal score of a continuous mediator.

    Parameters
    ----------
    pair : Pair
    at : dict of str to numpy.ndarray
        Coordinates, broadcast with each other; draws on the last axis.
    start : int
        Size of the first quadrature.

    Returns
    -------
    value : numpy.ndarray
        Shape (..., S).
    size : int
        Size at which a like integral may start.

    Raises
    ------
    ArithmeticError
        If the integral does not settle, or is infinite.
    """
    mediator, outcome = pair.parameters(at)

    def value(e: Any) -> np.ndarray:
        return pair.mediator.value(e, at["location"], mediator)

    def integrand_within(reach: float) -> Integrand:
        ends = [value(e) for e in np.linspace(-reach, reach, 2 if pair.functions is None else 65)]
        span = partial(pair.span, at, ends)
        given = given_score(pair.outcome, pair.rho, outcome, reach, span)
        return lambda nodes: (given(e, eta) for e, eta in _predictors(pair, at, value, nodes))

    return score_mean(integrand_within, _names(pair), _rule(pair, at, mediator), start)


def _rule(pair: Pair, at: Coordinates, parameters: Parameters) -> Rule:
    if not pair.knots:
        return score_rule
    return broken_rule(
        np.stack([pair.mediator.score(m, at["location"], parameters) for m in np.array(pair.knots)])
    )


def _predictors(
    pair: Pair, at: Coordinates, value: Any, nodes: np.ndarray
) -> Iterator[tuple[Any, np.ndarray]]:
    """The outcome's linear predictor at each node; functions of the mediator in batches."""
    if pair.functions is None:
        for e in nodes:
            yield e, pair.predictor(at, value(e))
        return
    first = value(nodes[0])
    held = max(1, _HELD // (first.size * max(1, len(pair.functions.moving))))
    for i in range(0, len(nodes), held):
        part = slice(i, i + held)
        m = np.stack([value(e) for e in nodes[part]])
        yield from zip(nodes[part], pair.predictor(at, m), strict=True)


def has_closed(pair: Pair) -> bool:
    """Whether the mediator is Gaussian and the outcome one of its linear latent family."""
    first, second = pair.mediator, pair.outcome
    gaussian = first.latent == "free" and first.additive and pair.functions is None
    return gaussian and second.latent is not None


def closed(pair: Pair, at: Coordinates) -> np.ndarray:
    """Mean in closed form, where there is one; coordinates as in :func:`over_scores`."""
    mediator, outcome = pair.parameters(at)
    step = at["slope"] * mediator["sigma"]
    eta = at["base"] + at["slope"] * at["location"]
    sigma = outcome["sigma"] if pair.outcome.latent == "free" else 1.0
    spread = np.sqrt(sigma * sigma + step * step + 2.0 * step * pair.rho * sigma)
    return latent_mean(pair.outcome, eta, spread, outcome)


def latent_mean(family: Family, eta: Any, spread: Any, parameters: Parameters) -> np.ndarray:
    """Mean of a family of the linear latent kind whose latent variable is N(eta, spread^2).

    That is the family itself, at another residual scale where it has one; elsewhere all is
    measured in units of the spread.
    """
    if family.latent == "free":
        return np.asarray(family.mean(eta, {**parameters, "sigma": spread}))
    own = dict(parameters)
    if "cutpoints" in own:
        own["cutpoints"] = own["cutpoints"][:, None] / spread
    return np.asarray(family.mean(eta / spread, own))


def _names(pair: Pair) -> str:
    return f"a {pair.mediator.name} mediator and a {pair.outcome.name} outcome"


# --- a count --------------------------------------------------------------------------------


def over_counts(pair: Pair, at: Coordinates) -> np.ndarray:
    """Sum over the values of a count mediator; coordinates as in :func:`over_scores`.

    Raises
    ------
    ArithmeticError
        If the sum does not end.
    """
    mediator, outcome = pair.parameters(at)
    location, k = at["location"], float(given_sd(pair.rho).min())
    ends = [pair.mediator.value(e, location, mediator) for e in (-_EXTREME, 0.0, _EXTREME)]
    given = given_interval(pair.outcome, pair.rho, outcome, partial(pair.span, at, ends))

    def term(m: Any) -> np.ndarray:
        eta = pair.predictor(at, m)
        if not np.any(pair.rho):
            assert pair.mediator.log_density is not None
            chance = np.exp(pair.mediator.log_density(m, location, mediator))
            return chance * pair.outcome.mean(eta, outcome)
        low, high = (pair.mediator.score(m - step, location, mediator) for step in (1.0, 0.0))
        return given(eta, low, high)

    return count_mean(pair.mediator, location, mediator, term, _names(pair), k)


# --- a mediator with few values -------------------------------------------------------------


def at_level(pair: Pair, at: Coordinates, level: int) -> np.ndarray:
    """Mean of the outcome times the indicator that the mediator has one of its values.

    Parameters
    ----------
    pair : Pair
    at : dict of str to numpy.ndarray
        ``location``, and as ``base`` the outcome's linear predictor at that value.
    level : int
        The value's position.
    """
    mediator, outcome = pair.parameters(at)
    if not np.any(pair.rho):
        chance = level_chance(pair.mediator, at["location"], mediator, level)
        return chance * pair.outcome.mean(at["base"], outcome)
    low, high = (
        pair.mediator.score(float(j), at["location"], mediator) for j in (level - 1, level)
    )
    span = partial(pair.span, {**at, "slope": np.zeros((1, 1))}, [0.0])
    return given_interval(pair.outcome, pair.rho, outcome, span)(at["base"], low, high)


def level_chance(family: Family, eta: np.ndarray, parameters: Parameters, level: int) -> np.ndarray:
    """Probability of one value of a family with few of them."""
    if family.kind == "binary":
        chance = family.mean(eta, parameters)
        return chance if level else 1.0 - chance
    indicator = np.arange(len(parameters["scores"])) == level
    return family.mean(eta, {**parameters, "scores": indicator.astype(float)})
