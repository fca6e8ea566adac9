r"""The mean of the outcome given what is known of the mediator's normal score.

With :math:`k = \sqrt{1-\rho^2}`, z standard normal and I an interval,

.. math::
    C(\eta, e) &= E[Y \mid e_m = e] = E[Q(\Phi(\rho e + k z); \eta)] \\
    D(\eta, I) &= E[Y\, 1(e_m \in I)]
        = \int \phi(x)\, Q(\Phi(x); \eta)\, P(e_m \in I \mid e_y = x)\, dx

A discrete outcome is a sum of steps up, each taken where :math:`e_y` passes a threshold q: then
C is a sum of normal probabilities and D of rectangles.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from bayesmed.families.family import FAR, Family, Parameters
from bayesmed.families.whole_numbers import whole_numbers
from bayesmed.numerics.quadrature import LARGEST, REACH, REACHES, composite, infinite, score_rule
from bayesmed.numerics.rectangle import log_ndtr_difference, log_rectangle
from bayesmed.numerics.score_pair import given_sd

#: ``given(e, eta)`` is C.
Given = Callable[[Any, np.ndarray], np.ndarray]
#: ``span()``: the smallest and largest linear predictor of each draw.
Span = Callable[[], tuple[np.ndarray, np.ndarray]]

_PANEL = 3.0
_PROBES = (-2.0, 0.3, 1.7)
_SMOOTH, _ROUGH = 1e-9, 1e-7
_DOUBLINGS = 5
_SATURATED = 36.0
_NEGLIGIBLE = 1e-13
_SQRT_2PI = float(np.sqrt(2.0 * np.pi))
#: With more steps the sum of their normal probabilities is itself tabulated.
_FEW = 6


def steps(
    family: Family, eta: np.ndarray, parameters: Parameters, k: float = 1.0
) -> tuple[Any, Iterator[tuple[Any, np.ndarray]]]:
    """Take a discrete outcome apart.

    Returns
    -------
    lowest : float or numpy.ndarray
        Its lowest value.
    steps : iterator of (step, threshold)
        Each step up and the normal score above which it is taken.
    """
    if family.kind == "binary":
        return 0.0, iter([(1.0, family.score(0.0, eta, parameters))])
    if family.kind == "ordered":
        scores = parameters["scores"]
        rises = enumerate(np.diff(scores))
        return scores[0], ((rise, family.score(j, eta, parameters)) for j, rise in rises)
    first, _, terms = whole_numbers(family, eta, parameters, k)
    return first, ((weight, family.score(j, eta, parameters)) for j, weight in terms)


def has_few_steps(family: Family, parameters: Parameters) -> bool:
    """Whether an outcome has so few steps that each is taken by itself."""
    ordered = family.kind == "ordered" and len(parameters["cutpoints"]) <= _FEW
    return family.kind == "binary" or ordered


@dataclass(frozen=True)
class Ladder:
    """The steps of a count at some linear predictors.

    Attributes
    ----------
    lowest : float or numpy.ndarray
        The lowest value, shape (..., S).
    rises, thresholds : numpy.ndarray
        Shape (..., S, step).
    """

    lowest: Any
    rises: np.ndarray
    thresholds: np.ndarray

    def mean(self, e: Any, rho: np.ndarray, k: np.ndarray) -> np.ndarray:
        """C at scores of the mediator that broadcast with the linear predictors."""
        from bayesmed.numerics import kernels

        centre = rho * e
        shape = np.broadcast_shapes(self.thresholds.shape[:-1], np.shape(centre))
        full = (*(1,) * (3 - len(shape)), *shape)
        steps = (*full, self.thresholds.shape[-1])
        out = np.empty(full)
        kernels.step_sums(
            np.broadcast_to(self.thresholds, steps), np.broadcast_to(self.rises, steps),
            np.broadcast_to(centre, full), k, out,
        )  # fmt: skip
        return self.lowest + out.reshape(shape)


def step_ladder(family: Family, eta: np.ndarray, parameters: Parameters, k: np.ndarray) -> Ladder:
    """All steps of a count at once."""
    lowest, _, terms = whole_numbers(family, eta, parameters, float(k.min()))
    values, rises = zip(*terms, strict=True)
    whole = sum(bool(np.all(v - values[0] == j)) for j, v in enumerate(values))
    found = list(count_scores(family, values[0], whole, eta, parameters))
    found += [family.score(value, eta, parameters) for value in values[whole:]]
    # Trials can differ between rows whose linear predictor is the same.
    shape = np.broadcast_shapes(eta.shape, *(np.shape(one) for one in (*rises, *found)))
    return Ladder(
        lowest,
        np.stack([np.broadcast_to(one, shape) for one in rises], axis=-1),
        np.stack([np.broadcast_to(one, shape) for one in found], axis=-1),
    )


def count_scores(
    family: Family, lowest: Any, count: int, eta: np.ndarray, parameters: Parameters
) -> np.ndarray:
    """Scores of so many consecutive values, shape (value, ..., S), by sums from both ends.

    An incomplete beta or gamma function for each would take several times as long.
    """
    assert family.log_density is not None
    each = np.arange(count, dtype=float).reshape(-1, *[1] * eta.ndim) + lowest
    with np.errstate(all="ignore"):
        chance = np.exp(family.log_density(each, eta, parameters))
    below = ndtr(family.score(lowest - 1.0, eta, parameters))
    above = ndtr(-family.score(lowest + (count - 1.0), eta, parameters))
    upper = np.empty_like(chance)
    upper[-1] = above
    upper[:-1] = above + np.cumsum(chance[:0:-1], axis=0)[::-1]
    lower = np.cumsum(chance, axis=0, out=chance)
    lower += below
    far = lower >= upper
    scores = ndtri(np.minimum(lower, upper, out=lower), out=lower)
    return np.clip(np.negative(scores, out=scores, where=far), -FAR, FAR, out=scores)


def bounded(family: Family, eta: np.ndarray) -> np.ndarray:
    """Linear predictors no further out than a saturated link can tell in doubles."""
    return np.clip(eta, -_SATURATED, _SATURATED) if family.link in ("logit", "probit") else eta


def conditional_mean(
    family: Family, eta: np.ndarray, e: Any, rho: np.ndarray, parameters: Parameters
) -> np.ndarray:
    """C, the mean of an outcome given the mediator's normal score.

    Parameters
    ----------
    family : Family
        Of the outcome.
    eta : numpy.ndarray
        Its linear predictor, shape (..., S).
    e : float or numpy.ndarray
        The mediator's score.
    rho : numpy.ndarray
        Correlation of the two scores, shape (S,).
    parameters : mapping
        The outcome's other parameters.

    Raises
    ------
    ArithmeticError
        If the integral over the outcome's score does not settle.
    """
    if not np.any(rho):
        return family.mean(eta, parameters)
    if family.conditional is not None:
        return family.conditional(e, eta, rho, parameters)
    k = given_sd(rho)
    if family.kind == "count":
        return step_ladder(family, eta, parameters, k).mean(e, rho, k)
    if family.discrete:
        lowest, found = steps(family, eta, parameters)
        return lowest + sum(step * ndtr((rho * e - q) / k) for step, q in found)
    eta = bounded(family, eta)
    size, before = 16, _nested(family, eta, e, rho, parameters, 8)
    while size <= LARGEST:
        value = _nested(family, eta, e, rho, parameters, size)
        gap = np.abs(value - before).max() / np.maximum(np.abs(value).max(), 1e-300)
        if gap < (_SMOOTH if size < LARGEST else _ROUGH):
            return value
        size, before = 2 * size, value
    raise _unsettled(family, gap)


def _nested(
    family: Family, eta: np.ndarray, e: Any, rho: np.ndarray, parameters: Parameters, size: int
) -> np.ndarray:
    k, rule = given_sd(rho), zip(*score_rule(size), strict=True)
    return sum(w * family.value(rho * e + k * z, eta, parameters) for z, w in rule)


def _unsettled(family: Family, gap: float) -> ArithmeticError:
    return ArithmeticError(
        f"The mean of a {family.name} outcome given the mediator did not settle (two sizes of its "
        f"integral differ by {gap:.1e}): its quantile is not smooth in the score. Give the family a "
        "conditional mean in closed form."
    )


@dataclass(frozen=True)
class OutcomeRule:
    """Nodes and weights of integrals over the score x of a continuous outcome.

    Attributes
    ----------
    nodes, weights : numpy.ndarray
        Shape (node,); the weights do not hold the normal density.
    rho, k : numpy.ndarray
        Shape (S,).
    """

    nodes: np.ndarray
    weights: np.ndarray
    rho: np.ndarray
    k: np.ndarray

    def given(self, e: Any, values: np.ndarray) -> np.ndarray:
        """C from quantiles at the nodes.

        Parameters
        ----------
        e : float or numpy.ndarray
            The mediator's score, or scores of shape (..., S).
        values : numpy.ndarray
            Shape (node, ..., S).
        """
        if np.ndim(e) == 0:
            z = (self.nodes[:, None] - self.rho * e) / self.k
            weights = np.exp(-0.5 * z * z) / (_SQRT_2PI * self.k)
            return np.einsum("x,xs,x...s->...s", self.weights, weights, values)
        total = np.zeros(np.broadcast_shapes(e.shape, values.shape[1:]))
        for x, weight, value in zip(self.nodes, self.weights, values, strict=True):
            z = (x - self.rho * e) / self.k
            total += np.exp(-0.5 * z * z) * (weight / (_SQRT_2PI * self.k) * value)
        return total

    def within(
        self, low: np.ndarray, high: np.ndarray, quantile: Callable[[float], np.ndarray]
    ) -> np.ndarray:
        """D for intervals of the mediator's score."""
        total: Any = 0.0
        for x, weight in zip(self.nodes, self.weights, strict=True):
            inside = ndtr((high - self.rho * x) / self.k) - ndtr((low - self.rho * x) / self.k)
            total = total + weight * np.exp(-0.5 * x * x) / _SQRT_2PI * (quantile(x) * inside)
        return np.asarray(total)


