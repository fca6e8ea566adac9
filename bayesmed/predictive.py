"""Data and effects that the priors imply."""

import json
import warnings

import numpy as np
import xarray as xr

from bayesmed.describe import describe
from bayesmed.effects import (
    Effects,
    contrasts,
    draws_of,
    effects_about,
    potential_outcomes,
)
from bayesmed.model import EQUATIONS, MediationModel
from bayesmed.potential import Draws
from bayesmed.sampling import COEFFICIENT_DIMS, settle_seed, to_dataset


def prior_predictive(model: MediationModel, draws: int, random_seed: int | None) -> Effects:
    """Draw data and effects from the prior; see :meth:`MediationModel.prior_predictive`."""
    import pymc as pm
    from pytensor.compile.mode import Mode

    seed = settle_seed(random_seed)
    graph = model.build()
    names = [v.name for v in graph.free_RVs + graph.deterministics]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = pm.draw(
            [graph[name] for name in names], draws=draws, random_seed=seed,
            mode=Mode(linker="py", optimizer=None),
        )  # fmt: skip
    arrays = {name: np.asarray(value)[None] for name, value in zip(names, drawn, strict=True)}
    mediator, outcome = model.designs
    coords = {"mediator_term": list(mediator.terms), "outcome_term": list(outcome.terms)}
    prior = to_dataset(arrays, coords, COEFFICIENT_DIMS)
    about = {**describe(model), "settings": {"random_seed": seed}, "fit": f"prior {seed}"}
    parameters = draws_of(prior, about["rho_fixed"], about["parameters"])
    po = potential_outcomes(parameters, model.families, model.counterfactuals, (1, draws))
    result = contrasts(po)
    result.attrs["bayesmed"] = json.dumps(
        {**effects_about(about, None, "sample"), "rho": f"{about['rho']} (prior, no data)"}
    )
    data = simulate_rows(model, parameters, np.random.default_rng(seed))
    simulated = to_dataset(
        {name: values[None] for name, values in data.items()},
        {"obs": np.arange(len(model.frame.data))},
        {name: ("obs",) for name in EQUATIONS},
    )
    tree = xr.DataTree.from_dict({"prior": prior, "prior_predictive": simulated})
    return Effects(result, tree)


def simulate_rows(
    model: MediationModel, draws: Draws, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Mediator and outcome of every row for each draw, shape (S, obs), by the structural model."""
    size = (len(draws), len(model.frame.data))
    rho = draws.rho[:, None]
    e_m, z = rng.standard_normal((2, *size))
    e_y = rho * e_m + np.sqrt(1.0 - rho**2) * z
    own = [
        {name: value[:, None] for name, value in parameters.items()}
        for parameters in (draws.mediator_parameters, draws.outcome_parameters)
    ]
    eta = draws.mediator_coef @ model.designs[0].matrix.T
    m = model.families[0].value(e_m, eta, own[0])
    y = model.families[1].value(e_y, _outcome_eta(model, draws, m), own[1])
    return {"mediator": m, "outcome": y}


def _outcome_eta(model: MediationModel, draws: Draws, m: np.ndarray) -> np.ndarray:
    """Linear predictor of the outcome at the observed treatment and simulated mediators."""
    mediator, outcome = model.designs
    name, frame = mediator.parsed.response, model.frame.data
    if model.families[0].kind == "binary" or outcome.is_affine(name):
        base, one = (outcome.rows(frame.assign(**{name: value})) for value in (0, 1))
        return draws.outcome_coef @ base.T + m * (draws.outcome_coef @ (one - base).T)
    rows = (outcome.rows(frame.assign(**{name: values})) for values in m)
    return np.stack([row @ coef for row, coef in zip(rows, draws.outcome_coef, strict=True)])
