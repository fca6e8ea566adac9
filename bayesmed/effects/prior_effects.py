"""Data and effects that the priors imply."""

import warnings

import numpy as np
import xarray as xr

from bayesmed.effects.estimands import contrasts
from bayesmed.effects.means_of import potential_outcomes
from bayesmed.effects.setting import asked_of
from bayesmed.families.prior import uncompiled
from bayesmed.posterior.graphs import graph_of
from bayesmed.posterior.nuts import check_count, settle_seed, to_dataset
from bayesmed.posterior.simulate import simulate_rows
from bayesmed.posterior.state import draws_of
from bayesmed.system.about import describe
from bayesmed.system.system import System

#: From this share on, large effects under the priors are worth a thought.
_LARGE_SHARE = 0.2


def prior_effects(
    model: System, draws: int, random_seed: int | None
) -> tuple[xr.Dataset, xr.DataTree]:
    """Effects and data drawn from the prior; see :meth:`bayesmed.MediationModel.prior_predictive`."""
    import pymc as pm

    check_count("draws", draws)
    seed = settle_seed(random_seed)
    graph = graph_of(model)
    names = [v.name for v in graph.free_RVs + graph.deterministics]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = pm.draw(
            [graph[name] for name in names], draws=draws, random_seed=seed, mode=uncompiled()
        )
    arrays = {name: np.asarray(value)[None] for name, value in zip(names, drawn, strict=True)}
    own = {name: list(values) for name, values in graph.coords.items() if name != "obs"}
    prior = to_dataset(arrays, own, dict(graph.named_vars_to_dims))
    about = describe(model).saying(settings={"random_seed": seed}, fit=f"prior {seed}")
    parameters = draws_of(prior, about.rho_fixed, about.parameters)
    po = potential_outcomes(parameters, model.counterfactuals, (1, draws))
    result = contrasts(po)
    setting = asked_of(about).saying(
        rho=f"{about.rho} (prior, no data)", prior_note=prior_note(model, result)
    )
    result.attrs["bayesmed"] = setting.to_json()
    data = simulate_rows(model, parameters, np.random.default_rng(seed))
    simulated = to_dataset(
        {name: values[None] for name, values in data.items()},
        {"obs": np.arange(len(model.frame.data))},
        dict.fromkeys(data, ("obs",)),
    )
    tree = xr.DataTree.from_dict({"prior": prior, "prior_predictive": simulated})
    return result, tree


def prior_note(model: System, effects: xr.Dataset) -> str:
    """What the priors say about large effects, in a sentence; a warning where that is much.

    Large is a difference of more than a half in a probability, or of more than two standard
    deviations of the observed outcome.
    """
    family = model.families["outcome"]
    limit = 0.5 if family.bounded else 2.0 * float(np.std(model.last.response.values))
    words = "0.5 on the probability scale" if family.kind == "binary" else f"{limit:.3g}"
    words += "" if family.bounded else ", two standard deviations of the outcome"
    shares = {
        "ACME": float((abs(effects["acme"].sel(arm="average")) > limit).mean()),
        "total effect": float((abs(effects["total"]) > limit).mean()),
    }
    said = " and ".join(f"{share:.0%} on |{name}| > {words}" for name, share in shares.items())
    if max(shares.values()) < _LARGE_SHARE:
        return f"The priors put {said}."
    return (
        f"The priors put {said}: effects that large are rare. If they are absurd here, state narrower "
        "priors of the coefficients with priors=."
    )
