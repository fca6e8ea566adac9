"""Drawing from a model's posterior: the tree of draws that a fit holds."""

import uuid
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayesmed.data.warn import warn
from bayesmed.families.names import refuse_unknown
from bayesmed.posterior.arrays import constant_data
from bayesmed.posterior.conjugate import exact_draws, is_exact
from bayesmed.posterior.graphs import condensed_graph_of
from bayesmed.posterior.nuts import (
    check_settings,
    run_sampler,
    sampler_options,
    settle_seed,
    to_dataset,
)
from bayesmed.posterior.state import Posterior
from bayesmed.system.about import describe, versions
from bayesmed.system.system import IdentificationWarning, System

#: Settings of :meth:`bayesmed.MediationModel.fit`, and what they are where nothing is said.
DEFAULTS: dict[str, Any] = {
    "draws": 1000, "tune": 1000, "chains": 4, "cores": None, "random_seed": None,
    "sampler": "nutpie", "method": "nuts", "progress": True,
}  # fmt: skip


def draw_posterior(model: System, **settings: Any) -> Posterior:
    """Draw from the posterior, and warn where chains did not converge.

    Parameters
    ----------
    **settings
        Those of :data:`DEFAULTS`; further ones are options of the sampler.
    """
    options = {name: value for name, value in settings.items() if name not in DEFAULTS}
    own = {name: settings.get(name, value) for name, value in DEFAULTS.items()}
    found = Posterior(draw_tree(model, **own, options=options), model)
    if found.convergence.problems:
        warn(str(found.convergence))
    return found


def draw_tree(
    model: System,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    random_seed: int | None,
    sampler: str,
    progress: bool,
    options: Mapping[str, Any],
    method: Literal["nuts", "laplace"] = "nuts",
) -> xr.DataTree:
    """Draw from the posterior; see :meth:`bayesmed.MediationModel.fit`.

    Returns
    -------
    xarray.DataTree
        That of :class:`bayesmed.MediationFit`.
    """
    check_settings(draws, tune, chains, cores, sampler, method)
    if options:
        known = sampler_options(sampler, options)
        refuse_unknown(options, [*DEFAULTS, *known], "MediationModel.fit()")
    seed = settle_seed(random_seed)
    settings = {
        "draws": int(draws), "tune": int(tune), "chains": int(chains), "cores": cores,
        "random_seed": seed,
    }  # fmt: skip
    if model.correlation.prior is not None and model.identification.map is None:
        warn(
            "The posterior of rho is not evidence about confounding: it is identified by "
            f"{model.identification.reason}.",
            IdentificationWarning,
        )
    posterior, stats, said = _sampled(model, settings, sampler, method, progress, options)
    tree = _tree(model, posterior, stats)
    about = describe(model).saying(
        **said, settings={**settings, "cores": None}, fit=uuid.uuid4().hex,
        versions=versions(said["sampler"]),
    )  # fmt: skip
    tree.attrs["bayesmed"] = about.to_json()
    return tree


def _sampled(
    model: System,
    settings: Mapping[str, Any],
    sampler: str,
    method: str,
    progress: bool,
    options: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    """Draws, statistics of the sampler, and who drew them."""
    if method == "laplace" and is_exact(model):
        posterior = exact_draws(model, settings)
        stats = {"accepted": np.ones(posterior["mediator_sigma"].shape)}
        return posterior, stats, {"sampler": "exact", "interrupted": False, "pareto_k": None}
    if method == "laplace" and (drawn := _by_laplace(model, settings, progress)) is not None:
        posterior, stats, pareto_k = drawn
        return posterior, stats, {"sampler": "laplace", "interrupted": False, "pareto_k": pareto_k}
    posterior, stats, interrupted = run_sampler(model, sampler, settings, progress, options)
    return posterior, stats, {"sampler": sampler, "interrupted": interrupted, "pareto_k": None}


def _by_laplace(
    model: System, settings: Mapping[str, Any], progress: bool
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float] | None:
    """Draws around the mode, or None where the posterior is too far from normal."""
    from bayesmed.posterior.density import constrain
    from bayesmed.posterior.laplace import laplace_draws
    from bayesmed.posterior.weights import LARGEST_PARETO_K

    found = laplace_draws(model, settings, progress)
    if found.pareto_k <= LARGEST_PARETO_K:
        return constrain(model, found.points), found.stats, found.pareto_k
    why = (
        f"the Pareto k-hat of its weights is {found.pareto_k:.2f}, above {LARGEST_PARETO_K}"
        if np.isfinite(found.pareto_k)
        else "the log-density has no mode that could be found"
    )
    if model.passes is not None:
        raise ValueError(
            f"method='laplace' cannot be trusted here: {why}; NUTS needs all rows in memory. State "
            "narrower priors, simplify the formulas, or fit a sample of the rows in memory."
        )
    warn(
        f"method='laplace' cannot be trusted here: {why}. The posterior is sampled by NUTS instead."
    )
    return None


def _tree(
    model: System, posterior: dict[str, np.ndarray], stats: dict[str, np.ndarray]
) -> xr.DataTree:
    arrays = {k: v for k, v in posterior.items() if not k.endswith("__")}
    order = ["rho", "mediator_coef", "outcome_coef"]
    arrays = {
        k: arrays[k]
        for k in [*(n for n in order if n in arrays), *sorted(set(arrays) - set(order))]
    }
    graph = condensed_graph_of(model)
    coords = {name: list(values) for name, values in graph.coords.items() if name != "obs"}
    observed = {key: ("obs", one.response.values) for key, one in model.equations.items()}
    return xr.DataTree.from_dict({
        "posterior": to_dataset(arrays, coords, dict(graph.named_vars_to_dims)),
        "sample_stats": to_dataset(stats, {}, {}),
        "observed_data": xr.Dataset(observed),
        "constant_data": constant_data(model),
    })  # fmt: skip
