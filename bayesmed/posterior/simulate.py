"""Data and effects that the priors imply."""

import json
import warnings
from typing import Any

import numpy as np
import xarray as xr

from bayesmed.system.about import describe
from bayesmed.effects.effects import (
    Effects,
    contrasts,
    draws_of,
    potential_outcomes,
)
from bayesmed.families.family import EQUATIONS
from bayesmed.data.frame import assign
from bayesmed.effects.setting import effects_about
from bayesmed.system.system import MediationModel
from bayesmed.means.means import Draws
from bayesmed.posterior.nuts import check_count, settle_seed, to_dataset

#: From this share on, large effects under the priors are worth a thought.
_LARGE_SHARE = 0.2


def prior_predictive(model: MediationModel, draws: int, random_seed: int | None) -> Effects:
    """Draw data and effects from the prior; see :meth:`MediationModel.prior_predictive`."""
    import pymc as pm
    from pytensor.compile.mode import Mode

    check_count("draws", draws)
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
    own = {name: list(values) for name, values in graph.coords.items() if name != "obs"}
    prior = to_dataset(arrays, own, dict(graph.named_vars_to_dims))
    about = {**describe(model), "settings": {"random_seed": seed}, "fit": f"prior {seed}"}
    parameters = draws_of(prior, about["rho_fixed"], about["parameters"])
    po = potential_outcomes(parameters, model.families, model.counterfactuals, (1, draws))
    result = contrasts(po)
    result.attrs["bayesmed"] = json.dumps({
        **effects_about(about, None, "sample"), "rho": f"{about['rho']} (prior, no data)",
        "prior_note": prior_note(model, result),
    })  # fmt: skip
    data = simulate_rows(model, parameters, np.random.default_rng(seed))
    simulated = to_dataset(
        {name: values[None] for name, values in data.items()},
        {"obs": np.arange(len(model.frame.data))},
        {name: ("obs",) for name in EQUATIONS},
    )
    tree = xr.DataTree.from_dict({"prior": prior, "prior_predictive": simulated})
    return Effects(result, tree)


def prior_note(model: MediationModel, effects: xr.Dataset) -> str:
    """What the priors say about large effects, in a sentence; a warning where that is much.

    Large is a difference of more than a half in a probability, or of more than two standard
    deviations of the observed outcome.
    """
    family = model.families[1]
    bounded = family.kind == "binary" or family.name == "beta"
    limit = 0.5 if bounded else 2.0 * float(np.std(model.values("outcome")))
    words = "0.5 on the probability scale" if family.kind == "binary" else f"{limit:.3g}"
    words += "" if bounded else ", two standard deviations of the outcome"
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


def simulate_rows(
    model: MediationModel, draws: Draws, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Mediator and outcome of every row for each draw, shape (S, obs), by the structural model.

    Ordered responses are the codes 0, 1, ...; a tobit outcome is cut at its limits, and times
    are uncensored.
    """
    size = (len(draws), len(model.frame.data))
    rho = draws.rho[:, None]
    e_m, z = rng.standard_normal((2, *size))
    e_y = rho * e_m + np.sqrt(1.0 - rho**2) * z
    own = [_row_parameters(model, draws, name) for name in EQUATIONS]
    eta = draws.mediator_coef @ model.designs[0].matrix.T + _offset(model, "mediator")
    m = model.families[0].value(e_m, eta, own[0])
    eta = _outcome_eta(model, draws, m) + _offset(model, "outcome")
    y = model.families[1].value(e_y, eta, own[1])
    limits = model.responses[1].columns
    y = np.clip(y, limits.get("lower", -np.inf), limits.get("upper", np.inf))
    return {"mediator": m, "outcome": y}


def _row_parameters(model: MediationModel, draws: Draws, equation: str) -> dict[str, np.ndarray]:
    place = EQUATIONS.index(equation)
    own = getattr(draws, f"{equation}_parameters")
    found = {name: value[..., None] for name, value in own.items()}
    scale, coef = model.scale_designs[place], getattr(draws, f"{equation}_sigma_coef")
    if scale is not None:
        found["sigma"] = np.exp(coef @ scale.matrix.T)
    return {**found, **model.responses[place].columns}


def _offset(model: MediationModel, equation: str) -> Any:
    offset = model.responses[EQUATIONS.index(equation)].offset
    return 0.0 if offset is None else offset


def _outcome_eta(model: MediationModel, draws: Draws, m: np.ndarray) -> np.ndarray:
    """Linear predictor of the outcome at the observed treatment and simulated mediators."""
    mediator, outcome = model.designs
    name, frame = mediator.parsed.response, model.frame.data

    def at(values: Any) -> np.ndarray:
        return outcome.rows(assign(frame, {name: values}))

    if model.families[0].kind == "ordered":
        eta = [draws.outcome_coef @ at(level).T for level in model.responses[0].levels]
        return np.choose(m.astype(int), eta)
    if model.families[0].kind == "binary" or outcome.is_affine(name):
        base, one = at(0), at(1)
        return draws.outcome_coef @ base.T + m * (draws.outcome_coef @ (one - base).T)
    rows = (outcome.rows(frame.assign(**{name: values})) for values in m)
    return np.stack([row @ coef for row, coef in zip(rows, draws.outcome_coef, strict=True)])
