r"""Both equations as linear models of latent variables, at the rho = 0 of each draw.

On its latent scale an equation is a linear predictor plus a residual: of a Gaussian, tobit or
log-normal response (the last through its logarithm) with standard deviation sigma, of a probit
one with 1, of a logit one with :math:`\pi/\sqrt3`. Shares of variances, and confounders as
strong as a covariate, are statements on these scales.

Let :math:`\omega` be the share of the variance of the mediator's residual score that the
mediator shows: 1 for a continuous one, less for categories, which show an interval of scores.
With structural residual standard deviations :math:`\sigma_m, \sigma_y` the outcome's residual
standard deviation in the regression that assumes rho = 0 is

.. math:: s = \sigma_y \sqrt{1 - \omega \rho^2},

exactly for a continuous mediator. For categories it is an approximation, which takes
:math:`\omega` as the same in all rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from scipy.special import ndtr

from bayesmed.families.family import Family
from bayesmed.means.layout import times
from bayesmed.posterior.blocks import over_blocks
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.state import Posterior
from bayesmed.system.capabilities import refuse

#: Standard deviation of the standard logistic distribution.
LOGISTIC_SD = float(np.pi / np.sqrt(3.0))
_ROOT_TWO_PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class LatentScales:
    """Residuals of both equations on their latent scales, per draw.

    Attributes
    ----------
    mediator_sd, outcome_sd : numpy.ndarray
        Structural residual standard deviations, shape (S,).
    rho : numpy.ndarray
        Shape (S,).
    shown : numpy.ndarray
        Share of the variance of the mediator's residual score that the mediator shows,
        shape (S,).
    """

    mediator_sd: np.ndarray
    outcome_sd: np.ndarray
    rho: np.ndarray
    shown: np.ndarray

    @property
    def regression_sd(self) -> np.ndarray:
        """The outcome's residual standard deviation at rho = 0, shape (S,)."""
        return np.asarray(self.outcome_sd * np.sqrt(1.0 - self.shown * self.rho**2))

    @property
    def pull(self) -> np.ndarray:
        """rho sigma_y / sigma_m: what one unit of the mediator's residual does to Y's, (S,)."""
        return np.asarray(self.rho * self.outcome_sd / self.mediator_sd)


def latent_scales(fit: Posterior) -> LatentScales:
    """Residuals of both equations on their latent scales."""
    refuse("shares", fit)
    draws, mediator, outcome = fit.draws, fit.families["mediator"], fit.families["outcome"]
    return LatentScales(
        _residual_sd(mediator, draws.mediator.parameters, len(draws)),
        _residual_sd(outcome, draws.outcome.parameters, len(draws)),
        draws.rho,
        _shown(fit, draws) if mediator.discrete else np.ones(len(draws)),
    )


