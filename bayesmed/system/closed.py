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

Tobit and log-normal outcomes, censored or not, are Gaussian on their latent scale; a log-normal
mediator is Gaussian where its logarithm enters the outcome. An ordered probit outcome is a
probit one whose cutpoints become :math:`k \kappa_0 + (\rho/\sigma_m) d_0`, with d_0 the part of
d on the constant that the cutpoints supply.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from bayesmed.data.design import Design, sizes
from bayesmed.data.levels import Contrast
from bayesmed.families.listing import few
from bayesmed.numerics import special
from bayesmed.system.equation import Equation
from bayesmed.system.rows import arm_frames

_SPAN_TOLERANCE = 1e-8
#: Weights of least squares below this share of the target are rounding.
_ROUNDING = 1e-10


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
    constant : float, array or tensor
        The part of c that falls on the constant which free cutpoints supply; else zero.
    constant_loading : numpy.ndarray or tensor
        The row of A of that constant, shape (mediator_term,).
    """

    direction: Any
    loading: Any
    latent: str
    constant: Any
    constant_loading: Any

    def shift(self, mediator_coef: Any) -> Any:
        """d = c - A beta; coefficients have their terms on the last axis."""
        return self.direction - mediator_coef @ self.loading.T

    def structural(
        self,
        coef0: Any,
        parameters0: Mapping[str, Any],
        mediator_coef: Any,
        mediator_sigma: Any,
        rho: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Coefficients and parameters at rho from those at rho = 0.

        Parameters
        ----------
        coef0 : array or tensor
            Shape (..., outcome_term).
        parameters0 : mapping
            At rho = 0: ``sigma`` of shape (...), or ``cutpoints`` of shape (category - 1, ...),
            or nothing.
        mediator_coef : array or tensor
            Shape (..., mediator_term).
        mediator_sigma, rho : array or tensor
            Shape (...), or scalar.
        """
        k = special.sqrt((1.0 - rho) * (1.0 + rho))
        shift = self.shift(mediator_coef)
        if self.latent == "unit":
            step = rho / mediator_sigma
            coef = _last(k) * coef0 - _last(step) * shift
            return coef, self._cutpoints(parameters0, k, step, mediator_coef)
        step = (rho / k) * (parameters0["sigma"] / mediator_sigma)
        return coef0 - _last(step) * shift, {"sigma": parameters0["sigma"] / k}

    def regression(
        self,
        coef: Any,
        parameters: Mapping[str, Any],
        mediator_coef: Any,
        mediator_sigma: Any,
        rho: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """The inverse of :meth:`structural`: coefficients and parameters at rho = 0."""
        k = special.sqrt((1.0 - rho) * (1.0 + rho))
        shift = self.shift(mediator_coef)
        if self.latent == "unit":
            step = rho / mediator_sigma / k
            coef0 = coef / _last(k) + _last(step) * shift
            return coef0, self._cutpoints(parameters, 1.0 / k, -step, mediator_coef)
        step = rho * (parameters["sigma"] / mediator_sigma)
        return coef + _last(step) * shift, {"sigma": parameters["sigma"] * k}

    def _cutpoints(
        self, parameters: Mapping[str, Any], factor: Any, step: Any, mediator_coef: Any
    ) -> dict[str, Any]:
        """Cutpoints stand on the other side of the linear predictor than its constant."""
        if "cutpoints" not in parameters:
            return {}
        constant = self.constant - mediator_coef @ self.constant_loading
        return {"cutpoints": factor * parameters["cutpoints"] + step * constant}


def _last(value: Any) -> Any:
    """Give a per-draw value a trailing axis, for coefficients; scalars stay."""
    return value[..., None] if getattr(value, "ndim", 0) > 0 else value


@dataclass(frozen=True, repr=False)
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

    def __str__(self) -> str:
        if self.map is not None:
            return (
                "Closed: the likelihood is the same at every rho, so the data say nothing about it."
            )
        return f"Not closed: rho is identified by {self.reason}."

    __repr__ = __str__


def closedness(
    equations: Mapping[str, Equation], frame: pd.DataFrame, contrast: Contrast
) -> Closedness:
    """Decide by the span of the stacked rows whether the pair is closed.

    Parameters
    ----------
    equations : mapping of str to Equation
        Of one mediator and the outcome.
    frame : pandas.DataFrame
        The complete rows.
    """
    mediator, outcome = equations.values()
    name = mediator.name
    outcome_only = _outcome_only(mediator.design, outcome.design, contrast.treatment)
    reason = _open_reason(mediator, outcome)
    if reason:
        return Closedness(None, reason, False, outcome_only)
    rows_m, rows_y, values, offset = _stacked(mediator, outcome, frame, contrast)
    holds_m = outcome.design.holding(name)
    if outcome.family.vectors:  # the cutpoints supply a constant, as the last column
        rows_y = np.column_stack([rows_y, np.ones(len(rows_y))])
        holds_m = np.append(holds_m, False)
    loading = np.zeros((rows_y.shape[1], rows_m.shape[1]))
    loading[~holds_m], gap_m = _solve(rows_y[:, ~holds_m], rows_m)
    direction, gap_y = _solve(rows_y, values[:, None])
    terms = mediator.design.terms
    outside = [term for term, gap in zip(terms, gap_m, strict=True) if gap > _SPAN_TOLERANCE]
    if offset is not None:
        shift, gap = _solve(rows_y[:, ~holds_m], offset[:, None])
        direction[~holds_m] -= shift
        outside += ["the offset"] if gap[0] > _SPAN_TOLERANCE else []
    if outside:
        reason = (
            f"{outside} stand in the mediator equation but not in the outcome equation: this "
            "exclusion restriction, not the data alone, speaks about rho"
        )
        return Closedness(None, reason, True, outcome_only)
    if gap_y[0] > _SPAN_TOLERANCE:
        reason = (
            f"functional form (the mediator {name!r} does not enter the outcome on the scale on "
            "which it is Gaussian)"
        )
        return Closedness(None, reason, False, outcome_only)
    count = len(outcome.design.terms)
    constant = direction[count:, 0].sum()  # of one row or none
    closed = ClosedMap(
        direction[:count, 0], loading[:count], str(outcome.family.latent), constant,
        loading[count:].sum(axis=0),
    )  # fmt: skip
    return Closedness(closed, "", False, outcome_only)


def _stacked(
    mediator: Equation, outcome: Equation, frame: pd.DataFrame, contrast: Contrast
) -> tuple[Any, Any, Any, Any]:
    """Observed, control and treated rows of both designs, the Gaussian mediator, its offset."""
    frames = [frame, *arm_frames(frame, contrast)]
    working = mediator.family.working
    assert working is not None
    column = [rows[mediator.name].to_numpy(dtype=float) for rows in frames]
    offset = mediator.response.offset
    return (
        np.vstack([mediator.design.rows(rows) for rows in frames]),
        np.vstack([outcome.design.rows(rows) for rows in frames]),
        np.concatenate([working(values) for values in column]),
        None if offset is None else np.tile(offset, len(frames)),
    )


def _open_reason(mediator: Equation, outcome: Equation) -> str:
    """Why the families, scales or offsets leave the pair open, or nothing."""
    if mediator.family.latent != "free" or outcome.family.latent is None:
        return (
            f"functional form (a {mediator.family.name} mediator with a {outcome.family.name} outcome: "
            "the likelihood depends on rho through the shape of the two distributions)"
        )
    if outcome.family.latent == "unit" and outcome.response.offset is not None:
        return (
            f"functional form (the offset of a {outcome.family.name} outcome keeps its scale while the "
            "coefficients change theirs with rho)"
        )
    for equation in (mediator, outcome):
        if equation.sigma is not None:
            return (
                f"functional form (sigma of the {equation.key} depends on {few(equation.sigma.terms)}, "
                "and the likelihood on rho through it)"
            )
    return ""


def _outcome_only(mediator: Design, outcome: Design, treatment: str) -> tuple[str, ...]:
    """Covariates of the outcome that the mediator equation does not hold."""
    known = {mediator.parsed.response, treatment, *mediator.parsed.variables}
    return tuple(name for name in outcome.parsed.variables if name not in known)


def _solve(columns: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares on scaled columns, and the largest residual relative to each target."""
    if columns.shape[1] == 0:
        return np.zeros((0, targets.shape[1])), np.ones(targets.shape[1])
    scale = sizes(columns)
    weights = linalg.lstsq(columns / scale, targets)[0]
    gaps = np.abs(targets - (columns / scale) @ weights).max(axis=0)
    size = np.abs(targets).max(axis=0)
    weights[np.abs(weights) < _ROUNDING * size] = 0.0
    return weights / scale[:, None], gaps / sizes(targets)
