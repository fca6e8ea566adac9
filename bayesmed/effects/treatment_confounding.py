r"""Unmeasured causes of a numeric treatment: three residual correlations instead of one.

The structural equations are those of a recursive system with normal residuals of correlation
matrix R,

.. math::

    T = w'\alpha + e_t, \qquad M = f_m(T, x) + e_m, \qquad Y = f_y(T, M, x) + e_y,

with w the covariates of both equations. Given R they follow from the regressions at R = I, whose
residual sds are :math:`\sigma_t`, :math:`s_m` and :math:`s_y`, since each residual is linear in
those of the equations before it:

.. math::

    E[e_m \mid e_t] = \rho_{tm} \sigma_m \frac{e_t}{\sigma_t}, \qquad
    E[e_y \mid e_t, e_m] = \sigma_y \left(w_t \frac{e_t}{\sigma_t} + w_m \frac{e_m}{\sigma_m}\right),

.. math::

    w_t = \frac{\rho_{ty} - \rho_{tm} \rho_{my}}{1 - \rho_{tm}^2}, \quad
    w_m = \frac{\rho_{my} - \rho_{tm} \rho_{ty}}{1 - \rho_{tm}^2}, \quad
    \sigma_m = \frac{s_m}{\sqrt{1 - \rho_{tm}^2}}, \quad
    \sigma_y = s_y \sqrt{\frac{1 - \rho_{tm}^2}{\det R}}.

So :math:`f_m` is the regression of M minus the first mean, and :math:`f_y` that of Y minus the
second: one solution for every positive definite R, whatever else is in the equations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr

from bayesmed.effects.assumed import closed_regression, fixed_or_drawn, stated
from bayesmed.effects.estimands import contrasts
from bayesmed.effects.means_of import label_cells
from bayesmed.effects.numbers import percent
from bayesmed.effects.setting import Setting, asked_of
from bayesmed.effects.treatment_equation import treatment_covariates, treatment_equation
from bayesmed.families.prior import Prior, check_rho
from bayesmed.means.along_rho import Regression
from bayesmed.means.means import ARMS
from bayesmed.means.normal import row_blocks
from bayesmed.posterior.nuts import settle_seed
from bayesmed.posterior.state import Posterior
from bayesmed.system.rows import Counterfactuals

Correlations = tuple[float | Prior, float | Prior, float | Prior]

NAMES = ("rho_tm", "rho_ty", "rho_my")
#: Above this share of impossible matrices the priors are not what anybody can mean.
_MOST_IMPOSSIBLE = 0.5


@dataclass(frozen=True)
class TreatmentMap:
    """From the three regressions to the structural equations, per draw, shape (S,).

    Attributes
    ----------
    mediator_sigma, outcome_sigma : numpy.ndarray
        Structural residual sds; that of the outcome on the scale of its regression.
    mediator_shift : numpy.ndarray
        By how much the residual of the treatment moves the regression of the mediator.
    outcome_shifts : tuple of numpy.ndarray
        By how much those of the treatment and of the mediator move that of the outcome.
    """

    mediator_sigma: np.ndarray
    outcome_sigma: np.ndarray
    mediator_shift: np.ndarray
    outcome_shifts: tuple[np.ndarray, np.ndarray]


def treatment_map(
    sigmas: tuple[np.ndarray, np.ndarray, np.ndarray],
    correlations: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> TreatmentMap:
    """The map of this module; see its docstring for the formulas.

    Parameters
    ----------
    sigmas : tuple of numpy.ndarray
        Residual sds of the regressions of treatment, mediator and outcome, shape (S,); one for
        a probit outcome.
    correlations : tuple of numpy.ndarray
        rho_tm, rho_ty and rho_my, shape (S,), of positive definite matrices.
    """
    sigma_t, s_m, s_y = sigmas
    tm, ty, my = correlations
    rest = (1.0 - tm) * (1.0 + tm)
    sigma_m, sigma_y = s_m / np.sqrt(rest), s_y * np.sqrt(rest / determinant(*correlations))
    w_t, w_m = (ty - tm * my) / rest, (my - tm * ty) / rest
    return TreatmentMap(
        sigma_m, sigma_y, tm * sigma_m / sigma_t,
        (w_t * sigma_y / sigma_t, w_m * sigma_y / sigma_m),
    )  # fmt: skip


def determinant(tm: Any, ty: Any, my: Any) -> Any:
    """Determinant of the correlation matrix; positive where it is positive definite."""
    return 1.0 - tm**2 - ty**2 - my**2 + 2.0 * tm * ty * my


def effects_with_treatment_confounding(
    fit: Posterior,
    correlations: Correlations,
    at: Mapping[str, Any] | None,
    random_seed: int | None,
) -> xr.Dataset:
    """See :meth:`bayesmed.MediationFit.effects_with_treatment_confounding`."""
    _check_correlations(correlations)
    model = fit.require_model("treatment equation")
    regression = closed_regression(fit, "treatment confounding")
    seed = fit.description.settings["random_seed"] if random_seed is None else random_seed
    equation_rng, prior_rng = map(
        np.random.default_rng, np.random.SeedSequence(settle_seed(seed)).spawn(2)
    )
    size = len(regression.draws)
    drawn, impossible = _draw_correlations(correlations, size, prior_rng)
    columns = treatment_covariates(model)
    treatment = model.frame.data[model.treatment].to_numpy(dtype=float)
    equation = treatment_equation(treatment, columns.observed(model), size, equation_rng)
    sigma_m = regression.draws.mediator.parameters["sigma"]
    sigma_y = regression.draws.outcome.parameters.get("sigma", np.ones(size))
    found = treatment_map((equation.sigma, sigma_m, sigma_y), drawn)
    rows = fit.counterfactuals(at)
    levels = (float(model.contrast.control), float(model.contrast.treated))
    residual = _Residual(levels, columns.counterfactual(rows), equation.coef)
    cells = _cells(regression, found, residual, drawn[2], rows)
    result = contrasts(label_cells(cells.reshape(2, 2, *fit.shape)))
    result.attrs["bayesmed"] = _setting(fit, correlations, at, impossible).to_json()
    return result


def _setting(
    fit: Posterior, correlations: Correlations, at: Mapping[str, Any] | None, impossible: float
) -> Setting:
    tm, ty, my = map(stated, correlations)
    said = f"rho_tm {tm}, rho_ty {ty}, rho_my {my}"
    if impossible:
        said += f" ({percent(impossible)} of the triples drawn had no positive definite matrix)"
    return asked_of(fit.description, at, rho=my, assumed=said, impossible=impossible)


def _check_correlations(correlations: Correlations) -> None:
    for name, value in zip(NAMES, correlations, strict=True):
        try:
            check_rho(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    fixed = [value for value in correlations if not isinstance(value, Prior)]
    if len(fixed) == 3 and determinant(*fixed) <= 0.0:
        shown = ", ".join(f"{n}={v:g}" for n, v in zip(NAMES, fixed, strict=True))
        raise ValueError(
            f"{shown} are not the correlations of any three variables: their matrix is not positive "
            "definite. Two strong correlations bound the third; bring it nearer to their product."
        )


def _draw_correlations(
    correlations: Correlations, size: int, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], float]:
    """One triple for each draw, and the share of those drawn that was impossible.

    Priors hold jointly where the matrix is positive definite: other triples are drawn again.
    """
    kept: list[np.ndarray] = []
    count = tried = 0
    while count < size:
        triples = np.stack([fixed_or_drawn(value, size, rng) for value in correlations])
        good = triples[:, determinant(*triples) > 0.0]
        tried, count = tried + size, count + good.shape[1]
        kept.append(good)
        if count < (1.0 - _MOST_IMPOSSIBLE) * tried:
            raise ValueError(
                f"Of the correlations drawn, {percent(1.0 - count / tried)} are those of no three "
                f"variables ({', '.join(f'{n} {stated(v)}' for n, v in zip(NAMES, correlations, strict=True))}): "
                "their matrix is not positive definite. Choose narrower priors, or values nearer to "
                "the product of the other two."
            )
    tm, ty, my = np.concatenate(kept, axis=1)[:, :size]
    return (tm, ty, my), 1.0 - count / tried


@dataclass(frozen=True)
class _Residual:
    """The residual that the treatment would have at either level, per row and draw."""

    levels: tuple[float, float]
    covariates: np.ndarray
    coef: np.ndarray

    def block(self, part: slice) -> list[np.ndarray]:
        expected = self.covariates @ self.coef[part].T
        return [level - expected for level in self.levels]


def _cells(
    regression: Regression,
    found: TreatmentMap,
    residual: _Residual,
    rho_my: np.ndarray,
    rows: Counterfactuals,
) -> np.ndarray:
    """Counterfactual means, shape (2, 2, S).

    A row is f_y(t, f_m(t')) and, for a probit outcome, its probability, with the variance of
    g e_m + e_y.
    """
    mediator, outcome = rows.mediator, rows.outcome
    assert outcome.base is not None and outcome.slope is not None
    unit = regression.map.latent == "unit"
    cells = np.empty((2, 2, len(regression.draws)))
    offsets = [0.0 if own.offset is None else own.offset[:, None] for own in (mediator, outcome)]
    for part in row_blocks(len(regression.draws), rows):
        own = regression.draws.block(part)
        coef, beta = own.outcome.coef, own.mediator.coef
        by_t, by_m = (shift[part] for shift in found.outcome_shifts)
        sigma_m, sigma_y = found.mediator_sigma[part], found.outcome_sigma[part]
        gaps = residual.block(part)
        means = [
            mediator.design[s] @ beta.T + offsets[0] - found.mediator_shift[part] * gaps[s]
            for s in ARMS
        ]
        for t in ARMS:
            slope = outcome.slope[t] @ coef.T
            base = outcome.base[t] @ coef.T + offsets[1] + slope * means[t] - by_t * gaps[t]
            for s in ARMS:
                value = base + (slope - by_m) * (means[s] - means[t])
                if unit:
                    g = (slope - by_m) * sigma_m
                    spread = g**2 + 2.0 * rho_my[part] * g * sigma_y + sigma_y**2
                    value = ndtr(value / np.sqrt(spread))
                cells[t, s, part] = value.mean(axis=0)
    return cells
