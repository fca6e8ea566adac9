r"""The mean of the outcome given the mediator's score, tabulated where it is dear.

A count outcome at :math:`\rho \ne 0` is a sum over its thresholds, a continuous one without a
closed form an integral over its own score. Within a draw either is a smooth function of the
linear predictor: it is taken at Chebyshev nodes of :math:`u = \sinh^{-1}(\eta / 4)` and
interpolated, in its logarithm where the outcome has a log link.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import log_ndtr

from bayesmed.families.family import Family, Parameters
from bayesmed.means.conditional import (
    Given,
    Span,
    bounded,
    conditional_mean,
    outcome_rule,
    step_ladder,
)
from bayesmed.numerics.chebyshev import nodes, transform
from bayesmed.numerics.score_pair import given_sd

_STRETCH = 4.0
_SIZES = (64, 128, 256)
_DEPTH = 60.0
_LINE = 128
_SMALL = 1e-9
_PROBES = (-4.0, 0.0, 4.0)
_TINY = 1e-250


def given_score(
    family: Family, rho: np.ndarray, parameters: Parameters, reach: float, span: Span
) -> Given:
    """C as a function of the mediator's score and the outcome's linear predictor.

    Parameters
    ----------
    family : Family
        Of the outcome.
    rho : numpy.ndarray
        Shape (S,).
    parameters : mapping
    reach : float
        Largest score of the mediator that will be asked for.
    span : callable
        Linear predictors of each draw that will be asked for, smallest and largest, shape (S,).
    """
    if not np.any(rho):
        return lambda e, eta: family.mean(eta, parameters)
    closed = family.conditional is not None or family.kind in ("binary", "ordered")
    if not closed and family.multiplicative:
        return _multiplicative(family, rho, parameters, reach)
    # Interpolation is along the linear predictor alone: one set of parameters per draw.
    alike = ((len(rho),), (1, len(rho)))
    common = all(np.size(v) == 1 or np.shape(v) in alike for v in parameters.values())
    if not closed and common:
        for size in _SIZES:
            table = _table(family, rho, parameters, reach, span(), size)
            if table is not None:
                return table
    return lambda e, eta: conditional_mean(family, eta, e, rho, parameters)


def _multiplicative(family: Family, rho: np.ndarray, parameters: Parameters, reach: float) -> Given:
    zero = np.zeros((1, len(rho)))
    rule = outcome_rule(family, zero, rho, parameters, reach)
    values = np.stack([family.value(x, zero, parameters) for x in rule.nodes])
    alone = values.shape[1:] == zero.shape  # one for each draw, none for each row

    @cache
    def series() -> np.ndarray | None:
        """Of its logarithm as a function of the score, for scores that differ between rows."""
        scores = reach * nodes(_LINE)
        found = transform(_LINE) @ np.log([rule.given(e, values)[0] for e in scores])
        return _significant(found, True) if np.abs(found[-2:]).max() < _SMALL else None

    def factor(e: Any) -> np.ndarray:
        found = series() if alone and np.ndim(e) > 0 else None
        if found is None:
            return rule.given(e, values)
        return np.exp(chebyshev.chebval(np.clip(e / reach, -1, 1), found[:, None], tensor=False))

    return lambda e, eta: np.exp(eta) * factor(e)


def _table(
    family: Family,
    rho: np.ndarray,
    parameters: Parameters,
    reach: float,
    span: tuple[np.ndarray, np.ndarray],
    size: int,
) -> Given | None:
    if family.link == "log":  # what is smaller by e^-60 does not count
        span = np.maximum(span[0], span[1] - _DEPTH), span[1]
    low, high = (np.arcsinh(bounded(family, end) / _STRETCH) for end in span)
    half = np.maximum(0.5 * (high - low), 1e-9)
    eta = _STRETCH * np.sinh(low + half * (1.0 + nodes(size)[:, None]))
    at_nodes = table_at(family, eta, rho, parameters, reach)
    log = family.link == "log" and np.all(np.isfinite(at_nodes(0.0, True)))

    def coefficients(e: Any) -> np.ndarray:
        return transform(size) @ at_nodes(e, log)

    if not _is_settled(coefficients, at_nodes, bool(log)):
        return None

    def given(e: Any, eta: np.ndarray) -> np.ndarray:
        if np.ndim(e) > 0:
            return conditional_mean(family, eta, e, rho, parameters)
        u = np.clip((np.arcsinh(eta / _STRETCH) - low) / half - 1.0, -1.0, 1.0)
        value = chebyshev.chebval(
            u, _significant(coefficients(e), bool(log))[:, None, :], tensor=False
        )
        return np.exp(value) if log else value

    return given


def _is_settled(
    coefficients: Callable[[Any], np.ndarray], at_nodes: Callable[[Any, Any], Any], log: bool
) -> bool:
    """Whether the last coefficients do not matter, by what the integrals make of their errors."""
    errors, sizes = [], []
    for e in _PROBES:
        found, largest = coefficients(e), np.abs(at_nodes(e, False)).max()
        density = np.exp(-0.5 * e * e)
        errors.append(np.abs(found[-2:]).max() * density * (largest if log else 1.0))
        sizes.append(density * largest)
    return bool(max(errors) < _SMALL * max(sizes))


def _significant(coefficients: np.ndarray, log: bool) -> np.ndarray:
    size = np.abs(coefficients).max(axis=1)
    kept = np.flatnonzero(size > 1e-12 * (1.0 if log else size.max()))
    return coefficients[: kept[-1] + 1] if len(kept) else coefficients[:1]


def table_at(
    family: Family, eta: np.ndarray, rho: np.ndarray, parameters: Parameters, reach: float
) -> Callable[[Any, Any], np.ndarray]:
    """C at the nodes, or its logarithm, as a function of the mediator's score."""
    k = given_sd(rho)
    if family.discrete:
        ladder = step_ladder(family, eta, parameters, k)

        def count(e: Any, log: Any) -> np.ndarray:
            value = ladder.mean(e, rho, k)
            # Where even the first step is out of reach its logarithm is that of the sum.
            first = log_ndtr((rho * e - ladder.thresholds[..., 0]) / k)
            return np.where(value > _TINY, np.log(value), first) if log else value

        return count
    rule = outcome_rule(family, eta, rho, parameters, reach)
    values = np.stack([family.value(x, eta, parameters) for x in rule.nodes])

    def continuous(e: Any, log: Any) -> np.ndarray:
        value = rule.given(e, values)
        return np.log(value) if log else value

    return continuous
