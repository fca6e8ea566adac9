r"""Error in the measurement of the mediator: effects at an assumed reliability.

The observed mediator is :math:`M^* = M + u` with u normal, independent of everything, and
reliability :math:`\lambda = Var(M) / Var(M^*)`, so that u has the variance
:math:`\sigma_u^2 = (1 - \lambda) Var(M^*)`. Let :math:`s_m` be the residual sd of the regression
of M*, :math:`g_0` and s the slope and the residual sd of the regression of the outcome at
:math:`\lambda = 1` and :math:`\rho = 0` (s = 1 for probit), and
:math:`\lambda_c = 1 - \sigma_u^2 / s_m^2`. Then

.. math::

    \sigma_m^2 = \lambda_c s_m^2, \qquad
    \sigma_y = \frac{1}{k} \sqrt{s^2 - g_0^2 \sigma_u^2 / \lambda_c}, \qquad
    g = g_0 / \lambda_c - \rho\, \sigma_y / \sigma_m, \qquad k = \sqrt{1 - \rho^2},

have the same law of (M*, Y) given treatment and covariates. The other coefficients follow from
:math:`b = b_0 + (g - g_0) d`, with d the direction of ``closed``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.effects.assumed import (
    closed_regression,
    fixed_or_drawn,
    grid_of,
    keep_systematically,
    stated,
)
from bayesmed.effects.estimands import contrasts
from bayesmed.effects.means_of import label_cells
from bayesmed.effects.numbers import percent
from bayesmed.effects.setting import Setting, asked_of
from bayesmed.families.listing import is_number
from bayesmed.families.prior import Prior, check_rho
from bayesmed.means.along_rho import Regression
from bayesmed.means.means import ARMS, cell_means
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.nuts import settle_seed
from bayesmed.posterior.state import Posterior
from bayesmed.system.rows import Counterfactuals

#: Above this share of draws without a solution there is no posterior to show.
DEFAULT_RELIABILITIES = np.round(np.linspace(0.5, 1.0, 21), 10)
MOST_IMPOSSIBLE = 0.05


@dataclass(frozen=True)
class ErrorMap:
    """Structural parameters of the true mediator, NaN where there are none.

    Attributes
    ----------
    mediator_sigma : numpy.ndarray
        Residual sd of the true mediator, shape (S,).
    slope : numpy.ndarray
        Slope of the outcome in the true mediator, in each arm, shape (2, S); on the scale of
        the regression of the outcome.
    outcome_sigma : numpy.ndarray
        Structural residual sd of the outcome on that scale, shape (2, S).
    possible : numpy.ndarray
        Draws that some structural model can produce, boolean, shape (S,).
    """

    mediator_sigma: np.ndarray
    slope: np.ndarray
    outcome_sigma: np.ndarray
    possible: np.ndarray


def error_map(
    slope: np.ndarray,
    outcome_sigma: np.ndarray,
    mediator_sigma: np.ndarray,
    error_variance: np.ndarray,
    rho: np.ndarray,
) -> ErrorMap:
    r"""From the regression on the observed mediator to the structural equations.

    Parameters
    ----------
    slope : numpy.ndarray
        Slope of the outcome in the observed mediator at rho = 0, in each arm, shape (2, S).
    outcome_sigma, mediator_sigma : numpy.ndarray
        Residual sds of both regressions, shape (S,); ones for a probit or ordered probit outcome.
    error_variance : numpy.ndarray
        Variance of the measurement error, shape (S,).
    rho : numpy.ndarray
        Correlation of the structural residuals of the *true* mediator and the outcome, (S,).

    Returns
    -------
    ErrorMap
        Possible are the draws in which the error varies less than the observed mediator does
        given treatment, covariates *and outcome*:
        :math:`\sigma_u^2 < s_m^2 s^2 / (s^2 + g_0^2 s_m^2)`. That is the condition that
        :math:`\sigma_m` and :math:`\sigma_y` are positive.

    References
    ----------
    Fuller, W. A. (1987). Measurement error models. Wiley. Section 1.1.
    """
    possible = np.all(error_variance < unexplained(slope, outcome_sigma, mediator_sigma), axis=0)
    variance = np.where(possible, error_variance, np.nan)
    share = 1.0 - variance / mediator_sigma**2
    left = outcome_sigma**2 - slope**2 * variance / share
    sigma_m = mediator_sigma * np.sqrt(share)
    sigma_y = np.sqrt(left / ((1.0 - rho) * (1.0 + rho)))
    return ErrorMap(sigma_m, slope / share - rho * sigma_y / sigma_m, sigma_y, possible)


def unexplained(
    slope: np.ndarray, outcome_sigma: np.ndarray, mediator_sigma: np.ndarray
) -> np.ndarray:
    """Variance of the observed mediator given treatment, covariates and outcome, (2, S)."""
    return mediator_sigma**2 / (1.0 + (slope * mediator_sigma / outcome_sigma) ** 2)


@dataclass(frozen=True)
class _Observed:
    """What a correction starts from."""

    regression: Regression
    slope: np.ndarray
    sigmas: tuple[np.ndarray, np.ndarray]
    variance: float

    def map(self, reliability: np.ndarray, rho: np.ndarray) -> ErrorMap:
        sigma_m, sigma_y = self.sigmas
        return error_map(self.slope, sigma_y, sigma_m, (1.0 - reliability) * self.variance, rho)

    def least(self) -> np.ndarray:
        """The reliability above which each draw is possible, shape (S,)."""
        sigma_m, sigma_y = self.sigmas
        return 1.0 - unexplained(self.slope, sigma_y, sigma_m).min(axis=0) / self.variance

    def structural(self, found: ErrorMap, rho: np.ndarray, arm: int) -> Draws:
        """Draws of the structural equations that hold in one arm.

        With T x M the equation of the outcome differs between arms in more than its slope, so
        these serve the counterfactual means of one arm only.
        """
        closed, draws = self.regression.map, self.regression.draws
        zero, beta, extra = draws.outcome, draws.mediator.coef, found.slope[arm] - self.slope[arm]
        coef = zero.coef + extra[:, None] * closed.shift(beta)
        parameters: dict[str, np.ndarray] = {}
        if closed.latent == "unit":
            coef = coef / found.outcome_sigma[arm][:, None]
            if "cutpoints" in zero.parameters:
                constant = closed.constant - beta @ closed.constant_loading
                moved = zero.parameters["cutpoints"] - extra * constant
                parameters = {"cutpoints": moved / found.outcome_sigma[arm]}
        else:
            parameters = {"sigma": found.outcome_sigma[arm]}
        true = draws.changed("mediator", parameters={"sigma": found.mediator_sigma})
        return replace(true.changed("outcome", coef=coef, parameters=parameters), rho=rho)


def _observed(fit: Posterior) -> _Observed:
    """Check that a fit is of the kind that can be corrected, and collect its regression."""
    regression = closed_regression(fit, "effects_with_error")
    slopes = fit.counterfactuals().outcome.slope
    assert slopes is not None  # and the same in every row
    slope = np.stack([regression.draws.outcome.coef @ slopes[t][0] for t in ARMS])
    values = fit.tree["observed_data"]["mediator"].to_numpy()
    sigma_m = regression.draws.mediator.parameters["sigma"]
    sigma_y = regression.draws.outcome.parameters.get("sigma", np.ones_like(sigma_m))
    return _Observed(regression, slope, (sigma_m, sigma_y), float(values.var(ddof=1)))


def check_reliability(reliability: float | Prior) -> None:
    """Check a fixed reliability or its prior."""
    if isinstance(reliability, Prior):
        low, high = reliability.bounds
        if low < 0.0 or high > 1.0:
            raise ValueError(
                f"The prior of the reliability, {reliability!r}, has mass outside (0, 1] (its support "
                f'is {low:g} to {high:g}); use for example Prior("Beta", alpha=16, beta=4) or '
                'Prior("Uniform", lower=0.7, upper=0.9).'
            )
        return
    if not is_number(reliability):
        raise TypeError(
            f"reliability must be a number in (0, 1] or a bm.Prior; {reliability!r} was given."
        )
    if not 0.0 < reliability <= 1.0:
        raise ValueError(
            "reliability is the share of the observed mediator's variance that is not error and must "
            f"lie in (0, 1]; {reliability!r} was given."
        )


def effects_with_error(
    fit: Posterior,
    reliability: float | Prior,
    rho: float | Prior | None,
    at: Mapping[str, Any] | None,
    random_seed: int | None,
) -> xr.Dataset:
    """Effects at a reliability; see :meth:`bayesmed.MediationFit.effects_with_error`."""
    check_reliability(reliability)
    observed = _observed(fit)
    rng = np.random.default_rng(_seed(fit, random_seed))
    size = len(observed.regression.draws)
    shares = fixed_or_drawn(reliability, size, rng)
    rhos = rho_draws(fit, rho, rng)
    found = observed.map(shares, rhos)
    impossible = float(np.mean(~found.possible))
    if impossible > MOST_IMPOSSIBLE:
        raise ValueError(_impossible(observed, stated(reliability), impossible))
    cells = _cells(fit, observed, found, rhos, fit.counterfactuals(at))
    result = contrasts(label_cells(cells.reshape(2, 2, *fit.shape)))
    setting = at_reliability(_setting(fit, rho, at), stated(reliability), impossible)
    result.attrs["bayesmed"] = setting.to_json()
    return result


def _seed(fit: Posterior, random_seed: int | None) -> int:
    if random_seed is None:
        return int(fit.description.settings["random_seed"])
    return settle_seed(random_seed)


def rho_draws(fit: Posterior, rho: float | Prior | None, rng: np.random.Generator) -> np.ndarray:
    """One rho for each draw: the fit's own where None is given."""
    own = fit.draws.rho
    if rho is None:
        return own
    check_rho(rho)
    return fixed_or_drawn(rho, len(own), rng)


