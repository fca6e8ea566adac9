"""Row log-likelihoods of posterior draws, from the arrays that a fit keeps."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.posterior.arrays import kept_columns
from bayesmed.posterior.draws import Draws
from bayesmed.posterior.nuts import to_dataset
from bayesmed.posterior.state import Posterior
from bayesmed.system import copula
from bayesmed.system.capabilities import refuse
from bayesmed.system.closed import ClosedMap

#: Numbers in an array of rows and draws.
CHUNK = 4_000_000


def row_log_likelihood(fit: Posterior, chunk: int = CHUNK) -> Iterator[dict[str, np.ndarray]]:
    """Log p(m) and log p(y | m) of every row, for blocks of draws.

    Parameters
    ----------
    chunk : int
        Numbers in an array of rows and draws.

    Yields
    ------
    dict of str to numpy.ndarray
        By equation, shape (draw, obs).
    """
    data, draws = fit.tree["constant_data"].to_dataset(), fit.draws
    independent = fit.description.independent
    regression = fit.closed_map if independent else None
    size = max(1, chunk // data.sizes["obs"])
    for start in range(0, len(draws), size):
        block = draws.block(slice(start, start + size))
        first, second = (
            copula.margin(
                family, fit.tree["observed_data"][key].to_numpy()[:, None],
                *_rows(data, key, block, regression),
            )
            for key, family in fit.families.items()
        )  # fmt: skip
        outcome = copula.log_conditional(first, second, None if independent else block.rho)
        found = {"mediator": copula.log_marginal(first), "outcome": outcome}
        yield {key: np.ascontiguousarray(rows.T) for key, rows in found.items()}


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
    n, start = posterior.tree["constant_data"].sizes["obs"], 0
    out = {key: np.empty((math.prod(posterior.shape), n)) for key in posterior.families}
    for block in row_log_likelihood(posterior, chunk):
        for key, rows in block.items():
            out[key][start : start + len(rows)] = rows
        start += len(rows)
    arrays = {key: own.reshape(*posterior.shape, -1) for key, own in out.items()}
    group = to_dataset(arrays, {"obs": np.arange(n)}, dict.fromkeys(out, ("obs",)))
    posterior.tree["log_likelihood"] = xr.DataTree(group)


def total_log_likelihood(fit: Posterior) -> xr.Dataset:
    """Log-likelihood of all rows at each draw, without keeping that of each row.

    Returns
    -------
    xarray.Dataset
        ``joint(chain, draw)``.
    """
    # Rows with the moments of many count as their share of them.
    share = fit.description.n / fit.tree["constant_data"].sizes["obs"]
    total = [
        sum(own.sum(axis=1) for own in rows.values()) * share for rows in row_log_likelihood(fit)
    ]
    values = np.concatenate(total).reshape(fit.shape)
    coords = {name: fit.posterior[name].to_numpy() for name in ("chain", "draw")}
    return xr.Dataset({"joint": (("chain", "draw"), values)}, coords)