def _residual_sd(family: Family, parameters: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    if family.latent == "free":
        return parameters["sigma"]
    return np.full(count, 1.0 if family.latent == "unit" else LOGISTIC_SD)


def explained_shares(fit: Posterior, scales: LatentScales) -> tuple[np.ndarray, np.ndarray]:
    r"""R-squared of the mediator's equation and of the outcome's regression at rho = 0.

    .. math::

        R^2_M = \frac{V(\eta_m)}{V(\eta_m) + \sigma_m^2}, \qquad
        R^2_{Y0} = \frac{V(\eta_0)}{V(\eta_0) + s^2}, \qquad
        \eta_0 = \eta_y + \rho \sigma_y E[e_m \mid M]

    V is the variance over the rows (divisor n), eta_0 the linear predictor at rho = 0.

    Returns
    -------
    tuple of numpy.ndarray
        Each of shape (S,).
    """
    draws, data = fit.draws, fit.tree["constant_data"].to_dataset()
    columns = np.hstack([data["mediator_design"].to_numpy(), _offset(data, "mediator")])
    of_mediator = _variance(columns, _with_one(draws.mediator.coef))
    of_outcome = _outcome_variance(fit, draws, scales)
    return (
        of_mediator / (of_mediator + scales.mediator_sd**2),
        of_outcome / (of_outcome + scales.regression_sd**2),
    )


def _outcome_variance(fit: Posterior, draws: Draws, scales: LatentScales) -> np.ndarray:
    """Variance of eta_0 over the rows, shape (S,)."""
    data, family = fit.tree["constant_data"].to_dataset(), fit.families["mediator"]
    columns = [data["outcome_design"].to_numpy(), _offset(data, "outcome")]
    coef = [_with_one(draws.outcome.coef)]
    if np.any(draws.rho) and family.discrete:
        return _by_rows(fit, draws, _variance_with_intervals)
    if np.any(draws.rho):
        assert family.working is not None
        residual = family.working(fit.tree["observed_data"]["mediator"].to_numpy())[:, None]
        columns += [residual - _offset(data, "mediator"), data["mediator_design"].to_numpy()]
        coef += [scales.pull[:, None], -scales.pull[:, None] * draws.mediator.coef]
    return _variance(np.hstack(columns), np.hstack(coef))


def _offset(data: xr.Dataset, equation: str) -> np.ndarray:
    """Offset of an equation as a column, zero where it has none; shape (obs, 1)."""
    if f"{equation}_offset" in data:
        return data[f"{equation}_offset"].to_numpy()[:, None]
    return np.zeros((data.sizes["obs"], 1))


def _with_one(coef: np.ndarray) -> np.ndarray:
    """Coefficients, and a one for the offset."""
    return np.column_stack([coef, np.ones(len(coef))])


def _variance(columns: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Variance over the rows of ``columns @ coef``, per draw, from the columns' covariance."""
    centred = columns - columns.mean(axis=0)
    covariance = centred.T @ centred / len(columns)
    return np.maximum(np.einsum("sp,sp->s", coef @ covariance, coef), 0.0)


def _by_rows(
    fit: Posterior, draws: Draws, function: Callable[[Posterior, Draws], np.ndarray]
) -> np.ndarray:
    """A function of rows against draws, for blocks of draws; shape (S,)."""
    rows = fit.tree["constant_data"].sizes["obs"]
    found = over_blocks(partial(function, fit), draws, rows)
    return np.concatenate(found)


def _variance_with_intervals(fit: Posterior, draws: Draws) -> np.ndarray:
    """Variance of eta_0 where the mediator shows an interval of scores."""
    data = fit.tree["constant_data"].to_dataset()
    mediator, outcome = fit.families["mediator"], fit.families["outcome"]
    observed = fit.tree["observed_data"]["mediator"].to_numpy()[:, None]
    eta = _mediator_eta(fit, draws)
    known = interval_mean(
        *(mediator.score(m, eta, draws.mediator.parameters) for m in (observed - 1.0, observed))
    )[0]
    fitted = times(data["outcome_design"].to_numpy(), draws.outcome.coef)
    pull = draws.rho * _residual_sd(outcome, draws.outcome.parameters, len(draws))
    return np.asarray((fitted + _offset(data, "outcome") + pull * known).var(axis=0))


def _shown(fit: Posterior, draws: Draws) -> np.ndarray:
    """Variance of E[e_m | M] under the mediator's equation, a mean over the rows."""
    family = fit.families["mediator"]

    def shown(fit: Posterior, draws: Draws) -> np.ndarray:
        eta, own = _mediator_eta(fit, draws), draws.mediator.parameters
        levels = len(own["cutpoints"]) + 1 if "cutpoints" in own else 2
        total = np.zeros_like(eta)
        for level in range(levels):
            low, high = (family.score(float(m), eta, own) for m in (level - 1, level))
            mean, chance = interval_mean(low, high)
            total += chance * mean**2
        return np.asarray(total.mean(axis=0))

    return _by_rows(fit, draws, shown)


def _mediator_eta(fit: Posterior, draws: Draws) -> np.ndarray:
    data = fit.tree["constant_data"].to_dataset()
    return times(data["mediator_design"].to_numpy(), draws.mediator.coef) + _offset(
        data, "mediator"
    )


def interval_mean(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of a standard normal variable between two points, and the probability of that."""
    upper = low + high > 0.0  # there the other tail keeps its digits
    a, b = np.where(upper, -high, low), np.where(upper, -low, high)
    chance = ndtr(b) - ndtr(a)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (np.exp(-0.5 * a * a) - np.exp(-0.5 * b * b)) / (_ROOT_TWO_PI * chance)
    mean = np.where(chance > 0.0, mean, b)
    return np.where(upper, -mean, mean), chance