def _setting(fit: Posterior, rho: float | Prior | None, at: Mapping[str, Any] | None) -> Setting:
    about = fit.description
    return asked_of(about, at, rho=about.rho if rho is None else stated(rho))


def _cells(
    fit: Posterior,
    observed: _Observed,
    found: ErrorMap,
    rho: np.ndarray,
    rows: Counterfactuals,
) -> np.ndarray:
    """Counterfactual means of the possible draws, shape (2, 2, S)."""
    kept = keep_systematically(found.possible)
    same = np.array_equal(*observed.slope)
    cells = []
    for arm in ARMS[:1] if same else ARMS:
        draws = observed.structural(found, rho, arm).block(kept)
        cells.append(cell_means(draws, rows))
    return cells[0] if same else np.stack([cells[arm][arm] for arm in ARMS])


def _impossible(observed: _Observed, given: str, share: float) -> str:
    least = np.quantile(observed.least(), 1.0 - MOST_IMPOSSIBLE, method="higher")
    return (
        f"With the reliability {given}, {percent(share)} of the posterior draws have no solution: the "
        "error would vary more than the observed mediator does given treatment, covariates and "
        f"outcome. Fewer than {MOST_IMPOSSIBLE:.0%} have none where the reliability is above "
        f"{np.ceil(1e3 * least) / 1e3:g}."
    )


