r"""Closed pairs: where the likelihood at rho is the likelihood at 0 along an exact map.

With a Gaussian mediator whose column lies in the span of the outcome design, and an outcome
with a normal latent residual, the data cannot tell one residual correlation from another.
Let ``Z`` be the outcome columns without M and ``D`` those with it. The pair is closed iff
``X_m = Z A`` and ``M = [Z, D] c`` on the observed, treated and control rows stacked. Then,
with :math:`k = \sqrt{1-\rho^2}` and :math:`d(\beta) = c - A\beta`,

===================  ===========================================================
Gaussian outcome     :math:`\sigma_y = s/k`, :math:`b(\rho) = b_0 - (\rho/k)(s/\sigma_m) d`
probit outcome       :math:`b(\rho) = k b_0 - (\rho/\sigma_m) d`
===================  ===========================================================
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from bayesmed import special
from bayesmed.design import Design
from bayesmed.family import Family
from bayesmed.frame import Contrast, Frame, assign

_SPAN_TOLERANCE = 1e-8


@dataclass(frozen=True)
class ClosedMap:
    """The map between the coefficients at rho = 0 and the structural ones at rho.

    Attributes
    ----------
    direction : numpy.ndarray or tensor
        c: the mediator as a combination of the outcome columns, shape (outcome_term,).
    loading : numpy.ndarray or tensor
        A, padded with zeros on D, shape (outcome_term, mediator_term).
    latent : {"free", "unit"}
        Whether the outcome's residual scale is a parameter.
    """

    direction: Any
    loading: Any
    latent: str

    def shift(self, mediator_coef: Any) -> Any:
        """d = c - A beta; coefficients have their terms on the last axis."""
        return self.direction - mediator_coef @ self.loading.T

    def structural(
        self, coef0: Any, scale0: Any, mediator_coef: Any, mediator_sigma: Any, rho: Any
    ) -> tuple[Any, Any]:
        """Coefficients and residual scale at rho from those at rho = 0.

        Parameters
        ----------
        coef0 : array or tensor
            Shape (..., outcome_term).
        scale0 : array, tensor or None
            Residual scale s at rho = 0, shape (...); None for a unit scale.
        mediator_coef : array or tensor
            Shape (..., mediator_term).
        mediator_sigma, rho : array or tensor
            Shape (...), or scalar.
        """
        k = special.sqrt((1.0 - rho) * (1.0 + rho))
        if self.latent == "unit":
            step = _last(rho / mediator_sigma)
            return _last(k) * coef0 - step * self.shift(mediator_coef), None
        step = _last((rho / k) * (scale0 / mediator_sigma))
        return coef0 - step * self.shift(mediator_coef), scale0 / k

    def regression(
        self, coef: Any, scale: Any, mediator_coef: Any, mediator_sigma: Any, rho: Any
    ) -> tuple[Any, Any]:
        """The inverse of :meth:`structural`: coefficients and scale at rho = 0."""
        k = special.sqrt((1.0 - rho) * (1.0 + rho))
        if self.latent == "unit":
            step = _last(rho / mediator_sigma)
            return (coef + step * self.shift(mediator_coef)) / _last(k), None
        step = _last(rho * (scale / mediator_sigma))
        return coef + step * self.shift(mediator_coef), scale * k


def _last(value: Any) -> Any:
    """Give a per-draw value a trailing axis, for coefficients; scalars stay."""
    return value[..., None] if getattr(value, "ndim", 0) > 0 else value


@dataclass(frozen=True)
class Closedness:
    """Whether a pair of equations is closed, and if not why.

    Attributes
    ----------
    map : ClosedMap or None
    reason : str
        Why rho is identified, in words; empty for a closed pair.
    exclusion : bool
        True where a term of the mediator equation that the outcome equation lacks is what
        identifies rho.
    outcome_only : tuple of str
        Outcome terms without the mediator that the mediator equation lacks, beyond
        interactions with the treatment.
    """

    map: ClosedMap | None
    reason: str
    exclusion: bool
    outcome_only: tuple[str, ...]


def closedness(
    mediator: Design,
    outcome: Design,
    families: tuple[Family, Family],
    frame: Frame,
    contrast: Contrast,
) -> Closedness:
    """Decide by the span of the stacked rows whether the pair is closed."""
    name = mediator.parsed.response
    outcome_only = _outcome_only(mediator, outcome, contrast.treatment)
    if families[0].latent != "free" or families[1].latent is None:
        reason = (
            f"a {families[0].name} mediator with a {families[1].name} outcome: the likelihood "
            "depends on rho through the shape of the two distributions"
        )
        return Closedness(None, reason, False, outcome_only)
    frames = [
        frame.data,
        assign(frame.data, {contrast.treatment: contrast.control}),
        assign(frame.data, {contrast.treatment: contrast.treated}),
    ]
    stacked_m = np.vstack([mediator.rows(rows) for rows in frames])
    stacked_y = np.vstack([outcome.rows(rows) for rows in frames])
    values = np.concatenate([rows[name].to_numpy(dtype=float) for rows in frames])
    holds_m = _columns_with(outcome, name)
    loading = np.zeros((stacked_y.shape[1], stacked_m.shape[1]))
    loading[~holds_m], gap_m = _solve(stacked_y[:, ~holds_m], stacked_m)
    direction, gap_y = _solve(stacked_y, values[:, None])
    outside = [
        term for term, gap in zip(mediator.terms, gap_m, strict=True) if gap > _SPAN_TOLERANCE
    ]
    if outside:
        reason = (
            f"{outside} stand in the mediator equation but not in the outcome equation: this "
            "exclusion restriction, not the data alone, speaks about rho"
        )
        return Closedness(None, reason, True, outcome_only)
    if gap_y[0] > _SPAN_TOLERANCE:
        reason = (
            f"the mediator {name!r} enters the outcome only through functions of it, so the "
            "functional form speaks about rho"
        )
        return Closedness(None, reason, False, outcome_only)
    closed = ClosedMap(direction[:, 0], loading, str(families[1].latent))
    return Closedness(closed, "", False, outcome_only)


def _columns_with(design: Design, variable: str) -> np.ndarray:
    """Which columns of a design hold a variable, boolean of shape (term,)."""
    flags: list[bool] = []
    for part in design.spec.structure:
        flags.extend([design.uses(part.term, variable)] * len(part.columns))
    return np.array(flags)


def _outcome_only(mediator: Design, outcome: Design, treatment: str) -> tuple[str, ...]:
    """Covariates of the outcome that the mediator equation does not hold."""
    known = {mediator.parsed.response, treatment, *mediator.parsed.variables}
    return tuple(name for name in outcome.parsed.variables if name not in known)


def _solve(columns: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares on scaled columns, and the largest residual relative to each target."""
    if columns.shape[1] == 0:
        return np.zeros((0, targets.shape[1])), np.ones(targets.shape[1])
    scale = np.abs(columns).max(axis=0)
    scale[scale == 0.0] = 1.0
    weights = linalg.lstsq(columns / scale, targets)[0]
    gaps = np.abs(targets - (columns / scale) @ weights).max(axis=0)
    size = np.abs(targets).max(axis=0)
    return weights / scale[:, None], gaps / np.where(size > 0, size, 1.0)
