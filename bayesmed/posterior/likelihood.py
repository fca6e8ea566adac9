"""Row log-likelihoods of posterior draws, from the arrays that a fit keeps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.families.family import Families
from bayesmed.posterior.arrays import kept_columns
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.nuts import to_dataset
from bayesmed.posterior.state import Posterior
from bayesmed.system import copula
from bayesmed.system.capabilities import refuse
from bayesmed.system.closed import ClosedMap

#: Numbers in an array of rows and draws.
CHUNK = 4_000_000


def row_log_likelihood(
    families: Families,
    draws: Draws,
    data: xr.Dataset,
    observed: Mapping[str, np.ndarray],
    independent: bool,
    regression: ClosedMap | None,
    chunk: int = CHUNK,
) -> dict[str, np.ndarray]:
    """Log p(m) and log p(y | m) of every row and draw.

    Parameters
    ----------
    data : xarray.Dataset
        A fit's constant data.
    observed : mapping of str to numpy.ndarray
        The responses, each of shape (obs,).
    independent : bool
        Whether the likelihood is the product of two regressions.
    regression : ClosedMap or None
        Takes the outcome's parameters to that regression in a closed pair.
    chunk : int
        Numbers in an array of rows and draws.

    Returns
    -------
    dict of str to numpy.ndarray
        By equation, shape (S, obs).
    """
    n, count = data.sizes["obs"], len(draws)
    size = max(1, chunk // n)
    out = {key: np.empty((count, n)) for key in families}
    for start in range(0, count, size):
        part = slice(start, start + size)
        block = draws.block(part)
        first, second = (
            copula.margin(family, observed[key][:, None], *_rows(data, key, block, regression))
            for key, family in families.items()
        )
        out["mediator"][part] = copula.log_marginal(first).T
        rho = None if independent else block.rho
        out["outcome"][part] = copula.log_conditional(first, second, rho).T
    return out


def _rows(
    data: xr.Dataset, equation: str, block: Draws, regression: ClosedMap | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Linear predictor (obs, S) and parameters of an equation for a block of draws."""
    mediator, draws = block.mediator, block.equations[equation]
    coef, own = draws.coef, draws.parameters
    if equation == "outcome" and regression is not None:
        coef, own = regression.regression(
            coef, own, mediator.coef, mediator.parameters["sigma"], block.rho
        )
    eta = data[f"{equation}_design"].to_numpy() @ coef.T
    if f"{equation}_offset" in data:
        eta = eta + data[f"{equation}_offset"].to_numpy()[:, None]
    columns = kept_columns(data, equation, ("trials", "event", "lower", "upper"))
    parameters = {**own, **{name: value[:, None] for name, value in columns.items()}}
    if draws.sigma_coef is not None:
        scale = data[f"{equation}_sigma_design"].to_numpy()
        parameters["sigma"] = np.exp(scale @ draws.sigma_coef.T)
    return eta, parameters


def add_log_likelihood(posterior: Posterior, chunk: int = CHUNK) -> None:
    """Write the ``log_likelihood`` group; see :meth:`bayesmed.MediationFit.add_log_likelihood`."""
    refuse("log_likelihood", posterior)
    about, data = posterior.description, posterior.tree["constant_data"].to_dataset()
    regression = posterior.closed_map if about.independent else None
    out = row_log_likelihood(
        posterior.families, posterior.draws, data, observed_responses(posterior),
        about.independent, regression, chunk,
    )  # fmt: skip
    arrays = {key: own.reshape(*posterior.shape, -1) for key, own in out.items()}
    group = to_dataset(arrays, {"obs": np.arange(data.sizes["obs"])}, dict.fromkeys(out, ("obs",)))
    posterior.tree["log_likelihood"] = xr.DataTree(group)


def observed_responses(posterior: Posterior) -> dict[str, np.ndarray]:
    """The responses of a fit by the equations' keys, each of shape (obs,)."""
    data = posterior.tree["observed_data"]
    return {key: data[key].to_numpy() for key in posterior.families}
