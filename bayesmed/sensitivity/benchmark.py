"""Benchmarks of rho: what omitted confounders as strong as observed covariates would produce."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayesmed.effects.setting import Kind, Setting
from bayesmed.families.listing import few, is_number
from bayesmed.posterior.state import Posterior
from bayesmed.sensitivity.latent_scales import latent_scales
from bayesmed.sensitivity.strength import KINDS, covariate_strength, shared_covariates
from bayesmed.system.about import About
from bayesmed.system.capabilities import refuse


def make_benchmarks(
    fit: Posterior,
    times: float,
    kind: Kind,
    covariates: str | Sequence[str] | None,
) -> xr.Dataset:
    """Benchmarks of a fit; see :meth:`bayesmed.MediationFit.benchmarks`."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}; choose 'besides' or 'leave-out'.")
    if not is_number(times) or not 0.0 < times < np.inf:
        raise ValueError(f"times must be a positive number; {times!r} was given.")
    names = check_covariates(fit, covariates)
    scales = latent_scales(fit)
    own = [covariate_strength(fit, name, scales) for name in names]
    made = [one.confounder(float(times), 1.0, kind) for one in own]
    arrays = {
        "rho": [one.rho for one in made],
        "r2_mediator": [one.mediator for one in made],
        "r2_outcome": [one.outcome for one in made],
        "strength_mediator": [one.mediator for one in own],
        "strength_product": [one.product for one in own],
        "strength_outcome": [one.outcome for one in own],
    }
    dims, shape = ("covariate", "chain", "draw"), (len(names), *fit.shape)
    data = xr.Dataset(
        {name: (dims, np.reshape(values, shape)) for name, values in arrays.items()},
        {"covariate": names, "chain": np.arange(shape[1]), "draw": np.arange(shape[2])},
    ).assign(r2_score=(dims[1:], scales.shown.reshape(fit.shape)))
    exact = fit.families["mediator"].latent == "free" and fit.families["outcome"].latent is not None
    about = Setting(**vars(fit.description))
    setting = about.saying(kind=kind, times=float(times), approximate=not exact)
    return data.assign_attrs(bayesmed=setting.to_json())


def check_covariates(fit: Posterior, covariates: str | Sequence[str] | None) -> list[str]:
    """The covariates to take as benchmarks: those named, or all that stand in both equations."""
    about = fit.description
    refuse("covariates", fit)
    shared = shared_covariates(about)
    if not shared:
        raise ValueError(
            f"No covariate stands in both equations ({about.formulas['mediator']!r} and "
            f"{about.formulas['outcome']!r}), so there is nothing to compare a confounder with; "
            "put the same covariates into both."
        )
    if covariates is None:
        return shared
    asked = [covariates] if isinstance(covariates, str) else list(covariates)
    for name in asked:
        if name in shared:
            continue
        raise ValueError(
            f"{name!r} cannot be a benchmark: {_why_not(about, name)}; {few(shared)} can."
        )
    if not asked:
        raise ValueError(f"covariates= is empty; choose among {few(shared)}, or leave it out.")
    return list(dict.fromkeys(asked))


def _why_not(about: About, name: str) -> str:
    for role, own in about.roles.items():
        if name == own:
            return f"it is the {role}"
    there = [e for e in about.variables if name in about.used_in(e)]
    if there:
        return (
            f"it stands in the {there[0]} equation only, so its strength in the other is unknown "
            "(put it into both)"
        )
    return "it is a covariate of neither equation"
