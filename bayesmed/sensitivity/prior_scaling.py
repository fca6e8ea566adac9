r"""How each effect moves with each prior: power-scaling by ArviZ.

A prior, or the likelihood, is raised to a power near 1 and the draws are weighted to the posterior
that follows. The sensitivity of an effect is the distance of its two posteriors, as cumulative
Jensen-Shannon distance, per doubling of the power (Kallioinen et al. 2024). That distance is small
for a shift of a tenth of a standard deviation, which a reader would want to know of, so the shift
stands beside it.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.effects.setting import setting_of
from bayesmed.families.names import names_nearest
from bayesmed.families.prior import Prior, log_density
from bayesmed.posterior.arrays import prior_basis
from bayesmed.posterior.likelihood import total_log_likelihood
from bayesmed.posterior.state import Posterior
from bayesmed.posterior.weights import LARGEST_PARETO_K
from bayesmed.sensitivity.claims import choose_effect, effect_label, every_effect, is_share
from bayesmed.system.about import About
from bayesmed.system.capabilities import refuse

#: From this on a sensitivity counts (Kallioinen et al. 2024).
THRESHOLD = 0.05
#: From this on a shift of the mean by a prior counts, in posterior standard deviations.
PULL = 0.1
Components = Mapping[str, list[str]]


@names_nearest
def prior_sensitivity(
    fit: Posterior,
    effects: xr.Dataset,
    by: Literal["equation", "coefficient"] = "equation",
    arm: str = "average",
    where: Mapping[str, Any] | None = None,
    threshold: float = THRESHOLD,
) -> pd.DataFrame:
    """How each effect moves with each prior, by power-scaling, and what that means.

    Parameters
    ----------
    fit : Posterior
    effects : xarray.Dataset
        Draws of effects of this fit.
    by : {"equation", "coefficient"}
        Scale together all priors of an equation, or each prior alone. The prior of rho
        always stands alone.
    arm : str
    where : mapping, optional
        Coordinates of further dimensions of the effects; where it is silent, all of them.
    threshold : float
        From which a sensitivity counts.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``effect`` and ``component``: sensitivity to that ``prior`` and to the
        ``likelihood``; ``pull``, how far that prior moves the mean of the effect, in posterior
        standard deviations; and a ``diagnosis`` in words. The proportion mediated, whose heavy
        tails the distance does not allow for, is left out.

    Raises
    ------
    ValueError
        For effects of another fit, an unknown ``by`` or ``arm``.

    References
    ----------
    Kallioinen, N., Paananen, T., Bürkner, P.-C., & Vehtari, A. (2024). Detecting and
    diagnosing prior and likelihood sensitivity with power-scaling. Statistics and
    Computing, 34, 57.
    """
    if by not in ("equation", "coefficient"):
        raise ValueError(f"by={by!r}; choose 'equation' or 'coefficient'.")
    refuse("prior_sensitivity", fit)
    if setting_of(effects).fit != fit.description.fit:
        raise ValueError(
            "effects= come from another fit, whose draws do not pair with these priors; pass "
            "fit.effects(...) of this fit."
        )
    arms = effects["arm"].to_numpy().tolist()
    if arm not in arms:
        raise ValueError(f"arm={arm!r}; choose one of {arms}.")
    kept = {"draw": effects["draw"].to_numpy()}
    log_prior = log_priors(fit.posterior, fit.description, fit.tree["constant_data"].to_dataset())
    components: Components = {str(name): [str(name)] for name in log_prior}
    if by == "equation":
        components = {
            part: [name for name in components if name.split(":")[0] in (part, f"{part}_sigma")]
            for part in (*fit.families, "rho")
        }
    log_likelihood = total_log_likelihood(fit).sel(kept)
    rows = {
        effect_label(effects, *row): choose_effect(effects, *row)
        for row in every_effect(effects, where)
        if row[1] in ("", arm) and not is_share(row[0])
    }
    closed = fit.description.closed is not None
    return power_scaling(
        xr.Dataset(rows), log_prior.sel(kept), log_likelihood, components, closed, threshold
    )


def power_scaling(
    effects: xr.Dataset,
    log_prior: xr.Dataset,
    log_likelihood: xr.Dataset,
    components: Components,
    closed: bool,
    threshold: float = THRESHOLD,
) -> pd.DataFrame:
    r"""Power-scaling sensitivity of each effect to each component of the prior.

    The pull is what the mean would lose without the prior: the draws weighted by
    :math:`1/p(\theta)`, Pareto-smoothed; where these weights fail, to first order in the prior's
    power, :math:`\operatorname{cov}(\theta, \log p) / \operatorname{sd}(\theta)`.

    Parameters
    ----------
    effects, log_prior, log_likelihood : xarray.Dataset
        Variables of dims (chain, draw).
    components : mapping of str to list of str
        Variables of ``log_prior`` that are scaled together, by name of the component; one without
        variables is left out.
    closed : bool
        Whether the data say nothing about rho.
    threshold : float
        From which a sensitivity counts.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``effect`` and ``component``; ``prior`` and ``likelihood`` sensitivity,
        ``pull`` and ``diagnosis``.
    """
    import arviz_stats as az

    tree = xr.DataTree.from_dict(
        {"posterior": effects, "log_prior": log_prior, "log_likelihood": log_likelihood}
    )
    to_data = az.psense(tree, group="likelihood")
    found = []
    for component, names in components.items():
        if not names:
            continue
        scaled = np.sum([log_prior[name].to_numpy() for name in names], axis=0)
        flat = float(np.ptp(scaled)) < 1e-9  # to any power it is the same prior
        to_prior = None if flat else az.psense(tree, group="prior", group_var_names=names)
        for place, effect in enumerate(effects):
            prior = 0.0 if to_prior is None else float(to_prior[effect])
            likelihood = float(to_data[effect])
            pull = _pull(effects[effect].transpose("chain", "draw").to_numpy(), scaled)
            told = "a flat prior cannot be scaled: vary its bounds instead"
            if not flat:
                told = diagnosis(component, prior, likelihood, pull, closed, threshold)
            numbers = (round(prior, 3), round(likelihood, 3), round(pull, 2))
            found.append((place, effect, component, *numbers, told))
    names = ["place", "effect", "component", "prior", "likelihood", "pull", "diagnosis"]
    table = pd.DataFrame(found, columns=names).sort_values("place", kind="stable")
    return table.drop(columns="place").set_index(["effect", "component"])


def _pull(values: np.ndarray, log_prior: np.ndarray) -> float:
    """How far a prior moves a mean, in posterior standard deviations; both of shape (chain, draw)."""
    sd = float(values.std())
    if sd == 0.0 or np.ptp(log_prior) < 1e-9:
        return 0.0
    ratio = xr.DataArray(log_prior, dims=("chain", "draw"))  # psislw negates it
    log_weights, k = ratio.azstats.psislw(dim=["chain", "draw"])
    if float(k) <= LARGEST_PARETO_K:
        weights = np.exp(log_weights.transpose("chain", "draw").to_numpy())
        return float(values.mean() - np.average(values, weights=weights)) / sd
    return float(np.cov(values.ravel(), log_prior.ravel())[0, 1]) / sd


def diagnosis(
    component: str,
    prior: float,
    likelihood: float,
    pull: float,
    closed: bool,
    threshold: float = THRESHOLD,
) -> str:
    """What the two sensitivities of an effect and the pull on it mean, in plain words.

    The prior of rho has words of its own. In a closed pair the data say nothing about rho, so an
    effect that follows this prior and the data shows no conflict; and one that moves little when
    the prior is made a little wider or narrower is not therefore free of it.
    """
    moves, informed = prior >= threshold, likelihood >= threshold
    if component == "rho":
        said = "moves with" if moves else "moves little with"
        about = (
            "the data say nothing about rho"
            if closed
            else "what the data prefer is no evidence about confounding"
        )
        return f"{said} the width of this prior; {about}"
    if moves and informed:
        return "prior and data may be in conflict: look at this prior"
    if moves:
        return "strong prior or weak data: this prior decides"
    if abs(pull) >= PULL:
        return f"this prior pulls the mean by {pull:.2f} sd: widen it, or say so"
    return "the data decide" if informed else "neither this prior nor the data move it much"


def log_priors(posterior: xr.Dataset, about: About, data: xr.Dataset) -> xr.Dataset:
    """Log density of each stated prior at each posterior draw.

    Parameters
    ----------
    posterior : xarray.Dataset
        Of a fit. Priors of the outcome are evaluated at its parameters at rho = 0 where
        ``priors_on`` is ``"regression"``, else at the structural ones.
    about : About
        The fit's description.
    data : xarray.Dataset
        The fit's constant data: the intercept's prior is stated at the means of the columns.

    Returns
    -------
    xarray.Dataset
        Dims (chain, draw), named ``"mediator: treat"``, ``"outcome: sigma"``, ``"rho"``. The
        prior of cutpoints is the product of those of each, before they are put in order; a
        constant factor, which scaling does not see, is left out.
    """
    stated: dict[str, tuple[Prior, xr.DataArray]] = {}
    for key, priors in about.priors.items():
        at_zero = key == "outcome" and about.priors_on == "regression"
        values = _values_at(posterior, data, key, "_rho0" if at_zero else "", list(priors))
        for name, (distribution, parameters) in priors.items():
            stated[f"{key}: {name}"] = (Prior(distribution, **parameters), values[name])
    if about.rho_stated is not None:
        distribution, parameters = about.rho_stated
        stated["rho"] = (Prior(distribution, **parameters), posterior["rho"])
    return _evaluate(stated)


def _values_at(
    posterior: xr.Dataset, data: xr.Dataset, key: str, suffix: str, names: list[str]
) -> dict[str, xr.DataArray]:
    """What the priors of an equation speak of: coefficients, the family's parameters."""
    coef, dim = posterior[f"{key}_coef{suffix}"], f"{key}_term"
    terms = [str(term) for term in coef[dim].to_numpy()]
    basis = prior_basis(data, key)
    found = {
        term: xr.dot(coef, xr.DataArray(row, dims=dim), dim=dim)
        for term, row in zip(terms, basis, strict=True)
    }
    for name in names:
        if name not in terms:
            cutpoints = f"{key}_cutpoints_at_means{suffix}"
            own = cutpoints if name == "cutpoints" else f"{key}_{name}{suffix}"
            found[name] = posterior[own]
    return found


def _evaluate(stated: Mapping[str, tuple[Prior, xr.DataArray]]) -> xr.Dataset:
    """Log densities, summed over all dims but those of the draws."""
    found = {}
    for name, (prior, given) in stated.items():
        values = given.transpose("chain", "draw", ...)
        own = log_density(prior)(values.to_numpy()).reshape(*values.shape[:2], -1)
        found[name] = (("chain", "draw"), own.sum(axis=-1))
    coords = {name: values[name].to_numpy() for name in ("chain", "draw")}
    return xr.Dataset(found, coords)
