"""The prior of rho, from what a fit keeps of it."""

import numpy as np
import xarray as xr

from bayesmed.families.prior import Prior, uncompiled
from bayesmed.posterior.state import Posterior
from bayesmed.system.capabilities import refuse


def rho_draws(fit: Posterior, draws: int = 20_000) -> xr.Dataset:
    """Draws of rho from its posterior and its prior; see :meth:`bayesmed.MediationFit.rho_draws`."""
    import pymc as pm

    refuse("rho_draws", fit)
    about = fit.description
    assert about.rho_stated is not None
    distribution, parameters = about.rho_stated
    prior = Prior(distribution, **parameters)
    values = pm.draw(
        prior.constructor.dist(**prior.parameters, size=draws),
        random_seed=about.settings["random_seed"], mode=uncompiled(),
    )  # fmt: skip
    found = fit.posterior[["rho"]].assign(rho_prior=("prior_draw", np.asarray(values)))
    found.attrs["bayesmed"] = about.to_json()
    return found
