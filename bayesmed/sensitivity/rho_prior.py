"""The prior of rho, from what a fit keeps of it."""

import numpy as np
import xarray as xr

from bayesmed.families.prior import Prior
from bayesmed.posterior.state import Posterior
from bayesmed.system.about import About


def prior_of_rho(about: About) -> Prior:
    """The prior that rho was given.

    Raises
    ------
    ValueError
        If rho was fixed, or the fit is of a file that holds its prior in words only.
    """
    if about.rho_fixed is not None:
        raise ValueError(
            f"rho was fixed at {about.rho_fixed:g} and has no prior; fit with one, for example "
            'model.with_rho(bm.Prior("Uniform", lower=-0.5, upper=0.5)).fit().'
        )
    if about.rho_stated is None:
        raise ValueError(
            "The file of this fit holds the prior of rho in words only, "
            f"{about.rho_prior}; fit the model again."
        )
    distribution, parameters = about.rho_stated
    return Prior(distribution, **parameters)


def rho_draws(fit: Posterior, draws: int = 20_000) -> xr.Dataset:
    """Draws of rho from its posterior and its prior; see :meth:`bayesmed.MediationFit.rho_draws`."""
    import pymc as pm
    from pytensor.compile.mode import Mode

    about = fit.description
    prior = prior_of_rho(about)
    values = pm.draw(
        prior.constructor.dist(**prior.parameters, size=draws),
        random_seed=about.settings["random_seed"], mode=Mode(linker="py", optimizer=None),
    )  # fmt: skip
    found = fit.posterior[["rho"]].assign(rho_prior=("prior_draw", np.asarray(values)))
    found.attrs["bayesmed"] = about.to_json()
    return found