def outcome_rule(
    family: Family, eta: np.ndarray, rho: np.ndarray, parameters: Parameters, reach: float = REACH
) -> OutcomeRule:
    """Choose nodes for a continuous outcome: as far as its tails matter, as many as it needs.

    Parameters
    ----------
    family : Family
    eta : numpy.ndarray
        Linear predictors that will be asked for, shape (..., S).
    rho : numpy.ndarray
        Shape (S,).
    parameters : mapping
    reach : float
        The largest score of the mediator that will be asked for.

    Raises
    ------
    ArithmeticError
        If the outcome's tail is too heavy, or its quantile not smooth.
    """
    k = given_sd(rho)
    flat = eta.reshape(-1, len(rho))
    few = np.stack([flat.min(axis=0), flat.mean(axis=0), flat.max(axis=0)])
    own = {name: _widest_row(value) for name, value in parameters.items()}
    reach = min(max(_reach(family, few, own), reach + 1.0), REACHES[-1])
    panels = int(np.ceil(2.0 * reach / min(3.0 * k.min(), _PANEL)))
    one = {name: value[..., :1] for name, value in own.items()}

    def rule(count: int) -> OutcomeRule:
        return OutcomeRule(*composite(np.linspace(-reach, reach, count + 1)), rho, k)

    def probe(count: int) -> np.ndarray:
        nodes = rule(count)
        first = replace(nodes, rho=rho[:1], k=k[:1])
        values = np.stack([family.value(x, few[:, :1], one) for x in nodes.nodes])
        return np.stack([first.given(e, values) for e in _PROBES])

    before = probe(panels)
    for _ in range(_DOUBLINGS):
        value = probe(2 * panels)
        gap = np.abs(value - before).max() / np.maximum(np.abs(value).max(), 1e-300)
        if gap < _SMOOTH:
            return rule(panels)
        panels, before = 2 * panels, value
    if gap < _ROUGH:
        return rule(panels)
    raise _unsettled(family, gap)