def curve_draws(
    fit: Posterior,
    grid: np.ndarray,
    rho: float | Prior | None,
    at: Mapping[str, Any] | None,
    random_seed: int | None,
) -> xr.Dataset:
    """Effects at each reliability of a grid; NaN where too few draws have a solution.

    Returns
    -------
    xarray.Dataset
        That of the effects with a leading ``reliability``, and ``impossible(reliability)``.
    """
    observed, rows = _observed(fit), fit.counterfactuals(at)
    rng = np.random.default_rng(_seed(fit, random_seed))
    rhos = rho_draws(fit, rho, rng)
    cells = np.full((len(grid), 2, 2, len(rhos)), np.nan)
    impossible = np.empty(len(grid))
    for i, value in enumerate(grid):
        found = observed.map(np.full(len(rhos), value), rhos)
        impossible[i] = np.mean(~found.possible)
        if impossible[i] <= MOST_IMPOSSIBLE:
            cells[i] = _cells(fit, observed, found, rhos, rows)
    if np.all(impossible > MOST_IMPOSSIBLE):
        raise ValueError(_impossible(observed, f"set to {grid[-1]:g}", impossible[-1]))
    shaped = cells.reshape(len(grid), 2, 2, *fit.shape)
    draws = contrasts(label_cells(shaped, reliability=grid))
    draws = draws.transpose("reliability", "arm", "chain", "draw")
    draws = draws.assign(impossible=("reliability", impossible))
    draws.attrs["bayesmed"] = _setting(fit, rho, at).to_json()
    return draws


def at_reliability(setting: Setting, reliability: str, impossible: float) -> Setting:
    """The same of effects at a reliability, which some draws contradict."""
    name = f"reliability of {setting.mediator} {reliability}"
    if not impossible:
        return setting.saying(assumed=name, impossible=impossible)
    left_out = f" ({impossible:.2%} of the draws have no solution and are left out)"
    pairs_with_none = f"{setting.fit}, {name}, rho {setting.rho}"
    return setting.saying(assumed=name + left_out, impossible=impossible, fit=pairs_with_none)


def check_reliabilities(reliability: Any) -> np.ndarray:
    """Sorted distinct reliabilities of a grid."""
    if reliability is None:
        return DEFAULT_RELIABILITIES
    ends = "(0, 1]"
    return grid_of(reliability, "reliability", ends, f"in {ends}", lambda r: (r > 0.0) & (r <= 1.0))