def _widest_row(value: Any) -> np.ndarray:
    """A parameter at the row where it is largest, shape (1,) or (S,): only sigma differs by row."""
    value = np.atleast_1d(value)
    return value.reshape(-1, value.shape[-1]).max(axis=0)


def _reach(family: Family, eta: np.ndarray, parameters: Parameters) -> float:
    """How far the outcome's own tails matter."""
    middle = sum(np.abs(family.value(e, eta, parameters)).max() for e in (-1.0, 1.0))
    for reach in REACHES:
        tail = max(np.abs(family.value(e, eta, parameters)).max() for e in (-reach, reach))
        if np.exp(-0.5 * reach**2) * tail < _NEGLIGIBLE * middle:
            return reach
    raise infinite(f"a {family.name} outcome", "its own tail is too heavy")


def given_interval(
    family: Family, rho: np.ndarray, parameters: Parameters, span: Span
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """D as a function of the outcome's linear predictor and the ends of the interval.

    Parameters
    ----------
    family : Family
        Of the outcome.
    rho : numpy.ndarray
        Shape (S,).
    parameters : mapping
    span : callable
        Linear predictors of each draw that will be asked for, smallest and largest, shape (S,).
    """
    if not np.any(rho):
        return lambda eta, low, high: (
            family.mean(eta, parameters) * np.exp(log_ndtr_difference(low, high))
        )
    if family.discrete:
        within = _count_within if family.kind == "count" else _rectangles
        return lambda eta, low, high: within(family, eta, low, high, rho, parameters)
    if family.multiplicative and family.latent == "free":
        # Log-normal: the mediator's score given Y's weight is shifted by rho sigma.
        half, shift = 0.5 * parameters["sigma"] ** 2, rho * parameters["sigma"]
        return lambda eta, low, high: np.exp(
            eta + half + log_ndtr_difference(low - shift, high - shift)
        )
    if family.conditional is not None and not family.additive:
        return lambda eta, low, high: _conditional_within(family, eta, low, high, rho, parameters)
    if family.multiplicative:
        zero = np.zeros((1, len(rho)))
        unit = outcome_rule(family, zero, rho, parameters)
        return lambda eta, low, high: (
            np.exp(eta) * unit.within(low, high, lambda x: family.value(x, zero, parameters))
        )
    rule = outcome_rule(family, bounded(family, np.stack(span())), rho, parameters)
    return lambda eta, low, high: rule.within(
        low, high, lambda x: family.value(x, bounded(family, eta), parameters)
    )


def _rectangles(
    family: Family, eta: Any, low: Any, high: Any, rho: np.ndarray, parameters: Parameters
) -> np.ndarray:
    lowest, found = steps(family, eta, parameters)
    total = lowest * np.exp(log_ndtr_difference(low, high))
    for step, q in found:
        total = total + step * np.exp(log_rectangle(low, high, q, np.inf, rho))
    return total


def _conditional_within(
    family: Family, eta: Any, low: Any, high: Any, rho: np.ndarray, parameters: Parameters
) -> np.ndarray:
    """The integral of C over the interval, where C has a closed form."""
    assert family.conditional is not None
    given, k = family.conditional, given_sd(rho)
    return _within(lambda e: given(e, eta, rho, parameters), low, high, k)


def _within(given: Callable[[Any], np.ndarray], low: Any, high: Any, k: np.ndarray) -> np.ndarray:
    """The integral of a function of the score against the normal density, over an interval."""
    low, high = np.clip(low, -REACH, REACH), np.clip(high, -REACH, REACH)
    panels = int(np.ceil((high - low).max() / (2.0 * k.min())))
    total = np.zeros(1)
    for node, weight in zip(*composite(np.linspace(0.0, 1.0, max(panels, 1) + 1), 8), strict=True):
        e = low + node * (high - low)
        total = total + weight * (high - low) * np.exp(-0.5 * e * e) / _SQRT_2PI * given(e)
    return total


def _count_within(
    family: Family, eta: Any, low: Any, high: Any, rho: np.ndarray, parameters: Parameters
) -> np.ndarray:
    """The integral of C over the interval: a count's rectangles, all of its thresholds at once."""
    k = given_sd(rho)
    ladder = step_ladder(family, eta, parameters, k)
    return _within(lambda e: ladder.mean(e, rho, k), low, high, k)
